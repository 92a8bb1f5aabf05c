"""The plans of a failover: what comes before what, and which command may touch which disk."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from dualsrm.model import AT_REST, Filesystem
from dualsrm.plan.cold import ColdGoal
from dualsrm.plan.failover import plan_failover, plan_fence
from dualsrm.plan.filesystem_steps import Mount
from dualsrm.plan.peer_steps import ConfirmOff, Fence, NotedOff
from dualsrm.plan.steps import (
    Alone,
    Demote,
    DisksAre,
    FencingIs,
    GuestGone,
    Plan,
    Promote,
    PromoteForced,
    RoleIs,
    SetFencing,
    SetTwoPrimaries,
    StartDomain,
    Thawed,
    TwoPrimariesIs,
)

NAMES = ("data", "log")
GOAL = ColdGoal("db", "uuid", NAMES, "beta", "alpha")


def plan(already: tuple[str, ...] = (), forced: tuple[str, ...] = (), window: tuple[str, ...] = ()) -> Plan:
    return plan_failover(GOAL, already=already, forced=forced, opened=window, frozen=window)


def steps(found: Plan) -> list[str]:
    return [step.name for step in found]


@pytest.mark.parametrize(("by", "act"), [(None, Fence("beta", "alpha")), ("a@b", ConfirmOff("beta", "alpha", "a@b"))])
def test_seen_off_by_device_or_person_and_never_undone(by: str | None, act: object) -> None:
    (step,) = plan_fence("beta", "alpha", by)
    assert step.name == "fence"
    assert step.do == (act,)
    assert step.verify == (NotedOff("beta", "alpha"),)
    assert not step.undo


def test_the_order() -> None:
    assert steps(plan()) == ["recheck", "promote", "start"]
    assert steps(plan(window=NAMES)) == ["thaw", "recheck", "close window", "promote", "start"]


@pytest.mark.parametrize("forced", [(), ("data",), ("log",), NAMES])
@pytest.mark.parametrize("already", [(), ("data",), NAMES])
def test_a_disk_that_is_behind_is_never_promoted_the_ordinary_way(
    forced: tuple[str, ...], already: tuple[str, ...]
) -> None:
    found = plan(already=already, forced=forced)
    commands = [command for step in found for command in step.do]
    assert {one.resource for one in commands if isinstance(one, Promote)} == {*NAMES} - {*forced} - {*already}
    by_force = {one for one in commands if isinstance(one, PromoteForced)}
    assert by_force == {PromoteForced("beta", name) for name in {*forced} - {*already}}
    rechecked = {one for one in found[0].verify if isinstance(one, DisksAre)}
    assert rechecked == {DisksAre("beta", name, newest=name not in forced) for name in NAMES}


@pytest.mark.parametrize("already", [(), ("data",), NAMES])
def test_what_could_have_changed_is_seen_again_before_anything_is_promoted(already: tuple[str, ...]) -> None:
    """The guest may have been started, the lost host may be back, somebody may have promoted by hand."""
    recheck = plan(already=already)[0]
    assert recheck.do == ()
    assert set(recheck.verify) == {
        GuestGone("beta", "db", "uuid"),
        *(Alone("beta", name) for name in NAMES),
        *(DisksAre("beta", name, newest=True) for name in NAMES),
        *(RoleIs("beta", name, primary=name in already) for name in NAMES),
    }
    assert recheck.deadline_s == 10, "nothing was touched yet: an old look is refused soon"


def test_a_window_a_dead_move_left_open_is_thawed_and_closed_before_the_lost_host_can_come_back() -> None:
    thaw, _, close, *_ = plan(window=("log",))
    assert thaw.verify == (Thawed("beta", "log"),)
    assert set(close.do) == {SetTwoPrimaries("beta", "log", allowed=False), SetFencing("beta", "log", AT_REST)}
    assert set(close.verify) == {TwoPrimariesIs("beta", "log", allowed=False), FencingIs("beta", "log", AT_REST)}


def test_a_guest_that_did_not_come_up_is_seen_gone_where_somebody_answers() -> None:
    start = plan()[-1]
    assert start.undo_verify == (GuestGone("beta", "db", "uuid"),)


def test_a_file_system_that_is_mounted_is_not_mounted_again() -> None:
    files = Filesystem("shop", "data", 0, "/srv/shop", "ext4")
    goal = replace(GOAL, filesystems=(files,))
    found = plan_failover(goal, already=(), forced=(), opened=(), frozen=())
    assert [step.do for step in found if step.name == "mount"] == [(Mount("beta", files),)]
    assert "mount" not in steps(plan_failover(goal, already=(), forced=(), opened=(), frozen=(), mounted=(files,)))


@pytest.mark.parametrize("already", [(), ("data",), NAMES])
def test_only_what_was_promoted_is_given_back(already: tuple[str, ...]) -> None:
    undone = [command for step in plan(already=already) for command in step.undo if isinstance(command, Demote)]
    assert {one.resource for one in undone} == {*NAMES} - {*already}


@pytest.mark.parametrize(("already", "window"), list(product([(), NAMES], [(), NAMES])))
def test_the_lost_host_is_asked_for_nothing(already: tuple[str, ...], window: tuple[str, ...]) -> None:
    for step in plan(already=already, window=window):
        for one in (*step.do, *step.verify, *step.undo, *step.undo_verify, *step.undo_needs):
            assert one.host == "beta"
    assert StartDomain("beta", "db") in plan()[-1].do
