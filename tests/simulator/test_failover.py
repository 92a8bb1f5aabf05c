"""Failover by the book; is the host lost, is it seen off, is the data whole: each with the fact that would break it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dualsrm.engine.failover_report import FailoverState
from dualsrm.errors import ExitCode, HostUnreachable, UsageError
from dualsrm.model import DiskState, Role, Unknown
from dualsrm_exporter.metrics import operations as m
from dualsrm_exporter.operations.collector import OperationsCollector
from tests.simulator.driving import Manager
from tests.simulator.lost import ON_BETA, isolated, journal, lost, outdated, refused, states
from tests.simulator.pair import (
    ALPHA,
    BETA,
    Fault,
    ManagerCrash,
    SimPair,
    assert_promises,
    broken_promises,
)
from tests.simulator.pair.local import SimLocal
from tests.simulator.pair.port import SimHostPort
from tests.simulator.pair.state import FenceDevice
from tests.unit.exporter.rig import collect, samples

# --- the source is off --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["works", "none"])
def test_every_guest_comes_back_and_no_write_is_lost(manager: Manager, device: FenceDevice) -> None:
    pair = lost(manager, device)
    outcome = manager.failover(None, BETA, confirm_off=None if device == "works" else ALPHA)
    assert states(outcome) == {"web": FailoverState.FAILED_OVER, "db": FailoverState.FAILED_OVER}
    assert outcome.exit_code is ExitCode.OK
    assert_promises(pair, ON_BETA)
    for report in outcome.reports:
        assert None not in (report.fence_s, report.promote_s, report.start_s)
        assert not report.warnings
    seen_off = [call.method for call in pair.calls if call.method in ("fence", "confirm_off")]
    assert seen_off == ["fence" if device == "works" else "confirm_off"], "once for all"


def test_a_second_time_there_is_nothing_to_do(manager: Manager) -> None:
    pair = lost(manager)
    manager.failover(None, BETA)
    pair.timeline[:] = pair.events
    assert not manager.failover(None, BETA).reports
    again = manager.failover("web", BETA)
    assert (states(again), again.exit_code) == ({"web": FailoverState.ALREADY}, ExitCode.OK)
    assert not pair.changed_anything()


def test_one_that_is_off_is_not_switched_again(manager: Manager) -> None:
    lost(manager)
    manager.failover("web", BETA)
    (fenced,) = [line for line in journal(manager) if line["kind"] == "fenced"]
    assert (fenced["was"], fenced["asked"], fenced["off"]) == ("off", False, True)


def test_the_lost_host_comes_back_and_gives_way(manager: Manager) -> None:
    pair = lost(manager)
    manager.failover(None, BETA)
    pair.clock.advance(30)
    pair.power_on(ALPHA)
    pair.clock.advance(60)
    assert_promises(pair, ON_BETA)
    assert {node.disk for node in pair.drbd.of_host(ALPHA)} == {DiskState.UP_TO_DATE}
    assert {node.role for node in pair.drbd.of_host(ALPHA)} == {Role.SECONDARY}


def test_the_exporter_counts_how_it_ended_for_each_guest(manager: Manager) -> None:
    """Its own end is the worst of theirs, a word of another list: each success was counted as `other`, and paged."""
    lost(manager)
    manager.failover(None, BETA)
    manager.failover("web", BETA)
    manager.failover(None, BETA)
    found = collect(OperationsCollector(manager.state))
    ends = {labels: value for labels, value in samples(found, m.OPERATIONS).items() if value}
    assert ends == {("failover", "failed over"): 2, ("failover", "nothing to do"): 2}
    assert {guest for _, _, guest in samples(found, m.LAST_SUCCESS)} >= {"web", "db"}
    assert not samples(found, m.LAST_FAILURE)


def test_signs_and_who_confirms_it_are_in_the_journal(manager: Manager) -> None:
    lost(manager, "none")
    outcome = manager.failover("web", BETA, confirm_off=ALPHA)
    intents = [line for line in journal(manager) if line["kind"] == "intent"]
    assert intents[-1]["signs"] == list(outcome.prepared.signs)
    assert len(outcome.prepared.signs) == 3
    assert intents[-1]["confirmed_by"] == "anna@desk"
    assert intents[-1]["at"]
    assert manager.pair.machines[BETA].off == {ALPHA: "anna@desk"}


# --- is it lost ---------------------------------------------------------------------------------------------------


def test_a_host_that_answers_is_not_lost(manager: Manager) -> None:
    manager.pair.machines[BETA].fence = "works"
    why = refused(manager.failover("web", BETA), manager.pair)
    assert "alpha answers the manager" in why
    assert "dualsrm migrate --to beta -- web" in why


@pytest.mark.parametrize(
    ("alive", "sign"),
    [
        (lambda pair: pair.reach_again(ALPHA), "alpha answers the manager"),
        (lambda pair: pair.heal_management_between_hosts(), "alpha answers beta"),
        (lambda pair: pair.heal_link("db-log"), "db-log on beta is Connected"),
    ],
)
def test_one_sign_of_life_refuses(manager: Manager, alive: Callable[[SimPair], None], sign: str) -> None:
    pair = isolated(manager)
    alive(pair)
    assert sign in refused(manager.failover("web", BETA, confirm_off=None), pair)
    assert pair.machines[ALPHA].powered


def test_one_sign_of_loss_is_not_enough(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manager cannot ask, nor can the survivor: that the link is away is all there is."""
    pair = lost(manager, "none")
    monkeypatch.setattr(SimHostPort, "heard", lambda _self: Unknown("no route to any host"))
    monkeypatch.setattr(SimLocal, "reach", lambda _self, _peer: (None, "ssh cannot be run"))
    why = refused(manager.failover("web", BETA, confirm_off=ALPHA), pair)
    assert "only 1 of 2" in why


