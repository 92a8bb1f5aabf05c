"""Keeps a copy to its schedule: remembers what was done, asks the pure function what is next, and does it.

An action counts as taken only when libvirt took it. One that was refused or hung is tried again: the job may not have
begun where libvirt looks, or the guest's I/O may stand still for a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from dualsrm.convergence import (
    Abort,
    Action,
    Convergence,
    Progress,
    SetDowntime,
    StartPostCopy,
    Suspend,
    Taken,
    next_action,
)
from dualsrm.engine.ports import JobProgress, MigrationJob
from dualsrm.errors import DualsrmError

Tell: TypeAlias = Callable[[str], None]

RETRY_S = 5.0
"""Between two attempts at the same action: one that hangs keeps the watch from everything else for as long."""


class Pacer:
    """The schedule of one migration. Times are seconds since libvirt was asked to migrate."""

    def __init__(self, convergence: Convergence, deadline_s: float, job: MigrationJob, tell: Tell) -> None:
        self._convergence = convergence
        self._deadline_s = deadline_s
        self._job = job
        self._tell = tell
        self._copying_since: float | None = None
        self._first_pass: int | None = None
        self._passes = 0
        self._taken: list[Taken] = []
        self._refused: Action | None = None
        self._not_before = 0.0

    @property
    def post_copy(self) -> bool:
        """Whether the guest was let go: from then on it runs at the target and nothing can be called off."""
        return any(isinstance(taken.action, StartPostCopy) for taken in self._taken)

    def saw(self, progress: JobProgress, elapsed_s: float) -> None:
        """Take note of statistics. Passes are counted from the first seen: QEMU may go on from an earlier job's."""
        if not progress.memory_total:
            return  # the target's QEMU is starting, or this is another job
        if self._copying_since is None:
            self._copying_since = elapsed_s
        if progress.iteration is not None:
            first = progress.iteration if self._first_pass is None else min(self._first_pass, progress.iteration)
            self._first_pass, self._passes = first, progress.iteration - first

    def late(self, elapsed_s: float) -> bool:
        """Do what is due. True when the move is to be called off for being late."""
        copying_s = None if self._copying_since is None else elapsed_s - self._copying_since
        progress = Progress(elapsed_s, copying_s, self._passes)
        action = next_action(self._convergence, self._deadline_s, progress, self._taken)
        if action is None or isinstance(action, Abort):
            return action is not None
        if action != self._refused or elapsed_s >= self._not_before:
            self._take(action, elapsed_s)
        return False

    def _take(self, action: SetDowntime | StartPostCopy | Suspend, elapsed_s: float) -> None:
        try:
            match action:
                case SetDowntime(seconds=seconds):
                    self._job.set_downtime(seconds)
                case StartPostCopy():
                    self._job.start_post_copy()
                case Suspend():
                    self._job.suspend()
        except DualsrmError as error:
            if action != self._refused:
                self._tell(f"the schedule could not be kept, trying again: {error.seen}")
            self._refused, self._not_before = action, elapsed_s + RETRY_S
            return
        self._tell(str(action))
        self._taken.append(Taken(action, elapsed_s))
