"""The handler's verdicts, one attempt at a time; the whole exchange runs in tests/simulator."""

from __future__ import annotations

import pytest

from dualsrm.hostside.fence_peer import (
    ALARM_AFTER_S,
    FENCE_AFTER_S,
    PRIMARY_PATIENCE_S,
    PROMOTE_PATIENCE_S,
    Exit,
    FencePeer,
)
from dualsrm.hostside.port import HostsideError
from dualsrm.model import Role, Window
from tests.simulator.pair import ALPHA, BETA, WEB, SimPair
from tests.simulator.pair.local import SimLocal
from tests.simulator.pair.state import Left

WINDOW = Window("op1", "pair", "web", "uuid-1", ALPHA, BETA, ("web",), "2026-11-22T09:00:00+00:00")


@pytest.fixture
def pair() -> SimPair:
    """The link is cut in a window, both sides frozen; the handlers are only called by the tests."""
    pair = SimPair("9", [WEB], fencing="resource-and-stonith")
    for machine in pair.machines.values():
        machine.handler = False
        machine.left["op1"] = Left(WINDOW)
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.ports[BETA].promote("web")
    pair.cut_link()
    return pair


def handler(pair: SimPair, host: str, *, promoting: bool = False) -> FencePeer:
    return FencePeer(SimLocal(pair, host), "web", pair.drbd.other(host), 0.0, promoting=promoting)


def test_the_source_goes_on_once_the_target_gave_way(pair: SimPair) -> None:
    assert handler(pair, ALPHA).attempt(0.0) is Exit.PEER_OUTDATED
    assert not pair.drbd.nodes[ALPHA, "web"].two_primaries
    assert SimLocal(pair, ALPHA).owner(WINDOW) == ALPHA


def test_the_target_waits_for_a_source_that_asks(pair: SimPair) -> None:
    target = handler(pair, BETA)
    assert target.attempt(0.0) is None
    assert pair.drbd.nodes[BETA, "web"].role is Role.SECONDARY
    assert target.attempt(ALARM_AFTER_S) is None
    assert "web" in pair.machines[BETA].alarms
    pair.machines[BETA].left["op1"].asked = True
    assert target.attempt(ALARM_AFTER_S + 1) is Exit.PEER_PRIMARY
    assert not pair.machines[BETA].alarms


