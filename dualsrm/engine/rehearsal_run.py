"""A rehearsal from end to end: lock, look, networks and snapshots; unlocked, the clones in the order of a failover.

The pair's lock is held while the snapshots are taken: nobody moves a guest or promotes what is being copied. The clones
are started without it. They need nothing of DRBD, may take minutes, and no failover shall wait for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dualsrm.checks import blocking
from dualsrm.engine.environment import Environment
from dualsrm.engine.executor import Executor
from dualsrm.engine.group_report import GuestEnd
from dualsrm.engine.journal import FileJournal, ended_operations, note
from dualsrm.engine.locks import pair_locked
from dualsrm.engine.rehearsal import Prepared, Wanted, prepare_rehearsal
from dualsrm.engine.rehearsal_report import (
    NEXT,
    CloneState,
    RehearsalReport,
    RehearsalState,
    base_state,
    state_of,
)
from dualsrm.engine.run import Run
from dualsrm.engine.several import Ended, Work, do_several
from dualsrm.engine.shared_journal import SharedJournal
from dualsrm.errors import DualsrmError, ExitCode, HostUnreachable
from dualsrm.model import AgentAnswers, Clone, Group, GroupVerb, Pair
from dualsrm.plan.dispatch import Rules
from dualsrm.plan.order import Order, Unit, order_of
from dualsrm.plan.rehearsal import plan_clone

SIDE_BY_SIDE = 3
"""As in a failover: what takes long there shall be seen here."""


def run_rehearsal(
    environment: Environment, pair: Pair, wanted: Wanted, *, state_directory: Path, groups: Sequence[Group] = ()
) -> tuple[Prepared, RehearsalReport | None]:
    """Without a report nothing was touched: the findings say why.

    Raises `Refused` or `HostUnreachable` before anything is touched, and nothing after.
    """
    journal = FileJournal.begin(state_directory, GroupVerb.REHEARSE.value, environment.clock)
    rehearsing = _Rehearsing(environment, pair, SharedJournal(journal), environment.clock.monotonic())
    about = "group" if wanted.members else "guest"
    try:
        journal.write("intent", verb=GroupVerb.REHEARSE.value, pair=pair.name, **{about: wanted.plan or ""})
        leftovers = partial(ended_operations, state_directory, pair.name)
        with pair_locked(environment, pair, journal, leftovers=leftovers):
            prepared = prepare_rehearsal(environment, pair, wanted, journal.operation, under_lock=True)
            if prepared.refused:
                against = "; ".join(f"{one.subject}: {one.seen}" for one in blocking(prepared.findings))
                note(journal, environment.observer, "end", outcome="refused", seen=against)
                return prepared, None
            journal.write("intent", to=prepared.host, guests=[clone.guest for clone in prepared.clones])
            run = Executor(environment, journal).run(prepared.plan)
        _raise_if_silent(run)
        if run.failure is not None or not prepared.plan:
            report = rehearsing.ended_early(prepared, run)
        else:
            report = rehearsing.bring_up(prepared, groups if wanted.several else ())
        note(
            journal,
            environment.observer,
            "end",
            outcome=report.state.value,
            seen=report.seen,
            guests={one.guest: one.state for one in report.guests},
            rehearsed=rehearsed_groups(groups, report),
            total_s=report.total_s,
        )
    except DualsrmError as error:
        note(journal, environment.observer, "end", outcome="refused", seen=error.seen)
        raise
    finally:
        journal.close()
    return prepared, report


def rehearsed_groups(groups: Sequence[Group], report: RehearsalReport) -> list[str]:
    """Groups of which every guest came up, and that were ready as far as that can be seen of clones."""
    up = {(one.group, one.guest) for one in report.guests if one.exit_code is ExitCode.OK}
    failed = {one.group for one in report.groups if one.failed}
    return [
        group.name
        for group in groups
        if group.name not in failed and all((group.name, guest) in up for guest in group.guests)
    ]


def order_of_clones(groups: Sequence[Group], pair: Pair, clones: Sequence[Clone]) -> tuple[Order, tuple[str, ...]]:
    """As in a failover, with readiness as it can be asked of clones; and what cannot be asked, in words."""
    names = {clone.guest: clone.name for clone in clones}
    mine = [group for group in groups if group.pair == pair.name]
    order = order_of([_for_clones(group, names) for group in mine], ((pair.name, name) for name in names))
    playing = {unit.group.name for unit in order.units if unit.group}
    not_asked = [
        f"{group.name}: {one.probe}"
        for group in mine
        if group.name in playing
        for one in group.ready
        if not isinstance(one.probe, AgentAnswers)
    ]
    return order, tuple(not_asked)


def _for_clones(group: Group, names: Mapping[str, str]) -> Group:
    """From the manager everything else is asked by an address, at which the live guest answers."""
    asked = [(one, one.probe.guest) for one in group.ready if isinstance(one.probe, AgentAnswers)]
    ready = tuple(replace(one, probe=AgentAnswers(names[guest])) for one, guest in asked if guest in names)
    return replace(group, ready=ready)


def _raise_if_silent(run: Run) -> None:
    if run.failure is not None and not run.touched and run.silent:
        raise HostUnreachable(run.seen, why="nothing was touched", fix="dualsrm status")


@dataclass(frozen=True, slots=True)
class _Rehearsing:
    environment: Environment
    pair: Pair
    journal: SharedJournal
    started: float

    def ended_early(self, prepared: Prepared, run: Run) -> RehearsalReport:
        """Without a clone."""
        state = RehearsalState.ALREADY if run.failure is None else base_state(run)
        return self._report(prepared, state, run.seen, Ended((), (), ()), ())

    def bring_up(self, prepared: Prepared, groups: Sequence[Group]) -> RehearsalReport:
        """Side by side as far as the order of their groups allows."""
        by_guest = {clone.guest: clone for clone in prepared.clones}
        order, not_asked = order_of_clones(groups, self.pair, prepared.clones)

        def act(world: Environment, unit: Unit, guest: str) -> GuestEnd:
            run = Executor(world, self.journal.of(guest)).run(plan_clone(prepared.host, by_guest[guest]))
            return self._guest_end(prepared.host, unit.group.name if unit.group else None, guest, run)

        work = Work(
            pairs={self.pair.name: self.pair},
            verb=GroupVerb.REHEARSE,
            order=order,
            rules=Rules(delays=True),
            act=act,
            host=prepared.host,
            await_ready=True,
        )
        lanes = [self.environment] * min(SIDE_BY_SIDE, len(by_guest))
        ended = do_several(self.environment, lanes, work)
        state = state_of(ended.guests, ended.groups, ended.left)
        return self._report(prepared, state, _seen(ended), ended, not_asked)

    def _guest_end(self, host: str, group: str | None, guest: str, run: Run) -> GuestEnd:
        state = CloneState.UP if run.complete else CloneState.NOT_UP
        code = ExitCode.OK if run.complete else ExitCode.NEEDS_ATTENTION
        note(self.journal.of(guest), self.environment.observer, "guest", outcome=state.value, seen=run.seen)
        return GuestEnd(guest, group, state.value, host, code, run.seen, total_s=sum(run.seconds.values()))

    def _report(
        self, prepared: Prepared, state: RehearsalState, seen: str, ended: Ended, not_asked: tuple[str, ...]
    ) -> RehearsalReport:
        return RehearsalReport(
            operation=self.journal.operation,
            host=prepared.host,
            state=state,
            seen=seen,
            fix=NEXT[state].format(host=prepared.host, pair=self.pair.name),
            guests=ended.guests,
            groups=ended.groups,
            left=ended.left,
            not_asked=not_asked,
            total_s=self.environment.clock.monotonic() - self.started,
        )


def _seen(ended: Ended) -> str:
    words = [f"{one.guest}: {one.seen}" for one in ended.guests if one.seen]
    words += [f"group {one.group}: {one.failed}" for one in ended.groups if one.failed]
    words += [f"{one.guest} was not begun: {one.why}" for one in ended.left]
    return "; ".join(words)
