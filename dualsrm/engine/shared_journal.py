"""One journal for guests side by side: each line names its guest."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from dualsrm.engine.journal import FileJournal


class SharedJournal:
    """An operation's journal, written to by several at once."""

    def __init__(self, journal: FileJournal) -> None:
        self._journal = journal
        self.lock = threading.RLock()

    @property
    def operation(self) -> str:
        """Of all of them."""
        return self._journal.operation

    def of(self, guest: str) -> OfOneGuest:
        """What one guest's executor writes to."""
        return OfOneGuest(self, guest)

    def write(self, kind: str, facts: Mapping[str, object]) -> None:
        """One line at a time."""
        with self.lock:
            self._journal.write(kind, **facts)


@dataclass(frozen=True, slots=True)
class OfOneGuest:
    """A `Journal`."""

    shared: SharedJournal
    guest: str

    @property
    def operation(self) -> str:
        """The one they share."""
        return self.shared.operation

    def write(self, kind: str, **facts: object) -> None:
        """A line of this guest."""
        self.shared.write(kind, {"guest": self.guest, **facts})

    def jot(self, kind: str, **facts: object) -> None:
        """Nothing here copies memory: what there is to say is worth the disk's time."""
        self.write(kind, **facts)
