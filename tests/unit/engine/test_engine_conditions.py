"""What passes for replicated in full: one combination of words out of all, and no word nobody knows."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from itertools import product

import pytest

from dualsrm.engine.conditions import unmet
from dualsrm.engine.environment import Environment
from dualsrm.model import (
    AT_REST,
    IN_WINDOW,
    Connection,
    ConnectionState,
    DiskState,
    PeerVolume,
    ReplicationState,
    Resource,
    Role,
    Volume,
)
from dualsrm.plan.steps import (
    Condition,
    FencingIs,
    GuestGone,
    GuestRuns,
    Replicating,
    RoleIs,
    SafeToPart,
    TwoPrimariesIs,
)
from dualsrm.replication import replication_differs
from tests.builders import resource
from tests.simulator.driving import one_by_one
from tests.simulator.pair import WEB, SimPair

GOOD = resource(primary=True)


def words(kind: type[StrEnum]) -> list[str]:
    return [*(member.value for member in kind), "Quantum", "", "connected", "uptodate"]


def change(connection: str, disk: str, peer_disk: str, replication: str) -> Resource:
    found = GOOD.connection
    assert found is not None
    peer = PeerVolume(0, ReplicationState(replication), DiskState(peer_disk))
    volume = replace(GOOD.volumes[0], disk=DiskState(disk))
    return replace(
        GOOD, volumes=(volume,), connection=replace(found, state=ConnectionState(connection), volumes=(peer,))
    )


def test_only_one_combination_passes() -> None:
    every = product(words(ConnectionState), words(DiskState), words(DiskState), words(ReplicationState))
    passing = [said for said in every if not replication_differs(change(*said))]
    assert passing == [("Connected", "UpToDate", "UpToDate", "Established")]


@pytest.mark.parametrize("reason", ["user", "no-data", "fencing", "quorum", "a word nobody knows"])
def test_suspended_io_does_not_pass(reason: str) -> None:
    assert reason in replication_differs(replace(GOOD, suspended=(reason,)))


def test_no_connection_does_not_pass() -> None:
    assert "no connection" in replication_differs(replace(GOOD, connection=None))


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_each_volume_counts(bad: int) -> None:
    """Three volumes, one not in step, on this side or on the other."""
    connection = GOOD.connection
    assert connection is not None
    volumes = [Volume(n, n, DiskState.UP_TO_DATE) for n in range(3)]
    peers = [PeerVolume(n, ReplicationState.ESTABLISHED, DiskState.UP_TO_DATE) for n in range(3)]
    assert not replication_differs(_with(volumes, peers, connection))
    broken = [replace(v, disk=DiskState.FAILED) if v.number == bad else v for v in volumes]
    assert f"web/{bad}" in replication_differs(_with(broken, peers, connection))
    behind = [replace(p, replication=ReplicationState.SYNC_TARGET) if p.number == bad else p for p in peers]
    assert f"web/{bad}" in replication_differs(_with(volumes, behind, connection))
    stale = [replace(p, peer_disk=DiskState.OUTDATED) if p.number == bad else p for p in peers]
    assert f"web/{bad}" in replication_differs(_with(volumes, stale, connection))


def _with(volumes: list[Volume], peers: list[PeerVolume], connection: Connection) -> Resource:
    return replace(GOOD, volumes=tuple(volumes), connection=replace(connection, volumes=tuple(peers)))


@pytest.mark.parametrize("kept", ["volumes", "peers"])
def test_a_volume_only_one_side_speaks_of_does_not_pass(kept: str) -> None:
    """Saying nothing about a copy is not saying that it is fine."""
    connection = GOOD.connection
    assert connection is not None
    volumes = list(GOOD.volumes) if kept == "volumes" else []
    peers = list(connection.volumes) if kept == "peers" else []
    assert replication_differs(_with(volumes, peers, connection))
    assert replication_differs(_with([], [], connection))


# --- the guest, the role and the option ---------------------------------------------------------------------------


def seen(pair: SimPair, condition: Condition) -> str:
    """What keeps it from holding; empty when it holds."""
    found = unmet(Environment(pair.ports, pair.clock, one_by_one), [condition])
    return "; ".join(one.seen for one in found)


def test_a_guest_runs_where_it_is_active_and_nowhere_else() -> None:
    pair = SimPair("9", [WEB])
    assert not seen(pair, GuestRuns("alpha", "web"))
    assert "shutoff" in seen(pair, GuestRuns("beta", "web"))
    assert "does not know" in seen(pair, GuestRuns("alpha", "ghost"))
    pair.libvirt.pause("web", "alpha", "user")
    assert not seen(pair, GuestRuns("alpha", "web")), "paused by its owner, and moved as it is"


def test_a_guest_is_gone_when_the_process_table_says_so() -> None:
    pair = SimPair("9", [WEB])
    uuid = pair.libvirt.guests["web"].uuid
    pair.libvirt.inactive("web", "alpha", "migrated", exits_after=10)
    assert "QEMU" in seen(pair, GuestGone("alpha", "web", uuid))
    pair.clock.advance(11)
    assert not seen(pair, GuestGone("alpha", "web", uuid))


@pytest.mark.parametrize("primary", [True, False])
def test_a_role_is_that_role_and_no_other(primary: bool) -> None:
    pair = SimPair("9", [WEB])
    assert bool(seen(pair, RoleIs("alpha", "web", primary=primary))) != primary
    assert bool(seen(pair, RoleIs("beta", "web", primary=primary))) == primary
    pair.drbd.node("alpha", "web").role = Role("Tertiary")
    assert "Tertiary" in seen(pair, RoleIs("alpha", "web", primary=primary))


@pytest.mark.parametrize("allowed", [True, False])
def test_the_option_is_what_was_read_not_what_was_set(allowed: bool) -> None:
    pair = SimPair("9", [WEB])
    condition = TwoPrimariesIs("beta", "web", allowed)
    assert bool(seen(pair, condition)) == allowed
    pair.drbd.set_two_primaries("alpha", "web", allowed=True)
    assert bool(seen(pair, condition)) != allowed


@pytest.mark.parametrize("policy", [AT_REST, IN_WINDOW])
def test_the_freeze_policy_is_what_was_read_on_that_host(policy: str) -> None:
    pair = SimPair("9", [WEB])
    condition = FencingIs("beta", "web", policy)
    assert bool(seen(pair, condition)) == (policy == IN_WINDOW)
    pair.drbd.set_fencing("alpha", "web", IN_WINDOW)
    assert bool(seen(pair, condition)) == (policy == IN_WINDOW), "each side has its own"
    pair.drbd.set_fencing("beta", "web", IN_WINDOW)
    assert bool(seen(pair, condition)) == (policy == AT_REST)


def test_a_pair_that_lost_its_link_may_part_once_the_hosts_have_agreed() -> None:
    pair = SimPair("9", [WEB])
    assert not seen(pair, SafeToPart("alpha", "web"))
    pair.cut_link()
    pair.clock.advance(60)
    assert "Connecting" in seen(pair, Replicating("alpha", "web"))
    assert not seen(pair, SafeToPart("alpha", "web")), "beta outdated itself over the management network"
    assert not seen(pair, SafeToPart("beta", "web"))


def test_a_pair_whose_hosts_cannot_talk_may_not_part() -> None:
    pair = SimPair("9", [WEB])
    pair.cut_management_between_hosts()
    pair.cut_link()
    pair.clock.advance(120)
    assert "Connecting" in seen(pair, SafeToPart("alpha", "web"))


@pytest.mark.parametrize(
    "condition",
    [
        GuestRuns("beta", "web"),
        GuestGone("beta", "web", "uuid"),
        RoleIs("beta", "web", primary=False),
        Replicating("beta", "web"),
        SafeToPart("beta", "web"),
        TwoPrimariesIs("beta", "web", allowed=False),
        FencingIs("beta", "web", AT_REST),
    ],
    ids=str,
)
def test_nothing_holds_on_a_host_that_does_not_answer(condition: Condition) -> None:
    pair = SimPair("9", [WEB])
    pair.isolate("beta")
    assert "does not answer" in seen(pair, condition)
