"""A file system on a DRBD volume with the image files of many guests: as declared, and as a host has it mounted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath
from typing import Final

from dualsrm.model.facts import Maybe, Unknown

NO_MOUNTS: Final = Unknown("it was not read")


class Fsck(Enum):
    """What is done to a file system before it is mounted."""

    NEVER = "never"
    """Nothing: mounting replays its journal."""
    PREEN = "preen"
    """`fsck -p`: what it may repair without asking; a file system marked clean is passed over."""
    FULL = "full"
    """`fsck -f -p`: all of it, clean or not."""


@dataclass(frozen=True, slots=True)
class Filesystem:
    """A file system that one host at a time has mounted, for the guests of one group."""

    group: str
    resource: str
    volume: int
    mount: str
    """Where, on both hosts: an absolute path without `..`."""
    kind: str
    """As `mount -t` takes it."""
    guests: tuple[str, ...] = ()
    """Of the group: nobody else has a disk there."""
    options: tuple[str, ...] = ()
    fsck: Fsck = Fsck.NEVER
    fsck_deadline_s: int = 600

    def __str__(self) -> str:
        return f"{self.kind} of {self.resource}/{self.volume} at {self.mount}"

    def holds(self, path: str) -> bool:
        """Whether a path lies below its mount point, by its words: what a symbolic link does is not followed."""
        inside = PurePosixPath(path)
        return ".." not in inside.parts and PurePosixPath(self.mount) in inside.parents


@dataclass(frozen=True, slots=True)
class Mounted:
    """One mount of a host."""

    source: str
    point: str
    kind: str
    minor: int | None
    """Of the DRBD device it is; None: something else."""


@dataclass(frozen=True, slots=True)
class BootMount:
    """What a host mounts by itself when it boots."""

    source: str
    """Empty where only the mount point is known."""
    point: str
    where: str
    """`fstab`, or a unit's name."""


@dataclass(frozen=True, slots=True)
class MountView:
    """All mounts of one host."""

    mounted: tuple[Mounted, ...]
    at_boot: Maybe[tuple[BootMount, ...]] = NO_MOUNTS

    def of_minor(self, minor: int) -> tuple[Mounted, ...]:
        """The mounts of a DRBD device."""
        return tuple(one for one in self.mounted if one.minor == minor)

    def at(self, point: str) -> Mounted | None:
        """What is seen at a path: of several mounts there the last hides the others."""
        return next((one for one in reversed(self.mounted) if one.point == point), None)
