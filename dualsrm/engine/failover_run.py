"""Failover from end to end: lock the survivor, look, see the lost host off once, bring the guests up side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from dualsrm.checks import blocking
from dualsrm.checks.failover import Ask
from dualsrm.engine.environment import Environment
from dualsrm.engine.executor import Executor
from dualsrm.engine.failover import (
    Prepared,
    PreparedGuest,
    Wanted,
    ask_of,
    prepare_failover,
    prepare_guest,
    snapshot_of,
)
from dualsrm.engine.failover_report import FailoverReport, FailoverState, Fencing, report_guest
from dualsrm.engine.group_report import GroupEnd, GuestEnd, refused_end
from dualsrm.engine.journal import FileJournal, note, over
from dualsrm.engine.locks import pair_locked
from dualsrm.engine.run import Failure, Run
from dualsrm.engine.several import Work, do_several
from dualsrm.engine.shared_journal import SharedJournal
from dualsrm.errors import DualsrmError, ExitCode, HostUnreachable
from dualsrm.model import Group, GroupVerb, Pair, Power, Unknown
from dualsrm.plan.dispatch import Rules
from dualsrm.plan.order import Unit, order_of
from dualsrm.plan.peer_steps import Fence


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a failover; without reports nothing was touched."""

    prepared: Prepared
    reports: tuple[FailoverReport, ...] = field(default=())
    groups: tuple[GroupEnd, ...] = field(default=())

    @property
    def exit_code(self) -> ExitCode:
        """The worst of all guests; 1 only if nothing was touched."""
        refused = self.prepared.refused or any(one.refused for one in self.prepared.guests)
        codes = {report.exit_code for report in self.reports} | ({ExitCode.REFUSED} if refused else set())
        codes |= {ExitCode.NEEDS_ATTENTION for group in self.groups if group.failed}
        worst = max(codes, default=ExitCode.OK)
        touched = any(report.state in _TOUCHED for report in self.reports)
        return ExitCode.NEEDS_ATTENTION if worst is ExitCode.REFUSED and touched else worst


_SIDE_BY_SIDE = 3
"""Each looks at the survivor in three sessions of one ssh connection at once, which has ten (sshd's MaxSessions)."""
_TOUCHED = frozenset(FailoverState) - {FailoverState.ALREADY, FailoverState.REFUSED}


def run_failover(
    environment: Environment, pair: Pair, wanted: Wanted, *, state_directory: Path, groups: Sequence[Group] = ()
) -> Outcome:
    """Lock, look, see the lost host off, bring the guests up; of several in the order of their groups.

    Raises `Refused` or `HostUnreachable` before anything is touched, and nothing after.
    """
    ask = ask_of(pair, wanted)
    begun = environment.clock.monotonic()
    journal = FileJournal.begin(state_directory, "failover", environment.clock)
    end = partial(note, journal, environment.observer, "end")
    try:
        about = "group" if wanted.members else "guest"
        known = {about: wanted.guest} if wanted.guest is not None else {}
        journal.write("intent", verb="failover", pair=pair.name, to=ask.to, lost=ask.lost, **known)
        leftovers = partial(over, state_directory)  # interrupted ones too: `recover` needs the host that is lost
        with pair_locked(environment, pair, journal, leftovers=leftovers, hosts=(ask.to,)):
            prepared = prepare_failover(environment, pair, wanted, state_directory=state_directory, under_lock=True)
            in_groups = groups if wanted.several else ()
            outcome = _carry_out(environment, pair, prepared, wanted, journal, groups=in_groups, begun=begun)
            end(outcome=outcome.exit_code.name.lower(), guests={one.guest: one.state.value for one in outcome.reports})
    except DualsrmError as error:
        end(outcome="refused", seen=error.seen)
        raise
    finally:
        journal.close()
    return outcome


def _carry_out(
    environment: Environment,
    pair: Pair,
    prepared: Prepared,
    wanted: Wanted,
    journal: FileJournal,
    *,
    groups: Sequence[Group],
    begun: float,
) -> Outcome:
    started = environment.clock.monotonic()
    if not prepared.fence:
        quiet = [one for one in prepared.guests if not one.refused and not blocking(prepared.findings)]
        return Outcome(prepared, tuple(_already(prepared.ask, one.guest) for one in quiet))
    todo = [one for one in prepared.guests if one.plan]
    journal.write(
        "intent",
        guests=[one.guest for one in todo],
        signs=list(prepared.signs),
        power=prepared.power,
        look_s=started - begun,
        confirmed_by=wanted.by if wanted.confirm_off else None,
        accept_data_loss=wanted.accept_data_loss,
        warnings=[text for one in todo for text in one.warnings],
    )
    run = Executor(environment, journal).run(prepared.fence)
    if run.failure is not None and not run.touched:
        _raise_if_silent(run)
    fencing = Fencing(run, _may_lack(prepared, run), by_device=isinstance(prepared.fence[0].do[0], Fence))
    if fencing.warnings:
        note(journal, environment.observer, "warning", seen=list(fencing.warnings))
    bringing = _Bringing(environment, pair, prepared.ask, SharedJournal(journal), fencing, started)
    ended: tuple[GroupEnd, ...] = ()
    if fencing.state is not None:
        reports = tuple(bringing.report(one, None) for one in todo)
    else:
        reports, ended = bringing.in_order([one for one in prepared.guests if one.plan or one.refused], groups)
    quiet = [one for one in prepared.guests if not one.plan and not one.refused]
    return Outcome(prepared, (*reports, *(_already(prepared.ask, one.guest) for one in quiet)), ended)


