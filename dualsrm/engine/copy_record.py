"""What is seen of a memory copy, kept in the journal for the report: some of libvirt's statistics, and all notices."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from dualsrm.engine.journal import Journal
from dualsrm.engine.ports import JobProgress
from dualsrm.engine.progress import Copying, Event, Notice, Observer
from dualsrm.errors import Refused

EVERY_S: Final = 1.0
"""Between two samples at the least."""
SHARE: Final = 60
"""And never less than this part of the time that has passed: an hour of copying leaves some 300 lines of 250 bytes."""


class CopyRecorder:
    """An observer that keeps and passes on. Its lines inform only: they wait for no disk, and one that is full is told
    by the lines that matter."""

    def __init__(self, journal: Journal, observer: Observer) -> None:
        self._journal = journal
        self._observer = observer
        self._due_s = 0.0

    def __call__(self, event: Event) -> None:
        """Keep the event, if there is something to keep, and pass it on."""
        match event:
            case Copying(progress=progress, seconds=seconds) if progress.memory_total and seconds >= self._due_s:
                self._due_s = seconds + max(EVERY_S, seconds / SHARE)
                self._sample(progress)
            case Notice(text=text):
                self._keep("notice", text=text)
        self._observer(event)

    def _sample(self, progress: JobProgress) -> None:
        self._keep(
            "copying",
            memory_total=progress.memory_total,
            memory_remaining=progress.memory_remaining,
            dirty_rate=progress.dirty_rate_bytes_per_second,
            iteration=progress.iteration,
        )

    def _keep(self, kind: str, **facts: object) -> None:
        with suppress(Refused):
            self._journal.jot(kind, **facts)
