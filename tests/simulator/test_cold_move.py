"""Moving a guest with a stop between, with the real engine: by the book, with odd guests, and as a fallback."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualsrm.engine.report import MoveState
from dualsrm.errors import ExitCode
from dualsrm.model import Role
from tests.simulator.driving import Manager
from tests.simulator.pair import Phase, Reported, Script, SimPair, assert_promises, assert_quiet
from tests.simulator.pair.state import Manners

GUESTS = {"web": ("web",), "db": ("db-data", "db-log")}


@pytest.fixture(params=["8.4", "9"])
def pair(request: pytest.FixtureRequest) -> SimPair:
    return SimPair(request.param)


@pytest.fixture
def manager(pair: SimPair, tmp_path: Path) -> Manager:
    return Manager(pair, tmp_path)


def runs(manager: Manager, guest: str, host: str) -> None:
    """It runs there, the other side is Secondary, and all is as at rest."""
    other = manager.pair.pair.other(host)
    assert manager.pair.running_on(guest) == (host,)
    assert {manager.pair.drbd.nodes[other, name].role for name in GUESTS[guest]} == {Role.SECONDARY}
    assert_promises(manager.pair, Reported(runs_on={guest: host}))
    assert_quiet(manager.pair)


@pytest.mark.parametrize("guest", GUESTS)
def test_there_and_back(manager: Manager, guest: str) -> None:
    for target in ("beta", "alpha"):
        report = manager.migrate_cold(guest)
        assert (report.state, report.method, report.target) == (MoveState.MOVED, "cold", target), report.seen
        assert report.outage_s is not None
        assert report.window_s is None, "nothing allows two Primaries"
        runs(manager, guest, target)


def test_two_primaries_are_never_allowed(manager: Manager) -> None:
    manager.migrate_cold("db")
    assert not [call for call in manager.pair.calls if call.method in ("set_two_primaries", "arm", "start_migration")]


def test_it_is_defined_at_the_target_that_never_had_it(manager: Manager) -> None:
    manager.pair.libvirt.records.pop(("beta", "web"), None)
    assert manager.migrate_cold("web").state is MoveState.MOVED
    runs(manager, "web", "beta")


def test_a_target_that_cannot_start_it_leaves_it_running_at_the_source(manager: Manager) -> None:
    manager.pair.libvirt.guests["db"].broken_on = "beta"
    report = manager.migrate_cold("db")
    assert (report.state, report.exit_code) == (MoveState.ROLLED_BACK, ExitCode.ROLLED_BACK)
    assert "br-x" in report.seen
    assert report.outage_s is not None, "it was down meanwhile"
    runs(manager, "db", "alpha")


def test_a_guest_that_ignores_the_request_runs_on(manager: Manager) -> None:
    manager.pair.libvirt.guests["web"].manners = Manners(acpi=False)
    report = manager.migrate_cold("web")
    assert report.state is MoveState.MAY_STOP
    assert "was asked to shut down" in report.seen
    runs(manager, "web", "alpha")


def test_a_device_that_something_holds_open_does_not_leave_the_guest_down(manager: Manager) -> None:
    manager.pair.open_device("alpha", "web")
    report = manager.migrate_cold("web")
    assert report.state is MoveState.ROLLED_BACK
    assert "held open by" in report.seen
    assert manager.pair.running_on("web") == ("alpha",)


def test_a_device_held_open_for_a_moment_is_waited_for(manager: Manager) -> None:
    manager.pair.open_device("alpha", "web", seconds=20)
    assert manager.migrate_cold("web").state is MoveState.MOVED


def test_stopped_by_the_operator_before_it_was_down_it_runs_on(manager: Manager) -> None:
    manager.pair.libvirt.guests["web"].manners = Manners(acpi=False)
    manager.pair.at(10.0, lambda: setattr(manager, "stop", True))
    report = manager.migrate_cold("web")
    assert report.state is MoveState.MAY_STOP
    assert "operator" in report.seen
    assert manager.pair.running_on("web") == ("alpha",)


def test_a_guest_with_another_cpu_may_go_cold(manager: Manager) -> None:
    """What keeps it from moving live is what the operator moves it cold for."""
    manager.pair.machines["alpha"].peer_link = "nobody"
    manager.pair.cut_path()
    assert manager.migrate_cold("web").state is MoveState.MOVED


# --- the fallback -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guest", GUESTS)
def test_a_live_move_that_was_rolled_back_is_finished_cold(manager: Manager, guest: str) -> None:
    manager.pair.script = Script(fail_at=Phase.COPYING)
    report = manager.migrate_or_cold(guest)
    assert (report.state, report.method) == (MoveState.MOVED, "cold"), report.seen
    manager.pair.clock.advance(30)
    runs(manager, guest, "beta")


def test_a_live_move_that_succeeds_is_not_repeated(manager: Manager) -> None:
    report = manager.migrate_or_cold("web")
    assert (report.state, report.method) == (MoveState.MOVED, "live")


def test_a_guest_that_stopped_by_itself_is_not_started(manager: Manager) -> None:
    manager.pair.during_copy(0.5, lambda: manager.pair.libvirt.guest_shuts_down("web"))
    report = manager.migrate_or_cold("web")
    assert report.state is MoveState.STOPPED
    assert not [call for call in manager.pair.calls if call.method == "start"]


def test_an_operator_who_stops_the_live_move_does_not_get_the_cold_one(manager: Manager) -> None:
    manager.pair.during_copy(0.5, lambda: setattr(manager, "stop", True))
    report = manager.migrate_or_cold("web")
    assert (report.state, report.method) == (MoveState.ROLLED_BACK, "live")
    manager.pair.clock.advance(30)
    runs(manager, "web", "alpha")


def test_after_the_link_was_lost_the_checks_keep_it_from_going_cold(manager: Manager) -> None:
    manager.pair.during_copy(0.5, manager.pair.cut_link)
    report = manager.migrate_or_cold("web")
    assert report.state is MoveState.ROLLED_BACK
    assert "not moved cold" in report.seen
    assert manager.pair.running_on("web") == ("alpha",)
