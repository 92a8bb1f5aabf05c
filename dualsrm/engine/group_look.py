"""Looking before a group is started or stopped: what it waits for is up, nothing that waits for it is left behind."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dualsrm.discovery import guest_location
from dualsrm.engine.environment import Environment
from dualsrm.engine.evacuate import must_answer, must_be_no_guest
from dualsrm.engine.observe import observe
from dualsrm.errors import UsageError
from dualsrm.model import Group, Pair, Snapshot
from dualsrm.plan.order import Order, Unit, order_of, reverse


@dataclass(frozen=True, slots=True)
class PreparedGroup:
    """A group that was looked at."""

    group: Group
    order: Order
    """Also of groups it waits for, without their guests: they are asked whether they are ready."""
    against: str = ""
    fix: str = ""

    @property
    def guests(self) -> tuple[str, ...]:
        """In the order in which they are begun."""
        return tuple(guest for unit in self.order.units for guest in unit.guests)


@dataclass(frozen=True, slots=True)
class Estate:
    """What is configured."""

    pairs: Mapping[str, Pair]
    groups: Mapping[str, Group]

    def awaited(self, group: Group) -> tuple[Group, ...]:
        """The groups it comes after."""
        return tuple(self.groups[name] for name in group.after)

    def dependants(self, group: Group) -> tuple[Group, ...]:
        """The groups that come after it."""
        return tuple(other for other in self.groups.values() if group.name in other.after)

    def pairs_of(self, groups: Iterable[Group]) -> tuple[Pair, ...]:
        """Each once."""
        return tuple(self.pairs[name] for name in dict.fromkeys(group.pair for group in groups))


def look_before_start(
    environment: Environment, estate: Estate, group: Group, *, under_lock: bool = False
) -> PreparedGroup:
    """Refused while a guest of a group it comes after does not run; whether those are ready is waited for later."""
    awaited = estate.awaited(group)
    snapshots = _look(environment, estate, group, awaited, under_lock=under_lock)
    for other in awaited:
        down = [name for name in other.guests if not guest_location(snapshots[other.pair], name).active_on]
        if down:
            seen = f"{group.name} comes after {other.name}, and {', '.join(down)} of it does not run"
            return PreparedGroup(group, Order(()), seen, _command("start", other))
    asked = [other for other in awaited if other.ready]
    units = order_of([group], ((group.pair, name) for name in group.guests)).units
    before = tuple(_only_asked(other, units[0].priority) for other in asked)
    return PreparedGroup(group, Order((*before, replace(units[0], after=tuple(one.name for one in before)))))


def look_before_stop(
    environment: Environment, estate: Estate, group: Group, *, under_lock: bool = False
) -> PreparedGroup:
    """Refused while a guest of a group that comes after it runs: nobody asked to stop that one."""
    dependants = estate.dependants(group)
    snapshots = _look(environment, estate, group, dependants, under_lock=under_lock)
    for other in dependants:
        up = [name for name in other.guests if guest_location(snapshots[other.pair], name).active_on]
        if up:
            seen = f"{other.name} comes after {group.name}, and {', '.join(up)} of it runs"
            return PreparedGroup(group, Order(()), seen, _command("stop", other))
    return PreparedGroup(group, reverse(order_of([group], ((group.pair, name) for name in group.guests))))


def apart_of(group: Group) -> Mapping[str, frozenset[str]]:
    """By guest, what no other may be worked on beside it: of one file system the first mounts, the last unmounts it."""
    shared = frozenset({group.filesystem.resource}) if group.filesystem else frozenset[str]()
    return dict.fromkeys(group.guests, shared)


def _look(
    environment: Environment, estate: Estate, group: Group, others: Iterable[Group], *, under_lock: bool
) -> Mapping[str, Snapshot]:
    """Of each pair that matters; the lock is held on the group's own only."""
    found: dict[str, Snapshot] = {}
    for pair in estate.pairs_of((group, *others)):
        own = pair.name == group.pair
        found[pair.name] = snapshot = observe(environment, pair, under_lock=under_lock and own)
        must_answer(snapshot)
    must_be_no_guest(found[group.pair], group)
    for name in group.guests:
        if not guest_location(found[group.pair], name).known:
            raise UsageError(
                f"no host of pair {group.pair} knows a guest {name}",
                why=f"the configuration names it as one of group {group.name}",
                fix="correct the group's `guests` or its `pair`; `dualsrm status` shows the guests there are",
            )
    return found


def _only_asked(group: Group, priority: int) -> Unit:
    """Nothing is done to it."""
    return Unit(group.name, group.pair, (), priority, (), replace(group, hooks=(), start_delay_s=0))


def _command(verb: str, group: Group) -> str:
    return shlex.join(("dualsrm", verb, "--", group.name))
