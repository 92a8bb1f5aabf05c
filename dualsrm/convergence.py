"""When a memory copy does not come to an end by itself: what to do about it, as data and one pure function.

A guest that writes memory faster than the link carries it never fits into a pause short enough to go unnoticed. The
ladder of the configuration then allows longer pauses step by step, switches to post-copy if that was asked for, and at
the deadline calls the move off or makes the guest stand still. Nothing here asks or tells libvirt anything.

Steps wait for time or for passes over memory, never for "remaining memory does not shrink": that figure goes up and
down like a saw while a healthy copy goes on (nova removed its progress timeout for this).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

GIB = 1024**3


class AtDeadline(Enum):
    """What to do with a copy that is still going on when its time is up."""

    ABORT = "abort"
    """The guest stays where it is."""
    PAUSE = "pause"
    """The guest stands still, so that its memory can be copied to the end; aborted if that takes too long as well."""


@dataclass(frozen=True, slots=True)
class SetDowntime:
    """Allow QEMU a pause of so many seconds for the last part."""

    seconds: float

    def __str__(self) -> str:
        return f"the guest may now stand still for {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class StartPostCopy:
    """Let the guest run on at the target now; the rest of its memory follows. There is no way back from here."""

    def __str__(self) -> str:
        return "switched to post-copy: the guest runs at the target, the rest of its memory follows"


@dataclass(frozen=True, slots=True)
class Suspend:
    """Make the guest stand still at the source until its memory is copied."""

    def __str__(self) -> str:
        return "time is up: the guest stands still until its memory is copied"


@dataclass(frozen=True, slots=True)
class Abort:
    """Call the copy off."""


Action: TypeAlias = SetDowntime | StartPostCopy | Suspend | Abort


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder: an action and when it is due. Exactly one of the two conditions is set."""

    action: SetDowntime | StartPostCopy
    after_s: float | None = None
    """Seconds since memory began to be copied; starting QEMU on the target does not count."""
    after_passes: int | None = None
    """Whole passes over memory."""


@dataclass(frozen=True, slots=True)
class Convergence:
    """The schedule of a move. The default has no ladder and aborts after ten minutes."""

    ladder: tuple[Rung, ...] = ()
    """Climbed in this order, each rung once."""
    deadline_s: float = 600.0
    deadline_s_per_gib: float = 0.0
    at_deadline: AtDeadline = AtDeadline.ABORT
    pause_s: float = 60.0
    """How long the guest may stand still at the deadline; then the copy is aborted after all."""

    def deadline_for(self, memory_bytes: int) -> float:
        """Seconds a guest of this size may take, from asking libvirt on."""
        return self.deadline_s + self.deadline_s_per_gib * memory_bytes / GIB


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a copy is."""

    elapsed_s: float
    """Since libvirt was asked to migrate."""
    copying_s: float | None = None
    """Since memory was first seen being copied; None before that."""
    passes: int = 0
    """Whole passes over memory seen since then; 0 also where QEMU does not say."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An action that libvirt took, and when: seconds since libvirt was asked to migrate."""

    action: Action
    at_s: float


def next_action(
    convergence: Convergence, deadline_s: float, progress: Progress, taken: Sequence[Taken]
) -> Action | None:
    """What to do now, if anything. `taken` is what was done so far; `deadline_s` is the guest's own."""
    switched = next((one.at_s for one in taken if isinstance(one.action, StartPostCopy)), None)
    if switched is not None:
        # The guest runs at the target. What is left is at most all of its memory once more.
        return Abort() if progress.elapsed_s >= switched + deadline_s else None
    if progress.elapsed_s >= deadline_s:
        return _at_deadline(convergence, deadline_s, progress, taken)
    climbed = len(taken)
    if climbed < len(convergence.ladder) and _due(convergence.ladder[climbed], progress):
        return convergence.ladder[climbed].action
    return None


def _at_deadline(
    convergence: Convergence, deadline_s: float, progress: Progress, taken: Sequence[Taken]
) -> Action | None:
    if (
        convergence.at_deadline is AtDeadline.ABORT
        or progress.copying_s is None  # nothing is being copied: standing still would not help it
        or progress.elapsed_s >= deadline_s + convergence.pause_s
    ):
        return Abort()
    return None if any(isinstance(one.action, Suspend) for one in taken) else Suspend()


def _due(rung: Rung, progress: Progress) -> bool:
    if progress.copying_s is None:
        # libvirt takes some of these before the copy runs, and then they outlive it or are lost.
        return False
    if isinstance(rung.action, StartPostCopy) and progress.passes == 0:
        # Before one whole pass the target has next to nothing, and the guest would wait for every page.
        return False
    if rung.after_passes is not None:
        return progress.passes >= rung.after_passes
    return rung.after_s is not None and progress.copying_s >= rung.after_s
