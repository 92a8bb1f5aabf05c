"""The objects of events2 in the model's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dualsrm.hosts.drbd.objects import Key, Values
from dualsrm.hosts.drbd.units import count, done_ratio, flag, in_bytes
from dualsrm.hosts.drbd.version import Dialect
from dualsrm.model import (
    Connection,
    ConnectionState,
    DiskState,
    PeerVolume,
    ReplicationState,
    Resource,
    Role,
    Unknown,
    Volume,
)

MISSING: Final = "missing"
"""Stands for a word DRBD has not said (yet). No state is called that, so its `known` is False."""

IN_PROGRESS: Final = frozenset(
    {
        ReplicationState.SYNC_SOURCE,
        ReplicationState.SYNC_TARGET,
        ReplicationState.VERIFY_S,
        ReplicationState.VERIFY_T,
        ReplicationState.PAUSED_SYNC_S,
        ReplicationState.PAUSED_SYNC_T,
    }
)
"""States in which `done` means something."""

COUNTS_BITS: Final = frozenset({DiskState.INCONSISTENT, DiskState.OUTDATED, DiskState.CONSISTENT, DiskState.UP_TO_DATE})
"""Local disk states in which out-of-sync is a measurement.

In all others both kernels print 0 because they have no bitmap to count (`drbd_bm_total_weight` on 8.4,
`peer_device_to_statistics` on 9). A word we do not know is treated likewise.
"""

_Objects = Mapping[Key, Values]


def build_resources(objects: _Objects, dialect: Dialect) -> tuple[Resource, ...]:
    """All resources in the kernel, by name."""
    by_resource: dict[str, dict[Key, Values]] = {}
    for key, values in sorted(objects.items(), key=_order):
        by_resource.setdefault(key.resource, {})[key] = values
    return tuple(_resource(name, mine, dialect) for name, mine in by_resource.items() if Key("resource", name) in mine)


def _resource(name: str, mine: _Objects, dialect: Dialect) -> Resource:
    values = mine[Key("resource", name)]
    volumes = tuple(_volume(key, values) for key, values in mine.items() if key.kind == "device")
    return Resource(
        name=name,
        role=Role(values.get("role", MISSING)),
        suspended=_reasons(values, "suspended"),
        volumes=volumes,
        connection=_connection(mine, {volume.number: volume.disk for volume in volumes}, dialect),
        options=Unknown("not read"),
    )


def _order(item: tuple[Key, Values]) -> tuple[str, str, int, int]:
    key = item[0]
    return key.resource, key.kind, -1 if key.peer is None else key.peer, -1 if key.volume is None else key.volume


def _reasons(values: Values, key: str) -> tuple[str, ...]:
    """`no` or a comma-separated list. Never said is not the same as `no`."""
    said = values.get(key, MISSING)
    return () if said == "no" else tuple(said.split(","))


def _volume(key: Key, values: Values) -> Volume:
    return Volume(
        number=key.volume or 0,
        minor=count(values, "minor") or 0,  # the parser lets no device pass without one
        disk=DiskState(values.get("disk", MISSING)),
        size_bytes=in_bytes(values, "size"),
        quorum=flag(values, "quorum"),
        held_open=flag(values, "open"),
    )


def _connection(mine: _Objects, disks: Mapping[int, DiskState], dialect: Dialect) -> Connection | None:
    peers = {key: values for key, values in mine.items() if key.kind == "connection"}
    if not peers:
        return None
    if len(peers) > 1:
        return _crowd(peers)
    ((key, values),) = peers.items()
    return Connection(
        # 8.4 prints the word `peer` for every peer, or nothing.
        peer=None if dialect is Dialect.V84 else values.get("conn-name"),
        state=ConnectionState(values.get("connection", MISSING)),
        peer_role=Role(values.get("role", MISSING)),
        volumes=tuple(
            _peer_volume(other, values, disks.get(other.volume or 0))
            for other, values in mine.items()
            if other.kind == "peer-device" and other.peer == key.peer
        ),
    )


def _crowd(peers: _Objects) -> Connection:
    """More than one peer: no pair of ours. The model has no place for it, and picking one would hide the others.

    So it is said in words no check can take for a good state.
    """
    names = ", ".join(values.get("conn-name", f"node {key.peer}") for key, values in peers.items())
    word = f"{len(peers)} peers ({names})"
    return Connection(peer=None, state=ConnectionState(word), peer_role=Role(word), volumes=())


def _peer_volume(key: Key, values: Values, disk: DiskState | None) -> PeerVolume:
    replication = ReplicationState(values.get("replication", MISSING))
    return PeerVolume(
        number=key.volume or 0,
        replication=replication,
        peer_disk=DiskState(values.get("peer-disk", MISSING)),
        resync_suspended=_reasons(values, "resync-suspended"),
        out_of_sync_bytes=in_bytes(values, "out-of-sync") if disk in COUNTS_BITS else None,
        done_ratio=done_ratio(values) if replication in IN_PROGRESS else None,
    )
