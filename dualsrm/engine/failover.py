"""Looking before a failover: is the host lost, can it be seen off, which guests may start on the survivor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from dualsrm.checks import blocking
from dualsrm.checks.failover import (
    Ask,
    behind,
    check_fence,
    check_guest,
    check_lost,
    earliest,
    signs_of,
    uses_device,
)
from dualsrm.discovery import filesystems_of, resources_of
from dualsrm.engine.environment import Environment
from dualsrm.engine.journal import Interrupted, interrupted, over
from dualsrm.engine.observe import declared
from dualsrm.errors import HostUnreachable, Refused, UsageError
from dualsrm.model import (
    IN_WINDOW,
    DomainState,
    Finding,
    HostView,
    LockHolder,
    Maybe,
    Pair,
    PeerSeen,
    Power,
    Resource,
    Role,
    Severity,
    Snapshot,
    Unknown,
)
from dualsrm.plan.cold import ColdGoal
from dualsrm.plan.failover import plan_failover, plan_fence
from dualsrm.plan.steps import Plan


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked for."""

    guest: str | None
    """Or a group. None: all."""
    to: str
    confirm_off: str | None = None
    by: str = ""
    """Who confirms it: user@manager."""
    accept_data_loss: bool = False
    members: tuple[str, ...] = ()
    """The guests of the group."""

    @property
    def several(self) -> bool:
        """Whether groups have a say: their order, their readiness, their hooks."""
        return self.guest is None or bool(self.members)


