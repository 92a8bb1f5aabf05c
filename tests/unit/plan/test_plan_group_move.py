"""A group that moves with its file system: all stopped before it changes sides, and one way back for all of them."""

from __future__ import annotations

from dataclasses import replace

from dualsrm.model import Filesystem
from dualsrm.plan.cold import MOUNT_DEADLINE_S, START_DEADLINE_S, Patience
from dualsrm.plan.filesystem_steps import Mount, MountedIs, Unmount
from dualsrm.plan.group_move import GroupGoal, Member, plan_arrived, plan_group_move, plan_next
from dualsrm.plan.steps import (
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

SOURCE, TARGET = "alpha", "beta"
BOTH = (SOURCE, TARGET)
FS = Filesystem("shop", "files", 0, "/srv/shop", "ext4", ("db", "web"))
DB = Member("db", "uuid-db", Patience(300.0, destroy=True), ("files", "db-log"))
WEB = Member("web", "uuid-web", Patience(60.0), ("files",))
GOAL = GroupGoal(FS, (DB, WEB), SOURCE, TARGET)
NAMES = ("files", "db-log")
AT_SOURCE: set[Condition] = {RoleIs(SOURCE, name, primary=True) for name in NAMES}
NOT_AT_TARGET: set[Condition] = {RoleIs(TARGET, name, primary=False) for name in NAMES}
IN_STEP: set[Condition] = {Replicating(host, name) for host in BOTH for name in NAMES}
MOUNTED = MountedIs(SOURCE, FS, mounted=True)


def plan() -> Plan:
    return plan_group_move(GOAL)


def step(name: str) -> Step:
    (found,) = [one for one in plan() if one.name == name]
    return found


def stops() -> dict[str, Step]:
    found = {}
    for one in plan():
        for command in one.do:
            if isinstance(command, ShutDown):
                found[command.guest] = one
    return found


def test_the_file_systems_resource_and_all_others_of_the_guests_move_once() -> None:
    assert GOAL.resources == NAMES


def test_the_order() -> None:
    """The last one started is the first one stopped."""
    assert [one.name for one in plan()] == [
        "recheck", "define", "shut down", "shut down", "unmount", "demote", "replicated", "promote", "mount", "start",
    ]  # fmt: skip
    assert list(stops()) == ["web", "db"]


def test_nothing_is_stopped_before_all_that_could_have_changed_is_seen_again() -> None:
    recheck = plan()[0]
    assert recheck.do == ()
    assert set(recheck.verify) == {
        *(GuestRuns(SOURCE, one.guest) for one in GOAL.members),
        *(GuestGone(TARGET, one.guest, one.uuid) for one in GOAL.members),
        MOUNTED,
        *(TwoPrimariesIs(host, name, allowed=False) for host in BOTH for name in NAMES),
        *AT_SOURCE,
        *NOT_AT_TARGET,
        *IN_STEP,
    }
    assert recheck.deadline_s <= 10


def test_every_guest_is_defined_at_the_target_before_one_is_stopped() -> None:
    define = plan()[1]
    assert set(define.do) == {CopyDefinition(TARGET, guest, SOURCE) for guest in ("db", "web")}
    assert set(define.verify) == {GuestDefined(TARGET, guest) for guest in ("db", "web")}


def test_each_guest_has_its_own_patience_and_is_started_again_on_what_it_had() -> None:
    for member in GOAL.members:
        found = stops()[member.guest]
        assert found.do == (ShutDown(SOURCE, member.guest, member.uuid, member.patience.destroy),)
        assert found.verify == (GuestGone(SOURCE, member.guest, member.uuid),)
        assert found.deadline_s == member.patience.deadline_s
        assert found.undo == (StartDomain(SOURCE, member.guest),)
        assert set(found.undo_needs) == {
            GuestGone(TARGET, member.guest, member.uuid), *AT_SOURCE, *NOT_AT_TARGET, MOUNTED,
        }  # fmt: skip
        assert found.undo_verify == (GuestRuns(SOURCE, member.guest),)
        assert found.undo_deadline_s == START_DEADLINE_S


def test_the_file_system_is_mounted_at_the_source_again_only_where_it_can_be_nowhere_else() -> None:
    unmount = step("unmount")
    assert unmount.do == (Unmount(SOURCE, FS),)
    assert unmount.verify == (MountedIs(SOURCE, FS, mounted=False),)
    assert unmount.undo == (Mount(SOURCE, FS),)
    assert set(unmount.undo_needs) == AT_SOURCE | NOT_AT_TARGET
    assert unmount.undo_verify == (MOUNTED,)
    assert unmount.undo_deadline_s == MOUNT_DEADLINE_S


def test_the_source_is_promoted_again_only_when_the_target_is_not() -> None:
    demote = step("demote")
    assert demote.do == tuple(Demote(SOURCE, name) for name in NAMES)
    assert demote.undo == tuple(Promote(SOURCE, name) for name in NAMES)
    assert set(demote.undo_needs) == NOT_AT_TARGET
    assert set(demote.undo_verify) == AT_SOURCE


def test_nothing_is_promoted_that_is_not_seen_replicated_after_the_last_write() -> None:
    replicated = step("replicated")
    assert replicated.do == ()
    assert set(replicated.verify) == IN_STEP


def test_the_first_guest_is_started_on_the_file_system_at_the_target() -> None:
    assert step("promote").do == tuple(Promote(TARGET, name) for name in NAMES)
    assert step("mount").do == (Mount(TARGET, FS),)
    start = step("start")
    assert start.do == (StartDomain(TARGET, "db"),)
    assert {GuestRuns(TARGET, "db"), MountedIs(TARGET, FS, mounted=True)} <= set(start.verify)
    assert set(start.undo_verify) == {GuestGone(host, "db", "uuid-db") for host in BOTH}


def test_one_more_guest_undoes_only_its_own_start() -> None:
    (start,) = plan_next(GOAL, WEB)
    assert start.do == (StartDomain(TARGET, "web"),)
    assert start.undo == (DestroyDomain(TARGET, "web"),)
    assert set(start.verify) == {
        GuestRuns(TARGET, "web"),
        *(RoleIs(TARGET, name, primary=True) for name in NAMES),
        MountedIs(TARGET, FS, mounted=True),
    }
    assert set(start.undo_verify) == {GuestGone(host, "web", "uuid-web") for host in BOTH}


def test_the_last_look_is_at_what_was_started_and_calls_nothing_off() -> None:
    (verify,) = plan_arrived(GOAL, ["db"])
    assert verify.name == "verify"
    assert verify.do == ()
    assert set(verify.verify) == {GuestRuns(TARGET, "db"), MountedIs(TARGET, FS, mounted=True), *IN_STEP}
    assert verify.persist


def test_a_group_of_one_on_one_resource() -> None:
    alone = replace(GOAL, members=(WEB,))
    assert alone.resources == ("files",)
    assert [one.name for one in plan_group_move(alone)].count("shut down") == 1
