"""What a rehearsal, and its cleanup, came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from dualsrm.engine.group_report import GroupEnd, GuestEnd
from dualsrm.engine.run import Run
from dualsrm.errors import ExitCode
from dualsrm.plan.dispatch import Left


class RehearsalState(Enum):
    """Named states a rehearsal can end in."""

    REHEARSED = "rehearsed"
    """Every clone booted from its disks, every group that could be asked was ready. It stands until cleanup."""
    FAILED = "failed"
    """A clone or a group did not come up. What is there stands until cleanup, to be looked at."""
    ROLLED_BACK = "rolled back"
    """A network or a snapshot could not be made; nothing is left."""
    NOT_ROLLED_BACK = "not rolled back"
    """The same, and something is left."""
    UNTOUCHED = "untouched"
    """Something changed right before it."""
    ALREADY = "nothing to do"


EXIT_CODES = {
    RehearsalState.REHEARSED: ExitCode.OK,
    RehearsalState.FAILED: ExitCode.NEEDS_ATTENTION,
    RehearsalState.ROLLED_BACK: ExitCode.ROLLED_BACK,
    RehearsalState.NOT_ROLLED_BACK: ExitCode.NEEDS_ATTENTION,
    RehearsalState.UNTOUCHED: ExitCode.REFUSED,
    RehearsalState.ALREADY: ExitCode.OK,
}


class CloneState(Enum):
    """How it ended for one clone."""

    UP = "up"
    NOT_UP = "not up"


@dataclass(frozen=True, slots=True)
class RehearsalReport:
    """The end of a rehearsal's start."""

    operation: str
    host: str
    state: RehearsalState
    seen: str
    fix: str
    guests: tuple[GuestEnd, ...]
    groups: tuple[GroupEnd, ...]
    left: tuple[Left, ...]
    """Not begun."""
    not_asked: tuple[str, ...]
    """Readiness that nobody can see of a clone: the live guest would answer."""
    total_s: float

    @property
    def exit_code(self) -> ExitCode:
        """The stable exit code of this end."""
        return EXIT_CODES[self.state]


class CleanupState(Enum):
    """Named states a cleanup can end in."""

    CLEAN = "clean"
    """Looked at again: nothing of a rehearsal is left on either host."""
    ALREADY = "nothing to do"
    LEFT = "something left"


CLEANUP_CODES = {
    CleanupState.CLEAN: ExitCode.OK,
    CleanupState.ALREADY: ExitCode.OK,
    CleanupState.LEFT: ExitCode.NEEDS_ATTENTION,
}


@dataclass(frozen=True, slots=True)
class CleanupReport:
    """The end of a cleanup."""

    operation: str
    pair: str
    state: CleanupState
    removed: tuple[str, ...]
    """In words."""
    seen: str
    fix: str
    total_s: float

    @property
    def exit_code(self) -> ExitCode:
        """The stable exit code of this end."""
        return CLEANUP_CODES[self.state]


def base_state(run: Run) -> RehearsalState:
    """Of a rehearsal that came to no clone."""
    if not run.touched:
        return RehearsalState.UNTOUCHED
    return RehearsalState.ROLLED_BACK if run.rolled_back else RehearsalState.NOT_ROLLED_BACK


def state_of(guests: Sequence[GuestEnd], groups: Sequence[GroupEnd], left: Sequence[Left]) -> RehearsalState:
    """Of one that came to its clones."""
    bad = left or any(one.exit_code is not ExitCode.OK for one in guests) or any(one.failed for one in groups)
    return RehearsalState.FAILED if bad else RehearsalState.REHEARSED


CLEANUP_COMMAND = "dualsrm test-failover cleanup"
NEXT = {
    RehearsalState.REHEARSED: "",
    RehearsalState.FAILED: f"look (virsh list, virsh vncdisplay on {{host}}), then: {CLEANUP_COMMAND} {{pair}}",
    RehearsalState.ROLLED_BACK: "mend what is named, then again",
    RehearsalState.NOT_ROLLED_BACK: f"{CLEANUP_COMMAND} {{pair}}",
    RehearsalState.UNTOUCHED: "look with `dualsrm status`, then again",
    RehearsalState.ALREADY: "",
}
"""The exact next command of each end."""
