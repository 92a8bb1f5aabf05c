"""Lanes: a fault of dualsrm itself in one of them ends the others too, after what they have begun."""

from __future__ import annotations

import threading

import pytest

from dualsrm.engine.environment import Environment, SystemClock
from dualsrm.engine.group_report import GuestEnd
from dualsrm.engine.several import Work, do_several
from dualsrm.errors import ExitCode
from dualsrm.model import Group, GroupVerb, Pair
from dualsrm.plan.dispatch import Rules
from dualsrm.plan.order import Unit, order_of

PAIR = Pair("p", ("alpha", "beta"))
ORDER = order_of([Group("g", "p", ("a", "b", "c"))], [("p", name) for name in "abc"])


def end(guest: str, code: ExitCode = ExitCode.OK) -> GuestEnd:
    return GuestEnd(guest, "g", "done", None, code)


def test_a_fault_in_one_lane_ends_the_others() -> None:
    """In real threads: a lane that waited for the one that died would wait for ever."""
    world = Environment({}, SystemClock())
    failed = threading.Event()
    begun: list[str] = []

    def act(_world: Environment, _unit: Unit, guest: str) -> GuestEnd:
        begun.append(guest)
        if guest == "a":
            failed.set()
            raise RuntimeError("a fault of dualsrm itself")
        assert failed.wait(10)
        return end(guest)

    with pytest.raises(RuntimeError):
        do_several(world, [world, world], Work({"p": PAIR}, GroupVerb.START, ORDER, Rules(), act))
    assert set(begun) in ({"a"}, {"a", "b"})


def test_as_many_at_once_as_there_are_lanes() -> None:
    world = Environment({}, SystemClock())
    together = threading.Barrier(3, timeout=10)

    def act(_world: Environment, _unit: Unit, guest: str) -> GuestEnd:
        together.wait()
        return end(guest)

    ended = do_several(world, [world] * 3, Work({"p": PAIR}, GroupVerb.START, ORDER, Rules(), act))
    assert {one.guest for one in ended.guests} == {"a", "b", "c"}
    assert [one.group for one in ended.groups] == ["g"]
    assert ended.left == ()
