"""Moving a group with its file system from end to end: lock, look, check, plan, run, report."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dualsrm.checks import WITH_ITS_GROUP, Move, blocking, check_move
from dualsrm.checks.case import failed
from dualsrm.discovery import guest_location, resources_of
from dualsrm.engine.environment import Environment
from dualsrm.engine.executor import Executor
from dualsrm.engine.journal import Journal, interrupted
from dualsrm.engine.move import must_be_persistent
from dualsrm.engine.observe import observe
from dualsrm.engine.operation import carry_out
from dualsrm.engine.report import MoveReport, MoveState, report_move
from dualsrm.engine.run import Failure, Run
from dualsrm.errors import Refused
from dualsrm.model import ColdMove, Domain, Filesystem, Finding, Group, MoveFacts, Pair, Snapshot, Unknown
from dualsrm.plan.cold import Patience
from dualsrm.plan.group_move import GroupGoal, Member, plan_arrived, plan_group_move, plan_next
from dualsrm.plan.move import MoveGoal
from dualsrm.plan.steps import Plan

_OTHERS = "start others"
"""The step after which there is no way back: guests of the group run at the target."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A move of a group that was looked at and not yet begun."""

    goal: GroupGoal
    findings: tuple[Finding, ...]
    plan: Plan
    """Up to the first guest that runs at the target; empty when a finding blocks, or when no guest runs."""

    @property
    def intent(self) -> Mapping[str, object]:
        """What is to be done, from where to where."""
        goal = self.goal
        return {
            "method": "cold",
            "guests": [one.guest for one in goal.members],
            "source": goal.source,
            "target": goal.target,
            "resources": list(goal.resources),
        }


def group_findings(
    snapshot: Snapshot, group: Group, guests: Sequence[str], source: str, unfinished: str | None, *, cold: bool
) -> tuple[Finding, ...]:
    """Every check of every guest that goes, but those of a live move. `cold`: it was asked for."""
    facts = MoveFacts(Unknown("a cold move does not need it"), Unknown("a cold move does not need it"))
    found: dict[Finding, None] = {}
    if not cold and group.cold is ColdMove.NEVER:
        found[_not_live(group)] = None
    for guest in guests:
        move = Move(guest, source, snapshot.pair.other(source))
        checked = check_move(snapshot, move, facts, unfinished)
        found.update(dict.fromkeys(one for one in checked if one.check not in WITH_ITS_GROUP))
    return tuple(found)


def _not_live(group: Group) -> Finding:
    filesystem = _filesystem(group)
    finding = failed(
        group.name,
        f"its guests' disks are files on {filesystem}",
        f"No two hosts may have {filesystem.kind} mounted at once, so none of them can move live; "
        "cold, all of them are shut down here and started there.",
        f"{shlex.join(('dualsrm', 'migrate', '--cold', '--', group.name))}; or for good, in [groups.{group.name}]: "
        'cold = "if-not-live"',
    )
    return replace(finding, check="moves-alone")


def prepare_group_move(
    environment: Environment,
    pair: Pair,
    group: Group,
    target: str,
    *,
    patience_of: Callable[[str], Patience],
    state_directory: Path,
    cold: bool,
    under_lock: bool = False,
) -> Prepared:
    """Look, check and plan; touches nothing. Guests of the group that do not run stay as they are."""
    snapshot = observe(environment, pair, under_lock=under_lock)
    source = pair.other(target)
    going = tuple(name for name in group.guests if source in guest_location(snapshot, name).active_on)
    left = interrupted(state_directory, pair.name)
    findings = group_findings(snapshot, group, going, source, left[0].operation if left else None, cold=cold)
    view = snapshot.view(source)
    members = []
    for name in going:
        domain = _domain(snapshot, source, name)
        members.append(Member(name, domain.uuid, patience_of(name), resources_of(domain, view)))
    goal = GroupGoal(_filesystem(group), tuple(members), source, target)
    return Prepared(goal, findings, () if blocking(findings) or not members else plan_group_move(goal))


def run_group_move(
    environment: Environment,
    pair: Pair,
    group: Group,
    target: str,
    *,
    patience_of: Callable[[str], Patience],
    state_directory: Path,
    cold: bool,
    inside: str | None = None,
) -> tuple[Prepared, MoveReport | None]:
    """Lock, look, and move if no check is against it; without a report nothing was touched, and the findings say why.

    Raises `Refused` or `HostUnreachable` before anything is touched, and nothing after. `inside`: `carry_out` says.
    """
    return carry_out(
        environment,
        pair,
        state_directory,
        verb="migrate",
        guest=group.name,
        prepare=partial(
            prepare_group_move,
            environment,
            pair,
            group,
            target,
            patience_of=patience_of,
            state_directory=state_directory,
            cold=cold,
        ),
        run=_run,
        report=partial(_report, group),
        inside=inside,
    )


def _run(environment: Environment, journal: Journal, prepared: Prepared) -> Run:
    """The plan, then guest by guest: one that does not start holds back none of the others."""
    goal, clock = prepared.goal, environment.clock
    run = Executor(environment, journal).run(prepared.plan)
    if run.failure is not None:
        return run
    began = clock.monotonic()
    running, failures = [goal.members[0].guest], list[Failure]()
    for member in goal.members[1:]:
        started = Executor(environment, journal).run(plan_next(goal, member))
        if started.failure is None:
            running.append(member.guest)
        failures += [replace(one, step=_OTHERS, seen=f"{member.guest}: {one.seen}") for one in started.failures]
    down_s = None if run.down_s is None else run.down_s + clock.monotonic() - began
    arrived = Executor(environment, journal).run(plan_arrived(goal, running))
    failures += arrived.failures
    if not failures:
        return replace(run, down_s=down_s)
    first, *more = failures
    return replace(run, failure=first, not_undone=tuple(more), down_s=down_s)


def _report(group: Group, operation: str, prepared: Prepared, run: Run, total_s: float) -> MoveReport:
    goal = prepared.goal
    whole = MoveGoal(group.pair, group.name, "", goal.resources, goal.source, goal.target, 0.0)
    report = report_move(operation, whole, run, total_s, cold=True)
    if run.failure is not None and run.failure.step == _OTHERS:
        report = replace(report, state=MoveState.MOVED_UNSETTLED)
    start = shlex.join(("dualsrm", "start", "--", group.name))
    return replace(report, fix=_NEXT[report.state].format(start=start) if report.state in _NEXT else report.fix)


_AGAIN = "mend what is named; when both hosts answer: `dualsrm recover`, then `{start}`: it begins where they are"
_NEXT: Mapping[MoveState, str] = {
    MoveState.MOVED_UNSETTLED: "mend what is named, then `{start}`: it starts those that do not run",
    MoveState.DIED: "see why (/var/log/libvirt/qemu on that host), then `{start}`: it starts those that do not run",
    MoveState.NOT_ROLLED_BACK: _AGAIN,
    MoveState.IN_DOUBT: _AGAIN,
    MoveState.MAY_STOP: "one was asked to shut down and may at any later time; then: `{start}`",
}
"""Where what is said of one guest does not do for a group."""


def _filesystem(group: Group) -> Filesystem:
    assert group.filesystem is not None  # noqa: S101 - only such groups move as one
    return group.filesystem


def _domain(snapshot: Snapshot, host: str, guest: str) -> Domain:
    view = snapshot.view(host).libvirt
    domain = None if isinstance(view, Unknown) else view.domain(guest)
    if domain is None:
        raise Refused(f"libvirt on {host} does not show {guest} any more", fix="run the command again")
    must_be_persistent(domain, host)
    return domain
