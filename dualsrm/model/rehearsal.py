"""Rehearsals of a failover: clones on snapshots, in networks of their own, and how they are told from all else.

Everything a rehearsal makes carries its mark on the host itself, so that it is found without any journal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dualsrm.model.libvirt import Disk, DomainState

TAG: Final = "dualsrm.rehearsal"
"""Of its logical volumes; a second tag has the operation behind this and a dot."""
NAMESPACE: Final = "https://dualsrm.example/xmlns/rehearsal/1"
"""Of the element in a clone's metadata."""
NETWORK_PREFIX: Final = "dualsrm-rehearsal-"
_CLONE: Final = re.compile(r".-rehearsal-[0-9a-z]{1,8}\Z", re.ASCII)
_OPERATION: Final = re.compile(r"[A-Za-z0-9.-]{0,100}-([0-9a-z]{1,8})", re.ASCII)


@dataclass(frozen=True, slots=True)
class CloneDisk:
    """What one disk of a clone is instead."""

    target: str
    """What the guest calls it, e.g. `vda`."""
    path: str
    """The snapshot's device."""
    size_bytes: int | None
    """Of the DRBD device: what lies behind it is DRBD's own. None: not known, the clone sees all of the snapshot."""


@dataclass(frozen=True, slots=True)
class CloneNic:
    """What one network interface of a clone is instead."""

    mac: str
    network: str


@dataclass(frozen=True, slots=True)
class Clone:
    """A guest to start beside itself, on copies of its disks."""

    guest: str
    name: str
    uuid: str
    operation: str
    disks: tuple[CloneDisk, ...]
    nics: tuple[CloneNic, ...]
    """In the order of the guest's own."""


@dataclass(frozen=True, slots=True)
class CloneSeen:
    """A clone that is there."""

    name: str
    uuid: str
    guest: str
    operation: str
    state: DomainState
    read_bytes: int | None = None
    """From all its disks since its start; None when QEMU did not say, or nobody asked."""


@dataclass(frozen=True, slots=True)
class SnapshotSeen:
    """A snapshot that is there."""

    group: str
    name: str
    origin: str
    operation: str
    size_bytes: int
    fill_percent: float | None
    """None: LVM does not say."""
    valid: bool
    """A snapshot that ran full is not: what was on it is lost."""


@dataclass(frozen=True, slots=True)
class RehearsalView:
    """All that rehearsals have made and that is there, on one host."""

    host: str
    snapshots: tuple[SnapshotSeen, ...] = ()
    clones: tuple[CloneSeen, ...] = ()
    networks: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing."""
        return not (self.snapshots or self.clones or self.networks)

    @property
    def operations(self) -> tuple[str, ...]:
        """The rehearsals it is of, each once; of a network alone only the end of its name is known."""
        known = dict.fromkeys((*(one.operation for one in self.clones), *(one.operation for one in self.snapshots)))
        short = {short_name(one) for one in known}
        ends = (name.removeprefix(NETWORK_PREFIX).rpartition("-")[0] for name in self.networks)
        return (*known, *dict.fromkeys(end for end in ends if end not in short))


def short_name(operation: str) -> str:
    """The end of an operation's name, by which its things are called; empty for what is no operation's name."""
    found = _OPERATION.fullmatch(operation)
    return found[1] if found else ""


def clone_name(guest: str, operation: str) -> str:
    """What a guest's clone is called."""
    return f"{guest}-rehearsal-{short_name(operation)}"


def named_as_clone(name: str) -> bool:
    """Whether a domain is called as clones are."""
    return _CLONE.search(name) is not None


def snapshot_name(origin: str, operation: str) -> str:
    """What the snapshot of a logical volume is called."""
    return f"{origin}-rehearsal-{short_name(operation)}"


def is_clone(name: str, operation: str, *, persistent: bool, disks: Iterable[Disk]) -> bool:
    """Whether a domain that says it is a clone is one: named so, gone when it stops, writing to snapshots only.

    All else is a guest, whatever its metadata say: one that is left out would not be seen on a device.
    """
    mark = f"-rehearsal-{short_name(operation)}"
    written = [disk.source for disk in disks if disk.source is not None and not disk.read_only]
    marked = name.endswith(mark) and all(source.endswith(mark) for source in written)
    return bool(short_name(operation)) and not persistent and marked
