"""Checks of the guest's disks: each on a volume that the target has too, opened in a way that is safe to hand over."""

from __future__ import annotations

from dualsrm.checks.case import Case, Findings, failed, on, passed, warning
from dualsrm.discovery import Elsewhere, OnDrbd, Placement, is_empty, is_writable, place, tenants, writable_disks
from dualsrm.model import Domain, Finding

_SAFE_CACHES = ("none", "directsync")
"""Modes in which no host cache holds what the guest wrote; libvirt refuses every other without UNSAFE."""


def disks_on_drbd(case: Case) -> Findings:
    """What is not replicated stays behind."""
    domain, source = case.domain(), case.move.source
    spots = case.placements(source)
    for spot in spots:
        if isinstance(spot, Elsewhere):
            yield failed(
                f"{spot.disk.target} of {domain.name}",
                f"{spot.why} on {source}",
                f"Only a disk on a DRBD device of the pair has its content on {case.move.target}.",
                f"move the disk onto a DRBD device, then name that: {on(source, 'virsh', 'edit', domain.name)}",
            )
        else:
            yield passed(f"{spot.disk.target} of {domain.name}", f"{spot.disk.source} is {spot.resource}/{spot.volume}")
    if not spots:
        yield warning(domain.name, "no writable disk", "There is nothing to replicate: only memory would move.")


def disks_same_on_target(case: Case) -> Findings:
    """The target's QEMU opens the path the definition names; it has to lead to the same volume there."""
    source, target = case.ends
    here, there = case.placements(source), case.placements(target)
    for spot, twin in zip(here, there, strict=True):
        if not isinstance(spot, OnDrbd):
            continue
        subject = f"{spot.disk.target} of {case.move.guest}"
        volume = f"{spot.resource}/{spot.volume}"
        if isinstance(twin, OnDrbd) and (twin.resource, twin.volume) == (spot.resource, spot.volume):
            yield passed(subject, f"{spot.disk.source} is {volume} on {target} too")
            continue
        seen = twin.why if isinstance(twin, Elsewhere) else f"{spot.disk.source} is {twin.resource}/{twin.volume}"
        yield failed(
            subject,
            f"{spot.disk.source} is {volume} on {source}, but on {target}: {seen}",
            "The guest would go on with another disk, or none.",
            f"let both hosts' files agree, then: {on(target, 'drbdadm', 'adjust', spot.resource)}",
        )
    if not case.resources():
        yield passed(case.move.guest, "no writable disk")


def caches_safe(case: Case) -> Findings:
    """The target reads from its disk what the source's page cache still holds."""
    domain = case.domain()
    disks = writable_disks(domain)
    for disk in disks:
        subject = f"{disk.target} of {domain.name}"
        if disk.cache in _SAFE_CACHES:
            yield passed(subject, f"cache={disk.cache}")
            continue
        yield failed(
            subject,
            f"{disk.target} of {domain.name} has cache={disk.cache}",
            "A host cache keeps data the other host never sees: libvirt refuses, and forcing it corrupts the disk.",
            f"write cache='none' into <driver> of {disk.target}, in force from the guest's next cold start:"
            f" {on(case.move.source, 'virsh', 'edit', domain.name)}",
        )
    if not disks:
        yield passed(domain.name, "no writable disk")


def read_only_disks(case: Case) -> Findings:
    """An ISO in the drive stops the move as surely as a missing disk: QEMU on the target cannot open it."""
    domain, source = case.domain(), case.move.source
    drbd = case.drbd(source)
    filesystems = case.snapshot.view(source).filesystems
    moving = case.resources() if writable_disks(domain) else ()
    disks = [disk for disk in domain.disks if not is_writable(disk) or is_empty(disk)]
    for disk in disks:
        yield _read_only(place(disk, drbd, filesystems), domain, source, moving)
    if not disks:
        yield passed(domain.name, "no read-only disk")


def _read_only(spot: Placement, domain: Domain, source: str, moving: tuple[str, ...]) -> Finding:
    disk = spot.disk
    subject = f"{disk.target} of {domain.name}"
    if is_empty(disk):
        return passed(subject, "empty drive")
    if isinstance(spot, OnDrbd) and spot.resource in moving:
        return passed(subject, f"{disk.source} is {spot.resource}/{spot.volume}, which moves along")
    if disk.source_type == "network":
        why = "QEMU on the target has to reach it as well; that was not tried."
        return warning(subject, f"{disk.target} comes over the network ({disk.source})", why)
    verb = ("change-media", "--eject", "--live") if disk.kind in ("cdrom", "floppy") else ("detach-disk", "--live")
    return failed(
        subject,
        f"{disk.target} of {domain.name} is {disk.source or 'without a name'}, a {disk.source_type} of {source}",
        "QEMU on the target opens it too, and it does not move along.",
        on(source, "virsh", *verb, domain.name, disk.target),
    )


def resource_not_shared(case: Case) -> Findings:
    """A resource has one Primary: whoever shares it moves along, or holds it open when it must be demoted."""
    names = case.resources()
    for name in names:
        problems = tuple(_others(case, name))
        yield from problems
        if not problems:
            yield passed(name, f"only {case.move.guest} uses it")
    if not names:
        yield passed(case.move.guest, "no resource")


def _others(case: Case, resource: str) -> Findings:
    guest = case.move.guest
    for host in case.ends:
        case.libvirt(host), case.drbd(host)  # nobody knows: then this is not known either
        together = {
            one for found in case.snapshot.pair.filesystems if found.resource == resource for one in found.guests
        }
        for domain in tenants(case.snapshot.view(host), resource):
            if domain.name == guest or {guest, domain.name} <= together:
                continue  # those of one file system move as one
            seen = f"{domain.name} on {host} has a disk on {resource} too ({domain.state.value})"
            if domain.state.active:
                why = f"Moving {guest} would move the ground under {domain.name}, which holds the resource open."
                yield failed(resource, seen, why, on(host, "virsh", "shutdown", domain.name))
            else:
                why = f"Started during the move it would hold {resource} open on {host}, and the window too."
                yield warning(resource, seen, why)
    yield from _idle_volumes(case, resource)


def _idle_volumes(case: Case, resource: str) -> Findings:
    """Volumes of the resource that the guest does not use: all move, and a mount on one stops the demotion."""
    source = case.move.source
    seen_there = case.drbd(source).resource(resource)
    used = {(spot.resource, spot.volume) for spot in case.placements(source) if isinstance(spot, OnDrbd)}
    for volume in seen_there.volumes if seen_there else ():
        if (resource, volume.number) in used or volume.held_open is False:
            continue
        what = f"{resource}/{volume.number} (minor {volume.minor})"
        seen = f"{case.move.guest} does not use {what}"
        if volume.held_open:
            why = f"Something on {source} has it open: the source could not be demoted, the window not closed."
            yield failed(
                resource, f"{seen}, but it is held open", why, on(source, "fuser", "-v", f"/dev/drbd{volume.minor}")
            )
        else:
            why = f"It moves along; if anything on {source} has it open, the window cannot be closed."
            yield warning(resource, seen, why, on(source, "fuser", "-v", f"/dev/drbd{volume.minor}"))
