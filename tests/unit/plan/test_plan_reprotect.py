"""Taking a lost host back: nothing is promoted or discarded, and its quarantine ends when it has all data again."""

from __future__ import annotations

from dataclasses import replace

from dualsrm.model import AT_REST
from dualsrm.plan.peer_steps import AwaitResync, Lifted, LiftQuarantine
from dualsrm.plan.reprotect import CONNECT_DEADLINE_S, Return, plan_reprotect
from dualsrm.plan.split_steps import Connect, Seeks
from dualsrm.plan.steps import FencingIs, Replicating, RoleIs, TwoPrimariesIs

BACK, SURVIVOR = "alpha", "beta"
NAMES = ("data", "log")
SIDES = [(host, name) for host in (BACK, SURVIVOR) for name in NAMES]
GOAL = Return(BACK, SURVIVOR, NAMES, ((BACK, "data"), (SURVIVOR, "log")), ((SURVIVOR, BACK), (BACK, SURVIVOR)))
IN_STEP = {Replicating(host, name) for host, name in SIDES}


def test_the_order() -> None:
    assert [step.name for step in plan_reprotect(GOAL, 60.0)] == ["connect", "resync", "at rest", "lift quarantine"]
    assert plan_reprotect(replace(GOAL, apart=()), 60.0)[0].name == "resync"


def test_nothing_is_undone() -> None:
    assert not any(step.undo for step in plan_reprotect(GOAL, 60.0))


def test_only_sides_that_do_not_seek_their_peer_are_connected_and_nothing_is_discarded() -> None:
    connect = plan_reprotect(GOAL, 60.0)[0]
    assert connect.do == (Connect(BACK, "data", discard=False), Connect(SURVIVOR, "log", discard=False))
    assert connect.verify == (Seeks(BACK, "data"), Seeks(SURVIVOR, "log"))
    assert connect.deadline_s == CONNECT_DEADLINE_S


def test_the_resync_onto_it_has_its_deadline_and_leaves_it_secondary() -> None:
    resync = plan_reprotect(GOAL, 3600.0)[1]
    assert resync.do == (AwaitResync(BACK, NAMES),)
    assert set(resync.verify) == IN_STEP | {RoleIs(BACK, name, primary=False) for name in NAMES}
    assert resync.deadline_s == 3600.0


def test_the_window_is_closed_on_both_sides() -> None:
    rest = plan_reprotect(GOAL, 60.0)[2]
    assert rest.do == ()
    assert set(rest.verify) == {
        *(TwoPrimariesIs(host, name, allowed=False) for host, name in SIDES),
        *(FencingIs(host, name, AT_REST) for host, name in SIDES),
    }


def test_every_quarantine_is_lifted_of_a_host_that_has_all_data() -> None:
    """Seen once more: a link lost meanwhile would leave it behind again."""
    lift = plan_reprotect(GOAL, 60.0)[3]
    assert lift.do == (LiftQuarantine(SURVIVOR, BACK), LiftQuarantine(BACK, SURVIVOR))
    assert set(lift.verify) == {Lifted(SURVIVOR, BACK), Lifted(BACK, SURVIVOR), *IN_STEP}
