"""What must hold of stop, start and cold move, each rule with the one fault that would break it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualsrm.engine.cold import ColdState
from dualsrm.engine.report import MoveState
from dualsrm.errors import HostUnreachable, Refused
from dualsrm.model import Role
from tests.simulator.driving import Manager
from tests.simulator.pair import (
    ALPHA,
    BETA,
    Fault,
    ManagerCrash,
    Phase,
    Reported,
    Script,
    SimPair,
    assert_promises,
)
from tests.simulator.pair.state import Manners

LOOKS = ("observe", "lock_holder", "lock", "unlock", "cpu_verdict", "reach_peer")


@pytest.fixture(params=["8.4", "9"])
def pair(request: pytest.FixtureRequest) -> SimPair:
    return SimPair(request.param)


@pytest.fixture
def manager(pair: SimPair, tmp_path: Path) -> Manager:
    return Manager(pair, tmp_path)


def calls(pair: SimPair, *methods: str) -> list[tuple[str, str]]:
    """Host and method of the calls of these kinds, in order."""
    return [(call.host, call.method) for call in pair.calls if call.method in methods]


def only_looked(pair: SimPair) -> None:
    assert {call.method for call in pair.calls} <= set(LOOKS)


def down(manager: Manager) -> SimPair:
    """web is off, and what led there forgotten."""
    manager.stop_guest("web")
    manager.pair.timeline.clear()
    return manager.pair


# --- once it is seen active at the target nothing is undone -------------------------------------------------------


def test_replication_lost_after_the_start_leaves_it_at_the_target(manager: Manager) -> None:
    pair = manager.pair
    pair.after_call("start", pair.cut_link)
    report = manager.migrate_cold("web")
    assert report.state is MoveState.REPLICATION_LOST
    assert not calls(pair, "destroy")
    assert_promises(pair, Reported(runs_on={"web": BETA}))


def test_a_source_that_falls_silent_after_the_start_changes_nothing(manager: Manager) -> None:
    pair = manager.pair
    pair.after_call("start", lambda: pair.isolate(ALPHA))
    report = manager.migrate_cold("web")
    assert report.state is MoveState.MOVED_UNSETTLED
    assert not calls(pair, "destroy")
    assert pair.running_on("web") == (BETA,)


@pytest.mark.parametrize("command", ["start", "move"])
def test_active_and_drbd_silent_it_is_not_ended(manager: Manager, command: str) -> None:
    pair = down(manager) if command == "start" else manager.pair
    pair.after_call("start", lambda: setattr(pair.machines[BETA], "drbd", False))
    report = manager.start_guest("web", BETA) if command == "start" else manager.migrate_cold("web")
    assert report.state in (ColdState.IN_DOUBT, MoveState.IN_DOUBT)
    assert not calls(pair, "destroy")
    assert pair.running_on("web") == (BETA,)


def test_a_guest_that_died_since_it_was_seen_active_is_not_said_to_be_there(manager: Manager) -> None:
    pair = manager.pair

    def dies() -> None:
        pair.libvirt.kill(BETA, "web")

    pair.after_call("start", pair.cut_link)  # so that the last step is looked at more than once
    pair.after_call("start", lambda: pair.clock.after(5.0, dies))
    report = manager.migrate_cold("web")
    assert report.state is MoveState.DIED
    assert "dualsrm start -- web" in report.fix


# --- a start whose host fell silent is in doubt -------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("command", ["start", "move"])
def test_a_start_that_nobody_saw_is_in_doubt_and_not_undone(manager: Manager, command: str, when: str) -> None:
    pair = down(manager) if command == "start" else manager.pair
    (pair.before_call if when == "before" else pair.after_call)("start", lambda: pair.isolate(BETA))
    report = manager.start_guest("web", BETA) if command == "start" else manager.migrate_cold("web")
    assert report.state in (ColdState.IN_DOUBT, MoveState.IN_DOUBT)
    assert f"make {BETA} answer" in report.fix
    assert calls(pair, "start", "destroy") == [(BETA, "start")]
    assert pair.drbd.nodes[BETA, "web"].role is Role.PRIMARY


@pytest.mark.parametrize("kind", ["timeout", "timeout_done"])
def test_a_start_that_got_no_answer_is_looked_for(manager: Manager, kind: str) -> None:
    pair = manager.pair
    fault = Fault(kind, "start", host=BETA)  # type: ignore[arg-type]  # a parametrized value
    pair.faults.append(fault)
    report = manager.migrate_cold("web")
    assert fault.hit
    done = kind == "timeout_done"
    assert report.state is (MoveState.MOVED if done else MoveState.ROLLED_BACK)
    assert pair.running_on("web") == ((BETA,) if done else (ALPHA,))


def test_a_source_that_falls_silent_while_the_guest_stops_is_in_doubt(manager: Manager) -> None:
    manager.pair.after_call("ask_to_stop", lambda: manager.pair.isolate(ALPHA))
    assert manager.migrate_cold("web").state is MoveState.IN_DOUBT


def test_a_stop_that_nobody_sees_end_is_in_doubt(manager: Manager) -> None:
    manager.pair.after_call("ask_to_stop", lambda: manager.pair.isolate(ALPHA), nth=2)
    report = manager.stop_guest("web")
    assert report.state is ColdState.IN_DOUBT
    assert "dualsrm stop -- web" in report.fix


# --- it is started at the source again only beside a target that is seen without it, and Secondary ----------------


def test_not_beside_a_target_that_is_silent(manager: Manager) -> None:
    pair = manager.pair
    pair.after_call("promote", lambda: pair.isolate(BETA), host=BETA)
    report = manager.migrate_cold("web")
    assert report.state is MoveState.NOT_ROLLED_BACK
    assert not calls(pair, "start")
    assert not pair.running_on("web")


def test_not_beside_a_target_that_is_primary(manager: Manager) -> None:
    pair = manager.pair
    pair.libvirt.guests["web"].broken_on = BETA
    pair.after_call("start", lambda: pair.open_device(BETA, "web"), host=BETA)
    report = manager.migrate_cold("web")
    assert report.state is MoveState.NOT_ROLLED_BACK
    assert "held open by" in report.seen
    assert calls(pair, "start") == [(BETA, "start")]


def test_a_link_that_was_away_leaves_no_write_behind(manager: Manager) -> None:
    """Connected again, the target is still being resynced; DRBD would promote it, and it would lack writes."""
    pair = manager.pair
    pair.after_call("ask_to_stop", lambda: pair.cut_link("web"), nth=2)
    pair.after_call("ask_to_stop", lambda: pair.clock.after(2.0, pair.heal_link), nth=2)
    report = manager.migrate_cold("web")
    assert report.state is MoveState.MOVED
    assert_promises(pair, Reported(runs_on={"web": BETA}))


def test_a_link_that_stays_away_brings_it_back_to_the_source(manager: Manager) -> None:
    pair = manager.pair
    pair.after_call("ask_to_stop", pair.cut_link, nth=2)
    report = manager.migrate_cold("web")
    assert report.state is MoveState.ROLLED_BACK
    assert not [call for call in calls(pair, "promote") if call[0] == BETA]
    assert_promises(pair, Reported(runs_on={"web": ALPHA}))


# --- the definition goes first, and there is one ------------------------------------------------------------------


def test_the_definition_is_copied_before_the_guest_is_asked_to_stop(manager: Manager) -> None:
    manager.migrate_cold("web")
    assert calls(manager.pair, "definition", "define", "ask_to_stop")[:3] == [
        (ALPHA, "definition"),
        (BETA, "define"),
        (ALPHA, "ask_to_stop"),
    ]


def test_a_definition_that_is_refused_costs_no_outage(manager: Manager) -> None:
    fault = Fault("error", "define")
    manager.pair.faults.append(fault)
    assert manager.migrate_cold("web").state is MoveState.ROLLED_BACK
    assert fault.hit
    assert not calls(manager.pair, "ask_to_stop")


@pytest.mark.parametrize("command", ["stop", "move"])
def test_a_guest_that_is_not_defined_is_not_stopped(manager: Manager, command: str) -> None:
    manager.pair.libvirt.guests["web"].persistent = False
    with pytest.raises(Refused, match="only runs there"):
        manager.stop_guest("web") if command == "stop" else manager.migrate_cold("web")
    only_looked(manager.pair)


def test_nor_after_a_live_move_that_was_rolled_back(manager: Manager) -> None:
    manager.pair.libvirt.guests["web"].persistent = False
    manager.pair.script = Script(fail_at=Phase.COPYING)
    report = manager.migrate_or_cold("web")
    assert (report.state, report.method) == (MoveState.ROLLED_BACK, "live")
    assert "not moved cold" in report.seen
    assert not calls(manager.pair, "ask_to_stop")


@pytest.mark.parametrize("host", [ALPHA, BETA])
def test_not_started_where_two_definitions_lead_to_different_disks(manager: Manager, host: str) -> None:
    pair = down(manager)
    pair.libvirt.guests["web"].other_disks[BETA] = (("db-log", 0),)
    with pytest.raises(Refused):
        manager.start_guest("web", host)
    only_looked(pair)


# --- a guest that was asked may stop later ------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["deadline", "operator", "no answer"])
@pytest.mark.parametrize("command", ["stop", "move"])
def test_no_end_says_that_it_stays(manager: Manager, command: str, end: str) -> None:
    pair = manager.pair
    pair.libvirt.guests["web"].manners = Manners(stops_after_s=90.0)
    if end == "operator":
        pair.clock.after(20.0, lambda: setattr(manager, "stop", True))
    fault = Fault("timeout_done", "ask_to_stop", times=None)
    pair.faults += [fault] if end == "no answer" else []
    report = manager.stop_guest("web") if command == "stop" else manager.migrate_cold("web")
    assert bool(fault.hit) is (end == "no answer")
    assert report.state in (ColdState.STILL_RUNNING, MoveState.MAY_STOP)
    assert pair.running_on("web") == (ALPHA,)
    pair.clock.advance(100)
    assert not pair.running_on("web"), "it did stop"


def test_a_manager_killed_while_it_waits_leaves_it_to_recover_to_say_that_it_is_down(manager: Manager) -> None:
    pair = manager.pair
    fault = Fault("crash_before", "sleep", nth=2)
    pair.faults.append(fault)
    with pytest.raises(ManagerCrash):
        manager.migrate_cold("web")
    assert fault.hit
    pair.clock.advance(60)
    pair.restart_manager()
    assert manager.recover().down == ("web",)
    assert manager.start_guest("web", ALPHA).state is ColdState.STARTED


# --- two Primaries are not allowed --------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [ALPHA, BETA])
@pytest.mark.parametrize("command", ["start", "move"])
def test_never_while_two_primaries_are_allowed(manager: Manager, command: str, host: str) -> None:
    pair = down(manager) if command == "start" else manager.pair
    pair.drbd.nodes[host, "web"].two_primaries = True
    with pytest.raises(Refused):
        manager.start_guest("web", BETA) if command == "start" else manager.migrate_cold("web")
    only_looked(pair)


@pytest.mark.parametrize("host", [ALPHA, BETA])
@pytest.mark.parametrize("command", ["start", "move"])
def test_nor_when_somebody_allowed_them_since_the_look(manager: Manager, command: str, host: str) -> None:
    pair = down(manager) if command == "start" else manager.pair
    pair.after_call("observe", lambda: setattr(pair.drbd.nodes[host, "web"], "two_primaries", True), host=BETA)
    report = manager.start_guest("web", BETA) if command == "start" else manager.migrate_cold("web")
    assert report.state in (ColdState.UNTOUCHED, MoveState.UNTOUCHED)
    assert not pair.changed_anything()


# --- only what was Secondary is promoted, and undone --------------------------------------------------------------


def test_what_was_primary_before_is_neither_promoted_nor_demoted(manager: Manager) -> None:
    manager.stop_guest("db")
    pair = manager.pair
    pair.promote_by_hand(ALPHA, "db-data")
    pair.libvirt.guests["db"].broken_on = ALPHA
    pair.timeline.clear()
    assert manager.start_guest("db", ALPHA).state is ColdState.ROLLED_BACK
    touched = [(call.method, call.subject) for call in pair.calls if call.method in ("promote", "demote")]
    assert touched == [("promote", "db-log"), ("demote", "db-log")]
    assert pair.drbd.nodes[ALPHA, "db-data"].role is Role.PRIMARY


def test_a_role_that_changed_since_the_look_is_not_ours(manager: Manager) -> None:
    pair = down(manager)
    pair.after_call("observe", lambda: pair.promote_by_hand(BETA, "web"), host=BETA)
    assert manager.start_guest("web", BETA).state is ColdState.UNTOUCHED
    assert pair.drbd.nodes[BETA, "web"].role is Role.PRIMARY


# --- both hosts must answer ---------------------------------------------------------------------------------------


def test_a_stop_beside_a_dead_host_says_how_to_do_it_by_hand(manager: Manager) -> None:
    pair = manager.pair
    pair.power_off(BETA)
    with pytest.raises(HostUnreachable) as refused:
        manager.stop_guest("db")
    assert refused.value.fix == (
        "make beta answer, then run it again; if it stays away, on alpha: virsh shutdown db; once it is shut off: "
        "drbdadm secondary db-data; drbdadm secondary db-log"
    )
    only_looked(pair)


def test_beside_a_silent_host_that_may_have_it_there_is_nothing_to_do_by_hand(manager: Manager) -> None:
    manager.pair.isolate(ALPHA)
    with pytest.raises(HostUnreachable) as refused:
        manager.stop_guest("web")
    assert refused.value.fix == "make alpha answer, then run it again"


@pytest.mark.parametrize("host", [ALPHA, BETA])
def test_nothing_is_done_while_drbd_of_a_host_is_unknown(manager: Manager, host: str) -> None:
    pair = manager.pair
    pair.machines[host].drbd = False
    with pytest.raises(HostUnreachable):
        manager.stop_guest("web")
    with pytest.raises(Refused):
        manager.migrate_cold("web")
    pair.machines[host].drbd = True
    down(manager)
    pair.machines[host].drbd = False
    for target in (ALPHA, BETA):
        with pytest.raises(Refused):
            manager.start_guest("web", target)
    only_looked(pair)


def test_a_guest_known_only_to_a_silent_host_is_not_said_to_be_unknown(manager: Manager) -> None:
    pair = down(manager)
    pair.libvirt.records.pop((BETA, "web"))
    pair.isolate(ALPHA)
    with pytest.raises(HostUnreachable):
        manager.start_guest("web", BETA)
    only_looked(pair)
