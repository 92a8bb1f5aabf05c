"""Whether a guest that runs nowhere may be started on a host. Pure.

What a promotion checks by itself is left to the kernel. Here is what it cannot know: that no QEMU of the guest exists
on the other host, and that the other host's disk is not the newer one.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace

from dualsrm.checks.case import PROBE, UNKNOWN_BLOCKS, failed, lines, on, passed, unknown, warning
from dualsrm.checks.filesystem import ready_to_start
from dualsrm.checks.quarantine import not_quarantined
from dualsrm.discovery import Elsewhere, OnDrbd, filesystems_of, placements, tenants
from dualsrm.generations import is_split
from dualsrm.model import (
    ConnectionState,
    DiskState,
    Domain,
    DrbdView,
    Finding,
    HostView,
    LibvirtView,
    LockHolder,
    Resource,
    Role,
    Snapshot,
    Unknown,
)
from dualsrm.replication import STALE, replication_differs


def check_start(
    snapshot: Snapshot, domain: Domain, here: str, resources: tuple[str, ...], unfinished: str | None
) -> tuple[Finding, ...]:
    """Every answer; one that blocks and nothing is touched."""
    return tuple(
        replace(finding, check="start")
        for finding in (
            *_operations(snapshot, unfinished),
            *not_quarantined(snapshot, here),
            *_nowhere_active(snapshot, domain),
            *_disks(snapshot, domain, here),
            *_same_disks(snapshot, domain.name),
            *(finding for name in resources for finding in _resource(snapshot, domain, name, here)),
        )
    )


def _operations(snapshot: Snapshot, unfinished: str | None) -> Iterator[Finding]:
    if unfinished is not None:
        yield failed(snapshot.pair.name, f"{unfinished} has no end", "What it left is not settled.", "dualsrm recover")
    for host, holder in snapshot.locks.items():
        if isinstance(holder, LockHolder):
            seen = f"{snapshot.pair.name} is locked on {host} by {holder.operation} of the manager on {holder.manager}"
            why = "Two operations at once could start the guest twice."
            yield failed(host, seen, why, "wait until it ends; if its manager died: dualsrm recover")


def _nowhere_active(snapshot: Snapshot, domain: Domain) -> Iterator[Finding]:
    for host in snapshot.pair.hosts:
        libvirt = snapshot.view(host).libvirt
        if not isinstance(libvirt, LibvirtView):
            why = f"{domain.name} may run there: a guest is never started while one host cannot be asked."
            yield unknown(host, f"libvirt of {host} gave no answer: {libvirt.why}", why, on(host, *PROBE["libvirt"]))
            continue
        found = libvirt.domain(domain.name)
        if found is None:
            continue
        if found.uuid != domain.uuid:
            why = "Two guests of one name: their disks may be different ones."
            yield failed(domain.name, f"it has another UUID on {host}", why, on(host, "virsh", "dumpxml", domain.name))
        elif found.state.active:
            yield failed(domain.name, f"it is {found.state} on {host}", "It would run twice.", "dualsrm status")


def _same_disks(snapshot: Snapshot, name: str) -> Iterator[Finding]:
    """Both definitions lead to the same volumes, each on its host: either may be the one that is started."""
    found = {}
    for host in snapshot.pair.hosts:
        view = snapshot.view(host)
        domain = None if isinstance(view.libvirt, Unknown) else view.libvirt.domain(name)
        if domain is not None and not isinstance(view.drbd, Unknown):
            found[host] = {
                spot.disk.target: spot.what if isinstance(spot, OnDrbd) else spot.disk.source
                for spot in placements(domain, view)
            }
    first, *others = found.values() or ({},)
    if any(one != first for one in others):
        seen = "; ".join(f"on {host}: {_disk_words(disks)}" for host, disks in found.items())
        why = "One of the two definitions leads to other data."
        fix = lines(*(on(host, "virsh", "domblklist", "--inactive", name) for host in found))
        yield failed(name, seen, why, fix)


def _disk_words(disks: Mapping[str, object]) -> str:
    words = [f"{target} is {_place(at) if isinstance(at, tuple) else at}" for target, at in disks.items()]
    return ", ".join(words) or "no disk"


def _place(at: tuple[object, ...]) -> str:
    resource, volume, path = at
    return f"{path} on {resource}/{volume}" if path else f"{resource}/{volume}"


def _disks(snapshot: Snapshot, domain: Domain, here: str) -> Iterator[Finding]:
    """Each disk leads to a resource that is up here, and the other host can be asked about it as well."""
    for host in snapshot.pair.hosts:
        view = snapshot.view(host).drbd
        if isinstance(view, Unknown):
            yield unknown(host, f"DRBD of {host} gave no answer: {view.why}", UNKNOWN_BLOCKS, on(host, *PROBE["drbd"]))
    drbd = snapshot.view(here).drbd
    if not isinstance(drbd, Unknown):
        yield from disks_on_drbd(snapshot.view(here), domain, here)
        yield from ready_to_start(snapshot, filesystems_of(domain, snapshot.view(here)), here)


def disks_on_drbd(view: HostView, domain: Domain, here: str) -> Iterator[Finding]:
    """Each disk leads to a resource that is up on this host."""
    for found in placements(domain, view):
        if isinstance(found, Elsewhere):
            why = "Its content may be another one there, or there may be none."
            yield failed(domain.name, f"on {here}, {found.why}", why, on(here, "drbdadm", "status"))


def _resource(snapshot: Snapshot, domain: Domain, name: str, here: str) -> Iterator[Finding]:
    views = {host: snapshot.view(host).drbd for host in snapshot.pair.hosts}
    mine = _of(views[here], name)
    if mine is None:
        return  # said above
    stale = [
        f"{name}/{volume.number} is {volume.disk}" for volume in mine.volumes if volume.disk != DiskState.UP_TO_DATE
    ]
    if stale:
        why = "The guest would start on data that is not its last, or not whole."
        yield failed(f"{name} on {here}", "; ".join(stale), why, on(here, "drbdadm", "status", name))
    for host, view in views.items():
        resource = _of(view, name)
        if resource is not None and (isinstance(resource.options, Unknown) or resource.options.allow_two_primaries):
            why = "Then nothing but this program would keep a second host from writing."
            yield failed(f"{name} on {host}", "two Primaries are allowed, or it is not known", why, "dualsrm recover")
    if mine.suspended:
        yield failed(
            f"{name} on {here}",
            f"I/O of {name} is suspended ({', '.join(mine.suspended)})",
            "The guest would stand still with its first write.",
            on(here, "journalctl", "-t", "dualsrm-host", "-n", "20"),
        )
    yield from neighbours(snapshot, name, domain, here)
    yield from _freshness(snapshot, name, mine, _of(views[snapshot.pair.other(here)], name), here)


def neighbours(snapshot: Snapshot, name: str, domain: Domain, here: str) -> Iterator[Finding]:
    """Guests on one resource run on the same host, and no two of them on one volume."""
    for host in snapshot.pair.hosts:
        view = snapshot.view(host)
        if isinstance(view.libvirt, Unknown) or isinstance(view.drbd, Unknown):
            continue  # said above
        mine = [spot for spot in placements(domain, view) if isinstance(spot, OnDrbd)]
        for other in tenants(view, name):
            if other.uuid == domain.uuid or not other.state.active:
                continue
            theirs = [spot for spot in placements(other, view) if isinstance(spot, OnDrbd)]
            if host != here or any(one.collides(spot) for one in mine for spot in theirs):
                seen = f"{other.name} runs on it"
                why = "Two guests would write to one device, or on two hosts to one resource."
                yield failed(f"{name} on {host}", seen, why, shlex.join(("dualsrm", "stop", "--", other.name)))


def _freshness(snapshot: Snapshot, name: str, mine: Resource, other: Resource | None, here: str) -> Iterator[Finding]:
    """Not connected, each side knows only itself: the other must show that it gave way, or cannot have gone on."""
    there = snapshot.pair.other(here)
    differs = replication_differs(mine)
    if not differs:
        yield passed(f"{name} on {here}", "UpToDate on both sides")
        return
    if mine.connection is not None and mine.connection.state == ConnectionState.CONNECTED:
        yield warning(f"{name} on {here}", differs, "The guest runs, but could not fail over until that is over.")
        return
    disks = [volume.disk for volume in other.volumes] if other is not None else []
    if other is None or not disks or any(disk not in STALE for disk in disks) or other.role == Role.PRIMARY:
        seen = (
            f"{differs}, and on {there} it is {other.role if other else 'not up'} and {', '.join(disks) or 'unknown'}"
        )
        why = f"The disk on {there} may have writes that this one lacks."
        fix = f"mend the replication link; on both hosts: drbdadm connect {name}"
        if is_split(snapshot, name):
            fix = shlex.join(("dualsrm", "split-brain", "show", "--", name))
        yield failed(f"{name} on {here}", seen, why, fix)
    else:
        why = f"The disk on {there} is not the newer one; nothing is replicated until the link is mended."
        yield warning(f"{name} on {here}", differs, why, on(here, "drbdadm", "connect", name))


def _of(drbd: DrbdView | Unknown, name: str) -> Resource | None:
    return None if isinstance(drbd, Unknown) else drbd.resource(name)
