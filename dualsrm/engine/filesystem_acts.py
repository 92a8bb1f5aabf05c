"""Doing and seeing what a group's file system needs, on one host."""

from __future__ import annotations

from dualsrm.engine.ports import HostPort
from dualsrm.plan.filesystem_steps import CheckFilesystem, FilesystemCommand, Mount, MountedIs, Unmount


def on_filesystem(port: HostPort, command: FilesystemCommand) -> None:
    """Do one command; raises what the host says against it."""
    match command:
        case CheckFilesystem(filesystem=filesystem):
            port.filesystems.check(filesystem)
        case Mount(filesystem=filesystem):
            port.filesystems.mount(filesystem)
        case Unmount(filesystem=filesystem):
            port.filesystems.unmount(filesystem)


def mount_differs(condition: MountedIs, port: HostPort) -> str:
    """What is seen when the condition does not hold; empty when it holds.

    The device decides, not the path: mounted elsewhere as well it could not be demoted.
    """
    minor = port.drbd().minor_below(condition.filesystem)
    if minor is None:
        return f"{condition.filesystem.resource} is not up" if condition.mounted else ""
    found = [one.point for one in port.filesystems.mounts().of_minor(minor)]
    wanted = [condition.filesystem.mount] if condition.mounted else []
    return "" if found == wanted else f"it is mounted at {', '.join(found) or 'no place'}"