@dataclass(frozen=True, slots=True)
class PreparedGuest:
    """One guest, looked at."""

    guest: str
    findings: tuple[Finding, ...]
    plan: Plan
    """Empty when a finding blocks, or when it runs there."""
    resources: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether something is against it."""
        return bool(blocking(self.findings))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is not against it, and is said all the same."""
        return tuple(
            f"{one.subject}: {one.seen}. {one.why}" for one in self.findings if one.severity is Severity.WARNING
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A failover that was looked at and not yet begun."""

    ask: Ask
    guests: tuple[PreparedGuest, ...]
    signs: tuple[str, ...] = ()
    """Of the loss, as seen."""
    power: str = ""
    """What the fence device shows."""
    findings: tuple[Finding, ...] = ()
    """About the lost host; one that blocks, and nothing is touched."""
    fence: Plan = ()
    """Empty when a finding blocks, or when there is nothing to do."""
    lost_since: str | None = None

    @property
    def refused(self) -> bool:
        """Whether nothing is begun, because something is against it."""
        if blocking(self.findings):
            return True
        return bool(self.guests) and not self.fence and any(one.refused for one in self.guests)


# --- looking ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of both hosts, the lost one through others only."""

    snapshot: Snapshot
    heard: Maybe[bool]
    peer: Maybe[PeerSeen]


@dataclass(frozen=True, slots=True)
class _Heard:
    answer: Maybe[bool]


_Answer: TypeAlias = HostView | _Heard | Maybe[PeerSeen]


def _look(environment: Environment, pair: Pair, ask: Ask) -> _Seen:
    """All questions at once: each about a lost host waits for its own deadline."""
    here, there = environment.ports[ask.to], environment.ports[ask.lost]
    looks: list[Callable[[], _Answer]] = [
        here.observe_disks,
        lambda: _Heard(there.heard()),
        lambda: here.peer_seen(there.host),
    ]
    view, heard, peer = environment.gather(looks)
    assert isinstance(view, HostView)  # noqa: S101 - in the order asked
    assert isinstance(heard, _Heard)  # noqa: S101
    assert isinstance(peer, PeerSeen | Unknown)  # noqa: S101
    return _Seen(snapshot_of(environment, pair, ask, view), heard.answer, peer)


def snapshot_of(environment: Environment, pair: Pair, ask: Ask, view: HostView) -> Snapshot:
    """The survivor as seen, beside a host that nobody sees. Raises `HostUnreachable` when it is not seen either."""
    silent = Unknown(f"{ask.lost} is lost")
    view = declared(pair, view)
    views = {ask.to: view, ask.lost: HostView(ask.lost, silent, silent, silent)}
    for part in (view.drbd, view.libvirt):
        if isinstance(part, Unknown):
            raise HostUnreachable(
                f"{ask.to} cannot be seen: {part.why}",
                why="it is to carry the guests",
                fix=f"make {ask.to} answer, then run it again",
            )
    return Snapshot(pair, views, {}, {host: environment.ports[host].host for host in pair.hosts})


def prepare_failover(
    environment: Environment, pair: Pair, wanted: Wanted, *, state_directory: Path, under_lock: bool = False
) -> Prepared:
    """Look, check and plan; touches nothing."""
    ask = ask_of(pair, wanted)
    if not under_lock:
        _must_be_free(environment, pair, ask.to, over(state_directory))
    left = interrupted(state_directory, pair.name)
    seen = _look(environment, pair, ask)
    one = (wanted.guest,) if wanted.guest is not None else ()
    names = wanted.members or one or _all_guests(seen.snapshot, ask.to)
    guests = tuple(prepare_guest(ask, seen.snapshot, name, seen.peer, left) for name in names)
    if not any(one.plan for one in guests):
        return Prepared(ask, guests)
    mine, others = _split(seen.snapshot, ask.to, guests)
    signs = signs_of(ask, seen.heard, seen.peer, mine, others)
    findings = check_lost(ask, signs, wanted.guest)
    if not signs.alive:  # nobody is told how to switch off a host that lives
        findings += check_fence(ask, seen.peer, wanted.guest)
    refused = bool(blocking(findings))
    by = None if uses_device(ask, seen.peer) else wanted.by
    since = None if isinstance(seen.peer, Unknown) else seen.peer.lost_since
    return Prepared(
        ask=ask,
        guests=tuple(replace(one, plan=()) for one in guests) if refused else guests,
        signs=signs.lost,
        power=_power(seen.peer, left, ask.lost),
        findings=findings,
        fence=() if refused else plan_fence(ask.to, ask.lost, by),
        lost_since=earliest(since[one.name] for one in mine if one.name in since) if since else None,
    )


def ask_of(pair: Pair, wanted: Wanted) -> Ask:
    """The survivor and the lost host. Raises `UsageError` when another host is said to be off."""
    lost = pair.other(wanted.to)
    if wanted.confirm_off not in (None, lost):
        raise UsageError(
            f"--confirm-off names {wanted.confirm_off}, and the host that is lost is {lost}",
            why=f"the guests are to go to {wanted.to}, so the other host of pair {pair.name} has to be off",
            fix=f"--confirm-off {lost}, when you have seen that it is off",
        )
    return Ask(wanted.to, lost, wanted.confirm_off is not None, wanted.accept_data_loss)


def _must_be_free(environment: Environment, pair: Pair, host: str, ours: frozenset[str]) -> None:
    holder = environment.ports[host].lock_holder(pair.name)
    if isinstance(holder, LockHolder) and holder.operation not in ours:
        raise Refused(
            f"{pair.name} is locked on {host} by {holder.operation} of the manager on {holder.manager}",
            why="two operations at once could start a guest twice",
            fix="wait until it ends",
        )


def _all_guests(snapshot: Snapshot, here: str) -> tuple[str, ...]:
    """Defined on the survivor, on resources of the pair, and not running there."""
    view = snapshot.view(here)
    if isinstance(view.libvirt, Unknown):
        return ()
    return tuple(
        one.name for one in view.libvirt.domains if resources_of(one, view) and not _runs(snapshot, one.name, here)
    )


def _runs(snapshot: Snapshot, guest: str, here: str) -> bool:
    """It runs on the survivor, and its I/O does not stand still."""
    view = snapshot.view(here)
    domain = None if isinstance(view.libvirt, Unknown) else view.libvirt.domain(guest)
    if domain is None or domain.state is not DomainState.RUNNING:
        return False
    return not any(one.suspended for one in _resources(view, resources_of(domain, view)))


def _resources(view: HostView, names: Sequence[str]) -> tuple[Resource, ...]:
    return () if isinstance(view.drbd, Unknown) else tuple(one for one in view.drbd.resources if one.name in names)


def _split(
    snapshot: Snapshot, here: str, guests: Sequence[PreparedGuest]
) -> tuple[tuple[Resource, ...], tuple[Resource, ...]]:
    """The resources that are to be promoted, and what else lies on the pair."""
    view = snapshot.view(here)
    wanted = {name for one in guests if one.plan for name in one.resources}
    found = () if isinstance(view.drbd, Unknown) else view.drbd.resources
    return tuple(one for one in found if one.name in wanted), tuple(one for one in found if one.name not in wanted)


def _power(seen: Maybe[PeerSeen], left: Sequence[Interrupted], lost: str) -> str:
    """What the device showed first: an operation that died after it had switched the host off saw more than is left."""
    before = [one.intent for one in left if one.intent.get("lost") == lost]
    if any(intent.get("power") == Power.ON.value for intent in before):
        return Power.ON.value
    return Power.UNKNOWN.value if isinstance(seen, Unknown) else seen.power.value


def prepare_guest(
    ask: Ask, snapshot: Snapshot, guest: str, seen: Maybe[PeerSeen], left: Sequence[Interrupted]
) -> PreparedGuest:
    """Check and plan one guest."""
    if _runs(snapshot, guest, ask.to):
        return PreparedGuest(guest, (), ())
    findings = check_guest(ask, snapshot, guest, seen, [one.operation for one in left])
    view = snapshot.view(ask.to)
    domain = None if isinstance(view.libvirt, Unknown) else view.libvirt.domain(guest)
    if blocking(findings) or domain is None:
        return PreparedGuest(guest, findings, ())
    names = resources_of(domain, view)
    found = _resources(view, names)
    plan = plan_failover(
        ColdGoal(guest, domain.uuid, names, ask.to, ask.lost, filesystems_of(domain, view)),
        already=tuple(one.name for one in found if one.role == Role.PRIMARY),
        forced=tuple(one.name for one in found if behind(one)),
        opened=tuple(one.name for one in found if _is_open(one)),
        frozen=tuple(one.name for one in found if one.suspended),
        mounted=tuple(one for one in view.filesystems if view.mounted(one) is True),
    )
    return PreparedGuest(guest, findings, plan, names)


def _is_open(resource: Resource) -> bool:
    options = resource.options
    return not isinstance(options, Unknown) and (options.allow_two_primaries or options.fencing == IN_WINDOW)
