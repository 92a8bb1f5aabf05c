"""Stopping and starting a guest from end to end: lock, look, check, plan, run, report."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path

from dualsrm.checks import blocking
from dualsrm.checks.resolve import no_such_guest
from dualsrm.checks.start import check_start
from dualsrm.discovery import GuestLocation, filesystems_of, guest_location, resources_of, tenants
from dualsrm.engine.environment import Environment
from dualsrm.engine.journal import interrupted
from dualsrm.engine.move import must_be_persistent
from dualsrm.engine.observe import observe
from dualsrm.engine.operation import carry_out
from dualsrm.engine.run import Run
from dualsrm.errors import ExitCode, HostUnreachable, Refused, UsageError
from dualsrm.model import Domain, DomainState, Filesystem, Finding, Pair, Role, Snapshot, Unknown
from dualsrm.plan.cold import ColdGoal, Patience, plan_give_back, plan_start, plan_stop
from dualsrm.plan.steps import Plan


class Verb(Enum):
    """What is done."""

    STOP = "stop"
    START = "start"


class ColdState(Enum):
    """Named states a stop or a start can end in."""

    STOPPED = "stopped"
    """No QEMU anywhere, its resources Secondary."""
    STARTED = "started"
    """Active, its resources Primary there."""
    ALREADY = "nothing to do"
    UNTOUCHED = "untouched"
    STILL_RUNNING = "still running"
    """Its QEMU was there; it was asked and may stop yet, or could not be asked."""
    STOPPED_UNSETTLED = "stopped, not settled"
    """No QEMU was left, and a resource is still Primary, or somebody started it again."""
    ROLLED_BACK = "rolled back"
    """It did not start; no QEMU anywhere, and what was Secondary is again."""
    NOT_ROLLED_BACK = "not started, not rolled back"
    IN_DOUBT = "in doubt"
    """It stopped or was started, or not: the host does not say."""


EXIT_CODES = {
    ColdState.STOPPED: ExitCode.OK,
    ColdState.STARTED: ExitCode.OK,
    ColdState.ALREADY: ExitCode.OK,
    ColdState.UNTOUCHED: ExitCode.REFUSED,
    ColdState.STILL_RUNNING: ExitCode.NEEDS_ATTENTION,
    ColdState.STOPPED_UNSETTLED: ExitCode.NEEDS_ATTENTION,
    ColdState.ROLLED_BACK: ExitCode.ROLLED_BACK,
    ColdState.NOT_ROLLED_BACK: ExitCode.NEEDS_ATTENTION,
    ColdState.IN_DOUBT: ExitCode.IN_DOUBT,
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A stop or a start that was looked at and not yet begun."""

    verb: Verb
    goal: ColdGoal
    findings: tuple[Finding, ...]
    plan: Plan
    """Empty when a finding blocks, or when there is nothing to do."""

    @property
    def intent(self) -> Mapping[str, object]:
        """What is to be done, and where."""
        return {"host": self.goal.here, "resources": list(self.goal.resources)}


@dataclass(frozen=True, slots=True)
class ColdReport:
    """The end of one stop or start."""

    operation: str
    verb: str
    guest: str
    host: str
    state: ColdState
    seen: str
    """What went wrong, in words; empty after a clean end."""
    fix: str
    """The exact next command; empty after a clean end."""
    total_s: float

    @property
    def exit_code(self) -> ExitCode:
        """The stable exit code of this end."""
        return EXIT_CODES[self.state]


def prepare_stop(
    environment: Environment, pair: Pair, guest: str, patience: Patience, *, under_lock: bool = False
) -> Prepared:
    """Look and plan; touches nothing. A guest that is off and left a resource Primary has that one given back."""
    snapshot = observe(environment, pair, under_lock=under_lock)
    _must_answer(snapshot, guest)
    location = _location(snapshot, guest)
    if len(location.active_on) > 1:
        raise Refused(
            f"{guest} is active on {' and '.join(location.active_on)}",
            why="Which of the two is the guest has to be settled first.",
            fix="dualsrm recover",
        )
    if not location.active_on:
        goal = _goal(snapshot, guest, pair.hosts[0])
        sides = tuple(side for side in _primary_sides(snapshot, goal.resources) if not _in_use(snapshot, goal, *side))
        return Prepared(Verb.STOP, goal, (), plan_give_back(goal, sides))
    here = location.active_on[0]
    domain = _domain(snapshot, guest, here)
    must_be_persistent(domain, here)
    _must_be_idle(domain, here)
    goal = _goal(snapshot, guest, here)
    kept = tuple(name for name in goal.resources if not _in_use(snapshot, goal, here, name))
    goal = replace(goal, resources=kept)
    return Prepared(Verb.STOP, goal, (), plan_stop(goal, patience))


