"""DRBD's generation identifiers of one volume on one host, and the volume they lie on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Generation:
    """What `drbdadm get-gi` says of one volume: UUIDs as DRBD keeps them, the lowest bit of each being a flag."""

    volume: int
    current: int
    bitmap: int
    """The generation since which this side counts what it changed alone; 0: it counts nothing."""
    history: tuple[int, ...]

    def __str__(self) -> str:
        return ":".join(f"{uuid:016X}" for uuid in (self.current, self.bitmap, *self.history))


@dataclass(frozen=True, slots=True)
class Backing:
    """The logical volume below one volume of a resource."""

    volume: int
    group: str
    name: str
    size_bytes: int
    free_bytes: int
    """Left in the volume group."""
