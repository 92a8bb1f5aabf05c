"""Failover of the guests themselves: one that fails, one that runs, one in the middle of a move; and the lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualsrm.engine.failover_report import FailoverState
from dualsrm.errors import ExitCode, Refused
from dualsrm.model import LockHolder, Role
from tests.simulator.driving import Manager
from tests.simulator.lost import isolated, lost, outdated, refused, states, words
from tests.simulator.pair import (
    ALPHA,
    BETA,
    WEB,
    Fault,
    GuestSpec,
    ManagerCrash,
    Reported,
    SimPair,
    assert_promises,
)

# --- the guest ----------------------------------------------------------------------------------------------------


def test_a_guest_that_is_not_defined_there(manager: Manager) -> None:
    pair = lost(manager)
    del pair.libvirt.records[BETA, "web"]
    assert "not defined on beta" in refused(manager.failover("web", BETA), pair)
    assert states(manager.failover(None, BETA)) == {"db": FailoverState.FAILED_OVER}


def test_what_does_not_start_is_undone(manager: Manager) -> None:
    pair = lost(manager)
    pair.libvirt.guests["db"].broken_on = BETA
    outcome = manager.failover("db", BETA)
    assert (states(outcome), outcome.exit_code) == ({"db": FailoverState.ROLLED_BACK}, ExitCode.ROLLED_BACK)
    assert "br-x" in outcome.reports[0].seen
    assert {pair.drbd.nodes[BETA, name].role for name in ("db-data", "db-log")} == {Role.SECONDARY}
    assert_promises(pair)
    pair.libvirt.guests["db"].broken_on = None
    assert states(manager.failover("db", BETA)) == {"db": FailoverState.FAILED_OVER}
    assert_promises(pair, Reported(runs_on={"db": BETA}))


@pytest.mark.parametrize("broken", ["web", "db"])
def test_one_that_fails_does_not_stop_the_others(manager: Manager, broken: str) -> None:
    pair = lost(manager)
    pair.libvirt.guests[broken].broken_on = BETA
    (other,) = {"web", "db"} - {broken}
    outcome = manager.failover(None, BETA)
    assert states(outcome) == {broken: FailoverState.ROLLED_BACK, other: FailoverState.FAILED_OVER}
    assert outcome.exit_code is ExitCode.ROLLED_BACK
    assert_promises(pair, Reported(runs_on={other: BETA}))


def test_one_that_is_refused_does_not_stop_the_others(manager: Manager) -> None:
    pair = outdated(manager)
    outcome = manager.failover(None, BETA)
    assert states(outcome) == {"db": FailoverState.FAILED_OVER}
    assert outcome.exit_code is ExitCode.NEEDS_ATTENTION
    assert "web/0 is Outdated" in words(outcome)
    assert pair.drbd.nodes[BETA, "web"].role is Role.SECONDARY


def test_a_guest_that_runs_there_already_is_left_alone(tmp_path: Path) -> None:
    pair = SimPair("8.4", [WEB, GuestSpec("mail", (("mail", 0),), runs_on=BETA)])
    manager = Manager(pair, tmp_path)
    lost(manager)
    assert states(manager.failover("mail", BETA)) == {"mail": FailoverState.ALREADY}
    assert states(manager.failover(None, BETA)) == {"web": FailoverState.FAILED_OVER}
    assert_promises(pair, Reported(runs_on={"web": BETA, "mail": BETA}))


@pytest.mark.parametrize("broken", ["web", "second"])
def test_guests_on_one_resource_go_one_after_the_other(tmp_path: Path, broken: str) -> None:
    pair = SimPair("8.4", [WEB, GuestSpec("second", (("web", 1),))])
    manager = Manager(pair, tmp_path)
    lost(manager)
    pair.libvirt.guests[broken].broken_on = BETA
    (other,) = {"web", "second"} - {broken}
    assert states(manager.failover(None, BETA)) == {
        broken: FailoverState.ROLLED_BACK,
        other: FailoverState.FAILED_OVER,
    }
    assert pair.running_on(other) == (BETA,)


def test_a_survivor_silent_after_the_start_is_in_doubt(manager: Manager) -> None:
    pair = lost(manager)
    pair.after_call("start", lambda: pair.isolate(BETA))
    outcome = manager.failover("web", BETA)
    assert (states(outcome), outcome.exit_code) == ({"web": FailoverState.IN_DOUBT}, ExitCode.IN_DOUBT)
    assert "make beta answer" in outcome.reports[0].fix
    pair.reach_again(BETA)
    assert states(manager.failover("web", BETA)) == {"web": FailoverState.ALREADY}


def test_stopped_by_the_operator_before_the_first_act(manager: Manager) -> None:
    pair = isolated(manager)
    manager.stop = True
    outcome = manager.failover("web", BETA)
    assert (states(outcome), outcome.exit_code) == ({"web": FailoverState.REFUSED}, ExitCode.REFUSED)
    assert not pair.changed_anything()


# --- in the middle of a move --------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("manager_dies", [False, True])
def test_a_source_lost_while_memory_is_copied(manager: Manager, share: float, manager_dies: bool) -> None:
    """The interrupted move is why, and is no reason against it; the window it left is closed."""
    pair = manager.pair
    pair.machines[BETA].fence = "works"
    pair.during_copy(share, lambda: pair.power_off(ALPHA))
    if manager_dies:
        pair.during_copy(share, pair.kill_manager)
        with pytest.raises(ManagerCrash):
            manager.migrate("web")
        pair.restart_manager()
    else:
        manager.migrate("web")
    pair.clock.advance(120)
    outcome = manager.failover("web", BETA)
    assert states(outcome) == {"web": FailoverState.FAILED_OVER}, words(outcome)
    if manager_dies:
        assert any("has no end" in text for text in outcome.reports[0].warnings)
    assert_promises(pair, Reported(runs_on={"web": BETA}))
    pair.power_on(ALPHA)
    pair.clock.advance(240)
    assert_promises(pair, Reported(runs_on={"web": BETA}))


def test_an_interrupted_failover_is_ended_by_recover_once_both_hosts_answer(manager: Manager) -> None:
    pair = lost(manager)
    pair.faults.append(Fault("crash_after", "promote"))
    with pytest.raises(ManagerCrash):
        manager.failover(None, BETA)
    pair.faults.clear()
    pair.restart_manager()
    pair.power_on(ALPHA)
    pair.clock.advance(120)
    recovered = manager.recover()
    assert set(recovered.down) == {"web", "db"}
    assert recovered.closed_operations
    assert_promises(pair, Reported(in_doubt=frozenset({"web", "db"})))
    assert manager.recover().exit_code is ExitCode.OK


# --- the lock -----------------------------------------------------------------------------------------------------


def test_only_the_survivors_lock_is_taken_and_given_back(manager: Manager) -> None:
    pair = lost(manager)
    manager.failover("web", BETA)
    assert {
        (call.host, call.method) for call in pair.calls if "lock" in call.method and call.method != "lock_holder"
    } == {
        (BETA, "lock"),
        (BETA, "unlock"),
    }
    assert not pair.machines[BETA].locks


def test_a_lock_of_a_dead_operation_of_ours_is_released(manager: Manager) -> None:
    pair = lost(manager)
    pair.faults.append(Fault("crash_before", "promote"))
    with pytest.raises(ManagerCrash):
        manager.failover("web", BETA)
    pair.restart_manager()
    assert pair.machines[BETA].locks
    (report,) = manager.failover("web", BETA).reports
    assert report.state is FailoverState.FAILED_OVER
    assert "failover" in report.warnings[0]
    assert not pair.machines[BETA].locks


def test_another_managers_lock_refuses(manager: Manager) -> None:
    pair = lost(manager)
    pair.machines[BETA].locks["pair"] = LockHolder("other", "elsewhere", "2026-11-22T09:00:00+00:00")
    with pytest.raises(Refused, match="locked on beta by other") as raised:
        manager.failover("web", BETA)
    assert "on beta, rm /run/dualsrm/lock-pair.json" in raised.value.fix
    assert not pair.changed_anything()
