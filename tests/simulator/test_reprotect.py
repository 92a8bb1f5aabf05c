"""The host that returns: in quarantine until it is resynced and seen whole; every call of that failed in every way."""

from __future__ import annotations

import pytest

from dualsrm.checks import blocking
from dualsrm.engine.failover_report import FailoverState
from dualsrm.engine.journal import interrupted
from dualsrm.engine.observe import observe
from dualsrm.engine.progress import Notice
from dualsrm.engine.reprotect import ReprotectState
from dualsrm.errors import DualsrmError, ExitCode, Refused
from dualsrm.hostside.port import Answer
from dualsrm.hostside.yielding import answer_peer
from dualsrm.model import DiskState, ReplicationState, Role
from dualsrm.overview import overview
from tests.simulator.driving import Manager
from tests.simulator.lost import isolated, lost, states
from tests.simulator.pair import ALPHA, BETA, MUTATING_KINDS, Fault, ManagerCrash, SimPair
from tests.simulator.pair.faults import Kind, Method
from tests.simulator.pair.local import SimLocal

RESOURCES = ("web", "db-data", "db-log")


def failed_over(manager: Manager) -> SimPair:
    """alpha lost power; its guests run on beta."""
    pair = lost(manager)
    outcome = manager.failover(None, BETA)
    assert set(states(outcome).values()) == {FailoverState.FAILED_OVER}
    return pair


def back(manager: Manager) -> SimPair:
    """And alpha is on again, and resynced as far as DRBD does it by itself."""
    pair = failed_over(manager)
    pair.clock.advance(60)
    pair.power_on(ALPHA)
    pair.clock.advance(60)
    pair.timeline[:] = pair.events
    return pair


def whole(pair: SimPair) -> bool:
    nodes = [pair.drbd.nodes[host, name] for host in (ALPHA, BETA) for name in RESOURCES]
    return all(one.disk is DiskState.UP_TO_DATE and pair.drbd.joined(one) for one in nodes)


def test_a_lost_host_is_in_quarantine_before_anything_is_promoted(manager: Manager) -> None:
    pair = failed_over(manager)
    assert pair.machines[BETA].quarantined.keys() == {ALPHA}
    methods = [call.method for call in pair.calls]
    assert methods.index("noted") < methods.index("promote"), "and that was seen"


def test_quarantine_outlives_a_boot_of_the_survivor(manager: Manager) -> None:
    pair = failed_over(manager)
    pair.power_off(BETA)
    pair.clock.advance(30)
    pair.power_on(BETA)
    assert pair.machines[BETA].quarantined.keys() == {ALPHA}


def test_nothing_moves_or_starts_there_until_it_is_lifted(manager: Manager) -> None:
    pair = back(manager)
    with pytest.raises(Refused, match="alpha is in quarantine"):
        manager.migrate("web", ALPHA)
    seen = overview(observe(manager.environment, pair.pair), None)
    fixes = [one.fix for guest in seen.guests for one in guest.blockers]
    assert "dualsrm reprotect -- alpha" in fixes
    manager.stop_guest("web")
    with pytest.raises(Refused, match="alpha is in quarantine"):
        manager.start_guest("web", ALPHA)
    assert manager.start_guest("web", BETA).exit_code is ExitCode.OK


def test_the_survivor_gives_way_in_nothing_also_while_the_guest_is_stopped(manager: Manager) -> None:
    pair = back(manager)
    manager.stop_guest("web")
    assert pair.drbd.nodes[BETA, "web"].role is Role.SECONDARY
    pair.cut_link("web")
    pair.clock.advance(60)
    reply = answer_peer(SimLocal(pair, BETA), "web", peer_claims=False)
    assert (reply.answer, "dualsrm reprotect alpha" in reply.why) == (Answer.OWNS, True)
    assert pair.drbd.nodes[BETA, "web"].disk is DiskState.UP_TO_DATE


def test_taken_back_and_then_a_move_like_any_other(manager: Manager) -> None:
    pair = back(manager)
    _, report = manager.reprotect(ALPHA)
    assert report is not None
    assert (report.state, report.exit_code, report.seen) == (ReprotectState.PROTECTED, ExitCode.OK, "")
    assert whole(pair)
    assert not pair.machines[BETA].quarantined
    _, again = manager.reprotect(ALPHA)
    assert again is not None
    assert again.state is ReprotectState.ALREADY
    assert manager.migrate("web", ALPHA).exit_code is ExitCode.OK