def prepare_start(
    environment: Environment,
    pair: Pair,
    guest: str,
    host: str | None,
    *,
    state_directory: Path,
    prefer: str | None = None,
    under_lock: bool = False,
) -> Prepared:
    """Look, check and plan; touches nothing. `prefer`: where, when nothing that is seen says it."""
    if host is not None and host not in pair.hosts:
        raise UsageError(
            f"{host} is no host of pair {pair.name}",
            why="A guest runs on one of the two hosts that replicate its disks.",
            fix=f"name {pair.hosts[0]} or {pair.hosts[1]}",
        )
    snapshot = observe(environment, pair, under_lock=under_lock)
    location = _location(snapshot, guest)
    here = host or _where(snapshot, guest, location, prefer)
    goal = _goal(snapshot, guest, here)
    domain = _domain(snapshot, guest, here)
    if location.active_on == (here,) and domain.state is DomainState.RUNNING:
        return Prepared(Verb.START, goal, (), ())
    unfinished = interrupted(state_directory, pair.name)
    left = unfinished[0].operation if unfinished else None
    findings = check_start(snapshot, domain, here, goal.resources, left)
    if blocking(findings):
        return Prepared(Verb.START, goal, findings, ())
    primary = _primary_sides(snapshot, goal.resources)
    plan = plan_start(
        goal,
        primary_here=tuple(name for side, name in primary if side == goal.here),
        primary_there=tuple(name for side, name in primary if side == goal.there),
        defined=here in location.defined_on,
        mounted=tuple(one for one in goal.filesystems if snapshot.view(here).mounted(one) is True),
    )
    return Prepared(Verb.START, goal, findings, plan)


def run_stop(
    environment: Environment,
    pair: Pair,
    guest: str,
    patience: Patience,
    *,
    state_directory: Path,
    inside: str | None = None,
) -> tuple[Prepared, ColdReport | None]:
    """Lock, look, stop. Raises `Refused` or `HostUnreachable` before anything is touched, and nothing after."""
    prepare = partial(prepare_stop, environment, pair, guest, patience)
    prepared, report = carry_out(
        environment, pair, state_directory, verb="stop", guest=guest, prepare=prepare, report=_report, inside=inside
    )
    return prepared, report or _nothing_to_do(prepared)


def run_start(
    environment: Environment,
    pair: Pair,
    guest: str,
    host: str | None,
    *,
    state_directory: Path,
    prefer: str | None = None,
    inside: str | None = None,
) -> tuple[Prepared, ColdReport | None]:
    """Lock, look, and start if no check is against it; without a report the findings say why not.

    Raises `Refused` or `HostUnreachable` before anything is touched, and nothing after.
    """
    prepare = partial(prepare_start, environment, pair, guest, host, state_directory=state_directory, prefer=prefer)
    prepared, report = carry_out(
        environment, pair, state_directory, verb="start", guest=guest, prepare=prepare, report=_report, inside=inside
    )
    return prepared, report or _nothing_to_do(prepared)


def _nothing_to_do(prepared: Prepared) -> ColdReport | None:
    if blocking(prepared.findings):
        return None
    goal = prepared.goal
    return ColdReport("", prepared.verb.value, goal.guest, goal.here, ColdState.ALREADY, "", "", 0.0)


def _report(operation: str, prepared: Prepared, run: Run, total_s: float) -> ColdReport:
    goal, verb = prepared.goal, prepared.verb
    state = _state(verb, run)
    name = ("--", goal.guest)
    stop, start = ("dualsrm", "stop"), ("dualsrm", "start", "--on", goal.here)
    fix = _NEXT[state].format(
        guest=shlex.quote(goal.guest),
        here=goal.here,
        stop=shlex.join((*stop, *name)),
        destroy=shlex.join((*stop, "--destroy", *name)),
        start=shlex.join((*start, *name)),
        again=shlex.join((*(stop if verb is Verb.STOP else start), *name)),
    )
    if state in (ColdState.UNTOUCHED, ColdState.ROLLED_BACK) and run.failure is not None:
        fix = run.failure.fix or fix
    return ColdReport(operation, verb.value, goal.guest, goal.here, state, run.seen, fix, total_s)


def _state(verb: Verb, run: Run) -> ColdState:
    if run.failure is None:
        return ColdState.STOPPED if verb is Verb.STOP else ColdState.STARTED
    if not run.touched:
        return ColdState.UNTOUCHED
    if verb is Verb.START:
        if run.unseen:
            return ColdState.IN_DOUBT
        return ColdState.ROLLED_BACK if run.rolled_back else ColdState.NOT_ROLLED_BACK
    if run.failure.step == "shut down":
        return ColdState.IN_DOUBT if run.silent else ColdState.STILL_RUNNING
    return ColdState.STOPPED_UNSETTLED


