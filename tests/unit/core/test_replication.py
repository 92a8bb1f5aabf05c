"""Who may go on alone: predicates on one side's view, over every word DRBD has and some it has not.

What passes for replicated in full is in `tests/unit/engine/test_engine_conditions.py`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from dualsrm.model import ConnectionState, DiskState, PeerVolume, ReplicationState, Resource, Role, Volume
from dualsrm.replication import connected, given_way, peer_given_way, replication_differs, settled_differs
from tests.builders import resource

CONNECTED = resource(primary=True)
STALE = {"Outdated", "Inconsistent"}
DISKS = [*(state.value for state in DiskState), "Quantum"]
ROLES = [*(role.value for role in Role), "Tertiary"]


def side(
    *,
    role: str = "Secondary",
    disks: tuple[str, ...] = ("UpToDate",),
    peers: tuple[str, ...] = ("DUnknown",),
    state: str = "Connecting",
    suspended: tuple[str, ...] = (),
) -> Resource:
    """One side of a pair whose link is down, a volume for each disk."""
    assert CONNECTED.connection is not None
    return replace(
        CONNECTED,
        role=Role(role),
        suspended=suspended,
        volumes=tuple(Volume(number, number, DiskState(disk)) for number, disk in enumerate(disks)),
        connection=replace(
            CONNECTED.connection,
            state=ConnectionState(state),
            volumes=tuple(
                PeerVolume(number, ReplicationState.OFF, DiskState(disk)) for number, disk in enumerate(peers)
            ),
        ),
    )


def test_connected_is_one_word() -> None:
    assert {word for word in [*ConnectionState, "Quantum"] if connected(side(state=word))} == {"Connected"}
    assert not connected(replace(CONNECTED, connection=None))


def test_given_way_is_secondary_on_stale_disks() -> None:
    passing = {(role, disk) for role, disk in product(ROLES, DISKS) if given_way(side(role=role, disks=(disk,)))}
    assert passing == {("Secondary", disk) for disk in STALE}


def test_the_peer_gave_way_when_a_primary_that_writes_knows_it_stale() -> None:
    passing = {(role, disk) for role, disk in product(ROLES, DISKS) if peer_given_way(side(role=role, peers=(disk,)))}
    assert passing == {("Primary", disk) for disk in STALE}


@pytest.mark.parametrize("reason", ["fencing", "user", "quorum", "a word nobody knows"])
def test_who_is_frozen_does_not_know_yet(reason: str) -> None:
    assert not peer_given_way(side(role="Primary", peers=("Outdated",), suspended=(reason,)))


@pytest.mark.parametrize("good", ["UpToDate", "Consistent", "DUnknown", "Quantum"])
def test_each_volume_counts(good: str) -> None:
    assert given_way(side(disks=("Outdated", "Inconsistent")))
    assert not given_way(side(disks=("Outdated", good)))
    assert peer_given_way(side(role="Primary", peers=("Outdated", "Inconsistent")))
    assert not peer_given_way(side(role="Primary", peers=("Outdated", good)))


def test_a_side_that_shows_no_volume_says_nothing() -> None:
    assert not given_way(side(disks=()))
    assert not peer_given_way(side(role="Primary", peers=()))
    assert not peer_given_way(replace(side(role="Primary"), connection=None))


def test_safe_to_part_is_replicating_or_agreed_and_never_both_for_the_same_reason() -> None:
    assert not settled_differs(CONNECTED)
    assert not settled_differs(side(disks=("Outdated",)))
    assert not settled_differs(side(role="Primary", peers=("Outdated",)))
    for undecided in (side(), side(role="Primary"), side(role="Primary", disks=("Outdated",))):
        assert settled_differs(undecided) == replication_differs(undecided) != ""