def test_two_failovers_the_survivor_of_the_last_is_not_in_quarantine(manager: Manager) -> None:
    """beta saw alpha off; alpha came back and was resynced; then beta was lost, and comes back."""
    pair = back(manager)
    pair.machines[ALPHA].fence = "works"
    pair.power_off(BETA)
    pair.clock.advance(30)
    assert set(states(manager.failover(None, ALPHA)).values()) == {FailoverState.FAILED_OVER}
    pair.power_on(BETA)
    pair.clock.advance(60)
    assert (set(pair.machines[BETA].quarantined), set(pair.machines[ALPHA].quarantined)) == ({ALPHA}, {BETA})
    with pytest.raises(Refused, match="beta is in quarantine"):
        manager.migrate("web", BETA)
    prepared, report = manager.reprotect(ALPHA)
    assert report is not None
    assert (report.state, prepared.since) == (ReprotectState.ALREADY, None), "nobody is told to end what runs there"
    _, report = manager.reprotect(BETA)
    assert report is not None
    assert report.state is ReprotectState.PROTECTED
    assert not pair.machines[ALPHA].quarantined
    assert not pair.machines[BETA].quarantined
    assert manager.migrate("web", BETA).exit_code is ExitCode.OK
    assert manager.migrate("web", ALPHA).exit_code is ExitCode.OK


def test_three_failovers_without_a_reprotect_the_last_one_counts(manager: Manager) -> None:
    """A record that was left as it was would take the host that was lost last for the survivor."""
    pair = back(manager)
    pair.machines[ALPHA].fence = "works"
    for lost_now, here in ((BETA, ALPHA), (ALPHA, BETA)):
        pair.power_off(lost_now)
        pair.clock.advance(30)
        assert set(states(manager.failover(None, here)).values()) == {FailoverState.FAILED_OVER}
        pair.power_on(lost_now)
        pair.clock.advance(60)
    with pytest.raises(Refused, match="alpha is in quarantine"):
        manager.migrate("web", ALPHA)
    _, report = manager.reprotect(BETA)
    assert report is not None
    assert report.state is ReprotectState.ALREADY, "its guests run there"
    _, report = manager.reprotect(ALPHA)
    assert report is not None
    assert report.state is ReprotectState.PROTECTED


def test_nothing_that_is_up_is_not_whole(manager: Manager) -> None:
    pair = back(manager)
    for node in pair.drbd.nodes.values():
        node.up = False
    prepared, report = manager.reprotect(ALPHA)
    assert report is None
    assert "no resource is up on either host" in [one.seen for one in blocking(prepared.findings)]


def test_a_resync_that_is_late_or_stands_still_is_told_and_goes_on(manager: Manager) -> None:
    pair = back(manager)
    for host, state in ((BETA, ReplicationState.PAUSED_SYNC_S), (ALPHA, ReplicationState.PAUSED_SYNC_T)):
        pair.drbd.nodes[host, "web"].replication = state
    _, report = manager.reprotect(ALPHA, deadline_s=120)
    assert report is not None
    assert (report.state, report.exit_code) == (ReprotectState.RESYNCING, ExitCode.NEEDS_ATTENTION)
    assert "PausedSyncT" in report.seen
    assert [event for event in manager.events if isinstance(event, Notice) and "web" in event.text]
    assert pair.machines[BETA].quarantined.keys() == {ALPHA}
    for host in (ALPHA, BETA):
        pair.drbd.nodes[host, "web"].replication = ReplicationState.ESTABLISHED
    _, again = manager.reprotect(ALPHA)
    assert again is not None
    assert again.state is ReprotectState.PROTECTED


def test_a_split_brain_is_for_a_person(manager: Manager) -> None:
    pair = isolated(manager)
    assert states(manager.failover("web", BETA)) == {"web": FailoverState.FAILED_OVER}
    pair.clock.advance(30)
    pair.power_on(ALPHA)
    pair.reach_again(ALPHA)
    pair.heal_management_between_hosts()
    for name in RESOURCES:
        pair.heal_link(name)
    pair.clock.advance(60)
    prepared, report = manager.reprotect(ALPHA)
    assert report is None
    assert "dualsrm split-brain show -- web" in [one.fix for one in blocking(prepared.findings)]
    assert pair.machines[BETA].quarantined.keys() == {ALPHA}


@pytest.mark.parametrize("kind", MUTATING_KINDS)
@pytest.mark.parametrize("method", ["lock", "lift_quarantine", "unlock"])
def test_every_call_fails_and_a_second_run_finishes(manager: Manager, method: Method, kind: Kind) -> None:
    pair = back(manager)
    fault = Fault(kind, method)
    pair.faults.append(fault)
    try:
        _, report = manager.reprotect(ALPHA)
        if report is not None and report.exit_code is ExitCode.OK:
            assert whole(pair)
            assert not pair.machines[BETA].quarantined
    except (DualsrmError, ManagerCrash):
        pass
    assert fault.hit
    pair.faults.clear()
    pair.restart_manager()
    pair.clock.advance(30)
    if interrupted(manager.state, pair.pair.name) or any(one.locks for one in pair.machines.values()):
        manager.recover(take_over=True)
    _, report = manager.reprotect(ALPHA)
    assert report is not None
    assert report.exit_code is ExitCode.OK
    assert whole(pair)
    assert not pair.machines[BETA].quarantined
