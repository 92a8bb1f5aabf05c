"""The order of a live move, for any list of resources: the kernel's rules as properties."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from dualsrm.convergence import Convergence
from dualsrm.model import AT_REST, IN_WINDOW
from dualsrm.plan.move import DEMOTE_DEADLINE_S, VERDICT_DEADLINE_S, MoveGoal, plan_move, plan_settle
from dualsrm.plan.steps import (
    Arm,
    Command,
    Demote,
    Disarm,
    FencingIs,
    GuestGone,
    GuestRuns,
    MigrateLive,
    Plan,
    Promote,
    Replicating,
    RoleIs,
    SafeToPart,
    SetFencing,
    SetTwoPrimaries,
    Step,
    TwoPrimariesIs,
)

RESOURCES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5, unique=True).map(tuple)
SOURCE, TARGET = "alpha", "beta"
BOTH = {SOURCE, TARGET}


def plan_for(resources: tuple[str, ...]) -> Plan:
    return plan_move(MoveGoal("lab", "web", "uuid", resources, SOURCE, TARGET, deadline_s=600))


def step(plan: Plan, name: str) -> Step:
    (found,) = [one for one in plan if one.name == name]
    return found


def position(plan: Plan, command: Command) -> int:
    (found,) = [number for number, one in enumerate(plan) if command in one.do]
    return found


def inverse(command: Command) -> Command:
    match command:
        case SetTwoPrimaries(host, resource, allowed):
            return SetTwoPrimaries(host, resource, not allowed)
        case Promote(host, resource):
            return Demote(host, resource)
    raise AssertionError(f"{command} cannot be undone")


@given(RESOURCES)
def test_an_undo_takes_back_exactly_what_was_done_no_more_no_less(resources: tuple[str, ...]) -> None:
    for one in plan_for(resources):
        if one.undo and one.name != "arm":
            taken_back = [command for command in one.do if not isinstance(command, SetFencing)]  # by the hosts
            assert set(one.undo) == {inverse(command) for command in taken_back}
            assert len(one.undo) == len(taken_back)


@given(RESOURCES)
def test_undone_in_reverse_order_no_side_is_closed_before_it_was_demoted(resources: tuple[str, ...]) -> None:
    """DRBD refuses with 164 to close while both are Primary."""
    undone = [command for one in reversed(plan_for(resources)) for command in one.undo]
    last_demotion = max(undone.index(Demote(TARGET, resource)) for resource in resources)
    for resource in resources:
        for host in BOTH:
            assert undone.index(SetTwoPrimaries(host, resource, allowed=False)) > last_demotion


@given(RESOURCES)
def test_open_before_promote_before_migrate_before_demote_before_close(resources: tuple[str, ...]) -> None:
    plan = plan_for(resources)
    crossing = position(plan, MigrateLive("web", "uuid", SOURCE, TARGET))
    for resource in resources:
        promoted = position(plan, Promote(TARGET, resource))
        demoted = position(plan, Demote(SOURCE, resource))
        for host in BOTH:
            assert position(plan, SetTwoPrimaries(host, resource, allowed=True)) < promoted < crossing
            assert crossing < demoted < position(plan, SetTwoPrimaries(host, resource, allowed=False))


@given(RESOURCES)
def test_every_resource_on_both_hosts_or_none(resources: tuple[str, ...]) -> None:
    every = {(host, resource) for host in BOTH for resource in resources}
    plan = plan_for(resources)
    opening, closing = step(plan, "open window"), step(plan, "close window")
    assert set(opening.do) == {
        *(SetTwoPrimaries(host, resource, allowed=True) for host, resource in every),
        *(SetFencing(host, resource, IN_WINDOW) for host, resource in every),
    }
    assert set(opening.verify) >= {
        *(TwoPrimariesIs(host, resource, allowed=True) for host, resource in every),
        *(FencingIs(host, resource, IN_WINDOW) for host, resource in every),
    }
    assert set(closing.do) == {
        *(SetTwoPrimaries(host, resource, allowed=False) for host, resource in every),
        *(SetFencing(host, resource, AT_REST) for host, resource in every),
    }
    assert set(closing.verify) == {
        *(TwoPrimariesIs(host, resource, allowed=False) for host, resource in every),
        *(FencingIs(host, resource, AT_REST) for host, resource in every),
    }
    assert set(step(plan, "open window").undo_verify) == {TwoPrimariesIs(h, r, allowed=False) for h, r in every}
    promote = step(plan, "promote")
    assert set(promote.do) == {Promote(TARGET, resource) for resource in resources}
    assert set(promote.verify) == {RoleIs(TARGET, resource, primary=True) for resource in resources}
    assert set(promote.undo_verify) == {RoleIs(TARGET, resource, primary=False) for resource in resources}


@given(RESOURCES)
def test_each_step_is_verified_or_is_the_migration_that_stands_alone(resources: tuple[str, ...]) -> None:
    """But for the guards' own: they say that they are armed; after their end *verify* looks at the pair."""
    for one in plan_for(resources):
        crossing = [command for command in one.do if isinstance(command, MigrateLive)]
        assert bool(one.verify) != (bool(crossing) or one.name in ("arm", "disarm"))
        assert not crossing or len(one.do) == 1
        assert bool(one.undo) == bool(one.undo_verify)
        assert one.deadline_s > 0


@given(RESOURCES)
def test_what_can_be_undone_comes_before_the_crossing_and_what_persists_after(resources: tuple[str, ...]) -> None:
    plan = plan_for(resources)
    crossing = position(plan, MigrateLive("web", "uuid", SOURCE, TARGET))
    for number, one in enumerate(plan):
        assert one.persist == (number > crossing)
        if number > crossing:
            assert not one.undo
        elif number < crossing and one.do:
            assert one.undo


