"""The real engine on the simulated pair: one move, one recovery, and what was said about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from dualsrm.checks import blocking
from dualsrm.convergence import Convergence
from dualsrm.engine import operation
from dualsrm.engine.cold import ColdReport, run_start, run_stop
from dualsrm.engine.environment import Environment
from dualsrm.engine.failover import Wanted
from dualsrm.engine.failover_run import Outcome, run_failover
from dualsrm.engine.move import Prepared, fall_back, prepare_move, run_move
from dualsrm.engine.progress import Event
from dualsrm.engine.recover import RecoveryReport, recover
from dualsrm.engine.rehearsal import Prepared as PreparedRehearsal
from dualsrm.engine.rehearsal import Wanted as WantedRehearsal
from dualsrm.engine.rehearsal_cleanup import run_cleanup
from dualsrm.engine.rehearsal_report import CleanupReport, RehearsalReport
from dualsrm.engine.rehearsal_run import run_rehearsal
from dualsrm.engine.report import MoveReport, MoveState
from dualsrm.engine.reprotect import Prepared as PreparedReprotect
from dualsrm.engine.reprotect import ReprotectReport, run_reprotect
from dualsrm.engine.resolve import Prepared as PreparedResolve
from dualsrm.engine.resolve import ResolveReport, run_resolve
from dualsrm.engine.resolve import Wanted as WantedResolve
from dualsrm.engine.split_brain import SplitShown, show
from dualsrm.errors import Refused
from dualsrm.model import Group
from dualsrm.plan.cold import Patience
from tests.simulator.pair import Reported, SimPair

T = TypeVar("T")
R = TypeVar("R")

COPY_DEADLINE_S = 120.0


def one_by_one(calls: Sequence[Callable[[], T]]) -> list[T]:
    """In order, in this thread: the simulator is to be deterministic. A failure does not stop the others."""
    results: list[T] = []
    failure: Exception | None = None
    for call in calls:
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001 - kept and raised below, as a thread pool would
            failure = failure or error
    if failure is not None:
        raise failure
    return results


def done(prepared: operation.Prepared, report: R | None) -> R:
    """How it ended; the findings against it, as an error, when it was not begun."""
    if report is None:
        raise Refused("; ".join(finding.seen for finding in blocking(prepared.findings)))
    return report


@dataclass
class Manager:
    """A manager with a journal of its own."""

    pair: SimPair
    state: Path
    events: list[Event] = field(default_factory=list)
    stop: bool = False
    convergence: Convergence = field(default_factory=lambda: Convergence(deadline_s=COPY_DEADLINE_S))

    @property
    def environment(self) -> Environment:
        """Its world: everything in order, on the virtual clock."""
        return Environment(
            ports=self.pair.ports,
            clock=self.pair.clock,
            gather=one_by_one,
            observer=self.events.append,
            cancelled=lambda: self.stop,
            manager=self.pair.manager,
        )

    def prepare(self, guest: str, to: str | None = None, *, cold: Patience | None = None) -> Prepared:
        """Look, check, plan."""
        return prepare_move(
            self.environment,
            self.pair.pair,
            guest,
            to,
            state_directory=self.state,
            convergence=self.convergence,
            cold=cold,
        )

    def migrate(self, guest: str, to: str | None = None) -> MoveReport:
        """A whole live move, and the end of the process that did it."""
        return done(*self.ending(lambda: self.try_to_migrate(guest, to)))

    def migrate_cold(self, guest: str, *, deadline_s: float = 60.0, destroy: bool = False) -> MoveReport:
        """A whole cold move."""
        return done(*self.ending(lambda: self.try_to_migrate(guest, cold=Patience(deadline_s, destroy))))

    def migrate_or_cold(self, guest: str) -> MoveReport:
        """A live move, and a cold one if that was rolled back."""

        def work() -> MoveReport:
            prepared, report = self.try_to_migrate(guest)
            return fall_back(
                self.environment,
                self.pair.pair,
                prepared,
                done(prepared, report),
                patience=Patience(60.0),
                state_directory=self.state,
            )

        return self.ending(work)

    def try_to_migrate(
        self, guest: str, to: str | None = None, *, cold: Patience | None = None
    ) -> tuple[Prepared, MoveReport | None]:
        """A move, or the findings against it."""
        return run_move(
            self.environment,
            self.pair.pair,
            guest,
            to,
            state_directory=self.state,
            convergence=self.convergence,
            cold=cold,
        )

    def stop_guest(self, guest: str, *, destroy: bool = False, deadline_s: float = 60.0) -> ColdReport:
        """A whole stop."""
        patience = Patience(deadline_s, destroy)
        return done(
            *self.ending(
                lambda: run_stop(self.environment, self.pair.pair, guest, patience, state_directory=self.state)
            )
        )

    def start_guest(self, guest: str, on: str | None = None) -> ColdReport:
        """A whole start."""
        return done(
            *self.ending(lambda: run_start(self.environment, self.pair.pair, guest, on, state_directory=self.state))
        )

    def failover(
        self,
        guest: str | None,
        to: str,
        *,
        confirm_off: str | None = None,
        accept_data_loss: bool = False,
    ) -> Outcome:
        """A whole failover."""
        wanted = Wanted(guest, to, confirm_off, "anna@desk", accept_data_loss)
        return self.ending(lambda: run_failover(self.environment, self.pair.pair, wanted, state_directory=self.state))

    def reprotect(self, host: str, deadline_s: float = 600.0) -> tuple[PreparedReprotect, ReprotectReport | None]:
        """A host taken back, or the findings against it."""
        return self.ending(
            lambda: run_reprotect(self.environment, self.pair.pair, host, deadline_s, state_directory=self.state)
        )

    def show_split(self, name: str | None = None) -> tuple[SplitShown, ...]:
        """What stands alone."""
        return self.ending(lambda: show(self.environment, self.pair.pair, name, self.state))

    def resolve(
        self, victim: str, *resources: str, snapshot: bool = False, deadline_s: float = 60.0
    ) -> tuple[PreparedResolve, ResolveReport | None]:
        """Discard one side's writes."""
        wanted = WantedResolve(victim, resources, "anna@desk", snapshot, None, deadline_s)
        return self.ending(lambda: run_resolve(self.environment, self.pair.pair, wanted, state_directory=self.state))

    def recover(self, *, take_over: bool = False) -> RecoveryReport:
        """A whole recovery."""
        return self.ending(lambda: recover(self.environment, self.pair.pair, self.state, take_over=take_over))

    def rehearse(
        self, plan: str | None, to: str | None = None, *, groups: Sequence[Group] = (), size_bytes: int | None = None
    ) -> tuple[PreparedRehearsal, RehearsalReport | None]:
        """A rehearsal begun, or the findings against it."""
        members = next((group.guests for group in groups if group.name == plan), ())
        wanted = WantedRehearsal(plan, to, members, snapshot_bytes=size_bytes)
        return self.ending(
            lambda: run_rehearsal(self.environment, self.pair.pair, wanted, state_directory=self.state, groups=groups)
        )

    def clean_up(self) -> CleanupReport:
        """All of it away."""
        return self.ending(lambda: run_cleanup(self.environment, self.pair.pair, state_directory=self.state))

    def ending(self, work: Callable[[], T]) -> T:
        """Whatever comes of the work, the process ends after it, and its guards hear no more of it."""
        try:
            return work()
        finally:
            self.pair.manager_ends()


def reported(report: MoveReport, resources: tuple[str, ...]) -> Reported:
    """What the report promised, for the promises to be held against."""
    at_target = report.state in (MoveState.MOVED, MoveState.MOVED_UNSETTLED, MoveState.REPLICATION_LOST)
    at_source = report.state in (MoveState.ROLLED_BACK, MoveState.NOT_ROLLED_BACK, MoveState.UNTOUCHED)
    runs_on = {report.guest: report.target} if at_target else {report.guest: report.source} if at_source else {}
    settled = report.state in (MoveState.MOVED, MoveState.ROLLED_BACK, MoveState.UNTOUCHED)
    nowhere = report.state in (MoveState.IN_DOUBT, MoveState.STOPPED, MoveState.DIED)
    return Reported(
        runs_on=runs_on,
        window_open=frozenset() if settled else frozenset(resources),
        in_doubt=frozenset({report.guest}) if nowhere else frozenset(),
    )
