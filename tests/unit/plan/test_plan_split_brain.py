"""The plan that settles a split brain, whatever lies in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dualsrm.model import Generation
from dualsrm.plan.split_brain import CONNECT_DEADLINE_S, Resolution, Split, plan_resolve, plan_wait
from dualsrm.plan.split_steps import (
    Connect,
    DataIs,
    Disconnect,
    Follows,
    Seeks,
    SnapshotTaken,
    StandsAlone,
    TakeSnapshot,
    Target,
)
from dualsrm.plan.steps import Alone, Condition, DisksAre, GuestGone, Replicating, RoleIs

MINE, KEPT = (Generation(0, 32, 16, (0, 0)),), (Generation(0, 48, 16, (0, 0)),)
GOALS = st.builds(
    lambda names, kept: Resolution(
        "beta",
        "alpha",
        tuple(Split(name, MINE, KEPT) for name in names),
        (("mail", "uuid"),),
        tuple(TakeSnapshot("beta", "guests", name, f"{name}-split", 1) for name in names) if kept else (),
    ),
    st.lists(st.sampled_from(["mail", "db-data", "db-log"]), min_size=1, unique=True),
    st.booleans(),
)


@given(GOALS)
def test_kept_then_parted_then_discarded_on_the_victim_only(goal: Resolution) -> None:
    plan = plan_resolve(goal, 60.0)
    does = [command for step in plan for command in step.do]
    assert plan[0].do == ()
    kept = [number for number, one in enumerate(does) if isinstance(one, TakeSnapshot)]
    assert kept == list(range(len(goal.snapshots)))
    for name in goal.resources:
        order = [one for one in does if isinstance(one, Disconnect | Connect) and one.resource == name]
        assert order == [
            Disconnect("beta", name),
            Disconnect("alpha", name),
            Connect("beta", name, discard=True),
            Connect("alpha", name),
        ]


@given(GOALS)
def test_nothing_is_discarded_before_all_that_could_have_changed_is_seen_again(goal: Resolution) -> None:
    """Most of all which data is there: what somebody resolved by hand meanwhile is not resolved again."""
    recheck = plan_resolve(goal, 60.0)[0]
    assert set(recheck.verify) == {
        GuestGone("beta", "mail", "uuid"),
        *(RoleIs("beta", name, primary=False) for name in goal.resources),
        *(DisksAre("alpha", name, newest=True) for name in goal.resources),
        *(Alone(host, name) for host in ("alpha", "beta") for name in goal.resources),
        *(DataIs("beta", name, MINE) for name in goal.resources),
        *(DataIs("alpha", name, KEPT) for name in goal.resources),
    }
    assert recheck.deadline_s == 10, "nothing was touched yet: an old look is refused soon"


@given(GOALS)
def test_the_steps_as_people_read_them(goal: Resolution) -> None:
    verbs = ("disconnect", "discard", "connect", "resync")
    settled = [f"{verb} {name}" for name in goal.resources for verb in verbs]
    assert [step.name for step in plan_resolve(goal, 60.0)] == [
        "recheck",
        *(["snapshot"] if goal.snapshots else []),
        *settled,
    ]


@given(GOALS)
def test_each_snapshot_is_seen_before_its_data_is_discarded(goal: Resolution) -> None:
    for step in plan_resolve(goal, 60.0):
        if step.name == "snapshot":
            assert step.do == goal.snapshots
            assert set(step.verify) == {
                SnapshotTaken(one.host, one.group, one.origin, one.name) for one in goal.snapshots
            }


@given(GOALS)
def test_every_step_is_seen_done_on_the_side_it_is_done_to(goal: Resolution) -> None:
    plan = {step.name: step for step in plan_resolve(goal, 1234.0)}
    for name in goal.resources:
        alone = {StandsAlone(host, name) for host in ("alpha", "beta")}
        not_the_survivor = Target("alpha", name, wanted=False)
        assert set(plan[f"disconnect {name}"].verify) == alone
        assert set(plan[f"discard {name}"].verify) == {Seeks("beta", name), RoleIs("beta", name, primary=False)}
        connect, resync = plan[f"connect {name}"], plan[f"resync {name}"]
        assert set(connect.verify) == {not_the_survivor, Follows("beta", name)}
        assert connect.deadline_s == CONNECT_DEADLINE_S
        assert set(resync.verify) == {
            not_the_survivor,
            *(Replicating(host, name) for host in ("alpha", "beta")),
            DataIs("beta", name, KEPT),
            DataIs("alpha", name, KEPT),
        }
        assert resync.deadline_s == 1234.0
        assert resync.undo_deadline_s == 30.0, "cutting it takes no longer than any other step"
        wrong_way: set[Condition] = {Target("alpha", name, wanted=True)}
        for step in (connect, resync):
            assert step.undo == (Disconnect("beta", name), Disconnect("alpha", name))
            assert set(step.undo_needs) == wrong_way
            assert set(step.undo_verify) == alone


@given(GOALS)
def test_the_end_is_the_survivors_generation_on_both_sides(goal: Resolution) -> None:
    plan = plan_resolve(goal, 60.0)
    for name in goal.resources:
        (last,) = [step for step in plan if step.name == f"resync {name}"]
        assert {one for one in last.verify if isinstance(one, DataIs)} == {
            DataIs("beta", name, KEPT),
            DataIs("alpha", name, KEPT),
        }


@given(GOALS)
def test_what_is_undone_is_a_resync_onto_the_survivor_only(goal: Resolution) -> None:
    for step in plan_resolve(goal, 60.0):
        if step.undo:
            assert all(isinstance(one, Disconnect) for one in step.undo)
            assert all(isinstance(one, Target) and one.wanted and one.host == "alpha" for one in step.undo_needs)
            assert step.undo_needs


def test_a_resync_that_runs_the_right_way_is_waited_for() -> None:
    first, second = plan_wait("beta", "alpha", ("mail", "db"), 1234.0)
    assert (first.name, second.name) == ("resync mail", "resync db")
    assert first.do == ()
    assert set(first.verify) == {
        Target("alpha", "mail", wanted=False),
        *(Replicating(host, "mail") for host in ("alpha", "beta")),
    }
    assert first.deadline_s == second.deadline_s == 1234.0
