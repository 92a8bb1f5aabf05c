"""An order handed out piece by piece: nothing too early, nothing twice, nothing lost; and how long it will take."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.model import Group
from dualsrm.plan.dispatch import Dispatcher, Left, Part, Rules, Task
from dualsrm.plan.order import Order, Unit, order_of, reverse
from dualsrm.plan.schedule import Slot, foretell
from tests.unit.plan.test_plan_order import estates, group


def dice(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - nothing secret: which of several ends first


def drain(dispatcher: Dispatcher, failing: frozenset[str], lanes: int, random: Random) -> list[Task]:
    """Hand out and give back, so many at once; in which order, `random` says. Guests that went well, as they ended."""
    under_way: list[Task] = []
    ended: list[Task] = []
    now = 0.0
    while not dispatcher.over:
        task = dispatcher.next(now) if len(under_way) < lanes else None
        if task is not None:
            assert task not in under_way
            under_way.append(task)
            continue
        if not under_way:
            moment = dispatcher.next_moment(now)
            assert moment is not None, "nobody works, nothing is handed out, and it is not over"
            now = moment
            continue
        task = under_way.pop(random.randrange(len(under_way)))
        dispatcher.done(task, ok=task.guest not in failing, why=f"{task.guest} failed", now=now)
        ended.append(task)
    return ended


@given(estates(), st.integers(1, 4), st.integers(), st.data())
def test_each_guest_is_done_once_or_left(
    estate: tuple[list[Group], list[tuple[str, str]]], lanes: int, seed: int, data: st.DataObject
) -> None:
    order = order_of(*estate)
    names = sorted({guest for _, guest in order.guests})
    failing = frozenset(data.draw(st.lists(st.sampled_from(names), unique=True)) if names else [])
    rules = Rules(data.draw(st.booleans()), data.draw(st.booleans()))
    dispatcher = Dispatcher(order, rules)
    ended = drain(dispatcher, failing, lanes, dice(seed))
    done = [(task.unit.pair, task.guest) for task in ended if task.part is Part.GUEST]
    left = [one.guest for one in dispatcher.left]
    assert sorted([guest for _, guest in done] + left) == sorted(guest for _, guest in order.guests)
    assert len(set(done)) == len(done)
    assert all(one.why for one in dispatcher.left)
    if not failing or not (rules.dependent or rules.stop_at_first):
        assert not left
    place = {task: number for number, task in enumerate(ended)}
    for task in ended:
        if task.part is Part.GUEST:
            for other in (unit for unit in order.units if unit.name in task.unit.after):
                before = [place[Task(other, Part.GUEST, guest)] for guest in other.guests]
                assert max(before) < place[task]
                assert not rules.dependent or not failing & set(other.guests)


def chain() -> Order:
    return order_of(
        [group("db", "db"), group("app", "app", after=("db",)), group("web", "web", after=("app",)), group("x", "x")],
        [("p", one) for one in ("db", "app", "web", "x")],
    )


def test_what_comes_after_a_failure_is_left_with_the_reason() -> None:
    dispatcher = Dispatcher(chain(), Rules())
    ended = drain(dispatcher, frozenset({"db"}), 2, dice(1))
    assert {task.guest for task in ended if task.guest} == {"db", "x"}
    assert dispatcher.left == (
        Left("app", "app", "it comes after db, and db failed"),
        Left("web", "web", "it comes after app, and it comes after db, and db failed"),
    )


def test_stopping_at_the_first_failure() -> None:
    dispatcher = Dispatcher(chain(), Rules(dependent=False, stop_at_first=True))
    assert [task.guest for task in drain(dispatcher, frozenset({"db"}), 1, dice(1)) if task.guest] == ["db"]
    assert {one.why for one in dispatcher.left} == {"db failed"}


def test_a_stop_from_outside_lets_what_runs_end() -> None:
    dispatcher = Dispatcher(chain(), Rules())
    begin = dispatcher.next(0.0)
    assert begin is not None
    dispatcher.stop("the operator asked to stop")
    assert not dispatcher.over
    dispatcher.done(begin, ok=True)
    assert dispatcher.over
    assert [one.guest for one in dispatcher.left] == ["db", "x", "app", "web"]


def test_guests_on_one_resource_go_one_after_the_other() -> None:
    order = order_of([group("g", "a", "b", "c")], [("p", "a"), ("p", "b"), ("p", "c")])
    dispatcher = Dispatcher(order, Rules(), {"a": frozenset({"r"}), "b": frozenset({"r", "s"}), "c": frozenset({"t"})})
    begin = dispatcher.next(0.0)
    assert begin is not None
    dispatcher.done(begin, ok=True)
    first, second = dispatcher.next(0.0), dispatcher.next(0.0)
    assert first is not None
    assert second is not None
    assert (first.guest, second.guest, dispatcher.next(0.0)) == ("a", "c", None)
    dispatcher.done(first, ok=False)
    third = dispatcher.next(0.0)
    assert third is not None
    assert third.guest == "b"


def test_a_delay_is_waited_for_and_a_look_comes_again() -> None:
    order = order_of([Group("g", "p", ("a",), start_delay_s=5)], [("p", "a")])
    dispatcher = Dispatcher(order, Rules(delays=True))
    assert dispatcher.next(4.9) is None
    assert dispatcher.next_moment(4.9) == 5.0
    begin = dispatcher.next(5.0)
    assert begin is not None
    dispatcher.again(begin, 7.0)
    assert dispatcher.next(6.0) is None
    assert dispatcher.next(7.0) == begin


def handed(dispatcher: Dispatcher, now: float = 0.0) -> Task:
    task = dispatcher.next(now)
    assert task is not None
    return task


def test_only_groups_have_a_delay_and_only_where_it_is_asked_for() -> None:
    late = Group("g", "p", ("a",), start_delay_s=5)
    assert Dispatcher(order_of([late], [("p", "a")]), Rules(delays=False)).next(0.0) is not None
    assert Dispatcher(order_of([], [("p", "a")]), Rules(delays=True)).next(0.0) is not None


def test_a_delay_counts_from_the_end_of_what_was_waited_for() -> None:
    first, then = group("db", "db"), Group("app", "p", ("app",), after=("db",), start_delay_s=5)
    dispatcher = Dispatcher(order_of([first, then], [("p", "db"), ("p", "app")]), Rules(delays=True))
    for now in (0.0, 1.0, 2.0):
        dispatcher.done(handed(dispatcher, now), ok=True, now=now + 1)
    assert dispatcher.next_moment(3.0) == 8.0
    assert dispatcher.next(7.9) is None
    assert handed(dispatcher, 8.0).unit.name == "app"


def test_who_waits_for_another_to_end_waits_for_no_moment() -> None:
    """Or the caller would look again and again until then."""
    order = order_of([group("g", "a", "b")], [("p", "a"), ("p", "b")])
    dispatcher = Dispatcher(order, Rules(), {"a": frozenset({"r"}), "b": frozenset({"r"})})
    dispatcher.done(handed(dispatcher), ok=True, now=0.0)
    assert handed(dispatcher).guest == "a"
    assert dispatcher.next(0.0) is None
    assert dispatcher.next_moment(0.0) is None, "b waits for a, not for a time"


def test_when_all_that_is_left_is_under_way_there_is_no_moment_to_wait_for() -> None:
    dispatcher = Dispatcher(order_of([group("g", "a")], [("p", "a")]), Rules())
    assert handed(dispatcher).part is Part.BEGIN
    assert dispatcher.next_moment(0.0) is None


def test_a_guest_with_a_resource_goes_beside_one_with_none() -> None:
    order = order_of([group("g", "a", "b", "c")], [("p", "a"), ("p", "b"), ("p", "c")])
    dispatcher = Dispatcher(order, Rules(), {"b": frozenset({"r"})})
    dispatcher.done(handed(dispatcher), ok=True)
    assert [handed(dispatcher).guest for _ in range(3)] == ["a", "b", "c"]


def test_what_is_to_be_looked_at_again_is_under_way_no_more() -> None:
    dispatcher = Dispatcher(order_of([group("g", "a")], [("p", "a")]), Rules())
    begin = handed(dispatcher)
    dispatcher.again(begin, 7.0)
    assert not dispatcher.over
    dispatcher.stop("the operator asked to stop")
    assert dispatcher.over


def test_what_is_abandoned_is_waited_for_no_more_and_nothing_else_is_begun() -> None:
    dispatcher = Dispatcher(chain(), Rules())
    dispatcher.abandon(handed(dispatcher), "dualsrm failed at another guest")
    assert dispatcher.over
    assert dispatcher.next(0.0) is None
    assert {one.why for one in dispatcher.left} == {"dualsrm failed at another guest"}
    busy = Dispatcher(chain(), Rules())
    begun = handed(busy)
    busy.abandon(None, "dualsrm failed at another guest")
    assert not busy.over, "another lane still has one in hand"
    busy.done(begun, ok=True)
    assert busy.over


def test_a_unit_is_asked_at_its_end_unless_a_guest_of_it_failed() -> None:
    order = order_of([group("bad", "a", "b"), group("good", "c")], [("p", "a"), ("p", "b"), ("p", "c")])
    dispatcher = Dispatcher(order, Rules())
    ended = drain(dispatcher, frozenset({"a"}), 1, dice(1))
    assert [task.unit.name for task in ended if task.part is Part.END] == ["good"]


def test_a_unit_without_guests_is_begun_and_asked_before_what_comes_after_it() -> None:
    """A group that runs already, and only has to be ready."""
    asked = Unit("db", "p", (), 3)
    order = Order((asked, Unit("app", "p", ("app",), 3, ("db",))))
    ended = drain(Dispatcher(order, Rules()), frozenset(), 3, dice(1))
    assert [(task.unit.name, task.part) for task in ended] == [
        ("db", Part.BEGIN),
        ("db", Part.END),
        ("app", Part.BEGIN),
        ("app", Part.GUEST),
        ("app", Part.END),
    ]
    dispatcher = Dispatcher(order, Rules())
    dispatcher.done(handed(dispatcher), ok=True, now=1.0)
    dispatcher.done(handed(dispatcher, 1.0), ok=False, why="db is not ready")
    assert dispatcher.over
    assert dispatcher.left == (Left("app", None, "it comes after db, and db is not ready"),)


@pytest.mark.parametrize("stop_at_first", [False, True])
def test_a_failure_nobody_gave_a_reason_for_is_named_after_its_unit(stop_at_first: bool) -> None:
    dispatcher = Dispatcher(chain(), Rules(stop_at_first=stop_at_first))
    dispatcher.done(handed(dispatcher), ok=False)
    left = {one.guest: one.why for one in dispatcher.left}
    assert left["db"] == "db failed"
    assert left["x"] == ("db failed" if stop_at_first else "")


@pytest.mark.parametrize(
    ("jobs", "slots"),
    [
        (1, [("db", 0, 10), ("x", 10, 40), ("app", 40, 50), ("web", 50, 60)]),
        (2, [("db", 0, 10), ("x", 0, 30), ("app", 10, 20), ("web", 20, 30)]),
    ],
)
def test_how_long_it_will_take(jobs: int, slots: list[tuple[str, float, float]]) -> None:
    seconds = {"db": 10.0, "app": 10.0, "web": 10.0, "x": 30.0}
    assert foretell(chain(), seconds, jobs) == tuple(Slot(*slot) for slot in slots)


def test_backwards_too() -> None:
    found = foretell(reverse(chain()), dict.fromkeys(("db", "app", "web", "x"), 1.0), 9)
    assert {slot.guest: slot.begins_s for slot in found} == {"x": 0, "web": 0, "app": 1, "db": 2}