_NEXT: Mapping[ColdState, str] = {
    ColdState.STOPPED: "",
    ColdState.STARTED: "",
    ColdState.ALREADY: "",
    ColdState.UNTOUCHED: "run `dualsrm status`, then try again",
    ColdState.STILL_RUNNING: (
        "it may shut down yet; look at its console, then `{stop}` again, or `{destroy}`, which ends it as a power cut "
        "would"
    ),
    ColdState.STOPPED_UNSETTLED: (
        "run `dualsrm status`: if {guest} was started again, leave it; else end what holds the device open, then "
        "`{stop}`"
    ),
    ColdState.ROLLED_BACK: "mend what is named, then `{start}` again, or on the other host",
    ColdState.NOT_ROLLED_BACK: "mend what is named, then `{stop}`: it ends what is left and gives the devices back",
    ColdState.IN_DOUBT: "make {here} answer, then `{again}` again: it looks first",
}
"""The exact next command of each end."""


def _goal(snapshot: Snapshot, guest: str, here: str) -> ColdGoal:
    """The resources as either host resolves the guest's disks: the one where it is not defined resolves none."""
    resources: dict[str, None] = {}
    filesystems: dict[Filesystem, None] = {}
    for view in snapshot.views.values():
        domain = None if isinstance(view.libvirt, Unknown) else view.libvirt.domain(guest)
        if domain is not None:
            resources.update(dict.fromkeys(resources_of(domain, view)))
            filesystems.update(dict.fromkeys(filesystems_of(domain, view)))
    uuid, there = _domain(snapshot, guest, here).uuid, snapshot.pair.other(here)
    return ColdGoal(guest, uuid, tuple(resources), here, there, tuple(filesystems))


def _domain(snapshot: Snapshot, guest: str, first: str) -> Domain:
    """As that host knows it, or as the other does."""
    for host in (first, snapshot.pair.other(first)):
        libvirt = snapshot.view(host).libvirt
        domain = None if isinstance(libvirt, Unknown) else libvirt.domain(guest)
        if domain is not None:
            return domain
    raise no_such_guest(snapshot, guest)


def _primary_sides(snapshot: Snapshot, resources: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """(host, resource) wherever one is Primary."""
    found = []
    for host in snapshot.pair.hosts:
        drbd = snapshot.view(host).drbd
        for resource in () if isinstance(drbd, Unknown) else drbd.resources:
            if resource.name in resources and resource.role == Role.PRIMARY:
                found.append((host, resource.name))
    return tuple(found)


def _location(snapshot: Snapshot, guest: str) -> GuestLocation:
    location = guest_location(snapshot, guest)
    if location.known:
        return location
    if location.unknown_on:
        _must_answer(snapshot, guest)
    raise no_such_guest(snapshot, guest)


def _where(snapshot: Snapshot, guest: str, location: GuestLocation, prefer: str | None) -> str:
    """Where it is, or where its resources are Primary, or the only host that has it defined. Else it has to be said."""
    primary = _primary_sides(snapshot, _goal(snapshot, guest, snapshot.pair.hosts[0]).resources)
    for hosts in (location.active_on, tuple(dict.fromkeys(host for host, _ in primary)), location.defined_on):
        if len(hosts) == 1:
            return hosts[0]
    if prefer is not None:
        return prefer
    first, second = snapshot.pair.hosts
    raise UsageError(
        f"{guest} may start on {first} or on {second}",
        why="It is defined on both, and Primary on neither or on both.",
        fix=shlex.join(("dualsrm", "start", "--on", first, "--", guest)),
    )


def _must_be_idle(domain: Domain, host: str) -> None:
    """libvirt may be migrating it for a manager that died: a guest is not stopped on its way."""
    if domain.job_active is not False:
        seen = domain.job_active.why if isinstance(domain.job_active, Unknown) else "libvirt works on it"
        raise Refused(
            f"{domain.name} on {host}: {seen}",
            why="It may be on its way to the other host, or its I/O may stand still.",
            fix=f"on {host}: virsh domjobinfo {shlex.quote(domain.name)}; then dualsrm recover",
        )


def _in_use(snapshot: Snapshot, goal: ColdGoal, host: str, resource: str) -> bool:
    """Whether another guest has the resource open there: then it stays Primary."""
    others = tenants(snapshot.view(host), resource)
    return any(one.state.active for one in others if one.name != goal.guest)


def _must_answer(snapshot: Snapshot, guest: str) -> None:
    for host, view in snapshot.views.items():
        for part in (view.drbd, view.libvirt):
            if isinstance(part, Unknown):
                raise HostUnreachable(
                    f"{host} cannot be seen: {part.why}",
                    why=f"{guest} may be there, and the lock of the pair lies on both hosts",
                    fix=f"make {host} answer, then run it again{_by_hand(snapshot, guest, snapshot.pair.other(host))}",
                )


def _by_hand(snapshot: Snapshot, guest: str, here: str) -> str:
    """What stops a guest beside a host that stays away; empty where it is not seen to run."""
    if here not in guest_location(snapshot, guest).active_on:
        return ""
    resources = resources_of(_domain(snapshot, guest, here), snapshot.view(here))
    demote = "; ".join(f"drbdadm secondary {shlex.quote(name)}" for name in resources)
    by_hand = f"; if it stays away, on {here}: virsh shutdown {shlex.quote(guest)}"
    return f"{by_hand}; once it is shut off: {demote}" if demote else by_hand
