"""What an operation came to: one value for the screen, for `--json`, for the journal and for the exit code."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from dualsrm.engine.run import Failure, Run
from dualsrm.errors import ExitCode
from dualsrm.outcome import Outcome
from dualsrm.plan.move import MoveGoal
from dualsrm.plan.steps import GuestRuns, Replicating


class MoveState(Enum):
    """Named states a move can end in."""

    MOVED = "moved"
    """At the target; window closed, both verified."""
    MOVED_UNSETTLED = "moved, not settled"
    """At the target; the source is not Secondary, or the window is not proved closed."""
    REPLICATION_LOST = "moved, replication lost"
    """At the target with every acknowledged write, and nothing replicates: a second loss would lose the guest."""
    ROLLED_BACK = "rolled back"
    """At the source; window closed, both verified."""
    NOT_ROLLED_BACK = "not moved, not rolled back"
    """At the source; an undo did not work."""
    MAY_STOP = "not moved, may yet stop"
    """Cold: it was asked to shut down and had not when it was last seen; it may at any later time."""
    UNTOUCHED = "untouched"
    """Somebody asked to stop before the first act, or a cold move saw a change right before it; nothing was done."""
    STOPPED = "guest stopped"
    """The guest shut itself down during the move."""
    DIED = "guest died"
    """The guest runs nowhere and did not ask for it."""
    IN_DOUBT = "in doubt"
    SPLIT = "running on both hosts"


EXIT_CODES = {
    MoveState.MOVED: ExitCode.OK,
    MoveState.MOVED_UNSETTLED: ExitCode.NEEDS_ATTENTION,
    MoveState.REPLICATION_LOST: ExitCode.NEEDS_ATTENTION,
    MoveState.ROLLED_BACK: ExitCode.ROLLED_BACK,
    MoveState.NOT_ROLLED_BACK: ExitCode.NEEDS_ATTENTION,
    MoveState.MAY_STOP: ExitCode.NEEDS_ATTENTION,
    MoveState.UNTOUCHED: ExitCode.REFUSED,
    MoveState.STOPPED: ExitCode.NEEDS_ATTENTION,
    MoveState.DIED: ExitCode.NEEDS_ATTENTION,
    MoveState.IN_DOUBT: ExitCode.IN_DOUBT,
    MoveState.SPLIT: ExitCode.IN_DOUBT,
}


@dataclass(frozen=True, slots=True)
class MoveReport:
    """The end of one move."""

    operation: str
    guest: str
    source: str
    target: str
    state: MoveState
    seen: str
    """What went wrong, in words; empty after a clean move."""
    fix: str
    """The exact next command; empty after a clean move."""
    method: Literal["live", "cold"]
    outage_s: float | None
    """Live: QEMU's own figure for the pause at hand-over; a client sees more. None when libvirt did not say. Cold: from
    having seen its QEMU gone to having seen it active again; its own boot is not in it."""
    memory_bytes: int | None
    window_s: float | None
    """From asking to open dual-primary to having seen it closed on both hosts; None when it was not seen closed."""
    total_s: float

    @property
    def exit_code(self) -> ExitCode:
        """The stable exit code of this end."""
        return EXIT_CODES[self.state]


def report_move(operation: str, goal: MoveGoal, run: Run, total_s: float, *, cold: bool = False) -> MoveReport:
    """Read the report off a run."""
    state = _cold_state(run, goal.source) if cold else _state(run, goal.source)
    statistics = run.crossing.statistics if run.crossing else None
    return MoveReport(
        operation=operation,
        guest=goal.guest,
        source=goal.source,
        target=goal.target,
        state=state,
        seen=run.seen,
        fix=_fix(_COLD if cold and state in _COLD else _NEXT, state, goal, run),
        method="cold" if cold else "live",
        outage_s=run.down_s if cold else statistics.downtime_s if statistics else None,
        memory_bytes=statistics.memory_processed if statistics else None,
        window_s=run.window_s,
        total_s=total_s,
    )


_BY_OUTCOME = {
    Outcome.IN_DOUBT: MoveState.IN_DOUBT,
    Outcome.WAIT: MoveState.IN_DOUBT,
    Outcome.SPLIT: MoveState.SPLIT,
    Outcome.STOPPED: MoveState.STOPPED,
    Outcome.DIED: MoveState.DIED,
}


def _state(run: Run, source: str) -> MoveState:
    outcome = run.crossing.verdict.outcome if run.crossing else Outcome.NOT_MOVED
    if outcome in _BY_OUTCOME:
        return _BY_OUTCOME[outcome]
    if outcome is Outcome.MOVED and run.failure is not None:
        # The last step: everything before it was verified, so the hosts have agreed on whose data counts.
        return MoveState.REPLICATION_LOST if _only_replication(run.failure) else MoveState.MOVED_UNSETTLED
    if outcome is Outcome.MOVED:
        return MoveState.MOVED
    return _undone(run, source) if run.touched else MoveState.UNTOUCHED


def _cold_state(run: Run, source: str) -> MoveState:
    if run.failure is None:
        return MoveState.MOVED
    if not run.touched:
        return MoveState.UNTOUCHED
    if run.failure.step == "verify":
        return _arrived(run.failure)
    if run.failure.step == "shut down" and run.asked and run.rolled_back:
        return MoveState.MAY_STOP
    return MoveState.IN_DOUBT if run.unseen else _undone(run, source)


def _undone(run: Run, source: str) -> MoveState:
    if run.rolled_back:
        return MoveState.ROLLED_BACK
    # A source that is silent may be down, and the guest with it.
    return MoveState.IN_DOUBT if source in run.silent else MoveState.NOT_ROLLED_BACK


def _arrived(failure: Failure) -> MoveState:
    """It was seen active at the target, and then not all was well."""
    if any(one.asked and isinstance(one.condition, GuestRuns) for one in failure.unmet):
        return MoveState.DIED
    return MoveState.REPLICATION_LOST if _only_replication(failure) else MoveState.MOVED_UNSETTLED


def _only_replication(failure: Failure) -> bool:
    wanting = failure.unmet
    return bool(wanting) and all(one.asked and isinstance(one.condition, Replicating) for one in wanting)


_RECOVER = "mend what is named, then run `dualsrm recover`: it demotes the idle side and closes the window"
_NEXT: Mapping[MoveState, str] = {
    MoveState.MOVED: "",
    MoveState.MOVED_UNSETTLED: _RECOVER,
    MoveState.STOPPED: _RECOVER,
    MoveState.DIED: _RECOVER,
    MoveState.REPLICATION_LOST: (
        "mend the replication link between {source} and {target}: they reconnect and resync by themselves; "
        "`dualsrm status` shows when"
    ),
    MoveState.NOT_ROLLED_BACK: (
        "mend what is named, then run `dualsrm recover`. If {guest} stands frozen and {target} is certainly off, on "
        "{source}: dualsrm-host peer-is-off {target}"
    ),
    MoveState.IN_DOUBT: (
        "find out where the guest is with `virsh list --all` on {source} and {target}; one that stands frozen goes on "
        "by itself when the two reach each other again; when both answer, run `dualsrm recover`. If {source} is "
        "certainly off and {guest} runs nowhere, on {target}: dualsrm-host peer-is-off {source}; {promote}; "
        "virsh start {guest}"
    ),
    MoveState.SPLIT: (
        "decide which copy of the guest lives, `virsh destroy` the other on its host ({source} or {target}), then run "
        "`dualsrm recover`"
    ),
}
"""The exact next command of each end that is not what was wanted."""
_COLD: Mapping[MoveState, str] = {
    MoveState.NOT_ROLLED_BACK: (
        "if {target} answers: `dualsrm recover`, then `{start}`. If {target} is certainly off and {guest} runs "
        "nowhere, on {source}: dualsrm-host peer-is-off {target}; {promote}; virsh start {guest}"
    ),
    MoveState.MAY_STOP: "it was asked and may shut down at any later time; if it does: `{start}`",
    MoveState.IN_DOUBT: (
        "make {silent} answer, then `dualsrm status`; if {guest} runs nowhere: `dualsrm recover`, then `{start}`. If "
        "{silent} is certainly off, on {other}: dualsrm-host peer-is-off {silent}; {promote}; virsh start {guest}"
    ),
    MoveState.MOVED_UNSETTLED: "run `dualsrm status`; if {guest} runs nowhere: `{start}`",
    MoveState.DIED: "see why (/var/log/libvirt/qemu/{guest}.log on {target}), then `{start}`",
}
"""The same after a cold move, where it differs."""


def _fix(texts: Mapping[MoveState, str], state: MoveState, goal: MoveGoal, run: Run) -> str:
    if state in (MoveState.UNTOUCHED, MoveState.ROLLED_BACK):
        return (run.failure.fix if run.failure else "") or "run `dualsrm check` on the guest, then try again"
    # In doubt after a cold move: a start at the target that nobody saw, or else a source that fell silent.
    silent, other = (goal.target, goal.source) if run.unseen else (goal.source, goal.target)
    return texts[state].format(
        source=goal.source,
        target=goal.target,
        silent=silent,
        other=other,
        guest=shlex.quote(goal.guest),
        promote="; ".join(f"drbdadm primary {resource}" for resource in goal.resources),
        start=shlex.join(("dualsrm", "start", "--", goal.guest)),
    )
