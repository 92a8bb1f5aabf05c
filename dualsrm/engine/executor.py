"""The one executor: does a plan step by step, verifies each, and undoes in reverse order when one fails.

A step that failed half-way is undone like one that succeeded: its effect is unknown, and every undo is idempotent.
After the guest has crossed over nothing is undone any more; the remaining steps persist until verified or out of time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from dualsrm.engine.conditions import Unmet, unmet
from dualsrm.engine.copy_record import CopyRecorder
from dualsrm.engine.crossing import Crossing, cross
from dualsrm.engine.environment import Environment
from dualsrm.engine.journal import Journal, note
from dualsrm.engine.performer import Performer
from dualsrm.engine.progress import StepDone, StepFailed, StepStarted, Undoing
from dualsrm.engine.resync import await_resync
from dualsrm.engine.run import Failure, Run
from dualsrm.engine.shutdown import shut_down
from dualsrm.errors import DualsrmError, HostUnreachable
from dualsrm.outcome import Outcome
from dualsrm.plan.filesystem_steps import MountedIs
from dualsrm.plan.peer_steps import AwaitResync
from dualsrm.plan.rehearsal_steps import StartClone
from dualsrm.plan.split_steps import Target
from dualsrm.plan.steps import (
    Command,
    Condition,
    GuestRuns,
    MigrateLive,
    Plan,
    RoleIs,
    SetTwoPrimaries,
    ShutDown,
    StartDomain,
    Step,
)

POLL_S = 0.5
"""Between two looks at a condition that does not hold yet. A look costs a process or two on the host."""

GONE_S = 60.0
"""How long a QEMU that was ended may take to exit: it waits for writes that are under way."""

RESYNCED_S = 30.0
"""The target of a resync calls it over a moment before the source does."""


class Executor:
    """Runs one plan. Create one for each operation."""

    def __init__(self, environment: Environment, journal: Journal) -> None:
        self._environment = environment
        self._journal = journal
        self._performer = Performer(environment, journal)
        self._undo: list[Step] = []
        self._opened_at: float | None = None
        self._closed_at: float | None = None
        self._touched = False
        self._down_at: float | None = None
        self._up_at: float | None = None
        self._asked = False
        self._seconds: dict[str, float] = {}

    def run(self, plan: Plan) -> Run:
        """Do the plan. Foreseeable faults never raise; they are in the result."""
        crossing: Crossing | None = None
        for number, step in enumerate(plan, start=1):
            self._environment.observer(StepStarted(step.name, number, len(plan)))
            self._note("step", step=step.name, do=[str(command) for command in step.do], on=_hosts_of(step))
            started = self._environment.clock.monotonic()
            match step.do:
                case (MigrateLive() as command,):
                    crossing = self._cross(command, step.deadline_s)
                    failure = _failure_of(step, crossing)
                case (ShutDown() as command,):
                    failure = self._stop_asked(step) or self._shut_down(step, command)
                case (StartDomain() | StartClone(),):
                    failure = self._stop_asked(step) or self._start(step)
                case (AwaitResync() as command,):
                    failure = self._stop_asked(step) or self._await(step, command)
                case _:
                    failure = self._stop_asked(step) or self._do(step)
            if failure is not None:
                return self._fail(step, failure, crossing)
            self._mark_guest(step.do)
            self._note("done", step=step.name)
            self._seconds[step.name] = self._environment.clock.monotonic() - started
            self._environment.observer(StepDone(step.name, self._seconds[step.name]))
        return self._measured(Run(crossing=crossing))

    # --- forward --------------------------------------------------------------------------------------------------

    def _do(self, step: Step) -> Failure | None:
        if step.undo:
            self._undo.append(step)
        self._mark_window(step.do, opening=True)
        failure = self._reach(step.name, step.do, step.verify, step.deadline_s, insist=step.insist or step.persist)
        if failure is None:
            self._mark_window(step.do, opening=False)
        return failure

    def _cross(self, command: MigrateLive, deadline_s: float) -> Crossing:
        self._touched = True
        recorder = CopyRecorder(self._journal, self._environment.observer)
        crossing = cross(replace(self._environment, observer=recorder), command, deadline_s)
        self._note("crossed", outcome=crossing.verdict.outcome.value, meaning=crossing.verdict.meaning)
        if crossing.verdict.outcome is Outcome.MOVED:
            self._undo.clear()
        return crossing

    def _shut_down(self, step: Step, command: ShutDown) -> Failure | None:
        self._touched = True
        if step.undo:
            self._undo.append(step)
        ended = shut_down(self._environment, command, step.deadline_s)
        self._asked = ended.asked
        failure = self._reach(step.name, (), step.verify, 0.0 if ended.seen else GONE_S, insist=False)
        return failure and replace(failure, seen=ended.seen or failure.seen)

    def _start(self, step: Step) -> Failure | None:
        """What is seen decides, not the answer: a start that got none may have taken effect, or be under way."""
        if step.undo:
            self._undo.append(step)
        refused = self._perform_all(step.name, step.do)
        patience_s = step.deadline_s if refused is None or refused.unanswered else 0.0
        failure = self._reach(step.name, (), step.verify, patience_s, insist=False)
        if failure is None or refused is None:
            return failure
        return replace(failure, seen=f"{refused.seen}; {failure.seen}", fix=refused.fix)

    def _await(self, step: Step, command: AwaitResync) -> Failure | None:
        seen = await_resync(self._environment, command, step.deadline_s)
        failure = self._reach(step.name, (), step.verify, 0.0 if seen else RESYNCED_S, insist=False)
        return failure and replace(failure, seen=seen or failure.seen)

    def _stop_asked(self, step: Step) -> Failure | None:
        """Stopping is safe at any step that can still be undone."""
        if step.persist or not self._environment.cancelled():
            return None
        return Failure(step.name, "the operator asked to stop")

    def _reach(
        self,
        name: str,
        do: Sequence[Command],
        verify: Sequence[Condition],
        deadline_s: float,
        *,
        insist: bool,
        not_waited_for: Collection[str] = (),
    ) -> Failure | None:
        """Do and verify until it holds. Without `insist` the commands run once and only the looking is repeated.

        It also ends when nothing is missing but answers of hosts that are not waited for.
        """
        clock = self._environment.clock
        deadline = clock.monotonic() + deadline_s
        refused: Failure | None = self._perform_all(name, do)
        while True:
            if refused is not None and not insist:
                return refused
            missing = unmet(self._environment, verify)
            if not missing:
                return None
            silence = all(not one.asked and one.condition.host in not_waited_for for one in missing)
            # Writes that count are being overwritten: every second matters.
            wrong_way = any(one.asked and isinstance(one.condition, Target) for one in missing)
            if silence or wrong_way or clock.monotonic() >= deadline:
                seen = refused.seen if refused else "; ".join(str(one) for one in missing)
                return Failure(name, seen + self._held_by(missing), refused.fix if refused else "", missing)
            clock.sleep(POLL_S)
            if insist:
                refused = self._perform_all(name, do)

    def _held_by(self, missing: Sequence[Unmet]) -> str:
        """Who holds open what should have been unmounted or demoted; empty when that is not the matter or not seen."""
        holders: dict[str, None] = {}
        for condition in (one.condition for one in missing):
            if isinstance(condition, MountedIs) and not condition.mounted:
                try:
                    users = self._environment.ports[condition.host].filesystems.users(condition.filesystem)
                    holders.update(dict.fromkeys(users))
                except DualsrmError:
                    continue
            if isinstance(condition, RoleIs) and not condition.primary:
                try:
                    port = self._environment.ports[condition.host]
                    resource = port.drbd().resource(condition.resource)
                    for volume in resource.volumes if resource else ():
                        holders.update(dict.fromkeys(port.openers(volume.minor)))
                except DualsrmError:
                    continue
        return f"; held open by {', '.join(holders)}" if holders else ""

    def _perform_all(self, name: str, commands: Sequence[Command]) -> Failure | None:
        by_host: dict[str, list[Command]] = {}
        for command in commands:
            by_host.setdefault(command.host, []).append(command)
        calls: list[Callable[[], None]] = [
            partial(self._performer.perform, self._environment.ports[host], ordered)
            for host, ordered in by_host.items()
        ]
        self._touched = self._touched or bool(calls)
        try:
            self._environment.gather(calls)
        except DualsrmError as error:
            return Failure(name, error.seen, error.fix, unanswered=isinstance(error, HostUnreachable))
        return None

    # --- backward -------------------------------------------------------------------------------------------------

    def _fail(self, step: Step, failure: Failure, crossing: Crossing | None) -> Run:
        self._environment.observer(StepFailed(failure.step, failure.seen))
        self._note("failed", step=step.name, seen=failure.seen)
        if crossing is not None and crossing.verdict.outcome in _HANDS_OFF:
            return Run(failure=failure, crossing=crossing, touched=True)
        unseen = _may_have_started(step, failure)
        if step.persist or unseen:
            self._undo.clear()
        not_undone = self._roll_back()
        return self._measured(
            Run(
                failure=failure,
                crossing=crossing,
                rolled_back=not (step.persist or unseen or not_undone),
                not_undone=not_undone,
                asked=self._asked,
                unseen=unseen,
            )
        )

    def _roll_back(self) -> tuple[Failure, ...]:
        """Undo in reverse order. One undo that fails does not spare the others.

        A host that kept silent for one undo is asked again, but not waited for: a single try tells whether it is back.
        """
        failures: list[Failure] = []
        silent: set[str] = set()
        while self._undo:
            step = self._undo.pop()
            self._environment.observer(Undoing(step.name))
            self._note("undo", step=step.name, do=[str(command) for command in step.undo], on=_hosts_of(step))
            failure = self._undo_one(step, silent)
            if failure is None:
                self._mark_window(step.undo, opening=False)
                self._mark_guest(step.undo)
                self._note("undone", step=step.name)
            else:
                self._environment.observer(StepFailed(failure.step, failure.seen))
                self._note("undo-failed", step=step.name, seen=failure.seen)
                failures.append(failure)
                silent.update(one.condition.host for one in failure.unmet if not one.asked)
        return tuple(failures)

    def _undo_one(self, step: Step, silent: Collection[str]) -> Failure | None:
        name, deadline_s = f"undo {step.name}", step.undo_deadline_s or step.deadline_s
        missing = step.undo_needs and self._reach(
            name, (), step.undo_needs, deadline_s, insist=False, not_waited_for=silent
        )
        return missing or self._reach(name, step.undo, step.undo_verify, deadline_s, insist=True, not_waited_for=silent)

    # --- bookkeeping ----------------------------------------------------------------------------------------------

    def _measured(self, run: Run) -> Run:
        return replace(
            run,
            touched=self._touched,
            window_s=self._window_s(),
            down_s=self._down_s(),
            fenced=self._performer.fenced,
            seconds=dict(self._seconds),
        )

    def _mark_window(self, commands: Sequence[Command], *, opening: bool) -> None:
        if any(isinstance(command, SetTwoPrimaries) and command.allowed is opening for command in commands):
            now = self._environment.clock.monotonic()
            if opening:
                self._opened_at = self._opened_at or now
            else:
                self._closed_at = now

    def _mark_guest(self, commands: Sequence[Command]) -> None:
        now = self._environment.clock.monotonic()
        if any(isinstance(command, ShutDown) for command in commands) and self._down_at is None:
            self._down_at = now
        if any(isinstance(command, StartDomain) for command in commands) and self._down_at is not None:
            self._up_at = now

    def _down_s(self) -> float | None:
        return None if self._down_at is None or self._up_at is None else self._up_at - self._down_at

    def _window_s(self) -> float | None:
        if self._opened_at is None or self._closed_at is None:
            return None
        return self._closed_at - self._opened_at

    def _note(self, kind: str, **facts: object) -> None:
        note(self._journal, self._environment.observer, kind, **facts)


def _hosts_of(step: Step) -> list[str]:
    """Where it is done, or looked at; for the journal."""
    hosts = {one.host for one in step.do or step.verify}
    return sorted(hosts | {one.target for one in step.do if isinstance(one, MigrateLive)})


_HANDS_OFF = frozenset({Outcome.IN_DOUBT, Outcome.SPLIT, Outcome.WAIT})
"""Acting on a guess could lose data: nothing is undone, the window stays as it is and is reported."""


def _may_have_started(step: Step, failure: Failure) -> bool:
    """A guest that runs, or that nobody can see, is neither ended nor started elsewhere: that would be a guess."""
    seen_down = any(one.asked and isinstance(one.condition, GuestRuns) for one in failure.unmet)
    starts = any(isinstance(command, StartDomain) for command in step.do)
    return starts and bool(failure.unmet) and not seen_down


def _failure_of(step: Step, crossing: Crossing) -> Failure | None:
    if crossing.verdict.outcome is Outcome.MOVED:
        return None
    told = f" ({crossing.error})" if crossing.error else ""
    return Failure(step.name, f"{crossing.verdict.meaning}{told}", crossing.fix)
