"""Steps around a file system that holds guests' image files: as data, like all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from dualsrm.model import Filesystem


@dataclass(frozen=True, slots=True)
class CheckFilesystem:
    """Check it before it is mounted, as its group says; nothing is done to one that is mounted."""

    host: str
    filesystem: Filesystem

    def __str__(self) -> str:
        where = f"{self.filesystem.resource}/{self.filesystem.volume}"
        return f"fsck ({self.filesystem.fsck.value}) of {where} on {self.host}"


@dataclass(frozen=True, slots=True)
class Mount:
    """Mount it where it belongs; nothing is done where it is."""

    host: str
    filesystem: Filesystem

    def __str__(self) -> str:
        where = f"{self.filesystem.resource}/{self.filesystem.volume}"
        return f"mount {where} at {self.filesystem.mount} on {self.host}"


@dataclass(frozen=True, slots=True)
class Unmount:
    """Unmount it, never by force and never lazily; nothing is done where it is not mounted."""

    host: str
    filesystem: Filesystem

    def __str__(self) -> str:
        return f"unmount {self.filesystem.mount} on {self.host}"


FilesystemCommand: TypeAlias = CheckFilesystem | Mount | Unmount


@dataclass(frozen=True, slots=True)
class MountedIs:
    """Its device is mounted where it belongs on this host, or nowhere on it."""

    host: str
    filesystem: Filesystem
    mounted: bool

    def __str__(self) -> str:
        where = f"{self.filesystem.resource}/{self.filesystem.volume}"
        return (
            f"{where} is mounted at {self.filesystem.mount} on {self.host}"
            if self.mounted
            else (f"{where} is mounted nowhere on {self.host}")
        )
