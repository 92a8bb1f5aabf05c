"""A rehearsal's plans: DRBD is told nothing, no guest's things are named, and all of it can be undone."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain

from dualsrm.model import CloneDisk, CloneSeen, DomainState, Nic, RehearsalView, SnapshotSeen, short_name
from dualsrm.plan.rehearsal import (
    BOOT_S,
    RehearsalGoal,
    clone_of,
    networks_of,
    plan_cleanup,
    plan_clone,
    plan_rehearsal,
)
from dualsrm.plan.rehearsal_steps import (
    CloneReads,
    CloneRuns,
    EndClone,
    MakeNetwork,
    NetworkIs,
    RemoveNetwork,
    RemoveSnapshot,
    SnapshotGone,
    StartClone,
)
from dualsrm.plan.split_steps import SnapshotTaken, TakeSnapshot, Target
from dualsrm.plan.steps import DisksAre, GuestGone, RoleIs
from tests.builders import BETA, UUID, domain

OPERATION = "2026-01-01T000000Z-test-failover-0a1b2c"
SNAPSHOT = TakeSnapshot(BETA, "guests", "web", "web-rehearsal-0a1b2c", 16 << 20, ("dualsrm.rehearsal",))
GOAL = RehearsalGoal(BETA, ("web",), ("dualsrm-rehearsal-0a1b2c-1",), (SNAPSHOT,))
TWO = replace(domain(), nics=(Nic("bridge", "br0", "52:54:00:79:00:21"), Nic("bridge", "br1", "52:54:00:79:00:22")))
DISKS = (CloneDisk("vda", "/dev/guests/web-rehearsal-0a1b2c", 4096),)


def test_all_but_the_clones_can_be_undone_and_is_verified() -> None:
    plan = plan_rehearsal(GOAL)
    assert [step.name for step in plan] == ["recheck", "network", "snapshot"]
    for step in plan[1:]:
        assert step.undo
        assert step.undo_verify
    assert {type(command) for step in plan for command in step.do} == {MakeNetwork, TakeSnapshot}
    assert {type(command) for step in plan for command in step.undo} == {RemoveNetwork, RemoveSnapshot}


def test_the_standby_is_looked_at_before_and_after_the_copy() -> None:
    recheck, _, snapshot = plan_rehearsal(GOAL)
    for step in (recheck, snapshot):
        assert DisksAre(BETA, "web", newest=True) in step.verify
        assert Target(BETA, "web", wanted=False) in step.verify


def test_nothing_is_made_where_the_standby_is_in_use() -> None:
    recheck = plan_rehearsal(GOAL)[0]
    assert recheck.do == ()
    assert set(recheck.verify) == {
        DisksAre(BETA, "web", newest=True),
        Target(BETA, "web", wanted=False),
        RoleIs(BETA, "web", primary=False),
    }
    assert recheck.deadline_s == 10, "nothing was touched yet: an old look is refused soon"


def test_each_network_is_seen_made_and_seen_gone() -> None:
    (name,) = GOAL.networks
    network = plan_rehearsal(GOAL)[1]
    assert network.do == (MakeNetwork(BETA, name),)
    assert network.verify == (NetworkIs(BETA, name, there=True),)
    assert network.undo == (RemoveNetwork(BETA, name),)
    assert network.undo_verify == (NetworkIs(BETA, name, there=False),)
    assert network.deadline_s == 60


def test_each_snapshot_is_seen_taken_and_seen_gone_and_each_adds_to_the_time() -> None:
    other = replace(SNAPSHOT, origin="db", name="db-rehearsal-0a1b2c")
    goal = replace(GOAL, snapshots=(SNAPSHOT, other))
    snapshot = plan_rehearsal(goal)[2]
    assert snapshot.do == goal.snapshots
    taken = {SnapshotTaken(BETA, "guests", one.origin, one.name) for one in goal.snapshots}
    assert {one for one in snapshot.verify if isinstance(one, SnapshotTaken)} == taken
    assert set(snapshot.undo) == {RemoveSnapshot(BETA, "guests", one.name) for one in goal.snapshots}
    assert set(snapshot.undo_verify) == {SnapshotGone(BETA, "guests", one.name) for one in goal.snapshots}
    assert snapshot.deadline_s == 40


def test_guests_without_a_network_need_none() -> None:
    assert [step.name for step in plan_rehearsal(replace(GOAL, networks=()))] == ["recheck", "snapshot"]


def test_who_is_apart_in_life_stays_apart() -> None:
    other = replace(domain("db"), nics=(Nic("bridge", "br1", None), Nic("network", "br1", None)))
    networks = networks_of([TWO, other], OPERATION)
    assert list(networks.values()) == [f"dualsrm-rehearsal-0a1b2c-{number}" for number in (1, 2, 3)]
    clone = clone_of(other, OPERATION, (), networks)
    assert (clone.guest, clone.name, clone.operation) == ("db", "db-rehearsal-0a1b2c", OPERATION)
    assert [nic.network for nic in clone.nics] == [networks["bridge", "br1"], networks["network", "br1"]]


def test_a_clone_is_nobody_else() -> None:
    networks = networks_of([TWO], OPERATION)
    made = [
        clone_of(one, operation, DISKS, networks)
        for one in (TWO, replace(TWO, uuid=UUID[:-1] + "2"))
        for operation in (OPERATION, OPERATION[:-1] + "d")
    ]
    assert len({one.uuid for one in made} | {UUID}) == len(made) + 1
    macs = list(chain.from_iterable((nic.mac for nic in one.nics) for one in made))
    assert len(set(macs) | {nic.mac for nic in TWO.nics}) == len(macs) + 2
    assert all(re.fullmatch("52:54:00(:[0-9a-f]{2}){3}", mac) for mac in macs)
    assert all(one.disks == DISKS for one in made)
    assert made[0] == clone_of(TWO, OPERATION, DISKS, networks), "the same again: what was started is found"


def test_what_did_not_come_up_stays_to_be_looked_at() -> None:
    clone = clone_of(TWO, OPERATION, DISKS, networks_of([TWO], OPERATION))
    plan = plan_clone(BETA, clone)
    start, boot = plan
    assert (start.name, boot.name) == ("start", "boot")
    assert start.do == (StartClone(BETA, clone),)
    assert start.verify == (CloneRuns(BETA, clone.name),)
    assert start.deadline_s == 90
    assert boot.do == ()
    assert boot.verify == (CloneReads(BETA, clone.name),)
    assert boot.deadline_s == BOOT_S
    assert not any(step.undo for step in plan)


def test_a_cleanup_ends_clones_first_and_one_failure_spares_nothing_else() -> None:
    clone = CloneSeen("web-rehearsal-0a1b2c", UUID, "web", OPERATION, DomainState.PAUSED)
    seen = SnapshotSeen("guests", "web-rehearsal-0a1b2c", "web", OPERATION, 4096, None, valid=False)
    view = RehearsalView(BETA, (seen, replace(seen, name="x")), (clone,), ("dualsrm-rehearsal-0a1b2c-1",))
    plans = plan_cleanup(view)
    name, network = "web-rehearsal-0a1b2c", "dualsrm-rehearsal-0a1b2c-1"
    assert [(step.name, step.do, step.verify) for (step,) in plans] == [
        (f"end {name}", (EndClone(BETA, name),), (GuestGone(BETA, name, UUID),)),
        (f"remove {name}", (RemoveSnapshot(BETA, "guests", name),), (SnapshotGone(BETA, "guests", name),)),
        ("remove x", (RemoveSnapshot(BETA, "guests", "x"),), (SnapshotGone(BETA, "guests", "x"),)),
        (f"remove {network}", (RemoveNetwork(BETA, network),), (NetworkIs(BETA, network, there=False),)),
    ]
    assert all(step.insist for (step,) in plans)
    assert plans[0][0].deadline_s == 60, "QEMU may take a while to exit"
    assert plan_cleanup(RehearsalView(BETA)) == ()


def test_operations_are_told_by_their_names() -> None:
    assert short_name(OPERATION) == "0a1b2c"
    for name in ("", "x", "a-b/c", "a b-c", "../x-1 ", "a-" + "b" * 9):
        assert short_name(name) == ""
    snapshot = SnapshotSeen("guests", "x", "web", OPERATION, 1, None, valid=True)
    networks = ("dualsrm-rehearsal-0a1b2c-1", "dualsrm-rehearsal-0a1b2c-2", "dualsrm-rehearsal-ffffff-1")
    assert RehearsalView(BETA, (snapshot,), (), networks).operations == (OPERATION, "ffffff")