def test_a_promotion_in_a_window_asks_nobody(pair: SimPair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen on the lab: asking took 10 s for each of the kernel's calls, and the guest stood frozen twice as long."""
    monkeypatch.setattr(SimLocal, "ask", lambda *_words, **_options: pytest.fail("the peer was asked"))
    assert handler(pair, BETA, promoting=True).attempt(0.0) is Exit.NONE
    pair.machines[BETA].off[ALPHA] = "somebody"
    assert handler(pair, BETA, promoting=True).attempt(0.0) is Exit.PEER_FENCED


def test_a_promotion_asks_nobody_who_has_just_been_seen_off(pair: SimPair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question would be 3 to 10 s of silence, for each resource; a person's word is put to the test once."""
    pair.machines[BETA].left.clear()
    here, asked = SimLocal(pair, BETA), list[str]()

    def silent(_self: SimLocal, peer: str, *_words: object, **_options: object) -> None:
        asked.append(peer)

    monkeypatch.setattr(SimLocal, "ask", silent)
    here.confirm_off(ALPHA, "fence_sim on beta", shown=True)
    assert (handler(pair, BETA, promoting=True).attempt(0.0), asked) == (Exit.PEER_FENCED, [])
    pair.clock.advance(90)
    assert (handler(pair, BETA, promoting=True).attempt(0.0), asked) == (Exit.PEER_FENCED, [ALPHA])
    here.confirm_off(ALPHA, "anna")
    assert (handler(pair, BETA, promoting=True).attempt(0.0), asked) == (Exit.PEER_FENCED, [ALPHA, ALPHA])
    pair.machines[ALPHA].powered = False
    assert here.reach(ALPHA)[0] is False
    here.confirm_off(ALPHA, "anna")
    assert (handler(pair, BETA, promoting=True).attempt(0.0), asked) == (Exit.PEER_FENCED, [ALPHA, ALPHA])


def test_a_question_before_the_link_was_back_is_none_after_it(pair: SimPair) -> None:
    """Cut, asked, back, cut again, and now the source dies: an old question must not outdate the guest's last disk."""
    target = handler(pair, BETA)
    assert target.attempt(0.0) is None
    pair.machines[BETA].left["op1"].asked = True
    pair.machines[BETA].off[ALPHA] = "somebody"
    pair.heal_link()
    assert target.attempt(1.0) is Exit.NONE
    assert not SimLocal(pair, BETA).asked(WINDOW)
    assert not SimLocal(pair, BETA).confirmed_off(ALPHA)


def test_the_target_of_a_dead_source_keeps_its_disk(pair: SimPair) -> None:
    target = handler(pair, BETA)
    assert target.attempt(0.0) is None
    pair.peer_is_off(BETA, ALPHA)
    assert target.attempt(1.0) is Exit.PEER_FENCED


@pytest.mark.parametrize(("device", "verdict"), [("none", None), ("refuses", None), ("lies", None), ("works", 7)])
def test_a_silent_peer_is_fenced_or_waited_for(pair: SimPair, device: str, verdict: int | None) -> None:
    pair.cut_management_between_hosts()
    pair.machines[ALPHA].fence = device  # type: ignore[assignment]  # pytest's parameters are plain texts
    source = handler(pair, ALPHA)
    assert source.attempt(0.0) is None
    assert source.attempt(FENCE_AFTER_S - 1) is None
    assert source.attempt(FENCE_AFTER_S) == verdict
    assert pair.machines[BETA].powered == (verdict is None)


def test_somebody_who_saw_it_off_is_believed(pair: SimPair) -> None:
    pair.cut_management_between_hosts()
    source = handler(pair, ALPHA)
    assert source.attempt(0.0) is None
    pair.peer_is_off(ALPHA, BETA)
    assert source.attempt(1.0) is Exit.PEER_FENCED


def test_a_peer_that_answers_is_not_off_whatever_was_said(pair: SimPair) -> None:
    pair.drbd.notice_s[BETA] = 9.0
    pair.heal_link()
    pair.cut_link()
    pair.peer_is_off(ALPHA, BETA)
    assert handler(pair, ALPHA).attempt(0.0) is None
    assert not pair.machines[ALPHA].off


def test_two_running_guests_are_nobodys_to_choose_between(pair: SimPair) -> None:
    pair.libvirt.spawn("web", BETA)
    pair.libvirt.run("web", BETA, "migrated")
    assert handler(pair, ALPHA).attempt(0.0) is None
    assert handler(pair, BETA).attempt(0.0) is None
    assert all(node.suspended for node in pair.drbd.nodes.values())


def test_a_link_that_is_back_needs_no_verdict(pair: SimPair) -> None:
    pair.heal_link()
    assert handler(pair, ALPHA).attempt(0.0) is Exit.NONE


def test_a_promotion_that_nobody_answers_is_given_up_soon() -> None:
    pair = SimPair("9", [WEB], fencing="resource-only")
    pair.machines[ALPHA].handler = pair.machines[BETA].handler = False
    pair.cut_management_between_hosts()
    pair.cut_link()
    promotion = handler(pair, BETA, promoting=True)
    assert promotion.attempt(0.0) is None
    assert promotion.attempt(PROMOTE_PATIENCE_S) is Exit.NONE
    pair.heal_management_between_hosts()
    assert handler(pair, BETA, promoting=True).attempt(0.0) is Exit.PEER_PRIMARY


def test_nothing_is_promoted_in_a_window_without_its_peer(pair: SimPair) -> None:
    assert handler(pair, BETA, promoting=True).attempt(0.0) is Exit.NONE


@pytest.mark.parametrize("error", [HostsideError("host.toml cannot be read"), OSError("no file descriptor is left")])
def test_what_cannot_be_seen_holds_nothing_but_a_freeze(
    pair: SimPair, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A promotion holds the resource's lock, for which DRBD's answer to this very program may be waiting."""

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(SimLocal, "ask", fails)
    monkeypatch.setattr(SimLocal, "resource", fails)
    frozen = handler(pair, ALPHA)
    assert frozen.attempt(0.0) is None
    assert frozen.attempt(PRIMARY_PATIENCE_S + PROMOTE_PATIENCE_S) is None
    for machine in pair.machines.values():
        machine.left.clear()
    promotion, primary = handler(pair, BETA, promoting=True), handler(pair, ALPHA)
    assert promotion.attempt(0.0) is None
    assert promotion.attempt(PROMOTE_PATIENCE_S) is Exit.NONE
    assert primary.attempt(PROMOTE_PATIENCE_S) is None
    assert primary.attempt(PRIMARY_PATIENCE_S) is Exit.NONE
