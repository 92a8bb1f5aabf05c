"""The engine's port for a rehearsal onto the simulated pair, with LVM's and libvirt's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualsrm.hostside.port import HostsideError
from dualsrm.model import Clone, CloneSeen, DomainState, RehearsalView, SnapshotSeen
from dualsrm.model.rehearsal import TAG
from tests.simulator.pair.migration import LibvirtRefused
from tests.simulator.pair.split import GROUP
from tests.simulator.pair.state import LvSnapshot, Machine, SimClone

if TYPE_CHECKING:
    from tests.simulator.pair.pair import SimPair
    from tests.simulator.pair.port import SimHostPort

BOOTS_S = 6.0
READ_BYTES = 1 << 20


class SimRehearsalPort:
    """Of one host."""

    def __init__(self, port: SimHostPort, pair: SimPair) -> None:
        self._port = port
        self._pair = pair
        self._name = port.host.name

    @property
    def _machine(self) -> Machine:
        return self._pair.machines[self._name]

    def look(self, *, snapshots: bool = True) -> RehearsalView:
        """`lvs`, and libvirt's lists."""

        def read() -> RehearsalView:
            self._needs_libvirtd()
            machine = self._machine
            marked = {name: one for name, one in machine.snapshots.items() if TAG in one.tags}
            return RehearsalView(
                self._name,
                tuple(_snapshot(name, one) for name, one in marked.items()) if snapshots else (),
                tuple(self._clone(name, one) for name, one in machine.clones.items()),
                tuple(sorted(machine.rehearsal_networks)),
            )

        return self._port.call("rehearsal_look", "", read)

    def _clone(self, name: str, one: SimClone) -> CloneSeen:
        read = READ_BYTES if self._pair.clock.monotonic() >= one.reads_from else 0
        if one.state is not DomainState.RUNNING:
            return CloneSeen(name, one.uuid, one.guest, one.operation, one.state, None)  # a busy QEMU does not say
        return CloneSeen(name, one.uuid, one.guest, one.operation, one.state, read)

    def obstacle(self, guest: str) -> str:
        """What is in its definition."""
        return self._port.call("obstacle", guest, lambda: self._machine.cannot_clone.get(guest, ""))

    def make_network(self, name: str) -> None:
        """virNetworkCreateXML."""
        made = self._machine.rehearsal_networks
        self._port.call("make_network", name, lambda: made.add(name), lie=lambda: None)

    def remove_network(self, name: str) -> None:
        """virNetworkDestroy."""
        made = self._machine.rehearsal_networks
        self._port.call("remove_network", name, lambda: made.discard(name), lie=lambda: None)

    def remove_snapshot(self, group: str, name: str) -> None:
        """`lvremove`."""

        def remove() -> None:
            machine = self._machine
            found = machine.snapshots.get(name)
            if found is None or TAG not in found.tags:
                return
            if found.clone in machine.clones:
                raise HostsideError(f"Logical volume {GROUP}/{name} in use.")
            del machine.snapshots[name]
            machine.free_in_group = (machine.free_in_group or 0) + found.size_bytes
            self._pair.note(f"{name} is removed on {self._name}")

        self._port.call("remove_snapshot", name, remove, lie=lambda: None)

    def start_clone(self, clone: Clone) -> None:
        """virDomainCreateXML: without its disks or its networks it does not start."""

        def start() -> None:
            self._needs_libvirtd()
            machine = self._machine
            if clone.name in machine.clones:
                return
            opened = [machine.snapshots.get(disk.path.rpartition("/")[2]) for disk in clone.disks]
            lacking = {nic.network for nic in clone.nics} - machine.rehearsal_networks
            whole = [one for one in opened if one is not None and one.valid]
            if len(whole) < len(opened) or lacking or machine.clones_do_not == "start":
                raise LibvirtRefused("internal error: process exited while connecting to monitor")
            for one in whole:
                one.clone = clone.name
            never = machine.clones_do_not == "boot"
            reads_from = self._pair.clock.monotonic() + (1e9 if never else BOOTS_S)
            machine.clones[clone.name] = SimClone(clone.guest, clone.uuid, clone.operation, reads_from=reads_from)
            self._pair.note(f"{clone.name} starts on {self._name}")

        self._port.call("start_clone", clone.name, start, lie=lambda: None)

    def _needs_libvirtd(self) -> None:
        if not self._machine.libvirtd:
            raise LibvirtRefused(f"cannot connect to libvirtd on {self._name}")


def write_through(machine: Machine, origin: str, size_bytes: int) -> None:
    """Something was written on a volume: what its snapshots still lack is copied first, and a full one is lost."""
    for one in machine.snapshots.values():
        if one.origin == origin and one.valid:
            one.used_bytes += size_bytes
            if not one.valid and one.clone in machine.clones:
                machine.clones[one.clone].state = DomainState.PAUSED


def _snapshot(name: str, one: LvSnapshot) -> SnapshotSeen:
    operation = next(tag.removeprefix(f"{TAG}.") for tag in one.tags if tag.startswith(f"{TAG}."))
    fill = 100.0 * one.used_bytes / one.size_bytes if one.valid else None
    return SnapshotSeen(GROUP, name, one.origin, operation, one.size_bytes, fill, one.valid)
