"""What the generation identifiers of two sides say of their data: the rules of DRBD's `drbd_uuid_compare`. Pure.

Source: `drbd_receiver.c`, 8.4 (`drbd_uuid_compare`) and 9 (`drbd_uuid_compare`, `uuid_fixup_resync_*` left out); the
numbers below are the kernel's own. It goes on with the first rule that holds; here, two rules that contradict each
other are no answer. `get-gi` prints two UUIDs of history; DRBD 9 keeps more, so that an older common ancestor is not
seen: the sides then count as unrelated, which nothing here resolves.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

from dualsrm.model import ConnectionState, DrbdView, Generation, Resource, Snapshot, Unknown

_JUST_CREATED: Final = 4
_FLAG: Final = 1
"""Of the current UUID: the side was Primary. No part of the identity, nor is it of any other UUID."""


class Relation(Enum):
    """How the data of two sides relate."""

    SAME = "same data"
    FIRST_BEHIND = "the first is behind"
    SECOND_BEHIND = "the second is behind"
    SPLIT = "split brain"
    UNRELATED = "unrelated"
    UNKNOWN = "cannot be told"

    @property
    def swapped(self) -> Relation:
        """The same with the sides in the other order."""
        swap = {Relation.FIRST_BEHIND: Relation.SECOND_BEHIND, Relation.SECOND_BEHIND: Relation.FIRST_BEHIND}
        return swap.get(self, self)


def relation(first: Generation, second: Generation) -> Relation:
    """How one volume's two copies relate."""
    if _bare(first.current) == _bare(second.current):
        return Relation.SAME  # rules 10 and 40; what crashed as Primary DRBD resyncs by itself
    older = (_is_older(first, second), _is_older(second, first))
    if any(older):
        return Relation.UNKNOWN if all(older) else Relation.FIRST_BEHIND if older[0] else Relation.SECOND_BEHIND
    same_bitmap = _bare(first.bitmap) != 0 and _bare(first.bitmap) == _bare(second.bitmap)  # rule 90
    return Relation.SPLIT if same_bitmap or _past(first) & _past(second) else Relation.UNRELATED  # rule 100


def _is_older(mine: Generation, yours: Generation) -> bool:
    """Rules 20 and 30: it has no data yet; 50 to 80: its data is what the other began from."""
    current = _bare(mine.current)
    return current in (0, _JUST_CREATED) or current in _past(yours)


def _bare(uuid: int) -> int:
    return uuid & ~_FLAG


def _past(side: Generation) -> frozenset[int]:
    return frozenset(_bare(uuid) for uuid in (side.bitmap, *side.history)) - {0}


def together(relations: Iterable[Relation]) -> Relation:
    """Of all volumes of a resource: they are resynced as one, so that the worst decides."""
    found = set(relations)
    for one in (Relation.UNKNOWN, Relation.UNRELATED, Relation.SPLIT):
        if one in found:
            return one
    behind = found - {Relation.SAME}
    if len(behind) > 1 or not found:
        return Relation.UNKNOWN
    return behind.pop() if behind else Relation.SAME


def resource_relation(snapshot: Snapshot, name: str) -> Relation:
    """How the two sides of a resource relate, in the order of the pair's hosts, as far as that was asked."""
    sides = [snapshot.generations.get(host, {}).get(name) for host in snapshot.pair.hosts]
    first, second = sides
    if first is None or second is None or isinstance(first, Unknown) or isinstance(second, Unknown):
        return Relation.UNKNOWN
    theirs = {one.volume: one for one in second}
    if {one.volume for one in first} != set(theirs):
        return Relation.UNKNOWN
    return together(relation(one, theirs[one.volume]) for one in first)


def is_split(snapshot: Snapshot, name: str) -> bool:
    """Whether a split brain of the resource is proved."""
    return resource_relation(snapshot, name) is Relation.SPLIT


def split_resources(snapshot: Snapshot) -> tuple[str, ...]:
    """All that are proved to be in split brain."""
    asked = dict.fromkeys(name for host in snapshot.pair.hosts for name in snapshot.generations.get(host, {}))
    return tuple(sorted(name for name in asked if is_split(snapshot, name)))


def stands_alone(resource: Resource) -> bool:
    """Whether this side has given up its peer. 8.4 shows no connection then."""
    return resource.connection is None or resource.connection.state == ConnectionState.STANDALONE


def to_compare(snapshot: Snapshot) -> dict[str, dict[str, tuple[int, ...]]]:
    """By host and resource the volumes whose identifiers are worth asking for: one side stands alone, both are up."""
    up = {
        host: {one.name: one for one in view.resources}
        for host in snapshot.pair.hosts
        if isinstance(view := snapshot.view(host).drbd, DrbdView)
    }
    if len(up) != len(snapshot.pair.hosts):
        return {}
    first, second = (up[host] for host in snapshot.pair.hosts)
    names = [name for name in first if name in second and any(stands_alone(side[name]) for side in (first, second))]
    return {
        host: {name: tuple(volume.number for volume in up[host][name].volumes) for name in names}
        for host in up
        if names
    }
