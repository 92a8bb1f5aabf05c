"""Whether the failover of a guest can be rehearsed on the host that stands by for it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from dualsrm.checks.case import PROBE, failed, on, passed, unknown, warning
from dualsrm.checks.start import disks_on_drbd
from dualsrm.checks.target import memory_needed
from dualsrm.discovery import filesystems_of, resources_of
from dualsrm.model import Domain, Finding, Maybe, Pair, RehearsalView, Resource, Role, Snapshot, Unknown
from dualsrm.replication import disks_differ, replication_differs

CLEANUP = "dualsrm test-failover cleanup"
_ROOM = "A snapshot that runs full is lost, and the rehearsal with it."


def check_pair(pair: Pair, there: Mapping[str, Maybe[RehearsalView]]) -> tuple[Finding, ...]:
    """One rehearsal of a pair at a time; what nobody could look for may be there."""
    return _named(_pair(pair, there))


def check_clone(snapshot: Snapshot, host: str, guest: str, obstacle: Maybe[str]) -> tuple[Finding, ...]:
    """Of one guest, on the host that would carry it. `obstacle`: why its definition there cannot be cloned."""
    return _named(_guest(snapshot, host, guest, obstacle))


def check_memory(snapshot: Snapshot, host: str, domains: Sequence[Domain]) -> tuple[Finding, ...]:
    """All clones at once, beside what runs there."""
    return _named(_memory(snapshot, host, domains))


def check_room(host: str, needed: Mapping[str, int], free: Mapping[str, int]) -> tuple[Finding, ...]:
    """By volume group: bytes that the snapshots take, and bytes that are left."""
    return _named(_room(host, needed, free))


def _named(findings: Iterator[Finding]) -> tuple[Finding, ...]:
    return tuple(replace(one, check="rehearsal") for one in findings)


def _pair(pair: Pair, there: Mapping[str, Maybe[RehearsalView]]) -> Iterator[Finding]:
    for host, view in there.items():
        if isinstance(view, Unknown):
            why = "What an earlier rehearsal left there would be mistaken for this one's."
            yield unknown(host, f"whether a rehearsal is there is not known: {view.why}", why, view.fix)
        elif not view.empty:
            seen = f"there is a rehearsal, or what one left: {', '.join(view.operations)}"
            why = "One at a time: each takes room, and slows the writes of what it is of."
            yield failed(host, seen, why, f"dualsrm test-failover status; {CLEANUP} {shlex.quote(pair.name)}")


def _guest(snapshot: Snapshot, host: str, guest: str, obstacle: Maybe[str]) -> Iterator[Finding]:
    view = snapshot.view(host)
    if isinstance(view.libvirt, Unknown) or isinstance(view.drbd, Unknown):
        yield unknown(host, "it does not answer", "Nothing can be rehearsed there.", on(host, *PROBE["libvirt"]))
        return
    domain = view.libvirt.domain(guest)
    if domain is None:
        why = "It would not come up there either if the other host were lost now."
        other = snapshot.pair.other(host)
        fix = f"{on(other, 'virsh', 'dumpxml', '--inactive', guest)} | {on(host, 'virsh', 'define', '/dev/stdin')}"
        yield failed(guest, f"it is not defined on {host}", why, fix)
        return
    if domain.state.active:
        why = f"A failover to {host} is rehearsed there while the guest is elsewhere."
        yield failed(guest, f"it is {domain.state} on {host}", why, "dualsrm status")
    yield from disks_on_drbd(view, domain, host)
    for filesystem in filesystems_of(domain, view):
        why = "A clone would have to mount a snapshot of it; of a file's guest alone that is not done."
        yield failed(
            guest, f"its disk is a file below {filesystem.mount}", why, "rehearse guests whose disks are volumes"
        )
    names = resources_of(domain, view)
    if not names:
        why = "There is nothing to take a snapshot of."
        yield failed(guest, "none of its disks lies on DRBD", why, on(host, "virsh", "domblklist", guest))
    for name in names:
        resource = view.drbd.resource(name)
        if resource is not None:
            yield from _data(resource, host)
    if isinstance(obstacle, Unknown):
        yield unknown(guest, obstacle.why, "A clone may share nothing with the guest.", obstacle.fix)
    elif obstacle:
        why = "A clone may share nothing with the guest, and has to be like it."
        yield failed(guest, obstacle, why, on(host, "virsh", "dumpxml", "--inactive", guest))


def _data(resource: Resource, host: str) -> Iterator[Finding]:
    subject = f"{resource.name} on {host}"
    if resource.role != Role.SECONDARY:
        why = "The data of a host that stands by is rehearsed with."
        yield failed(subject, f"it is {resource.role}", why, "dualsrm status")
    if differs := disks_differ(resource):
        why = "A copy of it would be of no one moment, or of an old one; a failover would be refused as well."
        yield failed(subject, differs, why, "wait for the end of the resync: dualsrm status")
    elif differs := replication_differs(resource):
        why = "It is rehearsed with what this side has; what was written since is not in it."
        yield warning(subject, differs, why, "dualsrm status")
    else:
        yield passed(subject, "UpToDate on both sides")


def _memory(snapshot: Snapshot, host: str, domains: Sequence[Domain]) -> Iterator[Finding]:
    view = snapshot.view(host).libvirt
    free = Unknown("libvirt does not answer") if isinstance(view, Unknown) else view.free_memory_bytes
    if isinstance(free, Unknown):
        why = "Short of memory, the kernel ends somebody, and that may be a guest."
        yield unknown(host, f"its free memory is not known: {free.why}", why, on(host, "free", "-m"))
        return
    needed = sum(memory_needed(domain) for domain in domains)
    if needed > free:
        seen = f"the clones need {needed >> 20} MiB of memory, and {free >> 20} MiB are free"
        why = "Short of memory, the kernel ends somebody, and that may be a guest."
        yield failed(host, seen, why, "rehearse group by group")


def _room(host: str, needed: Mapping[str, int], free: Mapping[str, int]) -> Iterator[Finding]:
    for group, size in needed.items():
        if size > free[group]:
            seen = f"the snapshots take {size >> 20} MiB, and the volume group {group} has {free[group] >> 20} MiB left"
            fix = f"{on(host, 'vgs', group)}; make room, or name less: --snapshot-size, [rehearsal] snapshot_percent"
            yield failed(host, seen, _ROOM, fix)