@given(RESOURCES)
def test_nothing_is_promoted_before_all_that_could_have_changed_is_seen_again(resources: tuple[str, ...]) -> None:
    plan = plan_for(resources)
    names = [one.name for one in plan]
    every = [(host, resource) for host in BOTH for resource in resources]
    assert names.index("promote") == names.index("open window") + 1
    assert set(step(plan, "open window").verify) >= {
        GuestRuns(SOURCE, "web"),
        GuestGone(TARGET, "web", "uuid"),
        *(RoleIs(host, resource, primary=host == SOURCE) for host, resource in every),
        *(Replicating(host, resource) for host, resource in every),
    }


@given(RESOURCES)
def test_nothing_is_opened_before_both_hosts_guard_and_every_lost_link_freezes(resources: tuple[str, ...]) -> None:
    plan = plan_for(resources)
    names = [one.name for one in plan]
    assert set(step(plan, "arm").do) == {Arm(host, "lab", "web", "uuid", SOURCE, TARGET, resources) for host in BOTH}
    opening = step(plan, "open window")
    for host in BOTH:
        mine = [command for command in opening.do if command.host == host]
        last_frozen = max(mine.index(SetFencing(host, resource, IN_WINDOW)) for resource in resources)
        assert last_frozen < min(mine.index(SetTwoPrimaries(host, resource, allowed=True)) for resource in resources)
        assert {FencingIs(host, resource, IN_WINDOW) for resource in resources} <= set(opening.verify)
    assert names.index("arm") < names.index("open window") < names.index("promote")


@given(RESOURCES)
def test_the_guards_end_when_nothing_freezes_any_more(resources: tuple[str, ...]) -> None:
    """A host that is frozen and has forgotten its window would have nobody to ask."""
    plan = plan_for(resources)
    assert step(plan, "disarm").do == tuple(Disarm(host) for host in (TARGET, SOURCE))
    assert step(plan, "arm").verify == step(plan, "disarm").verify == (), "they say so themselves"
    done = [command for one in plan for command in one.do]
    for host in BOTH:
        thawed = max(done.index(SetFencing(host, resource, AT_REST)) for resource in resources)
        assert done.index(Disarm(host)) > thawed


@given(RESOURCES)
def test_a_move_called_off_leaves_the_freeze_to_the_hosts(resources: tuple[str, ...]) -> None:
    """With a second Primary left, or a guest that stands frozen, taking it back by hand would split or hide it."""
    arm = step(plan_for(resources), "arm")
    assert set(arm.undo) == {Disarm(host) for host in BOTH}
    assert set(arm.undo_verify) == {FencingIs(host, resource, AT_REST) for host in BOTH for resource in resources}


@given(RESOURCES)
def test_nothing_is_demoted_before_the_qemu_is_gone_and_both_hosts_agree(resources: tuple[str, ...]) -> None:
    """Demoting an idle side whose link is down would put away the only copy of the last writes."""
    plan = plan_settle("web", "uuid", resources, runs_on=TARGET, other=SOURCE)
    first = plan[0]
    assert first.do == ()
    assert set(first.verify) == {
        GuestGone(SOURCE, "web", "uuid"),
        *(SafeToPart(host, resource) for host in BOTH for resource in resources),
    }
    demote = step(plan, "demote")
    assert demote.do == tuple(Demote(SOURCE, resource) for resource in resources)
    assert demote.verify == tuple(RoleIs(SOURCE, resource, primary=False) for resource in resources)
    assert not any(isinstance(c, Demote) and c.host == TARGET for one in plan for c in one.do)
    assert set(plan[-1].verify) == {
        GuestRuns(TARGET, "web"),
        *(RoleIs(TARGET, resource, primary=True) for resource in resources),
        *(Replicating(host, resource) for host in BOTH for resource in resources),
    }


@given(RESOURCES)
def test_a_move_ends_as_a_recovery_would(resources: tuple[str, ...]) -> None:
    plan = plan_for(resources)
    settle = plan_settle("web", "uuid", resources, runs_on=TARGET, other=SOURCE)
    assert plan[-len(settle) :] == settle


def test_the_steps_as_people_read_them() -> None:
    assert [one.name for one in plan_for(("web",))] == [
        "arm",
        "open window",
        "promote",
        "migrate",
        "leave source",
        "demote",
        "close window",
        "disarm",
        "verify",
    ]


def test_the_crossing_has_the_time_and_the_schedule_that_were_asked_for() -> None:
    schedule = Convergence(pause_s=5.0)
    goal = MoveGoal("lab", "web", "uuid", ("web",), SOURCE, TARGET, deadline_s=1234, convergence=schedule)
    crossing = step(plan_move(goal), "migrate")
    assert crossing.do == (MigrateLive("web", "uuid", SOURCE, TARGET, schedule),)
    assert crossing.verify == (), "its outcome is read from both hosts"
    assert crossing.deadline_s == 1234


def test_what_waits_for_a_dead_link_or_a_slow_qemu_has_the_time_for_it() -> None:
    plan = plan_for(("web",))
    assert step(plan, "leave source").deadline_s == VERDICT_DEADLINE_S
    assert step(plan, "promote").deadline_s == step(plan, "demote").deadline_s == DEMOTE_DEADLINE_S


@given(RESOURCES)
def test_no_plan_but_the_crossing_touches_the_guest(resources: tuple[str, ...]) -> None:
    around: Sequence[type[Command]] = (Arm, Disarm, SetFencing, SetTwoPrimaries, Promote, Demote)
    for one in plan_for(resources):
        for command in (*one.do, *one.undo):
            assert isinstance(command, (*around, MigrateLive))
