"""What may begin when: groups and their guests as a graph, and the same backwards.

A group waits for the groups it comes after: these have to be up. It also waits for the priority before its own, but
only until that has ended, well or not. A group that another one waits for is drawn forward to that one's priority, so
the two never contradict each other. Guests within a group, and all that waits for nothing common, go side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from itertools import pairwise

from dualsrm.model import Group
from dualsrm.model.groups import DEFAULT_PRIORITY, FIRST_PRIORITY, LAST_PRIORITY


@dataclass(frozen=True, slots=True)
class Unit:
    """What begins and ends as one: a group, or a guest in none."""

    name: str
    """The group's, or PAIR/GUEST, which no group can be called."""
    pair: str
    guests: tuple[str, ...]
    priority: int
    """As drawn forward by those that wait for it."""
    after: tuple[str, ...] = ()
    """Units of this order that have to have ended well before it."""
    group: Group | None = None
    """None: a guest in no group."""


@dataclass(frozen=True, slots=True)
class Order:
    """Units, each behind all that it waits for."""

    units: tuple[Unit, ...]
    backwards: bool = False
    """For stopping: the last priority first."""

    @property
    def guests(self) -> tuple[tuple[str, str], ...]:
        """(pair, guest), one after the other."""
        return tuple((unit.pair, guest) for unit in self.units for guest in unit.guests)

    def graph(self) -> Mapping[str, frozenset[str]]:
        """By unit: what has to have ended before it, well or not. <3> is the end of priority 3."""
        steps = range(FIRST_PRIORITY, LAST_PRIORITY + 1)
        before = {unit.name: set(unit.after) for unit in self.units} | {_end(step): set[str]() for step in steps}
        for unit in self.units:
            before[_end(unit.priority)].add(unit.name)
        sequence = [*reversed(steps)] if self.backwards else [*steps]
        for earlier, later in pairwise(sequence):
            before[_end(later)].add(_end(earlier))
            for unit in self.units:
                if unit.priority == later:
                    before[unit.name].add(_end(earlier))
        return {name: frozenset(others) for name, others in before.items()}


def order_of(groups: Iterable[Group], guests: Iterable[tuple[str, str]]) -> Order:
    """The order in which these guests, as (pair, guest), are started.

    Groups of which no guest is among them play no part, but what they wait for is waited for through them. Raises
    `graphlib.CycleError` for groups the configuration would have refused.
    """
    wanted = frozenset(guests)
    by_name = {group.name: group for group in groups}
    members = {
        name: tuple(one for one in group.guests if (group.pair, one) in wanted) for name, group in by_name.items()
    }
    sequence = tuple(
        TopologicalSorter({name: sorted(_known(by_name, name)) for name in sorted(by_name)}).static_order()
    )
    priority = _drawn_forward(by_name, members, sequence)
    nearest: dict[str, frozenset[str]] = {}
    units = []
    for name in sequence:
        awaited = frozenset[str]().union(*(nearest[other] for other in _known(by_name, name)))
        nearest[name] = frozenset((name,)) if members[name] else awaited
        if members[name]:
            group = by_name[name]
            units.append(Unit(name, group.pair, members[name], priority[name], tuple(sorted(awaited)), group))
    grouped = {(unit.pair, guest) for unit in units for guest in unit.guests}
    units += [Unit(f"{pair}/{one}", pair, (one,), DEFAULT_PRIORITY) for pair, one in sorted(wanted - grouped)]
    return Order(_in_sequence(units))


def reverse(order: Order) -> Order:
    """The order in which they are stopped: what waits for a unit goes before it. Twice is the order itself."""
    dependants: dict[str, list[str]] = {unit.name: [] for unit in order.units}
    for unit in order.units:
        for other in unit.after:
            dependants[other].append(unit.name)
    return Order(
        tuple(
            replace(unit, after=tuple(sorted(dependants[unit.name])), guests=unit.guests[::-1])
            for unit in reversed(order.units)
        ),
        backwards=not order.backwards,
    )


def batches(order: Order) -> Iterator[tuple[Unit, ...]]:
    """Units that may go side by side, if each took as long as every other: for people."""
    sorter = TopologicalSorter(order.graph())
    sorter.prepare()
    by_name = {unit.name: unit for unit in order.units}
    place = {unit.name: number for number, unit in enumerate(order.units)}
    while sorter.is_active():
        ready = sorter.get_ready()
        if found := sorted((name for name in ready if name in by_name), key=place.__getitem__):
            yield tuple(by_name[name] for name in found)
        sorter.done(*ready)


def _end(priority: int) -> str:
    return f"<{priority}>"


def _known(groups: Mapping[str, Group], name: str) -> tuple[str, ...]:
    return tuple(other for other in groups[name].after if other in groups)


def _drawn_forward(
    groups: Mapping[str, Group], members: Mapping[str, Sequence[str]], sequence: Sequence[str]
) -> Mapping[str, int]:
    """By group: its priority, or that of the first that waits for it and has guests to wait with."""
    found = {name: group.priority if members[name] else LAST_PRIORITY for name, group in groups.items()}
    for name in reversed(sequence):
        for other in _known(groups, name):
            found[other] = min(found[other], found[name])
    return found


def _in_sequence(units: Sequence[Unit]) -> tuple[Unit, ...]:
    """By priority, and in each behind what it waits for; otherwise as they come."""
    return tuple(sorted(units, key=lambda unit: unit.priority))
