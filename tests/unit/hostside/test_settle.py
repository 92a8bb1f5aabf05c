"""What a host closes by itself; whole runs are in tests/simulator."""

from __future__ import annotations

import pytest

from dualsrm.hostside.settle import settle
from dualsrm.hostside.watching import Watch
from dualsrm.model import AT_REST, IN_WINDOW, ConnectionState, Role, Window
from tests.simulator.pair import ALPHA, BETA, WEB, SimPair
from tests.simulator.pair.local import SimLocal
from tests.simulator.pair.state import Guard, Left

WINDOW = Window("op1", "pair", "web", "uuid-1", ALPHA, BETA, ("web",), "2026-11-22T09:00:00+00:00")


@pytest.fixture(params=["8.4", "9"])
def pair(request: pytest.FixtureRequest) -> SimPair:
    """An open window whose manager is gone: both Primary, the guest at the source."""
    pair = SimPair(request.param, [WEB], fencing=IN_WINDOW)
    for machine in pair.machines.values():
        machine.handler = False
        machine.left["op1"] = Left(WINDOW)
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.ports[BETA].promote("web")
    return pair


def test_the_idle_side_is_demoted_and_all_is_closed(pair: SimPair) -> None:
    assert settle(SimLocal(pair, ALPHA)) == ("web: Primary on both sides",)
    assert settle(SimLocal(pair, BETA)) == ()
    assert settle(SimLocal(pair, ALPHA)) == ()
    for host, role in ((ALPHA, Role.PRIMARY), (BETA, Role.SECONDARY)):
        node = pair.drbd.nodes[host, "web"]
        assert (node.role, node.two_primaries, node.fencing) == (role, False, AT_REST)
        assert not pair.machines[host].left


def test_a_window_whose_manager_lives_is_left_alone(pair: SimPair) -> None:
    pair.machines[BETA].guards["op1"] = Guard(WINDOW, Watch(WINDOW))
    assert settle(SimLocal(pair, BETA)) == ()
    assert pair.drbd.nodes[BETA, "web"].role is Role.PRIMARY
    assert pair.machines[BETA].left


def test_an_incoming_qemu_is_not_demoted_away(pair: SimPair) -> None:
    pair.libvirt.spawn("web", BETA, incoming=True)
    pair.libvirt.pause("web", BETA, "migration")
    assert settle(SimLocal(pair, BETA)) == ("web: Primary on both sides",)
    assert pair.libvirt.qemu(BETA, "web") is not None


def test_a_device_that_is_held_open_stays(pair: SimPair) -> None:
    pair.open_device(BETA, "web")
    (text,) = settle(SimLocal(pair, BETA))
    assert "held open" in text
    assert pair.machines[BETA].left


def test_a_frozen_side_is_left_as_it_is(pair: SimPair) -> None:
    pair.cut_link()
    assert settle(SimLocal(pair, ALPHA)) == ("web: frozen",)
    node = pair.drbd.nodes[ALPHA, "web"]
    assert (node.two_primaries, node.fencing) == (True, IN_WINDOW)


def test_agreed_sides_that_stand_alone_are_connected(pair: SimPair) -> None:
    """8.4 forgets who its peer was, and what was decided here tells who goes on; 9 keeps the option that differs."""
    pair.cut_link()
    pair.ports[BETA].demote("web")
    for host, code in ((BETA, 6), (ALPHA, 4)):
        node = pair.drbd.nodes[host, "web"]
        pair.drbd.answer_fence_peer(node, code, node.connects)
        SimLocal(pair, host).decide(WINDOW, ALPHA)
    pair.ports[ALPHA].set_two_primaries("web", allowed=False)
    pair.heal_link()
    assert {node.connection for node in pair.drbd.nodes.values()} == {ConnectionState.STANDALONE}
    for host in (BETA, ALPHA):
        settle(SimLocal(pair, host))
    assert {node.connection for node in pair.drbd.nodes.values()} == {ConnectionState.CONNECTED}
    assert not pair.drbd.split_brains
