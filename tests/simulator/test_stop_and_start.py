"""Stopping and starting a guest with the real engine: by the book, with odd guests, and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualsrm.engine.cold import ColdState
from dualsrm.errors import ExitCode, Refused
from dualsrm.model import DiskState, Role
from tests.simulator.driving import Manager
from tests.simulator.pair import WEB, Fault, ManagerCrash, Reported, SimPair, assert_promises, assert_quiet
from tests.simulator.pair.pair import GuestSpec
from tests.simulator.pair.state import Manners

GUESTS = {"web": ("web",), "db": ("db-data", "db-log")}


@pytest.fixture(params=["8.4", "9"])
def pair(request: pytest.FixtureRequest) -> SimPair:
    return SimPair(request.param)


@pytest.fixture
def manager(pair: SimPair, tmp_path: Path) -> Manager:
    return Manager(pair, tmp_path)


def roles(pair: SimPair, guest: str) -> dict[str, set[Role]]:
    return {host: {pair.drbd.nodes[host, name].role for name in GUESTS[guest]} for host in pair.pair.hosts}


SECONDARY = {"alpha": {Role.SECONDARY}, "beta": {Role.SECONDARY}}


# --- by the book --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guest", GUESTS)
@pytest.mark.parametrize("host", ["alpha", "beta"])
def test_stopped_and_started_on_either_host(manager: Manager, guest: str, host: str) -> None:
    pair = manager.pair
    assert manager.stop_guest(guest).state is ColdState.STOPPED
    assert pair.libvirt.qemu("alpha", guest) is None
    assert roles(pair, guest) == SECONDARY
    assert_promises(pair)
    report = manager.start_guest(guest, on=host)
    assert (report.state, report.host) == (ColdState.STARTED, host), report.seen
    assert pair.running_on(guest) == (host,)
    assert_promises(pair, Reported(runs_on={guest: host}))
    assert_quiet(pair)


def test_a_second_time_there_is_nothing_to_do(manager: Manager) -> None:
    assert manager.start_guest("web").state is ColdState.ALREADY
    manager.stop_guest("web")
    before = len(manager.pair.changed_anything())
    assert manager.stop_guest("web").state is ColdState.ALREADY
    assert len(manager.pair.changed_anything()) == before


def test_it_is_defined_where_it_never_was(manager: Manager) -> None:
    manager.stop_guest("web")
    manager.pair.libvirt.records.pop(("beta", "web"), None)
    assert manager.start_guest("web", on="beta").state is ColdState.STARTED
    assert manager.pair.running_on("web") == ("beta",)


def test_by_default_it_starts_where_it_is_primary(manager: Manager) -> None:
    """It was shut down from inside: the device is still Primary, and nobody meant it to change hosts."""
    manager.migrate("web")
    manager.pair.libvirt.guest_shuts_down("web")
    assert manager.start_guest("web").host == "beta"


def test_an_idle_side_that_is_still_primary_gives_up(manager: Manager) -> None:
    manager.pair.libvirt.guest_shuts_down("web")
    report = manager.start_guest("web", on="beta")
    assert report.state is ColdState.STARTED, report.seen
    assert manager.pair.drbd.nodes["alpha", "web"].role is Role.SECONDARY


def test_what_a_guest_left_primary_is_given_back(manager: Manager) -> None:
    manager.pair.libvirt.guest_shuts_down("db")
    assert manager.stop_guest("db").state is ColdState.STOPPED
    assert roles(manager.pair, "db") == SECONDARY


# --- odd guests ---------------------------------------------------------------------------------------------------


def test_asked_by_the_agent_first(manager: Manager) -> None:
    manager.pair.libvirt.guests["web"].manners = Manners(agent=True, acpi=False)
    assert manager.stop_guest("web").state is ColdState.STOPPED
    assert [call.detail for call in manager.pair.calls if call.method == "ask_to_stop"] == ["agent"]


def test_a_guest_that_hears_the_button_only_later_is_asked_again(manager: Manager) -> None:
    guest = manager.pair.libvirt.guests["web"]
    guest.manners = Manners(acpi=False)
    manager.pair.at(25.0, lambda: setattr(guest, "manners", Manners()))
    assert manager.stop_guest("web").state is ColdState.STOPPED


def test_a_guest_that_ignores_it_runs_on_and_that_is_said(manager: Manager) -> None:
    manager.pair.libvirt.guests["web"].manners = Manners(acpi=False)
    report = manager.stop_guest("web")
    assert (report.state, report.exit_code) == (ColdState.STILL_RUNNING, ExitCode.NEEDS_ATTENTION)
    assert "was asked to shut down" in report.seen
    assert "dualsrm stop --destroy -- web" in report.fix
    assert_promises(manager.pair, Reported(runs_on={"web": "alpha"}))


def test_destroyed_only_when_told_so_and_late(manager: Manager) -> None:
    pair = manager.pair
    pair.libvirt.guests["web"].manners = Manners(acpi=False)
    pair.before_call("destroy", lambda: setattr(pair.libvirt.guests["web"], "stopped_by_owner", True))
    report = manager.stop_guest("web", destroy=True)
    assert report.state is ColdState.STOPPED
    assert report.total_s > 60.0
    assert_promises(pair)


def test_no_device_is_given_back_below_a_qemu_that_lingers(manager: Manager) -> None:
    """libvirt says `shut off` before QEMU has let go: only the process table ends the wait."""
    pair = manager.pair
    pair.libvirt.guests["web"].manners = Manners(exits_after_s=20.0)
    seen: list[object] = []
    pair.before_call("demote", lambda: seen.append(pair.libvirt.qemu("alpha", "web")))
    assert manager.stop_guest("web").state is ColdState.STOPPED
    assert seen == [None]


def test_a_device_held_open_is_named_and_a_second_run_finishes(manager: Manager) -> None:
    pair = manager.pair
    pair.open_device("alpha", "web", seconds=100)
    report = manager.stop_guest("web")
    assert (report.state, report.exit_code) == (ColdState.STOPPED_UNSETTLED, ExitCode.NEEDS_ATTENTION)
    assert "held open by" in report.seen
    pair.clock.advance(60)
    assert manager.stop_guest("web").state is ColdState.STOPPED
    assert roles(pair, "web") == SECONDARY


def test_a_host_that_lacks_something_gives_the_device_back(manager: Manager) -> None:
    manager.stop_guest("web")
    manager.pair.libvirt.guests["web"].broken_on = "beta"
    report = manager.start_guest("web", on="beta")
    assert (report.state, report.exit_code) == (ColdState.ROLLED_BACK, ExitCode.ROLLED_BACK)
    assert "br-x" in report.seen
    assert roles(manager.pair, "web") == SECONDARY
    assert manager.start_guest("web", on="alpha").state is ColdState.STARTED


def test_a_resource_that_another_guest_uses_stays_primary(tmp_path: Path) -> None:
    pair = SimPair("8.4", [WEB, GuestSpec("second", (("web", 1),))])
    manager = Manager(pair, tmp_path)
    assert manager.stop_guest("web").state is ColdState.STOPPED
    assert pair.drbd.nodes["alpha", "web"].role is Role.PRIMARY
    assert pair.running_on("second") == ("alpha",)
    refused(manager, "web", "beta")
    assert manager.start_guest("web", on="alpha").state is ColdState.STARTED


# --- never a second one, never an older one -----------------------------------------------------------------------


def refused(manager: Manager, guest: str, on: str) -> None:
    """Refused, and nothing was touched."""
    before = len(manager.pair.changed_anything())
    with pytest.raises(Refused):
        manager.start_guest(guest, on)
    assert len(manager.pair.changed_anything()) == before


def test_not_while_it_runs_on_the_other_host(manager: Manager) -> None:
    refused(manager, "web", "beta")


def test_not_while_the_other_host_cannot_be_asked(manager: Manager) -> None:
    manager.stop_guest("web")
    manager.pair.isolate("alpha")
    refused(manager, "web", "beta")


def test_not_on_the_side_that_lacks_writes(manager: Manager) -> None:
    """The link is cut while it runs at alpha, and it writes on: beta's disk is not its last."""
    pair = manager.pair
    pair.cut_link("web")
    pair.clock.advance(60)
    manager.stop_guest("web")
    refused(manager, "web", "beta")
    assert manager.start_guest("web", on="alpha").state is ColdState.STARTED
    assert_promises(pair, Reported(runs_on={"web": "alpha"}))