def test_a_survivor_that_does_not_answer(manager: Manager) -> None:
    pair = lost(manager)
    pair.isolate(BETA)
    with pytest.raises(HostUnreachable):
        manager.failover("web", BETA)
    assert not pair.changed_anything()


# --- fenced before anything is promoted ---------------------------------------------------------------------------


def test_isolated_and_writing_it_is_off_before_the_first_promotion(manager: Manager) -> None:
    pair = isolated(manager)
    powered: list[bool] = []
    pair.before_call("promote", lambda: powered.append(pair.machines[ALPHA].powered))
    outcome = manager.failover("web", BETA)
    assert powered == [False]
    order = [call.method for call in pair.calls if call.method in ("fence", "promote", "start")]
    assert order == ["fence", "promote", "start"]
    assert states(outcome) == {"web": FailoverState.FAILED_OVER}
    (report,) = outcome.reports
    assert pair.running_on("web") == (BETA,)
    # What alpha wrote alone is not here, and that is said with the time.
    assert all(text.startswith("P2: web") for text in broken_promises(pair))
    assert report.warnings[0] == (
        "alpha was on until it was switched off: beta may lack writes from shortly before 2026-11-22T09:00:20+00:00, "
        "when beta noticed"
    )


def test_what_was_on_is_remembered_when_the_manager_dies_after_the_switch(manager: Manager) -> None:
    pair = isolated(manager)
    pair.faults.append(Fault("crash_after", "fence"))
    with pytest.raises(ManagerCrash):
        manager.failover("web", BETA)
    pair.restart_manager()
    (report,) = manager.failover("web", BETA).reports
    assert report.state is FailoverState.FAILED_OVER
    assert "may lack writes from" in report.warnings[0]


@pytest.mark.parametrize("act", [lost, isolated])
@pytest.mark.parametrize(
    ("device", "named"), [("none", "has no fence device"), ("refuses", "cannot be reached"), ("password", "password")]
)
def test_refused_without_a_way_to_see_it_off(
    manager: Manager, act: Callable[[Manager, FenceDevice], SimPair], device: FenceDevice, named: str
) -> None:
    pair = act(manager, device)
    why = refused(manager.failover("web", BETA), pair)
    assert named in why
    assert "dualsrm failover --to beta --confirm-off alpha -- web" in why
    assert "[peers.alpha.fence]" in why
    assert pair.machines[ALPHA].powered is (act is isolated)


@pytest.mark.parametrize("act", [lost, isolated])
def test_a_device_that_lies_is_not_believed(manager: Manager, act: Callable[[Manager, FenceDevice], SimPair]) -> None:
    pair = act(manager, "lies")
    outcome = manager.failover(None, BETA)
    assert set(states(outcome).values()) == {FailoverState.NOT_FENCED}
    assert outcome.exit_code is ExitCode.NEEDS_ATTENTION
    assert "its status does not show off" in outcome.reports[0].seen
    assert "--confirm-off alpha" in outcome.reports[0].fix
    assert [call.method for call in pair.changed_anything()] == ["fence"]
    assert_promises(pair)


