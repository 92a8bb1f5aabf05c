"""What `status` shows, read off a snapshot: where each guest is, how its resources replicate, whether it could move.

And whether it would come up on the other host if its own were lost.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dualsrm.checks import WITH_ITS_GROUP, Move, blocking, check_move
from dualsrm.checks.readiness import check_failover_ready
from dualsrm.discovery import guest_filesystem, resources_of
from dualsrm.generations import split_resources
from dualsrm.model import DrbdView, Finding, LockHolder, MoveFacts, Resource, Snapshot, Unknown

HOST_ANSWERS = "host-answers"
"""The check whose failure explains every other that could not be made."""
ASKED_BETWEEN_HOSTS = frozenset({"peer-link", "cpu-compatible"})
"""Checks that need one host to ask the other about one guest: `check` runs them, `status` leaves them out."""


@dataclass(frozen=True, slots=True)
class HostLine:
    """One host, and what cannot be seen of it."""

    host: str
    drbd_version: str | None
    trouble: tuple[str, ...]
    silent: bool = False
    """Nothing at all was heard of it: it may be lost."""
    clones: tuple[str, ...] = ()
    """Of a rehearsal that stands there."""


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """A resource as one host sees it, in DRBD's own words; `unknown` where the host does not say."""

    host: str
    role: str
    connection: str
    disks: tuple[str, ...]
    peer_disks: tuple[str, ...]
    replication: tuple[str, ...]
    suspended: tuple[str, ...]
    two_primaries_allowed: bool | None


@dataclass(frozen=True, slots=True)
class ResourceLine:
    """A resource from both viewpoints."""

    resource: str
    viewpoints: tuple[Viewpoint, ...]


@dataclass(frozen=True, slots=True)
class GuestLine:
    """A guest: its state on each host, its resources, and what keeps it from moving."""

    guest: str
    states: dict[str, str]
    """By host: libvirt's word, `absent`, or `unknown`."""
    resources: tuple[ResourceLine, ...]
    active: bool
    """Whether it runs, or may run, anywhere; what is shut off on both hosts is none of status's troubles."""
    wanted_running: bool
    """False only if the last that was done with it was to stop it."""
    ready_to_migrate: bool
    blockers: tuple[Finding, ...]
    ready_to_fail_over: bool
    """Whether it would come up on the other host if the one it runs on were lost now."""
    failover_blockers: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class PairOverview:
    """All of one pair."""

    pair: str
    hosts: tuple[HostLine, ...]
    guests: tuple[GuestLine, ...]
    other_resources: tuple[ResourceLine, ...]
    """Resources below no guest."""
    locked_by: LockHolder | None
    split_brains: tuple[str, ...] = ()
    """Resources of which each side has writes that the other lacks; a person has to say which are given up."""

    @property
    def healthy(self) -> bool:
        """Everything is seen, every guest that runs could move, and no window is open."""
        if self.open_windows or self.split_brains or any(host.trouble for host in self.hosts):
            return False
        return all(guest.ready_to_migrate or not guest.active for guest in self.guests)

    @property
    def open_windows(self) -> tuple[str, ...]:
        """Resources that allow two Primaries, or of which a host that has them up does not say.

        What a host that does not answer has open, `trouble` covers.
        """
        lines = [line for guest in self.guests for line in guest.resources] + list(self.other_resources)
        return tuple(line.resource for line in lines if any(_may_be_open(point) for point in line.viewpoints))


def overview(snapshot: Snapshot, unfinished: str | None, stopped: Collection[str] = ()) -> PairOverview:
    """Read the overview off a snapshot. `stopped`: guests that somebody wanted off."""
    names: dict[str, None] = {}
    for view in snapshot.views.values():
        if not isinstance(view.libvirt, Unknown):
            names.update(dict.fromkeys(domain.name for domain in view.libvirt.domains))
    guests = tuple(_guest(snapshot, name, unfinished, wanted=name not in stopped) for name in sorted(names))
    used = {line.resource for guest in guests for line in guest.resources}
    holders = [holder for holder in snapshot.locks.values() if isinstance(holder, LockHolder)]
    return PairOverview(
        pair=snapshot.pair.name,
        hosts=tuple(_host(snapshot, host) for host in snapshot.pair.hosts),
        guests=guests,
        other_resources=tuple(_resource(snapshot, name) for name in _resource_names(snapshot) if name not in used),
        locked_by=holders[0] if holders else None,
        split_brains=split_resources(snapshot),
    )


