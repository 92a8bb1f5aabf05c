"""A group on one file system: moved cold as one, stopped, started, failed over, evacuated; and every refusal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dualsrm.checks import blocking
from dualsrm.engine.cold import ColdState
from dualsrm.engine.failover_report import FailoverState
from dualsrm.engine.report import MoveState
from dualsrm.errors import ExitCode, Refused
from dualsrm.model import BootMount, ColdMove, GroupVerb, Role
from dualsrm.overview import overview
from dualsrm.plan.cold import Patience
from tests.simulator.driving import Manager
from tests.simulator.files import FILES, MEMBERS, OFFICE, evacuate, in_one, migrate, mounted_on, office, try_to_migrate
from tests.simulator.pair import ALPHA, BETA, Reported, SimPair, assert_promises, assert_quiet

ALL_ON_BETA = Reported(runs_on=dict.fromkeys(MEMBERS, BETA))
ALL_ON_ALPHA = Reported(runs_on=dict.fromkeys(MEMBERS, ALPHA))


@pytest.fixture(params=["8.4", "9"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Manager:
    pair = office(request.param)
    pair.clock.advance(20)
    return Manager(pair, tmp_path)


def roles(pair: SimPair) -> dict[str, Role]:
    return {host: pair.drbd.nodes[host, "files"].role for host in (ALPHA, BETA)}


def order(pair: SimPair, *methods: str) -> list[tuple[str, str, str]]:
    return [(call.method, call.host, call.subject) for call in pair.calls if call.method in methods]


# --- the move -----------------------------------------------------------------------------------------------------


def test_the_group_moves_cold_as_one_and_back(manager: Manager) -> None:
    pair = manager.pair
    report = migrate(manager)
    assert (report.state, report.method, report.seen, report.fix) == (MoveState.MOVED, "cold", "", "")
    assert mounted_on(pair) == [BETA]
    assert roles(pair) == {ALPHA: Role.SECONDARY, BETA: Role.PRIMARY}
    assert_promises(pair, ALL_ON_BETA)
    acts = order(pair, "unmount", "demote", "promote", "check_filesystem", "mount", "start")
    assert acts == [
        ("unmount", ALPHA, "/srv/files"),
        ("demote", ALPHA, "files"),
        ("promote", BETA, "files"),
        ("check_filesystem", BETA, "/srv/files"),
        ("mount", BETA, "/srv/files"),
        ("start", BETA, "mail"),
        ("start", BETA, "wiki"),
    ]
    assert report.outage_s is not None
    assert 0 < report.outage_s < report.total_s
    assert migrate(manager, ALPHA).state is MoveState.MOVED
    assert mounted_on(pair) == [ALPHA]
    assert_promises(pair, ALL_ON_ALPHA)
    pair.clock.advance(120)
    assert_quiet(pair)


def test_a_guest_that_is_off_stays_off_and_moves_along(manager: Manager) -> None:
    manager.stop_guest("mail")
    assert migrate(manager).state is MoveState.MOVED
    assert manager.pair.running_on("mail") == ()
    assert manager.start_guest("mail").host == BETA
    assert_promises(manager.pair, ALL_ON_BETA)


def test_a_live_move_is_refused_with_the_reason_and_the_cold_one_offered(manager: Manager) -> None:
    group = replace(OFFICE, cold=ColdMove.NEVER)
    prepared, report = try_to_migrate(manager, group=group)
    assert report is None
    (against,) = blocking(prepared.findings)
    assert "ext4 of files/0 at /srv/files" in against.seen
    assert against.fix.startswith("dualsrm migrate --cold -- office;")
    assert not manager.pair.changed_anything()
    assert migrate(manager, group=group, cold=True).state is MoveState.MOVED


def test_one_guest_of_it_alone_is_refused_with_the_command_for_the_group(manager: Manager) -> None:
    for prepared, report in (manager.try_to_migrate("mail"), manager.try_to_migrate("mail", cold=Patience(60.0))):
        assert report is None
        (against,) = (one for one in blocking(prepared.findings) if one.check == "moves-alone")
        assert against.fix == "dualsrm migrate --cold -- office"
    assert not manager.pair.changed_anything()


def test_a_target_that_cannot_mount_it_gets_nothing_and_all_run_again_at_the_source(manager: Manager) -> None:
    manager.pair.machines[BETA].broken.add("files")
    report = migrate(manager)
    assert (report.state, report.exit_code) == (MoveState.ROLLED_BACK, ExitCode.ROLLED_BACK)
    assert "structure needs cleaning" in report.seen
    assert mounted_on(manager.pair) == [ALPHA]
    assert_promises(manager.pair, ALL_ON_ALPHA)
    manager.pair.clock.advance(120)
    assert_quiet(manager.pair)


def test_a_first_guest_that_does_not_start_brings_all_of_them_back(manager: Manager) -> None:
    manager.pair.libvirt.guests["mail"].broken_on = BETA
    assert migrate(manager).state is MoveState.ROLLED_BACK
    assert_promises(manager.pair, ALL_ON_ALPHA)


def test_a_later_guest_that_does_not_start_ends_none_of_the_others(manager: Manager) -> None:
    manager.pair.libvirt.guests["wiki"].broken_on = BETA
    report = migrate(manager)
    assert (report.state, report.exit_code) == (MoveState.MOVED_UNSETTLED, ExitCode.NEEDS_ATTENTION)
    assert "wiki: " in report.seen
    assert "dualsrm start -- office" in report.fix
    assert_promises(manager.pair, Reported(runs_on={"mail": BETA}, in_doubt=frozenset({"wiki"})))
    manager.pair.libvirt.guests["wiki"].broken_on = None
    started = in_one(manager, GroupVerb.START)
    assert started is not None
    assert {one.guest: (one.state, one.host) for one in started.guests} == {
        "mail": ("nothing to do", BETA),
        "wiki": ("started", BETA),
    }
    assert_promises(manager.pair, ALL_ON_BETA)


def test_who_keeps_it_busy_is_named_and_it_is_never_unmounted_by_force(manager: Manager) -> None:
    """A guest that somebody starts again between the last look and the unmounting."""
    pair = manager.pair
    pair.before_call("unmount", lambda: pair.start_guest("wiki", ALPHA))
    report = migrate(manager)
    assert report.state is not MoveState.MOVED
    assert "qemu-system" in report.seen
    assert mounted_on(pair) == [ALPHA]
    assert_promises(pair, ALL_ON_ALPHA)


# --- stop and start -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_last_one_that_stops_gives_the_file_system_back(manager: Manager, jobs: int) -> None:
    pair = manager.pair
    stopped = in_one(manager, GroupVerb.STOP, jobs=jobs)
    assert stopped is not None
    assert (stopped.exit_code, {one.state for one in stopped.guests}) == (ExitCode.OK, {"stopped"})
    assert mounted_on(pair) == []
    assert set(roles(pair).values()) == {Role.SECONDARY}
    started = in_one(manager, GroupVerb.START, BETA, jobs=jobs)
    assert started is not None
    assert (started.exit_code, {one.state for one in started.guests}) == (ExitCode.OK, {"started"})
    assert order(pair, "mount") == [("mount", BETA, "/srv/files")]
    assert_promises(pair, ALL_ON_BETA)


def test_one_guest_is_stopped_below_the_others(manager: Manager) -> None:
    pair = manager.pair
    assert manager.stop_guest("mail").state is ColdState.STOPPED
    assert mounted_on(pair) == [ALPHA]
    assert roles(pair)[ALPHA] is Role.PRIMARY
    with pytest.raises(Refused, match="wiki runs on it"):
        manager.start_guest("mail", on=BETA)
    assert manager.start_guest("mail").host == ALPHA
    assert order(pair, "unmount", "demote", "mount", "promote") == []
    assert_promises(pair, ALL_ON_ALPHA)


def test_it_is_not_started_over_another_mount(manager: Manager) -> None:
    pair = manager.pair
    in_one(manager, GroupVerb.STOP)
    pair.promote_by_hand(BETA, "files")
    pair.machines[BETA].mounts["files"] = replace(FILES, mount="/mnt")
    with pytest.raises(Refused, match="is mounted at /mnt"):
        manager.start_guest("mail", on=BETA)


# --- a lost host, an emptied host ---------------------------------------------------------------------------------


def test_it_fails_over_with_all_its_guests(manager: Manager) -> None:
    pair = manager.pair
    pair.power_off(ALPHA)
    pair.clock.advance(30)
    outcome = manager.failover(None, BETA, confirm_off=ALPHA)
    states = {one.guest: one.state for one in outcome.reports}
    assert states == dict.fromkeys((*MEMBERS, "web"), FailoverState.FAILED_OVER)
    assert order(pair, "check_filesystem", "mount") == [
        ("check_filesystem", BETA, "/srv/files"),
        ("mount", BETA, "/srv/files"),
    ]
    assert mounted_on(pair) == [BETA]
    assert_promises(pair, ALL_ON_BETA)


def test_evacuate_moves_it_cold_and_the_others_live(manager: Manager) -> None:
    prepared, report = evacuate(manager)
    assert {one.guest: one.method for one in prepared.going} == {"office": "cold", "web": "live"}
    assert report is not None
    assert {one.guest: (one.state, one.method) for one in report.guests} == {
        "office": ("moved", "cold"),
        "web": ("moved", "live"),
    }
    assert_promises(manager.pair, Reported(runs_on={**ALL_ON_BETA.runs_on, "web": BETA}))
    manager.pair.clock.advance(120)
    assert_quiet(manager.pair)


def test_evacuate_is_refused_where_the_group_may_not_move_cold(manager: Manager) -> None:
    prepared, report = evacuate(manager, replace(OFFICE, cold=ColdMove.NEVER))
    assert report is None
    assert "office: moves-alone" in prepared.against
    assert not manager.pair.changed_anything()


# --- what is said of it -------------------------------------------------------------------------------------------


def test_status_calls_it_ready_to_move_with_its_group_and_to_fail_over(manager: Manager) -> None:
    seen = overview(manager.pair.snapshot(), None)
    assert seen.healthy, [one.blockers for one in seen.guests]
    assert all(one.ready_to_fail_over for one in seen.guests)


def test_mounted_on_both_hosts_is_an_alarm(manager: Manager) -> None:
    manager.pair.machines[BETA].mounts["files"] = FILES
    seen = overview(manager.pair.snapshot(), None)
    assert not seen.healthy
    assert all("mounted on both hosts" in host.trouble[0] for host in seen.hosts)


@pytest.mark.parametrize("host", [ALPHA, BETA])
def test_a_host_that_mounts_it_at_boot_is_refused(manager: Manager, host: str) -> None:
    manager.pair.machines[host].at_boot = (BootMount("/dev/drbd0", "/mnt/other", "fstab"),)
    prepared, report = try_to_migrate(manager)
    assert report is None
    against = {one.check: one for one in blocking(prepared.findings)}
    assert list(against) == ["filesystem"]
    assert "by itself (fstab)" in against["filesystem"].seen


def test_a_guest_of_no_group_on_it_is_refused(manager: Manager) -> None:
    pair = manager.pair
    lacking = replace(FILES, guests=("mail",))
    pair.pair = replace(pair.pair, filesystems=(lacking,))
    group = replace(OFFICE, guests=("mail",), filesystem=lacking)
    prepared, report = try_to_migrate(manager, group=group)
    assert report is None
    assert any("not in group office" in one.seen for one in blocking(prepared.findings))


def test_a_rehearsal_takes_no_file_for_a_disk(manager: Manager) -> None:
    """The snapshot holds a file system; booted as the disk of a clone it would show nothing true."""
    prepared, report = manager.rehearse("mail", BETA)
    assert report is None
    assert any("below /srv/files" in finding.seen for finding in blocking(prepared.findings))
    assert not manager.pair.machines[BETA].snapshots
