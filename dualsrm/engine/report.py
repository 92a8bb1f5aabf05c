"""What an operation came to: one value for the screen, for `--json`, for the journal and for the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from dualsrm.engine.executor import Run
from dualsrm.errors import ExitCode
from dualsrm.outcome import Outcome
from dualsrm.plan.move import MoveGoal
from dualsrm.plan.steps import Replicating


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
    UNTOUCHED = "untouched"
    """Somebody asked to stop before the first act; nothing was done."""
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
    outage_s: float | None
    """QEMU's own figure for the pause at hand-over; a client sees more. None when libvirt did not say."""
    memory_bytes: int | None
    window_s: float | None
    """From asking to open dual-primary to having seen it closed on both hosts; None when it was not seen closed."""
    total_s: float

    @property
    def exit_code(self) -> ExitCode:
        """The stable exit code of this end."""
        return EXIT_CODES[self.state]


def report_move(operation: str, goal: MoveGoal, run: Run, total_s: float) -> MoveReport:
    """Read the report off a run."""
    state = _state(run, goal.source)
    statistics = run.crossing.statistics if run.crossing else None
    return MoveReport(
        operation=operation,
        guest=goal.guest,
        source=goal.source,
        target=goal.target,
        state=state,
        seen=_seen(run),
        fix=_fix(state, goal, run),
        outage_s=statistics.downtime_s if statistics else None,
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
        only = all(one.asked and isinstance(one.condition, Replicating) for one in run.failure.unmet)
        return MoveState.REPLICATION_LOST if only and run.failure.unmet else MoveState.MOVED_UNSETTLED
    if outcome is Outcome.MOVED:
        return MoveState.MOVED
    if not run.touched:
        return MoveState.UNTOUCHED
    if run.rolled_back:
        return MoveState.ROLLED_BACK
    # A source that is silent may be down, and the guest with it.
    return MoveState.IN_DOUBT if source in _silent(run) else MoveState.NOT_ROLLED_BACK


def _silent(run: Run) -> frozenset[str]:
    failures = [*([run.failure] if run.failure else []), *run.not_undone]
    return frozenset(one.condition.host for failure in failures for one in failure.unmet if not one.asked)


def _seen(run: Run) -> str:
    failures = [run.failure] if run.failure else []
    return "; ".join(f"{failure.step}: {failure.seen}" for failure in [*failures, *run.not_undone])


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


def _fix(state: MoveState, goal: MoveGoal, run: Run) -> str:
    if state in (MoveState.UNTOUCHED, MoveState.ROLLED_BACK):
        return (run.failure.fix if run.failure else "") or "run `dualsrm check` on the guest, then try again"
    promote = "; ".join(f"drbdadm primary {resource}" for resource in goal.resources)
    return _NEXT[state].format(source=goal.source, target=goal.target, guest=goal.guest, promote=promote)
