"""What every check works with: the case in hand, the four ways to answer, and commands for a person to paste.

A fact is read through `Case`, which raises `NotKnown` when nobody knows it. So a check is written for what is known,
and ends UNKNOWN by construction where something is not: it cannot forget to ask.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from dualsrm.discovery import OnDrbd, Placement, placements
from dualsrm.model import (
    Domain,
    DrbdView,
    Finding,
    LibvirtView,
    Maybe,
    MoveFacts,
    Resource,
    Severity,
    Snapshot,
    SystemView,
    Unknown,
)

T = TypeVar("T")
Findings: TypeAlias = Iterator[Finding]
Part: TypeAlias = Literal["drbd", "libvirt", "system"]

PROBE: dict[Part, tuple[str, ...]] = {
    "drbd": ("drbdsetup", "status"),
    "libvirt": ("virsh", "-c", "qemu:///system", "version"),
    "system": ("ip", "-brief", "link"),
}
"""Per part of a host: the command that shows a person why it does not answer."""

UNKNOWN_BLOCKS = "What nobody could observe is never taken for good."


@dataclass(frozen=True, slots=True)
class Move:
    """The goal: one guest, from the host it is on to the other."""

    guest: str
    source: str
    target: str


# --- answers --------------------------------------------------------------------------------------
# The check's identifier is put in by the runner, which knows it from the registry.


def passed(subject: str, seen: str) -> Finding:
    """As it should be."""
    return Finding("", Severity.PASSED, subject, seen)


def warning(subject: str, seen: str, why: str, fix: str = "") -> Finding:
    """Not as it should be, but a move may start."""
    return Finding("", Severity.WARNING, subject, seen, why, fix)


def failed(subject: str, seen: str, why: str, fix: str) -> Finding:
    """A move must not start."""
    return Finding("", Severity.FAILED, subject, seen, why, fix)


def unknown(subject: str, seen: str, why: str, fix: str) -> Finding:
    """Nobody knows, so a move must not start either."""
    return Finding("", Severity.UNKNOWN, subject, seen, why, fix)


class NotKnown(Exception):
    """A fact that a check needs is not known; carries what the check then answers."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.seen)
        self.finding = finding


def known(value: Maybe[T], subject: str, what: str, fix: str) -> T:
    """The value of a fact; else the check ends UNKNOWN, saying what nobody knows and why."""
    if isinstance(value, Unknown):
        raise NotKnown(unknown(subject, f"{what}: {value.why}", UNKNOWN_BLOCKS, fix))
    return value


def guarded(findings: Findings) -> Findings:
    """What a check found up to where it met an unknown fact, and that it did."""
    try:
        yield from findings
    except NotKnown as gap:
        yield gap.finding


# --- commands for a person ------------------------------------------------------------------------


def on(host: str, *command: str) -> str:
    """A command line that runs a command on a host. Names are data: quoted for the remote shell, then for this one."""
    return shlex.join(("ssh", host, shlex.join(command)))


def lines(*commands: str) -> str:
    """Several commands, in order."""
    return " && ".join(commands)


# --- the case -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a check may look at."""

    snapshot: Snapshot
    move: Move
    facts: MoveFacts
    unfinished: str | None
    """The journal's operation that has no end, if there is one."""

    @property
    def ends(self) -> tuple[str, str]:
        """Source and target."""
        return self.move.source, self.move.target

    def other(self, host: str) -> str:
        """The other end."""
        return self.move.target if host == self.move.source else self.move.source

    def drbd(self, host: str) -> DrbdView:
        """DRBD as that host sees it."""
        view = self.snapshot.views.get(host)
        return self._answered(view.drbd if view else Unknown("not asked"), host, "drbd")

    def libvirt(self, host: str) -> LibvirtView:
        """Libvirt as that host sees it."""
        view = self.snapshot.views.get(host)
        return self._answered(view.libvirt if view else Unknown("not asked"), host, "libvirt")

    def system(self, host: str) -> SystemView:
        """The host itself."""
        view = self.snapshot.views.get(host)
        return self._answered(view.system if view else Unknown("not asked"), host, "system")

    def _answered(self, value: Maybe[T], host: str, part: Part) -> T:
        """The view; else a brief UNKNOWN, because `host-answers` says at length what is the matter."""
        if isinstance(value, Unknown):
            seen = f"not known: {part} of {host} gave no answer (see host-answers)"
            raise NotKnown(unknown(host, seen, UNKNOWN_BLOCKS, on(host, *PROBE[part])))
        return value

    def domain(self) -> Domain:
        """The guest as the source knows it."""
        guest, source = self.move.guest, self.move.source
        domain = self.libvirt(source).domain(guest)
        if domain is None:
            seen = f"not known: there is no {guest} on {source} (see guest-on-source)"
            raise NotKnown(unknown(guest, seen, UNKNOWN_BLOCKS, on(source, "virsh", "list", "--all")))
        return domain

    def placements(self, host: str) -> tuple[Placement, ...]:
        """Where the guest's writable disks lie, as that host resolves the paths the source's definition names."""
        domain = self.domain()
        self.drbd(host)
        return placements(domain, self.snapshot.view(host))

    def resources(self) -> tuple[str, ...]:
        """The resources that back the guest, as the source resolves its disks."""
        spots = self.placements(self.move.source)
        names = tuple(dict.fromkeys(spot.resource for spot in spots if isinstance(spot, OnDrbd)))
        if spots and not names:
            guest = self.move.guest
            seen = f"not known: no disk of {guest} leads to a resource (see disks-on-drbd)"
            raise NotKnown(unknown(guest, seen, UNKNOWN_BLOCKS, on(self.move.source, "virsh", "domblklist", guest)))
        return names


# --- scopes ---------------------------------------------------------------------------------------

Run: TypeAlias = Callable[[Case], Findings]


def each_end(check: Callable[[Case, str], Findings]) -> Run:
    """Check source and target each for itself: what one does not say leaves the other's answer standing."""

    def run(case: Case) -> Findings:
        for host in case.ends:
            yield from guarded(check(case, host))

    return run


def each_viewpoint(check: Callable[[Case, str, Resource], Findings]) -> Run:
    """Check each resource of the guest from both ends: after a cut the two may say different things for seconds."""

    def at(case: Case, host: str) -> Findings:
        names = case.resources()
        drbd = case.drbd(host)
        if not names:
            yield passed(f"{case.move.guest} on {host}", "no disk to replicate")
        for name in names:
            resource = drbd.resource(name)
            if resource is None:
                seen = f"not known: {name} is not up on {host} (see resource-up)"
                yield unknown(f"{name} on {host}", seen, UNKNOWN_BLOCKS, on(host, "drbdadm", "up", name))
            else:
                yield from guarded(check(case, host, resource))

    return each_end(at)
