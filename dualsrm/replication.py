"""What one host's view of a resource says about replication. Pure; for the manager and the programs on the hosts."""

from __future__ import annotations

from dualsrm.model import ConnectionState, DiskState, ReplicationState, Resource, Role

_GOOD = DiskState.UP_TO_DATE
_WHOLE = (DiskState.UP_TO_DATE, DiskState.OUTDATED, DiskState.CONSISTENT)
STALE = (DiskState.OUTDATED, DiskState.INCONSISTENT)
"""Disks DRBD promotes only by force."""


def replication_differs(resource: Resource) -> str:
    """What keeps the resource from being replicated in full, or an empty string. States nobody knows never pass."""
    if resource.suspended:
        return f"I/O of {resource.name} is suspended ({', '.join(resource.suspended)})"
    if resource.connection is None:
        return f"{resource.name} has no connection"
    if resource.connection.state != ConnectionState.CONNECTED:
        return f"{resource.name} is {resource.connection.state}"
    numbers = {volume.number for volume in resource.volumes}
    if not numbers or numbers != {peer.number for peer in resource.connection.volumes}:
        return f"{resource.name} does not show every volume on both sides"
    seen: list[tuple[str, str, str]] = [
        (f"{resource.name}/{volume.number}", volume.disk, DiskState.UP_TO_DATE) for volume in resource.volumes
    ]
    for peer in resource.connection.volumes:
        name = f"{resource.name}/{peer.number}"
        seen.append((f"the peer's disk of {name}", peer.peer_disk, DiskState.UP_TO_DATE))
        seen.append((f"replication of {name}", peer.replication, ReplicationState.ESTABLISHED))
    return next((f"{what} is {state}" for what, state, wanted in seen if state != wanted), "")


def connected(resource: Resource) -> bool:
    """Whether this side believes that it is connected; it notices a dead link only when a ping is not answered."""
    return resource.connection is not None and resource.connection.state == ConnectionState.CONNECTED


def disks_differ(resource: Resource) -> str:
    """Which disks here are not UpToDate, or an empty string. A resource without a disk is not UpToDate."""
    stale = [f"{resource.name}/{one.number} is {one.disk}" for one in resource.volumes if one.disk != _GOOD]
    return "; ".join(stale) if resource.volumes else f"{resource.name} has no volume"


def whole(resource: Resource) -> bool:
    """Whether every disk here has all of some moment's data, be it the newest or not."""
    return bool(resource.volumes) and all(volume.disk in _WHOLE for volume in resource.volumes)


def given_way(resource: Resource) -> bool:
    """Whether this side can neither write nor be promoted: Secondary, and every disk Outdated or Inconsistent."""
    return (
        resource.role == Role.SECONDARY
        and bool(resource.volumes)
        and all(volume.disk in STALE for volume in resource.volumes)
    )


def peer_given_way(resource: Resource) -> bool:
    """Whether this side knows that its unreachable peer gave way, and writes on alone."""
    peers = resource.connection.volumes if resource.connection else ()
    return (
        resource.role == Role.PRIMARY
        and not resource.suspended
        and bool(peers)
        and all(peer.peer_disk in STALE for peer in peers)
    )


def settled_differs(resource: Resource) -> str:
    """What keeps this side from leaving the window without losing a write, or an empty string.

    Replicating in full, or the hosts have agreed whose data counts: then one side gave way and the other knows it.
    """
    return "" if given_way(resource) or peer_given_way(resource) else replication_differs(resource)