def _resource_names(snapshot: Snapshot) -> list[str]:
    views = [view.drbd for view in snapshot.views.values() if not isinstance(view.drbd, Unknown)]
    return sorted({resource.name for view in views for resource in view.resources})


_NOTHING_SAID = ("down", "unknown")


def _may_be_open(point: Viewpoint) -> bool:
    return point.two_primaries_allowed is True or (
        point.two_primaries_allowed is None and point.role not in _NOTHING_SAID
    )


_PARTS = 3


def _host(snapshot: Snapshot, host: str) -> HostLine:
    view = snapshot.view(host)
    trouble = [
        f"{one} is mounted on both hosts, which destroys it"
        for one in snapshot.pair.filesystems
        if all(seen.mounted(one) is True for seen in snapshot.views.values())
    ]
    unseen = [part for part in (view.drbd, view.libvirt, view.system) if isinstance(part, Unknown)]
    version = None if isinstance(view.drbd, Unknown) else view.drbd.version
    trouble += [part.why for part in unseen]
    clones = () if isinstance(view.libvirt, Unknown) else view.libvirt.clones
    return HostLine(host, version, tuple(dict.fromkeys(trouble)), silent=len(unseen) == _PARTS, clones=clones)


def _guest(snapshot: Snapshot, guest: str, unfinished: str | None, *, wanted: bool) -> GuestLine:
    states: dict[str, str] = {}
    active: list[str] = []
    resources: dict[str, None] = {}
    for host in snapshot.pair.hosts:
        view = snapshot.view(host)
        if isinstance(view.libvirt, Unknown):
            states[host] = "unknown"
            continue
        domain = view.libvirt.domain(guest)
        states[host] = str(domain.state) if domain else "absent"
        if domain is not None and domain.state.active:
            active.append(host)
        if domain is not None:
            resources.update(dict.fromkeys(resources_of(domain, view)))
    findings: tuple[Finding, ...] = ()
    if_lost: tuple[Finding, ...] = ()
    if len(active) == 1:
        move = Move(guest, active[0], snapshot.pair.other(active[0]))
        not_asked = Unknown("status does not ask")
        checked = check_move(snapshot, move, MoveFacts(not_asked, not_asked), unfinished)
        # A guest on a file system moves cold with its group: whether it could alone, live, is not the question.
        unasked = WITH_ITS_GROUP if guest_filesystem(snapshot, guest) else ASKED_BETWEEN_HOSTS
        findings = tuple(finding for finding in checked if finding.check not in unasked)
        if_lost = check_failover_ready(snapshot, move, checked)
    return GuestLine(
        guest=guest,
        states=states,
        resources=tuple(_resource(snapshot, name) for name in resources),
        active=bool(active) or "unknown" in states.values(),
        wanted_running=wanted,
        ready_to_migrate=len(active) == 1 and not blocking(findings),
        blockers=blocking(findings),
        ready_to_fail_over=len(active) == 1 and not blocking(if_lost),
        failover_blockers=blocking(if_lost),
    )


def _resource(snapshot: Snapshot, name: str) -> ResourceLine:
    return ResourceLine(name, tuple(_viewpoint(snapshot, host, name) for host in snapshot.pair.hosts))


def _viewpoint(snapshot: Snapshot, host: str, name: str) -> Viewpoint:
    drbd = snapshot.view(host).drbd
    resource = drbd.resource(name) if isinstance(drbd, DrbdView) else None
    if resource is None:
        word = "unknown" if isinstance(drbd, Unknown) else "down"
        return Viewpoint(host, word, word, (), (), (), (), None)
    connection = resource.connection
    peers = connection.volumes if connection else ()
    return Viewpoint(
        host=host,
        role=str(resource.role),
        connection=str(connection.state) if connection else "none",
        disks=tuple(str(volume.disk) for volume in resource.volumes),
        peer_disks=tuple(str(peer.peer_disk) for peer in peers),
        replication=tuple(str(peer.replication) for peer in peers),
        suspended=resource.suspended,
        two_primaries_allowed=_window(resource),
    )


def _window(resource: Resource) -> bool | None:
    return None if isinstance(resource.options, Unknown) else resource.options.allow_two_primaries
