"""Which guests of the two hosts can be managed: those whose writable disks all lie on resources between these two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dualsrm.discovery import Elsewhere, OnDrbd, guests, placements
from dualsrm.model import Domain, DrbdView, HostSurvey, HostView, Resource, Snapshot, Unknown
from dualsrm.setup.draft import GuestDraft


def guests_of(snapshot: Snapshot, surveys: Mapping[str, HostSurvey]) -> tuple[GuestDraft, ...]:
    """Every guest that either host knows, by name."""
    return tuple(_guest(snapshot, surveys, where.name, where.active_on) for where in guests(snapshot))


def _guest(snapshot: Snapshot, surveys: Mapping[str, HostSurvey], name: str, active_on: tuple[str, ...]) -> GuestDraft:
    here = next(host for host in (*active_on, *snapshot.pair.hosts) if _domain(snapshot.view(host), name))
    domain, view = _domain(snapshot.view(here), name), snapshot.view(here)
    spots = placements(domain, view) if domain else ()
    names = tuple(dict.fromkeys(spot.resource for spot in spots if isinstance(spot, OnDrbd)))
    reasons = [f"{spot.why} on {here}" for spot in spots if isinstance(spot, Elsewhere)]
    for resource in names:
        reasons += _elsewhere(snapshot, surveys, here, resource)
    return GuestDraft(name, active_on, names, tuple(reasons))


def _domain(view: HostView, name: str) -> Domain | None:
    return None if isinstance(view.libvirt, Unknown) else view.libvirt.domain(name)


def _elsewhere(snapshot: Snapshot, surveys: Mapping[str, HostSurvey], here: str, name: str) -> Iterator[str]:
    """Why a resource is not one between these two hosts; nothing when it is."""
    there = snapshot.pair.other(here)
    mine, theirs = snapshot.view(here).drbd, snapshot.view(there).drbd
    if isinstance(theirs, Unknown):
        yield f"whether {there} has its resource {name} is not known: {theirs.why}"
    elif not _has(theirs, name):
        yield f"its resource {name} is not one of {there}: it does not replicate between these two hosts"
    elif not isinstance(mine, Unknown) and (resource := mine.resource(name)):
        yield from _wrong_peer(resource, surveys[there])


def _has(drbd: DrbdView, name: str) -> bool:
    """In the kernel or, where it is down, in the files."""
    return drbd.resource(name) is not None or (not isinstance(drbd.configured, Unknown) and name in drbd.configured)


def _wrong_peer(resource: Resource, there: HostSurvey) -> Iterator[str]:
    peer = resource.connection.peer_address if resource.connection else None
    if peer is not None and peer not in {one.address.partition("/")[0] for one in there.addresses}:
        yield f"its resource {resource.name} replicates to {peer}, which is no address of {there.name}"
