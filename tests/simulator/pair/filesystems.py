"""File systems on the simulated pair's devices: mounted on a Primary only, busy while a guest has its file open."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dualsrm.model import Filesystem, MountView, Role
from tests.simulator.pair import rules, views
from tests.simulator.pair.drbd import KernelRefused

if TYPE_CHECKING:
    from tests.simulator.pair.pair import SimPair
    from tests.simulator.pair.port import SimHostPort


class SimFilesystems:
    """Of both hosts, as their kernels have them."""

    def __init__(self, pair: SimPair) -> None:
        self._pair = pair

    def on(self, resource: str) -> Filesystem | None:
        """The file system declared on a resource."""
        return next((one for one in self._pair.pair.filesystems if one.resource == resource), None)

    def held_open(self, host: str, resource: str) -> str | None:
        """What holds the device open while it is mounted there."""
        found = self._pair.machines[host].mounts.get(resource)
        return f"mounted on {found.mount}" if found else None

    def file_there(self, host: str, resource: str) -> bool:
        """Whether a disk that is a file is there; a whole volume always is."""
        return self.on(resource) is None or resource in self._pair.machines[host].mounts

    def mount(self, host: str, filesystem: Filesystem) -> None:
        """`mount`: the kernel refuses a Secondary, and does not know what the other host has mounted."""
        pair, resource = self._pair, filesystem.resource
        if pair.drbd.node(host, resource).role is not Role.PRIMARY:
            raise KernelRefused(f"mount {filesystem.mount} on {host}", "wrong medium type (exit 32)")
        if resource in pair.machines[host].broken:
            raise KernelRefused(f"mount {filesystem.mount} on {host}", "structure needs cleaning (exit 32)")
        if any(resource in machine.mounts for machine in pair.machines.values() if machine.name != host):
            pair.violations.append(f"P2: {filesystem} is mounted twice at {pair.clock.monotonic():.2f}")
        pair.machines[host].mounts[resource] = filesystem
        pair.note(f"{filesystem.mount} is mounted on {host}")

    def unmount(self, host: str, filesystem: Filesystem) -> None:
        """`umount`: refused while a process has a file there open."""
        pair, mounts = self._pair, self._pair.machines[host].mounts
        if filesystem.resource not in mounts:
            return
        if holder := pair.libvirt.holder(host, filesystem.resource):
            raise KernelRefused(f"umount {filesystem.mount} on {host}", rules.HELD_OPEN, f"target is busy: {holder}")
        del mounts[filesystem.resource]
        pair.drbd.closed(host, filesystem.resource)
        pair.note(f"{filesystem.mount} is unmounted on {host}")


class SimFilesystemPort:
    """The engine's port for a group's file system, of one host."""

    def __init__(self, port: SimHostPort, pair: SimPair) -> None:
        self._port = port
        self._pair = pair
        self._name = port.host.name

    def mounts(self) -> MountView:
        """What is mounted."""
        return self._port.call("mounts", "", lambda: views.mount_view(self._pair, self._name))

    def users(self, filesystem: Filesystem) -> tuple[str, ...]:
        """QEMUs with a file there."""
        look = partial(self._pair.libvirt.holder, self._name, filesystem.resource)
        found = self._port.call("mount_users", filesystem.mount, look)
        return (found,) if found else ()

    def check(self, filesystem: Filesystem) -> None:
        """fsck opens the device: of a Secondary it cannot."""

        def check() -> None:
            self._pair.drbd.open_for_writing(self._name, filesystem.resource)
            self._pair.drbd.closed(self._name, filesystem.resource)

        self._port.call("check_filesystem", filesystem.mount, check, lie=lambda: None)

    def mount(self, filesystem: Filesystem) -> None:
        """`mount`."""
        act = partial(self._pair.filesystems.mount, self._name, filesystem)
        self._port.call("mount", filesystem.mount, act, lie=lambda: None)

    def unmount(self, filesystem: Filesystem) -> None:
        """`umount`."""
        act = partial(self._pair.filesystems.unmount, self._name, filesystem)
        self._port.call("unmount", filesystem.mount, act, lie=lambda: None)
