"""Doing and seeing what settles a split brain, on one host."""

from __future__ import annotations

from typing import Final

from dualsrm.engine.ports import HostPort
from dualsrm.generations import stands_alone
from dualsrm.model import DiskState, ReplicationState, Resource
from dualsrm.plan.split_steps import (
    Connect,
    DataIs,
    Disconnect,
    Follows,
    Seeks,
    SnapshotTaken,
    SplitCommand,
    SplitOnDrbd,
    StandsAlone,
    TakeSnapshot,
    Target,
)
from dualsrm.replication import replication_differs

TARGET: Final = (
    ReplicationState.STARTING_SYNC_T,
    ReplicationState.WF_BITMAP_T,
    ReplicationState.WF_SYNC_UUID,
    ReplicationState.SYNC_TARGET,
    ReplicationState.PAUSED_SYNC_T,
)


def act(port: HostPort, command: SplitCommand) -> None:
    """Do one command; raises what the host says against it."""
    match command:
        case TakeSnapshot(group=group, origin=origin, name=name, size_bytes=size, tags=tags):
            port.split.take_snapshot(group, origin, name, size, tags)
        case Disconnect(resource=resource):
            port.split.disconnect(resource)
        case Connect(resource=resource, discard=discard):
            port.split.connect(resource, discard=discard)


def kept_differs(condition: SnapshotTaken | DataIs, port: HostPort) -> str:
    """What is seen when the condition does not hold; empty when it holds."""
    match condition:
        case SnapshotTaken(group=group, origin=origin, name=name):
            of = port.split.snapshot_origin(group, name)
            return "" if of == origin else f"{group}/{name} is {f'one of {of}' if of else 'not there, or full'}"
        case DataIs(resource=resource, data=wanted):
            found = port.split.generations(resource, tuple(one.volume for one in wanted))
            differ = [one for one, other in zip(found, wanted, strict=True) if (one.current ^ other.current) & ~1]
            return ", ".join(f"that of {resource}/{one.volume} is {one}" for one in differ)


def split_differs(condition: SplitOnDrbd, resource: Resource) -> str:
    """What is seen when the condition does not hold; empty when it holds."""
    match condition:
        case StandsAlone():
            return "" if stands_alone(resource) else f"{resource.name} is {_state(resource)}"
        case Seeks():
            return f"{resource.name} is StandAlone" if stands_alone(resource) else ""
        case Follows():
            return _follows_differs(resource)
        case Target(wanted=wanted):
            targets = _targets(resource)
            seen = f"it is: {targets}" if targets else f"{resource.name} is {_state(resource)}"
            return "" if bool(targets) == wanted else seen


def _state(resource: Resource) -> str:
    return str(resource.connection.state) if resource.connection else "StandAlone"


def _targets(resource: Resource) -> str:
    peers = resource.connection.volumes if resource.connection else ()
    words = [f"{one.number} is {one.replication}" for one in peers if one.replication in TARGET]
    words += [f"{one.number} is {one.disk}" for one in resource.volumes if one.disk == DiskState.INCONSISTENT]
    return ", ".join(words)


def _follows_differs(resource: Resource) -> str:
    """A short resync has ended before anybody looks: then it is replicated in full."""
    differs = replication_differs(resource)
    if not differs:
        return ""
    peers = resource.connection.volumes if resource.connection else ()
    onto = [one for one in peers if one.replication in (ReplicationState.SYNC_TARGET, ReplicationState.PAUSED_SYNC_T)]
    others = [one for one in peers if one not in onto and one.replication != ReplicationState.ESTABLISHED]
    return "" if onto and not others else differs
