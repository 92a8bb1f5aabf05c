"""Whether one side's writes may be discarded. Pure. What is not proved is refused: a discard cannot be taken back."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

from dualsrm.checks.case import PROBE, UNKNOWN_BLOCKS, failed, on, passed, unknown
from dualsrm.discovery import resources_of
from dualsrm.generations import Relation, resource_relation
from dualsrm.model import DrbdView, Finding, LibvirtView, LockHolder, Resource, Role, Snapshot, Unknown
from dualsrm.replication import disks_differ


def check_resolve(snapshot: Snapshot, victim: str, names: tuple[str, ...]) -> tuple[Finding, ...]:
    """Every answer; one that blocks and nothing is touched."""
    return tuple(
        replace(finding, check="split-brain")
        for finding in (
            *_locks(snapshot),
            *(finding for name in names for finding in _proved(snapshot, name)),
            *_no_guest(snapshot, victim, names),
            *_of_one_moment(snapshot, victim, names),
            *(finding for name in names for finding in _sides(snapshot, victim, name)),
        )
    )


def guests_on(snapshot: Snapshot, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Guests with a disk on any of these resources, as either host knows them, and all resources of each."""
    found: dict[str, dict[str, None]] = {}
    for view in snapshot.views.values():
        for domain in () if isinstance(view.libvirt, Unknown) else view.libvirt.domains:
            found.setdefault(domain.name, {}).update(dict.fromkeys(resources_of(domain, view)))
    return {guest: tuple(lies_on) for guest, lies_on in sorted(found.items()) if set(lies_on) & set(names)}


def _locks(snapshot: Snapshot) -> Iterator[Finding]:
    for host, holder in snapshot.locks.items():
        if isinstance(holder, LockHolder):
            seen = f"{snapshot.pair.name} is locked on {host} by {holder.operation} of the manager on {holder.manager}"
            why = "Another operation may be at work on these disks."
            yield failed(host, seen, why, "wait until it ends; if its manager died: dualsrm recover")


def _proved(snapshot: Snapshot, name: str) -> Iterator[Finding]:
    found = resource_relation(snapshot, name)
    if found is Relation.SPLIT:
        yield passed(name, "each side has writes that the other lacks")
        return
    unread = [
        f"{host}: {side.why}"
        for host in snapshot.pair.hosts
        if isinstance(side := snapshot.generations.get(host, {}).get(name), Unknown)
    ]
    seen = f"that {name} is in split brain is not proved: {'; '.join(unread) or found.value}"
    if found is Relation.UNKNOWN:
        yield unknown(name, seen, UNKNOWN_BLOCKS, f"dualsrm status; on both hosts: drbdadm get-gi {shlex.quote(name)}")
    elif found is Relation.UNRELATED:
        why = "The two sides have no generation in common that is still noted: DRBD would not resync them either."
        yield failed(name, seen, why, f"look on both hosts: drbdadm show-gi {shlex.quote(name)}")
    else:
        why = "Nothing has to be discarded: connected, DRBD resyncs the side that is behind."
        yield failed(name, seen, why, " && ".join(on(host, "drbdadm", "adjust", name) for host in snapshot.pair.hosts))


def _no_guest(snapshot: Snapshot, victim: str, names: tuple[str, ...]) -> Iterator[Finding]:
    libvirt = snapshot.view(victim).libvirt
    if not isinstance(libvirt, LibvirtView):
        seen = f"libvirt of {victim} gave no answer: {libvirt.why}"
        yield unknown(victim, seen, "A guest may run there on the data to discard.", on(victim, *PROBE["libvirt"]))
        return
    for guest in guests_on(snapshot, names):
        domain = libvirt.domain(guest)
        if domain is not None and domain.state.active:
            seen = f"{guest} is {domain.state} on {victim}"
            why = "Its disk would change below it."
            stop = shlex.join(("dualsrm", "stop", "--", guest))
            yield failed(guest, seen, why, f"name the other host as victim, or: {stop}")


def _of_one_moment(snapshot: Snapshot, victim: str, names: tuple[str, ...]) -> Iterator[Finding]:
    """A guest's disks belong to one moment: half of one side's and half of the other's is a third thing."""
    asked = {name for host in snapshot.pair.hosts for name in snapshot.generations.get(host, {})}
    doubtful = (Relation.SPLIT, Relation.UNRELATED, Relation.UNKNOWN)
    for guest, lies_on in guests_on(snapshot, names).items():
        left = [one for one in lies_on if one not in names and one in asked]
        left = [one for one in left if resource_relation(snapshot, one) in doubtful]
        if left:
            seen = f"{guest} also lies on {', '.join(left)}: {resource_relation(snapshot, left[0]).value}"
            why = "Its disks would be of different moments."
            yield failed(guest, seen, why, resolve_command(victim, (*names, *left)))


def _sides(snapshot: Snapshot, victim: str, name: str) -> Iterator[Finding]:
    survivor = snapshot.pair.other(victim)
    mine, theirs = _resource(snapshot, victim, name), _resource(snapshot, survivor, name)
    if mine is None or theirs is None:
        return  # then nothing is proved either, which was said
    if mine.role != Role.SECONDARY:
        seen = f"{name} is {mine.role} on {victim}"
        why = "DRBD discards nothing below a Primary."
        yield failed(f"{name} on {victim}", seen, why, on(victim, "drbdadm", "secondary", name))
    if stale := disks_differ(theirs):
        seen = f"on {survivor} {stale}"
        why = "What would be kept is not the newest data of its side."
        yield failed(f"{name} on {survivor}", seen, why, resolve_command(survivor, (name,)))


def _resource(snapshot: Snapshot, host: str, name: str) -> Resource | None:
    drbd = snapshot.view(host).drbd
    return drbd.resource(name) if isinstance(drbd, DrbdView) else None


def resolve_command(victim: str, names: tuple[str, ...]) -> str:
    """The command that discards the victim's writes."""
    return shlex.join(("dualsrm", "split-brain", "resolve", "--victim", victim, "--", *names))
