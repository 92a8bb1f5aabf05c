"""What the kernel has, as samples: one look's objects, in base units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dualsrm.hosts.drbd import Dialect, Key, Progress
from dualsrm.hosts.drbd.objects import Values
from dualsrm.hosts.drbd.resources import COUNTS_BITS, IN_PROGRESS, MISSING
from dualsrm.hosts.drbd.units import count, done_ratio, eta_seconds, flag, in_bytes, resync_bytes_per_second
from dualsrm.model import ReplicationState, Role
from dualsrm_exporter.collected import Collected
from dualsrm_exporter.drbd.follower import peer_name
from dualsrm_exporter.drbd.look import Objects
from dualsrm_exporter.metrics import drbd as m

_IN_PROGRESS: Final = frozenset(str(state) for state in IN_PROGRESS)
_COUNTS_BITS: Final = frozenset(str(state) for state in COUNTS_BITS)
UNNAMED_PEER: Final = "peer"
"""As 8.4 itself calls a peer whose name is nowhere to be had."""


class Peers:
    """The label `peer`: as DRBD 9 says it; on 8.4 the other host in the files."""

    def __init__(self, dialect: Dialect | None, configured: Mapping[str, tuple[str, ...]] | None) -> None:
        self.dialect = dialect
        self._configured = configured or {}

    def named(self, resource: str, name: str) -> str:
        """The label of a peer by the name events2 has, which may be empty."""
        others = self._configured.get(resource, ())
        return name or (others[0] if len(others) == 1 else UNNAMED_PEER)

    def label(self, key: Key, values: Values) -> str:
        """The label of a connection, peer-device or path."""
        name = peer_name(values, self.dialect or Dialect.V84)
        if not name and key.peer is not None:
            name = f"node {key.peer}"
        return self.named(key.resource, name)


def report_kernel(collected: Collected, objects: Objects, peers: Peers, progress: Mapping[int, Progress]) -> None:
    """Every object of a look."""
    devices, connections = objects["device"], objects["connection"]
    for key, values in objects["resource"].items():
        _resource(collected, key.resource, values)
    for key, values in devices.items():
        _device(collected, key, values)
    peer_roles: dict[str, set[str]] = {}
    for key, values in connections.items():
        _connection(collected, key, values, peers.label(key, values))
        peer_roles.setdefault(key.resource, set()).add(values.get("role", MISSING))
    for key, values in objects["resource"].items():
        collected.add(m.DUAL_PRIMARY, _both_primary(values, peer_roles.get(key.resource, set())), key.resource)
    for key, values in objects["peer-device"].items():
        device = devices.get(Key("device", key.resource, volume=key.volume), {})
        minor = count(device, "minor")
        done = _from_values(values) if peers.dialect is Dialect.V9 else None if minor is None else progress.get(minor)
        where = key.resource, str(key.volume), peers.label(key, values)
        _peer_device(collected, where, values, done)
        role = objects["resource"].get(Key("resource", key.resource), {}).get("role", MISSING)
        collected.add(m.OUT_OF_SYNC, _out_of_sync(values, device, role), *where)
    for key, values in objects["path"].items():
        ends = values.get("local", ""), values.get("peer", "")
        collected.add(m.PATH, flag(values, "established"), key.resource, peers.label(key, values), *ends)


def _both_primary(values: Values, peers: set[str]) -> bool | None:
    """None beside a peer that is not seen: a split brain may have made it Primary, too."""
    if values.get("role") == Role.SECONDARY or peers <= {Role.SECONDARY}:
        return False
    return True if values.get("role") == Role.PRIMARY and Role.PRIMARY in peers else None


def _resource(collected: Collected, name: str, values: Values) -> None:
    collected.add_states(m.ROLE, {values.get("role", MISSING)}, name)
    collected.add_states(m.IO_SUSPENDED, _reasons(values, "suspended"), name)
    collected.add(m.MAY_PROMOTE, flag(values, "may_promote"), name)
    collected.add(m.PROMOTION_SCORE, count(values, "promotion_score"), name)
    collected.add(m.FORCE_IO_FAILURES, flag(values, "force-io-failures"), name)


def _device(collected: Collected, key: Key, values: Values) -> None:
    where = key.resource, str(key.volume)
    facts = {"minor": values.get("minor", ""), "backing_device": values.get("backing_dev", "")}
    collected.add_info(m.DEVICE, facts, *where)
    collected.add_states(m.DISK_STATE, {values.get("disk", MISSING)}, *where)
    for metric, word in ((m.QUORUM, "quorum"), (m.DEVICE_CLIENT, "client"), (m.AL_SUSPENDED, "al-suspended")):
        collected.add(metric, flag(values, word), *where)
    for metric, word in ((m.SIZE, "size"), (m.READ, "read"), (m.WRITTEN, "written")):
        collected.add(metric, in_bytes(values, word), *where)
    for metric, word in (
        (m.AL_WRITES, "al-writes"),
        (m.BM_WRITES, "bm-writes"),
        (m.UPPER_PENDING, "upper-pending"),
        (m.LOWER_PENDING, "lower-pending"),
    ):
        collected.add(metric, count(values, word), *where)
    if "blocked" in values:
        collected.add_states(m.BLOCKED, _reasons(values, "blocked"), *where)


def _connection(collected: Collected, key: Key, values: Values, peer: str) -> None:
    where = key.resource, peer
    collected.add_states(m.CONNECTION_STATE, {values.get("connection", MISSING)}, *where)
    collected.add_states(m.PEER_ROLE, {values.get("role", MISSING)}, *where)
    collected.add(m.CONGESTED, flag(values, "congested"), *where)
    collected.add(m.AP_IN_FLIGHT, in_bytes(values, "ap-in-flight"), *where)
    collected.add(m.RS_IN_FLIGHT, in_bytes(values, "rs-in-flight"), *where)


def _peer_device(collected: Collected, where: tuple[str, str, str], values: Values, done: Progress | None) -> None:
    collected.add_states(m.REPLICATION_STATE, {values.get("replication", MISSING)}, *where)
    collected.add_states(m.PEER_DISK_STATE, {values.get("peer-disk", MISSING)}, *where)
    collected.add_states(m.RESYNC_SUSPENDED, _reasons(values, "resync-suspended"), *where)
    for metric, word in ((m.SENT, "sent"), (m.RECEIVED, "received")):
        collected.add(metric, in_bytes(values, word), *where)
    for metric, word in ((m.PENDING, "pending"), (m.UNACKED, "unacked")):
        collected.add(metric, count(values, word), *where)
    if done is not None and values.get("replication") in _IN_PROGRESS:
        collected.add(m.RESYNC_DONE, done.done_ratio, *where)
        collected.add(m.RESYNC_ETA, done.eta_seconds, *where)
        collected.add(m.RESYNC_RATE, done.bytes_per_second, *where)


def _out_of_sync(values: Values, device: Values, role: str) -> float | None:
    """A kernel without a disk prints 0, which is no measurement; nor is that of a side that hears of no writes."""
    found = in_bytes(values, "out-of-sync")
    hears_nothing = role != Role.PRIMARY and values.get("replication", ReplicationState.OFF) == ReplicationState.OFF
    if device.get("disk") not in _COUNTS_BITS or (found == 0 and hears_nothing):
        return None
    return found


def _from_values(values: Values) -> Progress:
    """As DRBD 9 has it in events2."""
    return Progress(done_ratio(values), eta_seconds(values), resync_bytes_per_second(values))


def _reasons(values: Values, key: str) -> set[str]:
    """`no` or a list. Never said is not the same as `no`."""
    said = values.get(key, MISSING)
    return set() if said == "no" else set(said.split(","))
