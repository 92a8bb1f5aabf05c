"""Giving way, one question at a time; the whole exchange runs in tests/simulator."""

from __future__ import annotations

import pytest

from dualsrm.hostside.port import Answer, GuestHere
from dualsrm.hostside.yielding import answer_peer, decide_at_target
from dualsrm.model import DiskState, Role, Window
from tests.simulator.pair import ALPHA, BETA, WEB, SimPair
from tests.simulator.pair.local import SimLocal
from tests.simulator.pair.state import Left

WINDOW = Window("op1", "pair", "web", "uuid-1", ALPHA, BETA, ("web",), "2026-11-22T09:00:00+00:00")


@pytest.fixture(params=["8.4", "9"])
def pair(request: pytest.FixtureRequest) -> SimPair:
    """A window half-way: both Primary, an incoming QEMU at the target; nobody's handler disturbs."""
    pair = SimPair(request.param, [WEB], fencing="resource-and-stonith")
    for machine in pair.machines.values():
        machine.handler = False
        machine.left["op1"] = Left(WINDOW)
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.ports[BETA].promote("web")
    pair.libvirt.spawn("web", BETA, incoming=True)
    pair.libvirt.pause("web", BETA, "migration")
    return pair


def test_the_target_ends_a_qemu_that_waits_and_gives_way(pair: SimPair) -> None:
    pair.cut_link()
    beta = SimLocal(pair, BETA)
    assert answer_peer(beta, "web", peer_claims=False).answer is Answer.GAVE_WAY
    node = pair.drbd.nodes[BETA, "web"]
    assert (node.role, node.disk, node.two_primaries) == (Role.SECONDARY, DiskState.OUTDATED, False)
    assert (beta.owner(WINDOW), beta.asked(WINDOW)) == (ALPHA, True)
    assert pair.libvirt.qemu(BETA, "web") is None


def test_a_side_that_believes_it_is_connected_gives_nothing_yet(pair: SimPair) -> None:
    pair.drbd.notice_s[BETA] = 9.0
    pair.cut_link()
    reply = answer_peer(SimLocal(pair, BETA), "web", peer_claims=False)
    assert reply.answer is Answer.NOT_YET
    assert "connected" in reply.why
    assert pair.drbd.nodes[BETA, "web"].disk is DiskState.UP_TO_DATE
    pair.clock.sleep(10)
    assert answer_peer(SimLocal(pair, BETA), "web", peer_claims=False).answer is Answer.GAVE_WAY


def test_the_target_owns_a_guest_that_arrived(pair: SimPair) -> None:
    pair.libvirt.pause("web", ALPHA, "migration")
    pair.libvirt.run("web", BETA, "migrated")
    pair.cut_link()
    assert answer_peer(SimLocal(pair, BETA), "web", peer_claims=False).answer is Answer.OWNS
    assert pair.running_on("web") == (BETA,)
    reply = answer_peer(SimLocal(pair, ALPHA), "web", peer_claims=True)
    assert reply.answer is Answer.GAVE_WAY
    assert pair.drbd.nodes[ALPHA, "web"].disk is DiskState.OUTDATED


def test_a_decision_stands(pair: SimPair) -> None:
    beta = SimLocal(pair, BETA)
    assert decide_at_target(beta, WINDOW) == ALPHA
    pair.libvirt.spawn("web", BETA)
    assert decide_at_target(beta, WINDOW) == ALPHA


def test_a_source_whose_guest_runs_believes_no_claim(pair: SimPair) -> None:
    pair.cut_link()
    reply = answer_peer(SimLocal(pair, ALPHA), "web", peer_claims=True)
    assert reply.answer is Answer.NOT_YET
    assert "runs on alpha too" in reply.why
    assert pair.drbd.nodes[ALPHA, "web"].role is Role.PRIMARY


def test_what_libvirt_cannot_say_is_not_given(pair: SimPair) -> None:
    pair.cut_link()
    pair.machines[BETA].libvirtd = False
    assert answer_peer(SimLocal(pair, BETA), "web", peer_claims=False).answer is Answer.NOT_YET
    assert SimLocal(pair, BETA).owner(WINDOW) is None


def test_without_a_window_a_primary_stays_and_a_secondary_is_outdated() -> None:
    pair = SimPair("9", [WEB], fencing="dont-care")
    pair.cut_link()
    assert answer_peer(SimLocal(pair, ALPHA), "web", peer_claims=False).answer is Answer.OWNS
    assert answer_peer(SimLocal(pair, BETA), "web", peer_claims=False).answer is Answer.GAVE_WAY
    assert pair.drbd.nodes[BETA, "web"].disk is DiskState.OUTDATED


def test_a_guest_that_was_let_go_is_the_targets_even_when_post_copy_failed(
    pair: SimPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libvirt says `paused (post-copy failed)` on both sides then; only the target's memory is newer than the copy."""
    monkeypatch.setattr(SimLocal, "kill_unless_running", lambda *_: GuestHere.SENDS)
    assert decide_at_target(SimLocal(pair, BETA), WINDOW) == BETA
