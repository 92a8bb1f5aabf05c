"""The plan that settles a split brain, whatever lies in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dualsrm.model import Generation
from dualsrm.plan.split_brain import Resolution, Split, plan_resolve
from dualsrm.plan.split_steps import Connect, DataIs, Disconnect, TakeSnapshot, Target
from dualsrm.plan.steps import GuestGone, RoleIs

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
    assert not plan[0].do
    assert {type(one) for one in plan[0].verify} >= {GuestGone, RoleIs, DataIs}
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