def test_a_device_that_breaks_between_look_and_switch_touched_nothing(manager: Manager) -> None:
    pair = isolated(manager)
    pair.before_call("fence", lambda: setattr(pair.machines[BETA], "fence", "refuses"))
    outcome = manager.failover("web", BETA)
    assert (states(outcome), outcome.exit_code) == ({"web": FailoverState.REFUSED}, ExitCode.REFUSED)
    assert pair.machines[ALPHA].powered
    assert_promises(pair)


def test_a_person_is_not_believed_against_a_device_that_shows_on(manager: Manager) -> None:
    pair = isolated(manager)
    assert "shows it on" in refused(manager.failover("web", BETA, confirm_off=ALPHA), pair)


@pytest.mark.parametrize("device", ["refuses", "password"])
def test_a_person_stands_in_for_a_device_that_says_nothing(manager: Manager, device: FenceDevice) -> None:
    pair = lost(manager, device)
    assert states(manager.failover("web", BETA, confirm_off=ALPHA)) == {"web": FailoverState.FAILED_OVER}
    assert_promises(pair)


def test_only_the_lost_host_is_confirmed_off(manager: Manager) -> None:
    lost(manager, "none")
    with pytest.raises(UsageError, match="--confirm-off names beta"):
        manager.failover("web", BETA, confirm_off=BETA)


# --- data ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("disk", [DiskState.OUTDATED, DiskState.CONSISTENT])
def test_a_disk_left_behind_is_refused_with_its_age(manager: Manager, disk: DiskState) -> None:
    pair = outdated(manager, disk)
    why = refused(manager.failover("web", BETA), pair)
    assert f"web/0 is {disk}; it was cut off 2026-11-22T09:00:20+00:00" in why
    assert "dualsrm failover --to beta --accept-data-loss -- web" in why


def test_where_nobody_knows_the_age_that_is_said(manager: Manager) -> None:
    pair = outdated(manager)
    pair.drbd.nodes[BETA, "web"].lost_at = None
    assert "since when is not known" in refused(manager.failover("web", BETA), pair)


@pytest.mark.parametrize("disk", [DiskState.OUTDATED, DiskState.CONSISTENT])
def test_it_is_promoted_by_force_only_when_the_loss_is_accepted(manager: Manager, disk: DiskState) -> None:
    pair = outdated(manager, disk)
    outcome = manager.failover(None, BETA, accept_data_loss=True)
    assert set(states(outcome).values()) == {FailoverState.FAILED_OVER}
    by_host = [(call.method, call.subject) for call in pair.calls if call.method.startswith("promote")]
    assert by_host == [("promote", "db-data"), ("promote", "db-log"), ("promote_forced", "web")]
    web, db = outcome.reports
    assert any("is lost" in text for text in web.warnings)
    assert not db.warnings
    assert any("is lost" in str(line.get("warnings")) for line in journal(manager))
    assert all(text.startswith("P2: web") for text in broken_promises(pair)), "accepted"


@pytest.mark.parametrize("disk", [DiskState.INCONSISTENT, DiskState.DISKLESS])
@pytest.mark.parametrize("accept", [False, True])
def test_one_that_is_not_whole_is_never_promoted(manager: Manager, disk: DiskState, accept: bool) -> None:
    pair = outdated(manager, disk)
    why = refused(manager.failover("web", BETA, accept_data_loss=accept), pair)
    assert "--accept-data-loss" not in why
    assert disk in why


@pytest.mark.parametrize("accept", [False, True])
def test_a_disk_that_changed_since_the_look_is_not_promoted(manager: Manager, accept: bool) -> None:
    pair = outdated(manager) if accept else lost(manager)
    changed = DiskState.INCONSISTENT if accept else DiskState.CONSISTENT
    pair.before_call("fence", lambda: setattr(pair.drbd.nodes[BETA, "web"], "disk", changed))
    outcome = manager.failover("web", BETA, accept_data_loss=accept)
    assert states(outcome) == {"web": FailoverState.ROLLED_BACK}
    assert not [call for call in pair.calls if call.method.startswith("promote")]
