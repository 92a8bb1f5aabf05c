"""Whether a host is lost, whether it can be seen off, and whether its guests may start on the survivor. Pure.

Silence is no proof: a host that is cut off writes on. So one sign that it lives refuses, two that it does not are
asked for, and even then nothing is promoted before it was seen off.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from dualsrm.checks.case import PROBE, failed, on, passed, unknown, warning
from dualsrm.checks.filesystem import ready_to_start
from dualsrm.checks.start import disks_on_drbd, neighbours
from dualsrm.discovery import filesystems_of, resources_of
from dualsrm.generations import stands_alone
from dualsrm.model import (
    Domain,
    DomainState,
    Finding,
    Maybe,
    PeerSeen,
    Power,
    Resource,
    Snapshot,
    Unknown,
)
from dualsrm.replication import connected, disks_differ, whole

SIGNS_NEEDED = 2
_FROZEN = "fencing"
"""The kernel's handler waits to hear that the peer is off: no reason against seeing to that."""
_COUNT = "how much was written since then is not known: only the lost host has counted it"


@dataclass(frozen=True, slots=True)
class Ask:
    """What was asked for, as far as the checks need it."""

    to: str
    lost: str
    confirmed: bool = False
    """A person says that the lost host is off."""
    accept_data_loss: bool = False

    def command(self, guest: str | None, *more: str) -> str:
        """The command line, for a guest or for all."""
        given = (
            *(("--confirm-off", self.lost) if self.confirmed and "--confirm-off" not in more else ()),
            *(("--accept-data-loss",) if self.accept_data_loss else ()),
            *more,
        )
        return shlex.join(("dualsrm", "failover", "--to", self.to, *given, *(("--", guest) if guest else ("--all",))))


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for and against that a host is lost."""

    lost: tuple[str, ...]
    alive: tuple[str, ...]
    untold: tuple[str, ...] = ()
    """Questions that got no answer either way."""


# --- is it lost ---------------------------------------------------------------------------------------------------


def signs_of(
    ask: Ask, heard: Maybe[bool], seen: Maybe[PeerSeen], mine: Sequence[Resource], others: Sequence[Resource]
) -> Signs:
    """`mine`: the resources to be promoted; `others`: what else the survivor replicates with the same host."""
    for_it, against, untold = list[str](), list[str](), list[str]()

    def note(alive: str, gone: str, nobody: str, *, answer: bool | None) -> None:
        signs, words = {True: (against, alive), False: (for_it, gone), None: (untold, nobody)}[answer]
        signs.append(words)

    lost, here = ask.lost, ask.to
    note(
        f"{lost} answers the manager",
        f"{lost} does not answer the manager over ssh",
        f"the manager cannot ask {lost}: {heard.why if isinstance(heard, Unknown) else ''}",
        answer=None if isinstance(heard, Unknown) else heard,
    )
    meets = [one.name for one in (*mine, *others) if connected(one)]
    if meets:
        against.append(f"{', '.join(meets)} on {here} {'is' if len(meets) == 1 else 'are'} Connected to it")
    elif parted := [one.name for one in mine if stands_alone(one)]:
        untold.append(f"{', '.join(parted)} on {here} gave its peer up by itself, lost or not")
    elif mine:
        for_it.append(f"{', '.join(one.name for one in mine)} on {here} without a peer")
    if isinstance(seen, Unknown):
        untold.append(f"{here} cannot be asked about {lost}: {seen.why}")
        return Signs(tuple(for_it), tuple(against), tuple(untold))
    note(
        f"{lost} answers {here}: {seen.why}",
        f"{lost} does not answer {here} over the management network",
        f"{here} cannot ask {lost}: {seen.why}",
        answer=seen.reached,
    )
    if seen.power is Power.OFF:
        for_it.append(f"the fence device shows {lost} off")
    elif seen.power is Power.UNKNOWN:
        untold.append(f"the fence device of {lost} does not say: {seen.power_why}")
    return Signs(tuple(for_it), tuple(against), tuple(untold))


def check_lost(ask: Ask, signs: Signs, guest: str | None) -> tuple[Finding, ...]:
    """One sign that it lives refuses; two that it does not are needed."""
    return tuple(replace(one, check="lost") for one in _lost(ask, signs, guest))


def _lost(ask: Ask, signs: Signs, guest: str | None) -> Iterator[Finding]:
    why = f"{ask.lost} lives: its guests would run twice, or be switched off with it for nothing."
    name = shlex.quote(guest) if guest else "GUEST"
    fix = (
        f"`dualsrm migrate --to {ask.to} -- {name}`, or `dualsrm stop -- {name}` and `dualsrm start --on {ask.to} -- "
        f"{name}`; if {ask.lost} was lost this moment, DRBD needs 10 s to notice: run it again"
    )
    if signs.alive:
        yield failed(ask.lost, "; ".join(signs.alive), why, fix)
        return
    if len(signs.lost) < SIGNS_NEEDED:
        seen = "; ".join((*signs.lost, *signs.untold)) or "nobody was asked"
        why = f"Two independent signs that {ask.lost} is lost are asked for; one may be the network's fault."
        yield failed(ask.lost, f"only {len(signs.lost)} of {SIGNS_NEEDED}: {seen}", why, "dualsrm status")
        return
    for sign in signs.lost:
        yield passed(ask.lost, sign)


# --- can it be seen off -------------------------------------------------------------------------------------------


def check_fence(ask: Ask, seen: Maybe[PeerSeen], guest: str | None) -> tuple[Finding, ...]:
    """There is a device that tells what the lost host is, or a person who says that it is off."""
    return tuple(replace(one, check="fence") for one in _fence(ask, seen, guest))


def uses_device(ask: Ask, seen: Maybe[PeerSeen]) -> bool:
    """Whether the device sees it off; else a person has to."""
    if isinstance(seen, Unknown) or seen.power is Power.NO_DEVICE:
        return False
    return seen.power is not Power.UNKNOWN or not ask.confirmed


def _fence(ask: Ask, seen: Maybe[PeerSeen], guest: str | None) -> Iterator[Finding]:
    lost, here = ask.lost, ask.to
    confirm = ask.command(guest, "--confirm-off", lost)
    by_hand = f"see that {lost} is off, or cut its power, then: {confirm}"
    if isinstance(seen, Unknown):
        yield unknown(here, f"its dualsrm-host: {seen.why}", "DRBD asks it before it promotes.", seen.fix)
    elif seen.power is Power.ON and ask.confirmed:
        why = "It is not off, or the device is another host's."
        fix = f"{replace(ask, confirmed=False).command(guest)}: the device switches it off"
        yield failed(lost, f"{seen.agent} on {here} shows it on", why, fix)
    elif seen.power is Power.UNKNOWN and not ask.confirmed:
        why = f"Nobody could see {lost} off, and it may be writing."
        fix = f"mend [peers.{lost}.fence] in /etc/dualsrm/host.toml on {here}; or {by_hand}"
        yield unknown(lost, f"{seen.agent or 'its fence device'} on {here} does not say: {seen.power_why}", why, fix)
    elif seen.power is Power.NO_DEVICE and not ask.confirmed:
        why = "It may be alive and writing: it is seen off before anything is promoted."
        fix = f"configure [peers.{lost}.fence] in /etc/dualsrm/host.toml on {here}; or {by_hand}"
        yield failed(lost, f"{here} has no fence device for it", why, fix)
    elif seen.power is Power.ON:
        since = earliest(seen.lost_since.values())
        words = f"{seen.agent} on {here} shows it on: it may be alive and cut off"
        why = f"What it wrote since {since or 'a time nobody knows'} may be missing on {here}."
        yield warning(lost, words, why)
    else:
        yield passed(lost, f"{seen.agent} shows it off" if seen.power is Power.OFF else "confirmed off by a person")


def earliest(times: Iterable[str]) -> str | None:
    """The first of some moments of one clock; None of none."""
    return min(times, default=None)


# --- may the guest start there ------------------------------------------------------------------------------------


def check_guest(
    ask: Ask, snapshot: Snapshot, guest: str, seen: Maybe[PeerSeen], unfinished: Sequence[str]
) -> tuple[Finding, ...]:
    """Of one guest, on the survivor only."""
    return tuple(replace(one, check="failover") for one in _guest(ask, snapshot, guest, seen, unfinished))


def _guest(
    ask: Ask, snapshot: Snapshot, guest: str, seen: Maybe[PeerSeen], unfinished: Sequence[str]
) -> Iterator[Finding]:
    view = snapshot.view(ask.to)
    for operation in unfinished:
        why = "It was interrupted, perhaps by the loss itself; `dualsrm recover` ends it once both hosts answer."
        yield warning(snapshot.pair.name, f"{operation} has no end", why)
    if isinstance(view.libvirt, Unknown) or isinstance(view.drbd, Unknown):
        yield unknown(ask.to, "it does not answer", "Nothing can be started there.", on(ask.to, *PROBE["libvirt"]))
        return
    domain = view.libvirt.domain(guest)
    if domain is None:
        why = f"{ask.lost}, which may have it, cannot be asked for its definition."
        fix = f"from a backup of /etc/libvirt/qemu/{guest}.xml: {on(ask.to, 'virsh', 'define', f'{guest}.xml')}"
        yield failed(guest, f"it is not defined on {ask.to}", why, fix)
        return
    if domain.state.active:
        yield _active(ask, domain)
        return
    yield from disks_on_drbd(view, domain, ask.to)
    yield from ready_to_start(snapshot, filesystems_of(domain, view), ask.to)
    names = resources_of(domain, view)
    if not names:
        why = f"What it had on {ask.lost} is not here."
        yield failed(guest, "none of its disks lies on DRBD", why, on(ask.to, "virsh", "domblklist", guest))
    for name in names:
        resource = view.drbd.resource(name)
        if resource is not None:
            yield from _data(ask, resource, guest, seen)
            yield from neighbours(snapshot, name, domain, ask.to)


def _active(ask: Ask, domain: Domain) -> Finding:
    name, here = domain.name, ask.to
    if domain.state is DomainState.RUNNING:
        why = f"It waits until {ask.lost} gives way or is seen off."
        fix = f"on {here}: dualsrm-host fence {ask.lost}; without a device, when it is off: dualsrm-host peer-is-off "
        return failed(name, f"it runs on {here}, and its I/O stands still", why, fix + ask.lost)
    why = "What waits for memory of the lost host never runs; what somebody paused is not failed over."
    fix = (
        f"{on(here, 'virsh', 'domstate', '--reason', name)}; paused for a migration: "
        f"{on(here, 'virsh', 'destroy', name)}, then again; paused by a person: {on(here, 'virsh', 'resume', name)}"
    )
    return failed(name, f"it is {domain.state} on {here}", why, fix)


def _data(ask: Ask, resource: Resource, guest: str, seen: Maybe[PeerSeen]) -> Iterator[Finding]:
    subject = f"{resource.name} on {ask.to}"
    if set(resource.suspended) - {_FROZEN}:
        seen_here = f"I/O is suspended ({', '.join(resource.suspended)})"
        why = "The guest would stand still with its first write."
        yield failed(subject, seen_here, why, on(ask.to, "drbdadm", "resume-io", resource.name))
    differs = disks_differ(resource)
    if not differs and not stands_alone(resource):
        yield passed(subject, "UpToDate")
        return
    if not differs:
        yield _parted(ask, subject, guest)
        return
    if not behind(resource):
        why = f"This disk is not whole; no option promotes it. The data is on {ask.lost}."
        yield failed(subject, differs, why, f"bring {ask.lost} back, or restore {guest} from a backup")
        return
    since = None if isinstance(seen, Unknown) else seen.lost_since.get(resource.name)
    age = f"it was cut off {since}" if since else "since when is not known"
    if ask.accept_data_loss:
        why = f"Promoted by force, as accepted: all that {guest} wrote since then is lost; {_COUNT}."
        yield warning(subject, f"{differs}; {age}", why)
        return
    why = f"{guest} would go back to that moment and all it wrote since is lost; {_COUNT}."
    accept = replace(ask, accept_data_loss=True).command(guest)
    fix = f"bring {ask.lost} back, which has it all; only if that loss is acceptable: {accept}"
    yield failed(subject, f"{differs}; {age}", why, fix)


def _parted(ask: Ask, subject: str, guest: str) -> Finding:
    """Seen on the lab: back from a failover, a host that had written alone calls its old disk UpToDate."""
    seen = "UpToDate and StandAlone: it gave its peer up by itself, as in a split brain, or a person did"
    why = f"Both hosts may have written, and what {guest} wrote last may be on {ask.lost} only."
    if ask.accept_data_loss:
        return warning(subject, seen, f"{why} Going on with this side, as accepted.")
    accept = replace(ask, accept_data_loss=True).command(guest)
    return failed(subject, seen, why, f"bring {ask.lost} back and compare; only if that loss is acceptable: {accept}")


def behind(resource: Resource) -> bool:
    """Whole, and perhaps not the newest: only force promotes it, and only when somebody accepts the loss."""
    return whole(resource) and bool(disks_differ(resource))
