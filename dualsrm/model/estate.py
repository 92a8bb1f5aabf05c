"""Hosts and pairs: as configured, and as seen at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dualsrm.model.drbd import DrbdView
from dualsrm.model.facts import Maybe, Unknown
from dualsrm.model.filesystem import NO_MOUNTS, Filesystem, MountView
from dualsrm.model.generations import Generation
from dualsrm.model.libvirt import CpuVerdict, LibvirtView
from dualsrm.model.peer import Quarantine


@dataclass(frozen=True, slots=True)
class Host:
    """A host as configured."""

    name: str
    address: str
    migration_address: str
    peer_uri: str
    """How the *other* host's libvirtd reaches this one."""
    user: str = "root"
    port: int = 22


@dataclass(frozen=True, slots=True)
class Pair:
    """Two hosts that replicate to each other."""

    name: str
    hosts: tuple[str, str]
    filesystems: tuple[Filesystem, ...] = ()
    """As declared for its groups."""
    encrypted: bool = False
    """Whether memory travels by TLS, as configured."""

    def other(self, host: str) -> str:
        """The other host of the pair."""
        first, second = self.hosts
        return second if host == first else first


@dataclass(frozen=True, slots=True)
class Certificates:
    """QEMU's certificates for memory traffic. Whether they are valid only the first move shows."""

    directory: str
    missing: tuple[str, ...]
    """File names that are not there; empty when all are."""


@dataclass(frozen=True, slots=True)
class SystemView:
    """What the host itself says."""

    interfaces: frozenset[str]
    """Network interfaces, bridges among them."""
    clock_offset_seconds: float
    """Host clock minus manager clock; the error is at most the round trip."""
    other_managers: tuple[str, ...]
    """Other owners of DRBD resources or domains found running here: pacemaker, drbd-reactor, a libvirt qemu hook."""
    certificates: Maybe[Certificates]
    quarantined: tuple[Quarantine, ...] = ()
    """Hosts that this one saw off in a failover and that have not been resynced since."""


@dataclass(frozen=True, slots=True)
class HostView:
    """Everything one host said at one moment."""

    name: str
    drbd: Maybe[DrbdView]
    libvirt: Maybe[LibvirtView]
    system: Maybe[SystemView]
    peer_link: Maybe[str] | None = None
    """The other host's libvirtd, asked with this host's credentials: its name, or why not. None: nobody asked."""
    mounts: Maybe[MountView] = NO_MOUNTS
    filesystems: tuple[Filesystem, ...] = ()
    """Those declared for the pair: a path below one leads to its resource."""

    def mounted(self, filesystem: Filesystem) -> Maybe[bool]:
        """Whether this host has it mounted where it belongs."""
        if isinstance(self.mounts, Unknown):
            return self.mounts
        if isinstance(self.drbd, Unknown):
            return self.drbd
        found = self.mounts.at(filesystem.mount)
        return found is not None and found.minor is not None and found.minor == self.drbd.minor_below(filesystem)


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds the pair's lock, as written in it."""

    operation: str
    manager: str
    since: str
    """ISO 8601 with zone, by the manager's clock."""


@dataclass(frozen=True, slots=True)
class MoveFacts:
    """What only makes sense to ask about one guest moving one way."""

    cpu: Maybe[CpuVerdict]
    peer_link: Maybe[str]
    """The target's libvirtd, asked by the source with its own credentials: its host name, or why it did not answer."""
    beside: frozenset[str] = frozenset()
    """Resources of guests that the same operation moves beside this one: their windows are ours."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Both hosts of a pair, each seen from itself, at about one moment."""

    pair: Pair
    views: Mapping[str, HostView]
    locks: Mapping[str, Maybe[LockHolder | None]] = field(default_factory=dict)
    """By host: who holds the pair's lock there; None when it is free."""
    hosts: Mapping[str, Host] = field(default_factory=dict)
    """The hosts as configured, for the addresses that a check compares or a command names; may be left out."""
    generations: Mapping[str, Mapping[str, Maybe[tuple[Generation, ...]]]] = field(default_factory=dict)
    """By host and resource, of those only that stand alone somewhere: nobody else's are asked for."""

    def view(self, host: str) -> HostView:
        """The view of one host of the pair."""
        return self.views[host]
