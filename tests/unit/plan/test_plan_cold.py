"""Stopping, starting and the cold move: what comes before what, what is looked at, and what takes it back."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from dualsrm.model import Filesystem, Fsck
from dualsrm.plan.cold import (
    FSCK_LOOK_S,
    MOUNT_DEADLINE_S,
    START_DEADLINE_S,
    ColdGoal,
    Patience,
    plan_cold_move,
    plan_give_back,
    plan_start,
    plan_stop,
)
from dualsrm.plan.filesystem_steps import CheckFilesystem, Mount, MountedIs, Unmount
from dualsrm.plan.move import DEMOTE_DEADLINE_S
from dualsrm.plan.steps import (
    Command,
    Condition,
    CopyDefinition,
    Demote,
    DestroyDomain,
    GuestDefined,
    GuestGone,
    GuestRuns,
    Plan,
    Promote,
    Replicating,
    RoleIs,
    ShutDown,
    StartDomain,
    Step,
    TwoPrimariesIs,
)

HERE, THERE = "alpha", "beta"
BOTH = (HERE, THERE)
NAMES = ("data", "log")
FS = Filesystem("shop", "data", 0, "/srv/shop", "ext4")
GOAL = ColdGoal("db", "uuid", NAMES, HERE, THERE)
WITH_FILES = replace(GOAL, filesystems=(FS,))
PATIENCE = Patience(300.0, destroy=True)
SIDES = tuple((HERE, name) for name in NAMES)
SOME = [subset for size in range(3) for subset in combinations(NAMES, size)]


def gone(*hosts: str) -> set[Condition]:
    return {GuestGone(host, "db", "uuid") for host in hosts}


def roles(host: str, *, primary: bool) -> set[Condition]:
    return {RoleIs(host, name, primary) for name in NAMES}


def in_step() -> set[Condition]:
    return {Replicating(host, name) for host in BOTH for name in NAMES}


def window_closed() -> set[Condition]:
    return {TwoPrimariesIs(host, name, allowed=False) for host in BOTH for name in NAMES}


def names(plan: Plan) -> list[str]:
    return [step.name for step in plan]


def steps(plan: Plan) -> dict[str, Step]:
    found = {step.name: step for step in plan}
    assert len(found) == len(plan), "two steps of one name could not be told apart in the journal"
    return found


def start(
    goal: ColdGoal = GOAL,
    *,
    here: tuple[str, ...] = (),
    there: tuple[str, ...] = (),
    defined: bool = True,
    mounted: tuple[Filesystem, ...] = (),
) -> Plan:
    return plan_start(goal, primary_here=here, primary_there=there, defined=defined, mounted=mounted)


def move(goal: ColdGoal = GOAL) -> Plan:
    return plan_cold_move(goal, PATIENCE)


# --- stop ---------------------------------------------------------------------------------------------------------


def test_a_stop_shuts_down_then_unmounts_then_demotes() -> None:
    assert names(plan_stop(GOAL, PATIENCE)) == ["shut down", "demote"]
    assert names(plan_stop(WITH_FILES, PATIENCE)) == ["shut down", "unmount", "demote"]


def test_a_guest_is_shut_down_with_its_own_patience_until_no_process_is_left() -> None:
    shut_down = plan_stop(GOAL, PATIENCE)[0]
    assert shut_down.do == (ShutDown(HERE, "db", "uuid", destroy=True),)
    assert set(shut_down.verify) == gone(HERE)
    assert shut_down.deadline_s == 300.0
    (command,) = plan_stop(GOAL, Patience(60.0))[0].do
    assert command == ShutDown(HERE, "db", "uuid", destroy=False), "nobody asked for force"


def test_what_is_given_back_is_demoted_below_no_qemu_and_there_is_no_way_back() -> None:
    unmount, demote = plan_give_back(WITH_FILES, SIDES)
    assert unmount.do == (Unmount(HERE, FS),)
    assert unmount.verify == (MountedIs(HERE, FS, mounted=False),)
    assert unmount.deadline_s == MOUNT_DEADLINE_S
    assert demote.do == tuple(Demote(HERE, name) for name in NAMES)
    assert set(demote.verify) == gone(HERE) | roles(HERE, primary=False)
    assert demote.deadline_s == DEMOTE_DEADLINE_S
    for step in (unmount, demote):
        assert step.insist, "udev or a slow QEMU may hold the device for a moment"
        assert step.persist
        assert not step.undo


def test_only_the_file_systems_of_what_is_given_back_are_unmounted() -> None:
    other = replace(FS, resource="log", mount="/srv/log")
    goal = replace(GOAL, filesystems=(FS, other))
    unmount, _ = plan_give_back(goal, ((HERE, "log"),))
    assert unmount.do == (Unmount(HERE, other),)


def test_nothing_to_give_back_is_no_plan() -> None:
    assert plan_give_back(WITH_FILES, ()) == ()


# --- start --------------------------------------------------------------------------------------------------------


def test_the_order_of_a_start() -> None:
    assert names(start()) == ["recheck", "promote", "start"]
    assert names(start(defined=False)) == ["recheck", "promote", "define", "start"]
    assert names(start(WITH_FILES)) == ["recheck", "promote", "mount", "start"], "it is never to be checked"
    everything = start(replace(WITH_FILES, filesystems=(replace(FS, fsck=Fsck.PREEN),)), there=NAMES, defined=False)
    assert names(everything) == [
        "recheck", "unmount", "demote the idle side", "promote", "fsck", "mount", "define", "start",
    ]  # fmt: skip


@pytest.mark.parametrize("here", SOME)
@pytest.mark.parametrize("there", SOME)
def test_what_was_seen_before_a_start_is_seen_once_more(here: tuple[str, ...], there: tuple[str, ...]) -> None:
    recheck = start(here=here, there=there)[0]
    assert recheck.do == ()
    assert set(recheck.verify) == gone(*BOTH) | window_closed() | {
        *(RoleIs(HERE, name, primary=name in here) for name in NAMES),
        *(RoleIs(THERE, name, primary=name in there) for name in NAMES),
    }
    assert recheck.deadline_s <= 10, "nothing was touched yet: an old look is refused soon"


def test_the_idle_side_gives_up_what_it_has_before_anything_is_promoted() -> None:
    unmount, demote = start(WITH_FILES, there=NAMES)[1:3]
    assert unmount.do == (Unmount(THERE, FS),)
    assert demote.do == tuple(Demote(THERE, name) for name in NAMES)
    assert set(demote.verify) == gone(THERE) | roles(THERE, primary=False)
    assert demote.insist
    assert not demote.persist


@pytest.mark.parametrize("here", SOME)
def test_only_what_was_not_primary_is_promoted_and_demoted_again(here: tuple[str, ...]) -> None:
    promote = steps(start(here=here))["promote"]
    others = [name for name in NAMES if name not in here]
    assert promote.do == tuple(Promote(HERE, name) for name in others)
    assert set(promote.verify) == roles(HERE, primary=True)
    assert promote.undo == tuple(Demote(HERE, name) for name in others)
    assert promote.undo_verify == tuple(RoleIs(HERE, name, primary=False) for name in others)
    assert promote.deadline_s == DEMOTE_DEADLINE_S


def test_a_guest_is_started_on_what_is_primary_and_mounted_and_ended_when_it_does_not_come_up() -> None:
    last = start(WITH_FILES)[-1]
    assert last.do == (StartDomain(HERE, "db"),)
    assert set(last.verify) == {
        GuestRuns(HERE, "db"),
        *roles(HERE, primary=True),
        MountedIs(HERE, FS, mounted=True),
    }
    assert last.undo == (DestroyDomain(HERE, "db"),)
    assert set(last.undo_verify) == gone(*BOTH), "no side is demoted below a guest that came up late"
    assert last.deadline_s == START_DEADLINE_S


def test_a_definition_comes_from_the_other_host() -> None:
    define = steps(start(defined=False))["define"]
    assert define.do == (CopyDefinition(HERE, "db", THERE),)
    assert define.verify == (GuestDefined(HERE, "db"),)
    assert not define.undo


def test_a_file_system_is_mounted_and_unmounted_again() -> None:
    mount = steps(start(WITH_FILES))["mount"]
    assert mount.do == (Mount(HERE, FS),)
    assert mount.verify == (MountedIs(HERE, FS, mounted=True),)
    assert mount.undo == (Unmount(HERE, FS),)
    assert mount.undo_verify == (MountedIs(HERE, FS, mounted=False),)
    assert mount.deadline_s == MOUNT_DEADLINE_S


def test_what_is_mounted_there_already_is_neither_checked_nor_mounted() -> None:
    checked = replace(FS, fsck=Fsck.PREEN)
    goal = replace(GOAL, filesystems=(checked,))
    assert names(start(goal, here=NAMES, mounted=(checked,))) == ["recheck", "promote", "start"]


def test_a_check_has_its_own_time_and_touches_nothing_that_is_mounted() -> None:
    """Each as long as its group allows, one after the other; one that is never checked adds nothing."""
    first = replace(FS, fsck=Fsck.PREEN, fsck_deadline_s=100)
    second = replace(FS, resource="log", mount="/srv/log", fsck=Fsck.PREEN, fsck_deadline_s=50)
    third = replace(FS, volume=1, mount="/srv/raw")
    fsck = steps(start(replace(GOAL, filesystems=(first, second, third))))["fsck"]
    assert fsck.do == (CheckFilesystem(HERE, first), CheckFilesystem(HERE, second))
    assert set(fsck.verify) == {MountedIs(HERE, one, mounted=False) for one in (first, second)}
    assert fsck.deadline_s == FSCK_LOOK_S + 150
    assert not fsck.undo


# --- cold move ----------------------------------------------------------------------------------------------------


def test_the_order_of_a_cold_move() -> None:
    assert names(move()) == [
        "recheck", "define", "shut down", "demote", "replicated", "promote", "start", "verify",
    ]  # fmt: skip


def test_nothing_is_stopped_before_all_that_could_have_changed_is_seen_again() -> None:
    recheck = move()[0]
    assert recheck.do == ()
    assert set(recheck.verify) == {
        GuestRuns(HERE, "db"),
        *gone(THERE),
        *roles(THERE, primary=False),
        *in_step(),
        *window_closed(),
    }
    assert recheck.deadline_s <= 10


def test_a_definition_the_target_refuses_costs_no_outage() -> None:
    define = move()[1]
    assert define.do == (CopyDefinition(THERE, "db", HERE),)
    assert define.verify == (GuestDefined(THERE, "db"),)


def test_a_guest_is_started_at_the_source_again_only_if_it_can_be_nowhere_else() -> None:
    shut_down = steps(move())["shut down"]
    assert shut_down.do == (ShutDown(HERE, "db", "uuid", destroy=True),)
    assert shut_down.undo == (StartDomain(HERE, "db"),)
    assert set(shut_down.undo_needs) == gone(THERE) | roles(THERE, primary=False) | roles(HERE, primary=True)
    assert shut_down.undo_verify == (GuestRuns(HERE, "db"),)
    assert shut_down.deadline_s == 300.0
    assert shut_down.undo_deadline_s == START_DEADLINE_S, "starting takes its own time, whatever the patience was"


def test_the_source_is_promoted_again_only_when_the_target_has_nothing() -> None:
    demote = steps(move())["demote"]
    assert demote.do == tuple(Demote(HERE, name) for name in NAMES)
    assert set(demote.verify) == gone(HERE) | roles(HERE, primary=False)
    assert demote.undo == tuple(Promote(HERE, name) for name in NAMES)
    assert set(demote.undo_needs) == gone(THERE) | roles(THERE, primary=False)
    assert set(demote.undo_verify) == roles(HERE, primary=True)


def test_nothing_is_promoted_that_is_not_seen_replicated_after_the_last_write() -> None:
    plan = move()
    replicated = steps(plan)["replicated"]
    assert replicated.do == ()
    assert set(replicated.verify) == in_step()
    order = names(plan)
    assert order.index("demote") < order.index("replicated") < order.index("promote")


def test_the_target_has_it_at_the_end_on_what_is_replicated() -> None:
    promote, begin, verify = move()[-3:]
    assert promote.do == tuple(Promote(THERE, name) for name in NAMES)
    assert promote.undo == tuple(Demote(THERE, name) for name in NAMES)
    assert begin.do == (StartDomain(THERE, "db"),)
    assert begin.undo == (DestroyDomain(THERE, "db"),)
    assert verify.do == ()
    assert set(verify.verify) == {GuestRuns(THERE, "db"), *in_step()}
    assert verify.persist, "it runs there: what is seen now calls nothing off"


def test_every_step_of_a_cold_move_but_the_last_can_be_called_off() -> None:
    assert [step.name for step in move() if step.persist] == ["verify"]


def test_undone_the_guest_is_ended_at_the_target_before_the_source_is_promoted_and_starts_it() -> None:
    undone: list[Command] = [command for step in reversed(move()) for command in step.undo]
    assert undone == [
        DestroyDomain(THERE, "db"),
        *(Demote(THERE, name) for name in NAMES),
        *(Promote(HERE, name) for name in NAMES),
        StartDomain(HERE, "db"),
    ]
