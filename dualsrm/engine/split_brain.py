"""What there is to see of a split brain: both sides, their guests, and what this manager knows of the past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dualsrm.checks.split_brain import guests_on, resolve_command
from dualsrm.discovery import guest_location
from dualsrm.engine.environment import Environment
from dualsrm.engine.journal import Moved, failed_over
from dualsrm.engine.observe import observe
from dualsrm.errors import DualsrmError, HostUnreachable
from dualsrm.generations import Relation, resource_relation
from dualsrm.model import DrbdView, Pair, Resource, Snapshot, Unknown


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a resource."""

    host: str
    role: str
    connection: str
    disks: tuple[str, ...]
    generations: tuple[str, ...]
    """By volume, as DRBD prints them; empty when they could not be read."""
    changed_bytes: int | None
    """What its own bitmap says changed here since the two parted; None: not known."""
    lost_since: str | None
    """When its kernel lost the peer, by its log since the boot; None: not known."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What it would take, and cost, to give up one side."""

    victim: str
    loses: str
    command: str


@dataclass(frozen=True, slots=True)
class SplitShown:
    """One resource that stands alone."""

    resource: str
    relation: str
    """The two sides in the order of the pair's hosts."""
    split: bool
    guests: Mapping[str, tuple[str, ...]]
    """Guests with a disk on it, and the hosts where each is active now."""
    sides: tuple[Side, ...]
    past: tuple[Moved, ...]
    """Failovers of these guests that this manager did, oldest first."""
    choices: tuple[Choice, ...] = field(default=())


def show(environment: Environment, pair: Pair, name: str | None, state_directory: Path) -> tuple[SplitShown, ...]:
    """Resources of the pair of which a side stands alone; `name`: one resource's, or one guest's only."""
    snapshot = observe(environment, pair)
    for host in pair.hosts:
        if isinstance(part := snapshot.view(host).drbd, Unknown):
            raise HostUnreachable(
                f"DRBD of {host} cannot be seen: {part.why}",
                why="only both sides together tell whether there is a split brain",
                fix=f"make {host} answer, then run it again",
            )
    asked = dict.fromkeys(one for host in pair.hosts for one in snapshot.generations.get(host, {}))
    if name is not None:
        asked = dict.fromkeys(one for one in asked if one == name or name in guests_on(snapshot, (one,)))
    if not asked:
        return ()
    since = dict(
        zip(
            pair.hosts, environment.gather([partial(_since, environment, pair, one) for one in pair.hosts]), strict=True
        )
    )
    past = failed_over(state_directory, pair.name)
    return tuple(_shown(snapshot, one, since, past) for one in sorted(asked))


def _since(environment: Environment, pair: Pair, host: str) -> Mapping[str, str]:
    """By the kernel's log there."""
    try:
        seen = environment.ports[host].peer_seen(environment.ports[pair.other(host)].host)
    except DualsrmError:
        return {}
    return {} if isinstance(seen, Unknown) else seen.lost_since


def _shown(
    snapshot: Snapshot, name: str, since: Mapping[str, Mapping[str, str]], past: tuple[Moved, ...]
) -> SplitShown:
    found = resource_relation(snapshot, name)
    on_it = guests_on(snapshot, (name,))
    sides = tuple(_side(snapshot, host, name, since[host].get(name)) for host in snapshot.pair.hosts)
    split = found is Relation.SPLIT
    together = tuple(dict.fromkeys((name, *_with(snapshot, on_it, name))))
    return SplitShown(
        resource=name,
        relation=_words(found, snapshot.pair),
        split=split,
        guests={guest: guest_location(snapshot, guest).active_on for guest in on_it},
        sides=sides,
        past=tuple(one for one in past if one.guest in on_it),
        choices=tuple(_choice(side, other, together) for side, other in (sides, sides[::-1])) if split else (),
    )


def _with(snapshot: Snapshot, on_it: Mapping[str, tuple[str, ...]], name: str) -> list[str]:
    """What has to be resolved together with it: the other disks of its guests that are split as well."""
    others = [one for lies_on in on_it.values() for one in lies_on if one != name]
    return [one for one in others if resource_relation(snapshot, one) is Relation.SPLIT]


def _words(found: Relation, pair: Pair) -> str:
    behind = {Relation.FIRST_BEHIND: pair.hosts[0], Relation.SECOND_BEHIND: pair.hosts[1]}
    return f"{behind[found]} is behind" if found in behind else found.value


def _side(snapshot: Snapshot, host: str, name: str, since: str | None) -> Side:
    drbd = snapshot.view(host).drbd
    resource = drbd.resource(name) if isinstance(drbd, DrbdView) else None
    read = snapshot.generations.get(host, {}).get(name)
    shown = () if read is None or isinstance(read, Unknown) else tuple(str(one) for one in read)
    if resource is None:
        return Side(host, "unknown", "unknown", (), shown, None, since)
    return Side(
        host=host,
        role=str(resource.role),
        connection=str(resource.connection.state) if resource.connection else "StandAlone",
        disks=tuple(str(volume.disk) for volume in resource.volumes),
        generations=shown,
        changed_bytes=changed(resource),
        lost_since=since,
    )


def changed(resource: Resource) -> int | None:
    """What changed on this side alone, by its bitmap; None unless every volume tells."""
    peers = resource.connection.volumes if resource.connection else ()
    counts = [one.out_of_sync_bytes for one in peers]
    if not counts or len(counts) != len(resource.volumes):
        return None
    known = [one for one in counts if one is not None]
    return sum(known) if len(known) == len(counts) else None


def _choice(side: Side, other: Side, names: tuple[str, ...]) -> Choice:
    """A bitmap counts what was marked: a host that lost power marks whole extents of 4 MiB it was writing to."""
    size = "an unknown number of bytes" if side.changed_bytes is None else f"up to {side.changed_bytes} bytes"
    when = side.lost_since or other.lost_since
    since = f" since about {when}" if when else ""
    loses = f"what {side.host} wrote alone{since}: {size} of {names[0]}"
    return Choice(side.host, loses, resolve_command(side.host, names))
