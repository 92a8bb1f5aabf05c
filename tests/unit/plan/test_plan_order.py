"""The order of groups: what comes before what, for any groups at all; and how fast it is found."""

from __future__ import annotations

import time
from collections.abc import Mapping
from graphlib import CycleError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.model import Group
from dualsrm.plan.order import Order, Unit, batches, order_of, reverse

PAIRS = ("p", "q")


def group(name: str, *guests: str, after: tuple[str, ...] = (), priority: int = 3, pair: str = "p") -> Group:
    return Group(name, pair, guests, priority=priority, after=after)


def names(order: Order) -> list[str]:
    return [unit.name for unit in order.units]


@st.composite
def estates(draw: st.DrawFn) -> tuple[list[Group], list[tuple[str, str]]]:
    """Groups without a circle, in any order, some of their guests wanted, and some guests in none."""
    count = draw(st.integers(0, 8))
    groups = []
    for number in range(count):
        after = draw(st.lists(st.sampled_from(range(number)), unique=True, max_size=3)) if number else []
        guests = tuple(f"g{number}-{one}" for one in range(draw(st.integers(1, 3))))
        pair, priority = draw(st.sampled_from(PAIRS)), draw(st.integers(1, 5))
        groups.append(group(f"G{number}", *guests, after=tuple(f"G{o}" for o in after), priority=priority, pair=pair))
    everybody = [(one.pair, guest) for one in groups for guest in one.guests]
    wanted = draw(st.lists(st.sampled_from(everybody), unique=True)) if everybody else []
    lone = draw(st.lists(st.tuples(st.sampled_from(PAIRS), st.sampled_from(["x", "y", "G0"])), unique=True))
    return draw(st.permutations(groups)), draw(st.permutations([*wanted, *lone]))


def ancestors(groups: list[Group]) -> Mapping[str, set[str]]:
    by_name = {one.name: one for one in groups}

    def of(name: str) -> set[str]:
        return {up for other in by_name[name].after for up in ({other} | of(other))}

    return {name: of(name) for name in by_name}


@given(estates())
def test_every_guest_once_behind_all_it_waits_for(estate: tuple[list[Group], list[tuple[str, str]]]) -> None:
    groups, wanted = estate
    order = order_of(groups, wanted)
    assert sorted(order.guests) == sorted(wanted)
    place = {unit.name: number for number, unit in enumerate(order.units)}
    for name, before in ancestors(groups).items():
        for other in before & set(place):
            if name in place:
                assert place[other] < place[name]
    assert [unit.priority for unit in order.units] == sorted(unit.priority for unit in order.units)


@given(estates())
def test_the_graph_lets_nothing_begin_too_early(estate: tuple[list[Group], list[tuple[str, str]]]) -> None:
    """Also through groups of which no guest is wanted; and nobody comes later than its own priority says."""
    groups, wanted = estate
    order = order_of(groups, wanted)
    own = {one.name: one.priority for one in groups}
    begun: dict[str, int] = {}
    for number, batch in enumerate(batches(order)):
        for unit in batch:
            begun[unit.name] = number
            assert unit.priority <= own.get(unit.name, 3)
    assert set(begun) == set(names(order))
    for name, before in ancestors(groups).items():
        assert all(begun[other] < begun[name] for other in before & set(begun) if name in begun)
    for one in order.units:
        assert all(begun[one.name] < begun[other.name] for other in order.units if one.priority < other.priority)


@given(estates())
def test_backwards_is_backwards(estate: tuple[list[Group], list[tuple[str, str]]]) -> None:
    groups, wanted = estate
    order = order_of(groups, wanted)
    back = reverse(order)
    assert back.guests == order.guests[::-1]
    assert reverse(back) == order
    sequence = [unit for batch in batches(back) for unit in batch]
    place = {unit.name: number for number, unit in enumerate(sequence)}
    assert all(place[unit.name] < place[other] for unit in order.units for other in unit.after)


@given(estates(), st.randoms())
def test_it_is_the_same_however_it_is_asked(estate: tuple[list[Group], list[tuple[str, str]]], random: object) -> None:
    groups, wanted = estate
    assert order_of(reversed(groups), reversed(wanted)) == order_of(groups, wanted)


def test_groups_wait_for_groups_and_priorities_for_priorities() -> None:
    groups = [group("shop", "web", "mail", after=("db",)), group("db", "db"), group("dns", "dns", priority=1)]
    wanted = [("p", one) for one in ("web", "mail", "db", "dns", "lone")]
    assert [[unit.name for unit in batch] for batch in batches(order_of(groups, wanted))] == [
        ["dns"],
        ["db", "p/lone"],
        ["shop"],
    ]
    assert [[unit.name for unit in batch] for batch in batches(reverse(order_of(groups, wanted)))] == [
        ["p/lone", "shop"],
        ["db"],
        ["dns"],
    ]


def test_side_by_side_they_are_named_in_the_order_in_which_they_begin() -> None:
    (batch,) = batches(order_of([group("z", "a"), group("q", "b")], [("p", "lone"), ("p", "a"), ("p", "b")]))
    assert [unit.name for unit in batch] == ["q", "z", "p/lone"]


def test_one_that_is_waited_for_is_drawn_forward() -> None:
    """Also through one between them that has nobody to start."""
    groups = [
        group("first", "a", after=("between",), priority=1),
        group("between", "b", after=("last",), priority=4),
        group("last", "c", priority=5),
    ]
    order = order_of(groups, [("p", "a"), ("p", "c")])
    last = Unit("last", "p", ("c",), 1, (), groups[2])
    assert order.units == (last, Unit("first", "p", ("a",), 1, ("last",), groups[0]))


def test_one_nobody_wants_draws_nobody_forward() -> None:
    groups = [group("first", "a", after=("last",), priority=1), group("last", "c", priority=5)]
    assert order_of(groups, [("p", "c")]).units == (Unit("last", "p", ("c",), 5, (), groups[1]),)


def test_a_circle_has_no_order() -> None:
    with pytest.raises(CycleError):
        order_of([group("a", "a1", after=("b",)), group("b", "b1", after=("a",))], [("p", "a1")])


def test_ten_thousand_guests_in_a_thousand_pairs() -> None:
    """The bound is far above the noise and far below the 5 s that all of a plan may take."""
    groups = []
    for number in range(1000):
        pair, before = f"p{number}", (f"db{number - 1}",) if number else ()
        groups.append(group(f"db{number}", f"d{number}", after=before, pair=pair, priority=1 + number % 5))
        apps = [f"a{number}-{one}" for one in range(6)]
        groups.append(group(f"app{number}", *apps, after=(f"db{number}",), pair=pair))
    wanted = [(one.pair, guest) for one in groups for guest in one.guests]
    wanted += [(f"p{number}", f"l{number}-{one}") for number in range(1000) for one in range(3)]
    assert len(wanted) == 10_000
    begun = time.process_time()
    order = order_of(groups, wanted)
    back = reverse(order)
    found = [unit for batch in batches(back) for unit in batch]
    assert time.process_time() - begun < 3
    assert len(found) == len(order.units) == 5_000
