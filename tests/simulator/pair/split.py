"""The engine's port for a split brain onto the simulated pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualsrm.hostside.port import HostsideError
from dualsrm.model import Backing, Generation
from tests.simulator.pair.state import LvSnapshot

if TYPE_CHECKING:
    from tests.simulator.pair.pair import SimPair
    from tests.simulator.pair.port import SimHostPort

GROUP = "guests"
LV_BYTES = 64 << 20


class SimSplitPort:
    """Of one host."""

    def __init__(self, port: SimHostPort, pair: SimPair) -> None:
        self._port = port
        self._pair = pair
        self._name = port.host.name

    def generations(self, resource: str, volumes: tuple[int, ...]) -> tuple[Generation, ...]:
        """`drbdadm get-gi`; the lowest four bits are flags, or not used here."""

        def read() -> tuple[Generation, ...]:
            node = self._pair.drbd.node(self._name, resource)
            current, bitmap = node.current_uuid << 4, node.bitmap_uuid << 4
            return tuple(Generation(one, current, bitmap, (0, 0)) for one in volumes)

        return self._port.call("generations", resource, read)

    def disconnect(self, resource: str) -> None:
        """`drbdadm disconnect`."""
        act = self._pair.drbd.disconnect
        self._port.call(
            "disconnect", resource, lambda: act(self._name, resource, "drbdadm disconnect"), lie=lambda: None
        )

    def connect(self, resource: str, *, discard: bool) -> None:
        """`drbdadm connect`."""
        self._port.call(
            "connect",
            resource,
            lambda: self._pair.drbd.connect(self._name, resource, discard=discard),
            detail="discard" if discard else "",
            lie=lambda: None,
        )

    def backing(self, resource: str, volumes: tuple[int, ...]) -> tuple[Backing, ...]:
        """What lvs says."""

        def read() -> tuple[Backing, ...]:
            machine = self._pair.machines[self._name]
            if machine.free_in_group is None:
                raise HostsideError(f"{resource} lies on /dev/sdb, which is no logical volume")
            return tuple(Backing(one, GROUP, f"{resource}{one}", LV_BYTES, machine.free_in_group) for one in volumes)

        return self._port.call("backing", resource, read)

    def take_snapshot(self, group: str, origin: str, name: str, size_bytes: int, tags: tuple[str, ...] = ()) -> None:
        """`lvcreate --snapshot`."""
        machine = self._pair.machines[self._name]

        def take() -> None:
            if name in machine.snapshots:
                return
            if size_bytes > (machine.free_in_group or 0):
                raise HostsideError(f'Volume group "{GROUP}" has insufficient free space')
            machine.free_in_group = (machine.free_in_group or 0) - size_bytes
            machine.snapshots[name] = LvSnapshot(origin, size_bytes, tags)
            self._pair.note(f"{name} is a snapshot of {origin} on {self._name}")

        self._port.call("take_snapshot", name, take, lie=lambda: None)

    def snapshot_origin(self, group: str, name: str) -> str | None:
        """`lvs`."""

        def read() -> str | None:
            found = self._pair.machines[self._name].snapshots.get(name)
            return found.origin if found is not None and found.valid else None

        return self._port.call("snapshot_origin", name, read)
