"""The live move on the simulated pair: the good way, every fault at every call, a crash between any two of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest

from dualsrm.engine.journal import interrupted
from dualsrm.engine.report import MoveState
from dualsrm.errors import ExitCode, HostUnreachable, Refused
from dualsrm.model import LockHolder
from tests.simulator.driving import Manager, reported
from tests.simulator.lost import journal
from tests.simulator.pair import (
    MUTATING_KINDS,
    READING_KINDS,
    Fault,
    Kind,
    ManagerCrash,
    Method,
    Phase,
    Script,
    SimPair,
    assert_promises,
)

DIALECTS: tuple[Literal["8.4", "9"], ...] = ("8.4", "9")
GUESTS = {"web": ("web",), "db": ("db-data", "db-log")}


@pytest.fixture(params=DIALECTS)
def pair(request: pytest.FixtureRequest) -> SimPair:
    return SimPair(request.param)


@pytest.fixture
def manager(pair: SimPair, tmp_path: Path) -> Manager:
    return Manager(pair, tmp_path)


@pytest.mark.parametrize("guest", GUESTS)
def test_there_and_back(manager: Manager, guest: str) -> None:
    for target in ("beta", "alpha", "beta"):
        report = manager.migrate(guest)
        assert (report.state, report.target) == (MoveState.MOVED, target), report.seen
        assert report.window_s is not None
        assert_promises(manager.pair, reported(report, GUESTS[guest]))


def test_a_multi_disk_guest_moves_with_all_its_resources(manager: Manager) -> None:
    manager.migrate("db")
    promoted = {call.subject for call in manager.pair.calls if call.method == "promote"}
    assert promoted == set(GUESTS["db"])


# --- every step x every fault ---------------------------------------------------------------------

FAULTY_CALLS: tuple[tuple[Method, str | None], ...] = (
    ("lock", None),
    ("arm", "alpha"),
    ("arm", "beta"),
    ("set_fencing", "alpha"),
    ("set_fencing", "beta"),
    ("set_two_primaries", "alpha"),
    ("set_two_primaries", "beta"),
    ("promote", "beta"),
    ("start_migration", "alpha"),
    ("job_poll", "alpha"),
    ("demote", "alpha"),
    ("disarm", "alpha"),
    ("disarm", "beta"),
    ("unlock", None),
)
READ_CALLS: tuple[tuple[Method, str | None], ...] = (
    ("drbd", "alpha"),
    ("drbd", "beta"),
    ("domain_status", "alpha"),
    ("domain_status", "beta"),
    ("qemu_alive", "alpha"),
    ("qemu_alive", "beta"),
)
HOW_OFTEN: tuple[int | None, ...] = (1, 3, None)


def _matrix() -> Iterator[tuple[Kind, Method, str | None, int, int | None]]:
    for method, host in FAULTY_CALLS:
        for kind in MUTATING_KINDS:
            for nth in (1, 2, 3):
                for times in HOW_OFTEN if not kind.startswith("crash") else (1,):
                    yield kind, method, host, nth, times
    for method, host in READ_CALLS:
        for kind in READING_KINDS:
            for nth in (1, 2, 3, 4, 5):
                for times in HOW_OFTEN:
                    yield kind, method, host, nth, times


@pytest.mark.parametrize("guest", GUESTS)
@pytest.mark.parametrize(("kind", "method", "host", "nth", "times"), list(_matrix()))
def test_every_fault_at_every_call(  # noqa: PLR0917 - the axes of the matrix
    manager: Manager, guest: str, kind: Kind, method: Method, host: str | None, nth: int, times: int | None
) -> None:
    """Whatever happens: the promises hold against what was said, and a recovery ends in a quiet pair."""
    pair = manager.pair
    prepared = manager.prepare(guest)
    # Only what the engine does after the checks is under test here; the checks have their own tests.
    pair.timeline.clear()
    fault = Fault(kind, method, host=host, nth=nth, times=times)
    pair.faults.append(fault)
    try:
        report = manager.migrate(guest)
    except ManagerCrash:
        pair.faults.clear()
        pair.clock.advance(60)
        pair.restart_manager()
    except (Refused, HostUnreachable):
        assert not pair.changed_anything()
    else:
        assert_promises(pair, reported(report, prepared.goal.resources))
        assert (report.exit_code is ExitCode.OK) == (report.state is MoveState.MOVED)
    pair.faults.clear()
    _recovers(manager)


def _recovers(manager: Manager) -> None:
    """P6: recovery reaches a quiet pair, and a second run finds nothing to do."""
    pair = manager.pair
    pair.clock.advance(30)
    first = manager.recover()
    assert first.exit_code is ExitCode.OK, first
    assert_promises(pair)
    before = len(pair.calls)
    second = manager.recover()
    assert [second.settled, second.failed, second.refused] == [(), (), ()]
    assert all(call.method in ("observe", "lock_holder", "lock", "unlock") for call in pair.calls[before:])


# --- what libvirt may do --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "state"),
    [
        (Script(fail_at=Phase.PREPARED), MoveState.ROLLED_BACK),
        (Script(fail_at=Phase.COPYING), MoveState.ROLLED_BACK),
        (Script(fail_at=Phase.HANDOVER), MoveState.ROLLED_BACK),
        (Script(fail_at=Phase.COPYING, leftover_on_target=True), MoveState.ROLLED_BACK),
        (Script(error_although_moved=True), MoveState.MOVED),
        (Script(fail_at=Phase.COPYING, success_although_failed=True), MoveState.ROLLED_BACK),
        (Script(source_left_paused=True), MoveState.MOVED),
        (Script(stuck_in_handover=True), MoveState.IN_DOUBT),
        (Script(never_converges=True), MoveState.ROLLED_BACK),
        (Script(source_exit_delay_s=20), MoveState.MOVED),
    ],
    ids=lambda value: str(value) if isinstance(value, Script) else "",
)
@pytest.mark.parametrize("guest", GUESTS)
def test_the_outcome_is_read_from_both_hosts(manager: Manager, guest: str, script: Script, state: MoveState) -> None:
    manager.pair.script = script
    report = manager.migrate(guest)
    assert report.state is state, report.seen
    assert_promises(manager.pair, reported(report, GUESTS[guest]))


def test_aborted_by_someone_at_half(manager: Manager) -> None:
    manager.pair.during_copy(0.5, lambda: manager.pair.abort_migration("web"))
    report = manager.migrate("web")
    assert report.state is MoveState.ROLLED_BACK
    assert_promises(manager.pair, reported(report, GUESTS["web"]))


def test_the_operator_stops_it_while_memory_is_copied(manager: Manager) -> None:
    def stop() -> None:
        manager.stop = True

    manager.pair.during_copy(0.5, stop)
    report = manager.migrate("web")
    assert report.state is MoveState.ROLLED_BACK
    assert "asked to stop" in report.seen
    assert_promises(manager.pair, reported(report, GUESTS["web"]))


def test_the_guest_shuts_itself_down_midway(manager: Manager) -> None:
    manager.pair.during_copy(0.5, lambda: manager.pair.shut_down_guest("web"))
    report = manager.migrate("web")
    assert report.state is MoveState.STOPPED
    assert not any(call.method == "start_migration" for call in manager.pair.calls[-3:])


@pytest.mark.parametrize("host", ["alpha", "beta"])
def test_an_adjust_right_after_arming_is_seen(tmp_path: Path, host: str) -> None:
    """Without its freeze a copy must not go on."""
    pair = SimPair("8.4")
    pair.at(2.4, lambda: pair.adjust(host, "web"))
    report = Manager(pair, tmp_path).migrate("web")
    assert report.state is MoveState.ROLLED_BACK


# --- what holds a device open ---------------------------------------------------------------------


def test_demote_refused_for_a_while_is_waited_out(manager: Manager) -> None:
    """F28: udev, a scan, a slow QEMU."""
    manager.pair.after_call("start_migration", lambda: manager.pair.open_device("alpha", "web", seconds=25))
    report = manager.migrate("web")
    assert report.state is MoveState.MOVED, report.seen
    assert_promises(manager.pair, reported(report, GUESTS["web"]))


def test_demote_refused_for_ever_ends_moved_and_says_what_is_open(manager: Manager) -> None:
    manager.pair.after_call("start_migration", lambda: manager.pair.open_device("alpha", "web", command="dd"))
    report = manager.migrate("web")
    assert report.state is MoveState.MOVED_UNSETTLED
    assert report.exit_code is ExitCode.NEEDS_ATTENTION
    assert "dd" in report.seen
    assert_promises(manager.pair, reported(report, GUESTS["web"]))


# --- refusals touch nothing -----------------------------------------------------------------------


def test_a_second_manager_is_refused_with_who_and_since_when(manager: Manager, tmp_path: Path) -> None:
    other = Manager(manager.pair, tmp_path / "other")
    prepared = other.prepare("db")
    manager.pair.after_call("start_migration", lambda: _refused(other))
    assert manager.migrate("web").state is MoveState.MOVED
    assert prepared.goal.guest == "db"


def _refused(other: Manager) -> None:
    before = len(other.pair.changed_anything())
    prepared = other.prepare("db")
    assert not prepared.plan
    (held,) = {finding.seen for finding in prepared.findings if finding.check == "pair-unlocked" and finding.why}
    assert "migrate" in held
    with pytest.raises(Refused, match=r"locked on alpha by .*migrate.* since 2026-"):
        other.migrate("db")
    assert len(other.pair.changed_anything()) == before


def test_the_lock_is_taken_before_anything_is_looked_at(manager: Manager) -> None:
    """What was seen before it may be another operation's doing, and nobody needs to be asked who holds it."""
    manager.migrate("web")
    methods = [call.method for call in manager.pair.calls]
    assert methods[:2] == ["lock", "lock"]
    assert "observe" in methods
    assert "lock_holder" not in methods


