"""Looking before a rehearsal: who stands by for whom, can it be copied there, is there room."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from dualsrm.checks import blocking
from dualsrm.checks.case import failed
from dualsrm.checks.rehearsal import check_clone, check_memory, check_pair, check_room
from dualsrm.discovery import OnDrbd, guest_location, place, resources_of
from dualsrm.engine.environment import Environment
from dualsrm.engine.evacuate import must_answer
from dualsrm.engine.observe import observe
from dualsrm.errors import DualsrmError, UsageError
from dualsrm.model import (
    Backing,
    Clone,
    CloneDisk,
    Domain,
    Finding,
    Maybe,
    Pair,
    RehearsalView,
    Snapshot,
    Unknown,
    snapshot_name,
)
from dualsrm.model.rehearsal import TAG
from dualsrm.plan.rehearsal import RehearsalGoal, clone_of, networks_of, plan_rehearsal
from dualsrm.plan.split_steps import TakeSnapshot
from dualsrm.plan.steps import Plan

_EXTENT = 4 << 20
"""LVM's usual unit: a size is rounded up to it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked for."""

    plan: str | None
    """A guest or a group; None: all."""
    to: str | None = None
    """Where; None: where it does not run."""
    members: tuple[str, ...] = ()
    """The guests of the group."""
    snapshot_percent: int = 20
    snapshot_min_bytes: int = 16 << 20
    snapshot_bytes: int | None = None
    """Of each, whatever its origin has."""

    @property
    def several(self) -> bool:
        """Whether groups have a say, as in a failover."""
        return self.plan is None or bool(self.members)

    def size_of(self, origin_bytes: int) -> int:
        """Of the snapshot of a volume."""
        share = max(origin_bytes * self.snapshot_percent // 100, self.snapshot_min_bytes)
        return -(-(self.snapshot_bytes or share) // _EXTENT) * _EXTENT


@dataclass(frozen=True, slots=True)
class Prepared:
    """A rehearsal that was looked at and not yet begun."""

    host: str
    findings: tuple[Finding, ...]
    plan: Plan = ()
    """All but the clones; empty when a finding blocks, or when there is nothing to rehearse."""
    clones: tuple[Clone, ...] = ()
    staying: tuple[str, ...] = ()
    """Guests of the group that run on that host already."""

    @property
    def refused(self) -> bool:
        """Whether something is against it."""
        return bool(blocking(self.findings))


def look_everywhere(environment: Environment, pair: Pair) -> Mapping[str, Maybe[RehearsalView]]:
    """What rehearsals have left on both hosts. Raises nothing."""
    found = environment.gather([partial(_look, environment, host) for host in pair.hosts])
    return dict(zip(pair.hosts, found, strict=True))


def _look(environment: Environment, host: str) -> Maybe[RehearsalView]:
    try:
        return environment.ports[host].rehearsal.look()
    except DualsrmError as error:
        return Unknown(error.seen, error.fix)


def prepare_rehearsal(
    environment: Environment, pair: Pair, wanted: Wanted, operation: str, *, under_lock: bool = False
) -> Prepared:
    """Look, check and plan; touches nothing."""
    snapshot = observe(environment, pair, under_lock=under_lock)
    must_answer(snapshot)
    host = _standby(snapshot, wanted)
    names, staying = _names(snapshot, host, wanted)
    findings = [*check_pair(pair, look_everywhere(environment, pair))]
    obstacles = environment.gather([partial(_obstacle, environment, snapshot, host, name) for name in names])
    for name, obstacle in zip(names, obstacles, strict=True):
        findings += check_clone(snapshot, host, name, obstacle)
    domains = [domain for name in names if (domain := _domain(snapshot, host, name)) is not None]
    findings += check_memory(snapshot, host, domains)
    if blocking(findings) or not domains:
        return Prepared(host, tuple(findings), staying=staying)
    room, goal, disks = _copies(environment, snapshot, host, domains, wanted=wanted, operation=operation)
    if blocking(room):
        return Prepared(host, (*findings, *room), staying=staying)
    networks = networks_of(domains, operation)
    clones = tuple(clone_of(domain, operation, disks[domain.name], networks) for domain in domains)
    plan = plan_rehearsal(replace(goal, networks=tuple(networks.values())))
    return Prepared(host, (*findings, *room), plan, clones, staying)


# --- who, and where -----------------------------------------------------------------------------------------------


def _standby(snapshot: Snapshot, wanted: Wanted) -> str:
    """The host that would carry them. Raises `UsageError` where it has to be said."""
    if wanted.to is not None:
        return wanted.to
    names = wanted.members or ((wanted.plan,) if wanted.plan else ())
    on = {host for name in names for host in guest_location(snapshot, name).active_on}
    if len(on) == 1:
        return snapshot.pair.other(next(iter(on)))
    raise UsageError(
        f"{wanted.plan or 'all guests'}: {'they run on both hosts' if on else 'nothing of it runs'}",
        why="which host is to be the survivor has to be said then",
        fix=f"--to {snapshot.pair.hosts[0]}, or --to {snapshot.pair.hosts[1]}",
    )


def _names(snapshot: Snapshot, host: str, wanted: Wanted) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those to rehearse, and those of several that run there already, as in a failover."""
    if wanted.plan is not None and not wanted.members:
        if not guest_location(snapshot, wanted.plan).known:
            raise UsageError(
                f"no host of pair {snapshot.pair.name} knows a guest {wanted.plan}, and there is no such group",
                fix="`dualsrm status` shows the guests there are",
            )
        return (wanted.plan,), ()
    view = snapshot.view(host)
    defined = () if isinstance(view.libvirt, Unknown) else view.libvirt.domains
    names = wanted.members or tuple(one.name for one in defined if resources_of(one, view))
    there = tuple(name for name in names if host in guest_location(snapshot, name).active_on)
    return tuple(name for name in names if name not in there), there


def _domain(snapshot: Snapshot, host: str, name: str) -> Domain | None:
    view = snapshot.view(host).libvirt
    return None if isinstance(view, Unknown) else view.domain(name)


def _obstacle(environment: Environment, snapshot: Snapshot, host: str, name: str) -> Maybe[str]:
    if _domain(snapshot, host, name) is None:
        return ""  # said by itself
    try:
        return environment.ports[host].rehearsal.obstacle(name)
    except DualsrmError as error:
        return Unknown(error.seen, error.fix)


# --- below the disks ----------------------------------------------------------------------------------------------


def _copies(
    environment: Environment,
    snapshot: Snapshot,
    host: str,
    domains: Sequence[Domain],
    *,
    wanted: Wanted,
    operation: str,
) -> tuple[tuple[Finding, ...], RehearsalGoal, Mapping[str, tuple[CloneDisk, ...]]]:
    """What is against it, the snapshots to take, and by guest the disks of its clone."""
    backings, against = _backings(environment, snapshot, host, domains)
    tags = (TAG, f"{TAG}.{operation}")
    snapshots = tuple(
        TakeSnapshot(
            host, one.group, one.name, snapshot_name(one.name, operation), wanted.size_of(one.size_bytes), tags
        )
        for one in backings.values()
    )
    free = {one.group: one.free_bytes for one in backings.values()}
    findings = (*against, *check_room(host, _needed(snapshots), free))
    goal = RehearsalGoal(host, tuple(dict.fromkeys(name for name, _ in backings)), (), snapshots)
    if against:
        return findings, goal, {}
    return findings, goal, {one.name: _disks(snapshot, host, one, backings, operation) for one in domains}


def _backings(
    environment: Environment, snapshot: Snapshot, host: str, domains: Sequence[Domain]
) -> tuple[Mapping[tuple[str, int], Backing], list[Finding]]:
    """By resource and volume: the logical volume below each disk, guest by guest, and what has none."""
    wanted = dict.fromkeys(
        (spot.resource, spot.volume) for domain in domains for spot in _spots(snapshot, host, domain).values()
    )
    found: dict[tuple[str, int], Backing] = {}
    findings = []
    for name, volume in wanted:
        try:
            (found[name, volume],) = environment.ports[host].split.backing(name, (volume,))
        except DualsrmError as error:
            fix = f"give it a logical volume: on {host}, drbdadm sh-ll-dev {shlex.quote(name)}"
            findings.append(failed(f"{name} on {host}", error.seen, "Only a logical volume has snapshots.", fix))
    return found, [replace(one, check="rehearsal") for one in findings]


def _spots(snapshot: Snapshot, host: str, domain: Domain) -> Mapping[str, OnDrbd]:
    """By the guest's name of the disk; read-only ones too: a Secondary's device cannot be opened at all."""
    drbd = snapshot.view(host).drbd
    if isinstance(drbd, Unknown):
        return {}
    spots = ((disk.target, place(disk, drbd)) for disk in domain.disks)
    return {target: spot for target, spot in spots if isinstance(spot, OnDrbd)}


def _disks(
    snapshot: Snapshot, host: str, domain: Domain, backings: Mapping[tuple[str, int], Backing], operation: str
) -> tuple[CloneDisk, ...]:
    drbd = snapshot.view(host).drbd
    sizes = {
        (resource.name, volume.number): volume.size_bytes
        for resource in (() if isinstance(drbd, Unknown) else drbd.resources)
        for volume in resource.volumes
    }
    disks = []
    for target, spot in _spots(snapshot, host, domain).items():
        below = backings[spot.resource, spot.volume]
        path = f"/dev/{below.group}/{snapshot_name(below.name, operation)}"
        disks.append(CloneDisk(target, path, sizes[spot.resource, spot.volume]))
    return tuple(disks)


def _needed(snapshots: Sequence[TakeSnapshot]) -> Mapping[str, int]:
    needed: dict[str, int] = {}
    for one in snapshots:
        needed[one.group] = needed.get(one.group, 0) + one.size_bytes
    return needed
