"""The table about a group's file system: on one DRBD volume, mounted on one host at a time, with image files."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from dualsrm.config.section import Section
from dualsrm.config.values import MountOption, MountPoint, ResourceName
from dualsrm.model import Filesystem, Fsck

_PREENED: Final = ("ext3", "ext4")
"""Those whose fsck repairs what it may by itself; the others' does nothing or asks a person."""


class FilesystemSection(Section):
    """A file system on a DRBD volume that holds the disks of the group's guests."""

    resource: ResourceName = Field(description="The DRBD resource it lies on.")
    volume: int = Field(default=0, ge=0, le=65_535, description="The volume of that resource.")
    mount: MountPoint = Field(description="Where it is mounted, on both hosts; made where it is missing.")
    type: Literal["ext3", "ext4", "xfs", "btrfs"] = Field(description="As `mount -t` takes it.")
    options: tuple[MountOption, ...] = Field(default=(), strict=False, description="As `mount -o` takes them.")
    fsck: Literal["never", "preen", "full"] = Field(
        default="never", description="What is checked before it is mounted: nothing, what is not clean, or all."
    )
    fsck_deadline_s: int = Field(default=600, ge=1, le=86_400, description="Seconds that check may take.")

    @model_validator(mode="after")
    def _can_be_preened(self) -> Self:
        if self.fsck != "never" and self.type not in _PREENED:
            kinds = " and ".join(_PREENED)
            raise ValueError(f'fsck = "{self.fsck}" is for {kinds}; a {self.type} is mended by its own tools, by hand')
        return self

    def filesystem(self, group: str, guests: tuple[str, ...]) -> Filesystem:
        """The same for the engine."""
        return Filesystem(
            group=group,
            resource=self.resource,
            volume=self.volume,
            mount=self.mount,
            kind=self.type,
            guests=guests,
            options=self.options,
            fsck=Fsck(self.fsck),
            fsck_deadline_s=self.fsck_deadline_s,
        )