def test_not_when_nobody_can_tell_which_disk_is_the_newer(manager: Manager) -> None:
    """Both say UpToDate and see nothing of each other."""
    pair = manager.pair
    manager.stop_guest("web")
    pair.cut_link("web")
    pair.clock.advance(60)
    assert {pair.drbd.nodes[host, "web"].disk for host in pair.pair.hosts} == {DiskState.UP_TO_DATE}
    refused(manager, "web", "beta")
    refused(manager, "web", "alpha")


def test_not_while_an_operation_is_unfinished(manager: Manager) -> None:
    pair = manager.pair
    pair.faults.append(Fault("crash_after", "demote"))
    with pytest.raises(ManagerCrash):
        manager.stop_guest("web")
    pair.faults.clear()
    pair.restart_manager()
    refused(manager, "web", "alpha")
    assert manager.recover().exit_code is ExitCode.OK
    assert manager.start_guest("web", on="alpha").state is ColdState.STARTED


def test_a_guest_on_its_way_is_not_stopped(manager: Manager) -> None:
    """The manager died, libvirt goes on migrating: it has to be known first where the guest ends up."""
    pair = manager.pair
    pair.faults.append(Fault("crash_after", "start_migration"))
    with pytest.raises(ManagerCrash):
        manager.migrate("web")
    pair.faults.clear()
    pair.restart_manager()
    with pytest.raises(Refused):
        manager.stop_guest("web")
    assert not [call for call in pair.calls if call.method == "ask_to_stop"]
