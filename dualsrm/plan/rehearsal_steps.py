"""The verbs of a rehearsal: what is done and what is seen. Its snapshots are taken by `split_steps.TakeSnapshot`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from dualsrm.model import Clone

BOOTED_BYTES: Final = 1 << 20
"""Firmware reads some sectors of each disk, whatever is on it; an operating system that boots soon reads more."""


@dataclass(frozen=True, slots=True)
class MakeNetwork:
    """Make a network that leads nowhere, gone with the next boot."""

    host: str
    name: str

    def __str__(self) -> str:
        return f"make the network {self.name} on {self.host}, isolated"


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    """Take it away."""

    host: str
    name: str

    def __str__(self) -> str:
        return f"remove the network {self.name} on {self.host}"


@dataclass(frozen=True, slots=True)
class RemoveSnapshot:
    """Take a snapshot away that is marked as a rehearsal's; any other one is refused."""

    host: str
    group: str
    name: str

    def __str__(self) -> str:
        return f"remove the snapshot {self.group}/{self.name} on {self.host}"


@dataclass(frozen=True, slots=True)
class StartClone:
    """Start a guest's clone; nothing is done if it is active."""

    host: str
    clone: Clone

    def __str__(self) -> str:
        return f"start {self.clone.name} on {self.host}, on {', '.join(disk.path for disk in self.clone.disks)}"


@dataclass(frozen=True, slots=True)
class EndClone:
    """End a clone's QEMU, as a power cut would."""

    host: str
    name: str

    def __str__(self) -> str:
        return f"end {self.name} on {self.host}"


RehearsalCommand: TypeAlias = MakeNetwork | RemoveNetwork | RemoveSnapshot | StartClone | EndClone


@dataclass(frozen=True, slots=True)
class NetworkIs:
    """The network is there, or not."""

    host: str
    name: str
    there: bool

    def __str__(self) -> str:
        return f"the network {self.name} is {'' if self.there else 'not '}there on {self.host}"


@dataclass(frozen=True, slots=True)
class SnapshotGone:
    """LVM does not know the snapshot."""

    host: str
    group: str
    name: str

    def __str__(self) -> str:
        return f"{self.group}/{self.name} is not there on {self.host}"


@dataclass(frozen=True, slots=True)
class CloneRuns:
    """The clone runs."""

    host: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} runs on {self.host}"


@dataclass(frozen=True, slots=True)
class CloneReads:
    """The clone runs and has read `BOOTED_BYTES` from its disks: there is something on them that boots."""

    host: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} on {self.host} has read {BOOTED_BYTES >> 20} MiB from its disks"


OnRehearsal: TypeAlias = NetworkIs | SnapshotGone | CloneRuns | CloneReads