def test_a_lock_that_is_held_on_one_host_leaves_none_on_the_other(manager: Manager) -> None:
    theirs = LockHolder("theirs", "elsewhere", "2026-11-22T09:00:00+00:00")
    locks = {host: machine.locks for host, machine in manager.pair.machines.items()}
    locks["beta"]["pair"] = theirs
    with pytest.raises(Refused, match="locked on beta by theirs"):
        manager.migrate("web")
    assert locks == {"alpha": {}, "beta": {"pair": theirs}}


def test_a_lock_that_an_ended_move_could_not_release_stands_in_nobodys_way(manager: Manager) -> None:
    """Seen in the fault table: cut off while it looked, refused, and every later move refused for the lock it left."""
    pair = manager.pair
    pair.faults.append(Fault("error", "unlock", times=2))
    pair.cut_link("web")
    with pytest.raises(Refused):
        manager.migrate("web")
    assert all(machine.locks for machine in pair.machines.values())
    pair.heal_link("web")
    pair.clock.advance(60)
    assert manager.migrate("web").state is MoveState.MOVED
    assert not any(machine.locks for machine in pair.machines.values())
    assert {line["host"] for line in journal(manager) if line["kind"] == "released"} == {"alpha", "beta"}


def test_the_lock_of_a_move_that_died_stays_until_recover(manager: Manager) -> None:
    pair = manager.pair
    pair.faults.append(Fault("crash_after", "promote"))
    with pytest.raises(ManagerCrash):
        manager.migrate("web")
    pair.restart_manager()
    with pytest.raises(Refused, match=r"locked on alpha by .*migrate"):
        manager.migrate("web")