def _raise_if_silent(run: Run) -> None:
    if run.silent:
        raise HostUnreachable(run.seen, why="nothing was touched", fix="dualsrm status")


def _already(ask: Ask, guest: str) -> FailoverReport:
    return FailoverReport("", guest, ask.to, ask.lost, FailoverState.ALREADY, "", "")


def _may_lack(prepared: Prepared, run: Run) -> tuple[str, ...]:
    """A host that was on until it was switched off may have written since the survivor lost it."""
    was_on = prepared.power == Power.ON.value or (run.fenced is not None and run.fenced.was is Power.ON)
    if not was_on:
        return ()
    lost, here, since = prepared.ask.lost, prepared.ask.to, prepared.lost_since
    # The lost host may have noticed first, and gone on alone: DRBD takes up to 12 s, each side for itself.
    when = f"from shortly before {since}, when {here} noticed" if since else "since a time nobody knows"
    return (f"{lost} was on until it was switched off: {here} may lack writes {when}",)


def _of_pair(groups: Sequence[Group], pair: Pair) -> tuple[Group, ...]:
    """What waits for a group of another pair does not wait here: nobody looks at other pairs at such a time."""
    return tuple(group for group in groups if group.pair == pair.name)


@dataclass(frozen=True, slots=True)
class _Bringing:
    """What is the same for every guest."""

    environment: Environment
    pair: Pair
    ask: Ask
    journal: SharedJournal
    fencing: Fencing
    started: float

    def in_order(
        self, guests: Sequence[PreparedGuest], groups: Sequence[Group]
    ) -> tuple[tuple[FailoverReport, ...], tuple[GroupEnd, ...]]:
        """Side by side as far as the order of their groups allows, and as long as they share no resource.

        One that is refused is not up: what comes after its group is held back. It has no report, but findings.
        """
        by_name = {one.guest: one for one in guests}
        reports: dict[str, FailoverReport] = {}
        begun = set[str]()

        def act(world: Environment, unit: Unit, name: str) -> GuestEnd:
            guest = by_name[name]
            group = unit.group.name if unit.group else None
            if guest.refused:
                return refused_end(group, name, guest.findings)
            with self.journal.lock:
                second = bool(begun & set(guest.resources))
                begun.update(guest.resources)
            report = reports[name] = self._bring_up(world, self._again(guest) if second else guest)
            return GuestEnd(name, group, report.state.value, report.host, report.exit_code, report.seen, report.fix)

        work = Work(
            pairs={self.pair.name: self.pair},
            verb=GroupVerb.FAILOVER,
            order=order_of(_of_pair(groups, self.pair), ((self.pair.name, name) for name in by_name)),
            rules=Rules(delays=True),
            act=act,
            host=self.ask.to,
            await_ready=True,
            apart={one.guest: frozenset(one.resources) for one in guests},
        )
        ended = do_several(self.environment, [self.environment] * min(_SIDE_BY_SIDE, len(guests)), work)
        for one in ended.left:
            if not by_name[one.guest].refused:
                reports[one.guest] = self.report(by_name[one.guest], None, one.why)
        return tuple(reports[name] for name in by_name if name in reports), ended.groups

    def _again(self, guest: PreparedGuest) -> PreparedGuest:
        """A guest on a resource that another one was brought up on, or was to be, is looked at again."""
        try:
            view = self.environment.ports[self.ask.to].observe_disks()
            snapshot = snapshot_of(self.environment, self.pair, self.ask, view)
        except DualsrmError:
            return guest  # its first step looks as well
        again = prepare_guest(self.ask, snapshot, guest.guest, Unknown("not asked again"), ())
        return replace(again, findings=(*again.findings, *guest.findings), resources=guest.resources)

    def _bring_up(self, world: Environment, guest: PreparedGuest) -> FailoverReport:
        if guest.plan:
            return self.report(guest, Executor(world, self.journal.of(guest.guest)).run(guest.plan))
        if not guest.refused:
            return _already(self.ask, guest.guest)
        against = blocking(guest.findings)  # what another guest on its resource left
        seen = "; ".join(f"{one.subject}: {one.seen}" for one in against)
        return self.report(guest, Run(Failure("look", seen, against[0].fix), rolled_back=True))

    def report(self, guest: PreparedGuest, run: Run | None, not_begun: str = "") -> FailoverReport:
        """How it ended for this guest; also written down. Without a run it ended with the fencing."""
        took = self.environment.clock.monotonic() - self.started
        found = report_guest(self.ask, guest.guest, self.fencing, run, guest.warnings, not_begun=not_begun)
        report = replace(found, operation=self.journal.operation, total_s=took)
        journal = self.journal.of(guest.guest)
        parts = {"fence_s": report.fence_s, "promote_s": report.promote_s, "start_s": report.start_s}
        note(journal, self.environment.observer, "guest", outcome=report.state.value, seen=report.seen, **parts)
        return report