def test_a_move_that_was_refused_leaves_its_reason_in_the_journal(manager: Manager) -> None:
    manager.pair.cut_link("web")
    with pytest.raises(Refused):
        manager.migrate("web")
    (path,) = (manager.state / "operations").iterdir()
    end = json.loads(path.read_text().splitlines()[-1])
    assert (end["kind"], end["outcome"]) == ("end", "refused")
    assert "the connection of web is" in end["seen"]


def test_beside_a_silent_host_nothing_is_claimed_about_its_lock(manager: Manager) -> None:
    """Its lock could not be taken: the look that explains that is not one under the lock."""
    manager.pair.isolate("beta")
    with suppress(HostUnreachable):
        prepared, report = manager.try_to_migrate("web")
        assert report is None
        claims = [one for one in prepared.findings if one.check == "pair-unlocked" and one.subject == "beta"]
        assert [one.severity.blocks for one in claims] == [True]
    assert "lock_holder" in [call.method for call in manager.pair.calls]


def test_whoever_asks_to_stop_before_the_first_act_finds_all_untouched(manager: Manager) -> None:
    def stop() -> None:
        manager.stop = True

    manager.pair.after_call("lock", stop, host="beta")
    report = manager.migrate("web")
    assert report.state is MoveState.UNTOUCHED
    assert report.exit_code is ExitCode.REFUSED
    assert not manager.pair.changed_anything()


@pytest.mark.parametrize("change", [SimPair.cut_link, SimPair.shut_down_guest])
def test_a_change_since_the_checks_is_seen_before_anything_is_promoted(
    manager: Manager, change: Callable[[SimPair, str], None]
) -> None:
    pair = manager.pair
    pair.after_call("arm", lambda: change(pair, "web"), host="alpha")
    report = manager.migrate("web")
    assert report.state is MoveState.ROLLED_BACK, report
    assert not [call for call in pair.calls if call.method in ("promote", "start_migration")]


def test_a_source_that_loses_power_before_the_look_is_unreachable_not_untouched(manager: Manager) -> None:
    """Seen on the lab: it said `untouched`, which means that the guest runs at the source."""
    manager.pair.after_call("lock", lambda: manager.pair.power_off("alpha"), host="beta")
    with pytest.raises(HostUnreachable):
        manager.migrate("web")
    assert not manager.pair.changed_anything()
    assert not interrupted(manager.state, manager.pair.pair.name), "it ended, and left nothing to settle"


@pytest.mark.parametrize("method", ["arm", "set_fencing", "set_two_primaries", "promote", "start_migration"])
def test_a_source_that_loses_power_before_the_copy_is_never_said_to_run_the_guest(
    manager: Manager, method: Method
) -> None:
    """Seen on the lab: 'not moved, not rolled back', whose meaning is that the guest runs at the source."""
    manager.pair.before_call(method, lambda: manager.pair.power_off("alpha"))
    report = manager.migrate("web")
    assert report.state is MoveState.IN_DOUBT
    assert "dualsrm-host peer-is-off alpha" in report.fix
