"""A failover rehearsed on copies: the guests and their replication notice nothing, and nothing is left of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualsrm.checks import blocking
from dualsrm.engine.failover_report import FailoverState
from dualsrm.engine.journal import interrupted
from dualsrm.engine.observe import observe
from dualsrm.engine.rehearsal_cleanup import standing
from dualsrm.engine.rehearsal_report import CleanupState, RehearsalReport, RehearsalState
from dualsrm.engine.report import MoveState
from dualsrm.errors import DualsrmError, ExitCode, UsageError
from dualsrm.model import (
    AgentAnswers,
    DiskState,
    Group,
    GroupVerb,
    Hook,
    Moment,
    Pings,
    Readiness,
    RehearsalView,
    Role,
    Unknown,
)
from dualsrm.overview import overview
from tests.simulator.driving import Manager
from tests.simulator.lost import journal, states
from tests.simulator.pair import (
    ALPHA,
    BETA,
    MUTATING,
    MUTATING_KINDS,
    READING_KINDS,
    Fault,
    ManagerCrash,
    SimPair,
    assert_promises,
    assert_quiet,
)
from tests.simulator.pair.faults import Kind, Method

OWN = ("lock", "unlock", "take_snapshot", "make_network", "remove_network", "remove_snapshot", "start_clone", "destroy")
"""All that a rehearsal may ever ask for."""


def rehearsed(manager: Manager, plan: str | None = None, to: str | None = BETA, **more: object) -> RehearsalReport:
    _, report = manager.rehearse(plan, to, **more)  # type: ignore[arg-type]  # as `rehearse` takes them
    assert report is not None
    return report


def left(pair: SimPair) -> list[str]:
    """All that there is of rehearsals, as it is."""
    found: list[str] = []
    for host, machine in pair.machines.items():
        found += [f"{name} on {host}" for name in (*machine.snapshots, *machine.clones, *machine.rehearsal_networks)]
    return found


def assert_unaware(pair: SimPair) -> None:
    """Nothing was asked of DRBD or of a guest, and all promises hold."""
    assert {call.method for call in pair.calls if call.mutating} <= set(OWN)
    assert {call.subject for call in pair.calls if call.method == "destroy"}.isdisjoint(pair.libvirt.guests)
    assert_promises(pair)
    assert_quiet(pair)
    assert all(node.disk is DiskState.UP_TO_DATE for node in pair.drbd.nodes.values())


def test_all_guests_of_a_host_on_copies_of_the_others_disks(manager: Manager) -> None:
    pair = manager.pair
    report = rehearsed(manager)
    assert (report.state, report.exit_code, report.seen) == (RehearsalState.REHEARSED, ExitCode.OK, "")
    assert not pair.machines[ALPHA].clones
    clones = pair.machines[BETA].clones
    assert {clone.guest for clone in clones.values()} == {"web", "db"}
    assert {clone.uuid for clone in clones.values()}.isdisjoint(guest.uuid for guest in pair.libvirt.guests.values())
    assert {one.origin for one in pair.machines[BETA].snapshots.values()} == {"web0", "db-data0", "db-log0"}
    assert_unaware(pair)
    assert not any(machine.locks for machine in pair.machines.values())
    cleaned = manager.clean_up()
    assert (cleaned.state, cleaned.exit_code, len(cleaned.removed)) == (CleanupState.CLEAN, ExitCode.OK, 6)
    assert not left(pair)
    assert manager.clean_up().state is CleanupState.ALREADY
    assert_unaware(pair)


def test_without_a_host_it_is_the_one_that_stands_by(manager: Manager) -> None:
    assert rehearsed(manager, "web", None).host == BETA
    assert set(manager.pair.machines[BETA].snapshots) == {f"web0-rehearsal-{ending(manager.pair)}"}


def ending(pair: SimPair) -> str:
    return next(iter(pair.machines[BETA].clones)).rpartition("-")[2]


def test_clones_are_no_guests_to_anybody(manager: Manager) -> None:
    """Status is as healthy as before and says it in a line; a move and its checks do not see them."""
    pair = manager.pair
    rehearsed(manager)
    seen = overview(observe(manager.environment, pair.pair), None)
    assert seen.healthy
    assert {guest.guest for guest in seen.guests} == {"web", "db"}
    assert {host.host: len(host.clones) for host in seen.hosts} == {ALPHA: 0, BETA: 2}
    assert manager.migrate("web").state is MoveState.MOVED
    assert manager.clean_up().state is CleanupState.CLEAN
    assert pair.running_on("web") == (BETA,)
    assert_promises(pair)


def test_a_real_failover_takes_no_notice(manager: Manager) -> None:
    pair = manager.pair
    rehearsed(manager)
    pair.machines[BETA].fence = "works"
    pair.power_off(ALPHA)
    pair.clock.advance(30)
    assert set(states(manager.failover(None, BETA)).values()) == {FailoverState.FAILED_OVER}
    cleaned = manager.clean_up()
    assert (cleaned.state, "alpha could not be asked" in cleaned.seen) == (CleanupState.LEFT, True)
    assert not left(pair)
    assert {pair.running_on(guest) for guest in ("web", "db")} == {(BETA,)}


def test_the_lock_is_not_held_while_clones_boot(manager: Manager) -> None:
    pair, held = manager.pair, []
    pair.after_call("start_clone", lambda: held.append([bool(one.locks) for one in pair.machines.values()]))
    pair.after_call("take_snapshot", lambda: held.append([bool(one.locks) for one in pair.machines.values()]))
    rehearsed(manager, "web")
    assert held == [[True, True], [False, False]]


# --- groups -------------------------------------------------------------------------------------------------------


def _groups(pair: SimPair) -> tuple[Group, Group]:
    ready = (Readiness(AgentAnswers("db"), 30), Readiness(Pings("db"), 30))
    back = Group("back", pair.pair.name, ("db",), ready=ready)
    return back, Group("front", pair.pair.name, ("web",), after=("back",))


def test_in_the_order_of_a_failover_and_ready_by_the_agent_of_the_clone(manager: Manager) -> None:
    pair = manager.pair
    groups = _groups(pair)
    pair.libvirt.guests["db"].manners.agent = True
    report = rehearsed(manager, groups=groups)
    assert [one.guest for one in report.guests] == ["db", "web"]
    assert [(one.group, one.ready) for one in report.groups] == [("back", True), ("front", None)]
    assert report.not_asked == ("back: db answers a ping",)
    asked = {call.subject for call in pair.calls if call.method == "agent_answers"}
    assert asked == {f"db-rehearsal-{ending(pair)}"}, "the live guest is not asked"
    end = journal(manager)[-1]
    assert (end["outcome"], end["rehearsed"]) == ("rehearsed", ["back", "front"])


def test_a_group_that_is_not_ready_holds_back_what_comes_after_it(manager: Manager) -> None:
    groups = _groups(manager.pair)
    manager.pair.libvirt.guests["db"].manners.agent = False
    report = rehearsed(manager, groups=groups)
    assert (report.state, report.exit_code) == (RehearsalState.FAILED, ExitCode.NEEDS_ATTENTION)
    assert [one.guest for one in report.left] == ["web"]
    assert "cleanup" in report.fix
    assert journal(manager)[-1]["rehearsed"] == []
    assert_unaware(manager.pair)


def test_hooks_for_life_are_not_run(manager: Manager) -> None:
    """One of them may announce what is not so."""
    life = Hook(Moment.POST, (GroupVerb.START, GroupVerb.FAILOVER), ("/announce",), 60)
    trial = Hook(Moment.POST, (GroupVerb.REHEARSE,), ("/look",), 60)
    group = Group("shop", manager.pair.pair.name, ("web",), hooks=(life, trial))
    report = rehearsed(manager, "shop", None, groups=(group,))
    assert report.state is RehearsalState.REHEARSED
    ((program, about),) = manager.pair.manager.hooks
    assert (program, about["DUALSRM_VERB"], about["DUALSRM_HOST"]) == ("/look", "test-failover", BETA)


@pytest.mark.parametrize("what", ["start", "boot"])
def test_clones_that_do_not_come_up_stay_to_be_looked_at(manager: Manager, what: str) -> None:
    pair = manager.pair
    pair.machines[BETA].clones_do_not = "start" if what == "start" else "boot"
    report = rehearsed(manager, "web")
    assert (report.state, report.exit_code) == (RehearsalState.FAILED, ExitCode.NEEDS_ATTENTION)
    assert bool(pair.machines[BETA].clones) is (what == "boot")
    assert pair.machines[BETA].snapshots
    assert_unaware(pair)
    assert manager.clean_up().state is CleanupState.CLEAN
    assert not left(pair)


# --- refused ------------------------------------------------------------------------------------------------------


def _resyncs(pair: SimPair) -> None:
    pair.drbd.nodes[BETA, "web"].disk = DiskState.INCONSISTENT


def _primary(pair: SimPair) -> None:
    pair.drbd.nodes[BETA, "web"].role = Role.PRIMARY


def _no_room(pair: SimPair) -> None:
    pair.machines[BETA].free_in_group = 8 << 20


def _no_volume(pair: SimPair) -> None:
    pair.machines[BETA].free_in_group = None


def _no_memory(pair: SimPair) -> None:
    pair.machines[BETA].free_memory_bytes = 1 << 30


def _not_defined(pair: SimPair) -> None:
    del pair.libvirt.records[BETA, "web"]


def _uefi(pair: SimPair) -> None:
    pair.machines[BETA].cannot_clone["web"] = "its UEFI variables lie in a file of their own"


def _elsewhere(pair: SimPair) -> None:
    pair.libvirt.guests["web"].other_disks[BETA] = (("nowhere", 0),)


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (_resyncs, "Inconsistent"),
        (_primary, "it is Primary"),
        (_no_room, "the snapshots take 16 MiB, and the volume group guests has 8 MiB left"),
        (_no_volume, "no logical volume"),
        (_no_memory, "the clones need"),
        (_not_defined, "it is not defined on beta"),
        (_uefi, "UEFI"),
        (_elsewhere, "none of its disks lies on DRBD"),
    ],
)
def test_refused_and_nothing_touched(manager: Manager, world: object, said: str) -> None:
    assert callable(world)
    world(manager.pair)
    prepared, report = manager.rehearse("web", BETA)
    assert report is None
    assert said in " | ".join(one.seen for one in blocking(prepared.findings))
    assert all(one.fix for one in blocking(prepared.findings))
    assert not manager.pair.changed_anything()
    assert journal(manager)[-1]["outcome"] == "refused"


def test_one_at_a_time(manager: Manager) -> None:
    rehearsed(manager, "web")
    prepared, report = manager.rehearse("db", BETA)
    assert report is None
    assert "there is a rehearsal" in blocking(prepared.findings)[0].seen
    assert "dualsrm test-failover cleanup" in blocking(prepared.findings)[0].fix


def test_a_guest_where_it_runs_is_not_rehearsed(manager: Manager) -> None:
    prepared, report = manager.rehearse("web", ALPHA)
    assert report is None
    assert "it is running on alpha" in blocking(prepared.findings)[0].seen
    report = rehearsed(manager, to=ALPHA)
    assert (report.state, report.exit_code) == (RehearsalState.ALREADY, ExitCode.OK)
    with pytest.raises(UsageError, match="knows a guest"):
        manager.rehearse("nobody", BETA)


def test_beside_an_interrupted_link_it_is_said_and_done(manager: Manager) -> None:
    """The standby has what it had; only its own state says whether that is whole."""
    pair = manager.pair
    pair.cut_link("web")
    pair.clock.advance(60)
    pair.drbd.nodes[BETA, "web"].disk = DiskState.UP_TO_DATE
    prepared, report = manager.rehearse("web", BETA)
    assert report is not None
    assert report.state is RehearsalState.REHEARSED
    assert "warning" in {one.severity.value for one in prepared.findings}


# --- what can go wrong --------------------------------------------------------------------------------------------


def test_a_snapshot_that_runs_full_costs_the_rehearsal_and_nothing_else(manager: Manager) -> None:
    pair = manager.pair
    rehearsed(manager, "web", size_bytes=4 << 20)
    pair.clock.advance(300)
    (alpha, beta) = standing(manager.environment, pair.pair)
    assert isinstance(alpha.view, RehearsalView)
    assert alpha.view.empty
    assert isinstance(beta.view, RehearsalView)
    assert [one.valid for one in beta.view.snapshots] == [False]
    assert len(beta.broken) == 2
    assert_unaware(pair)
    assert manager.clean_up().state is CleanupState.CLEAN
    assert not left(pair)


def test_after_a_boot_only_snapshots_are_left_and_they_are_found(manager: Manager) -> None:
    pair = manager.pair
    rehearsed(manager, "web")
    pair.power_off(BETA)
    pair.clock.advance(30)
    pair.power_on(BETA)
    pair.clock.advance(60)
    assert not pair.machines[BETA].clones
    assert pair.machines[BETA].snapshots
    assert manager.clean_up().state is CleanupState.CLEAN
    assert not left(pair)


def test_a_host_that_cannot_be_asked_is_no_clean_one(manager: Manager) -> None:
    pair = manager.pair
    rehearsed(manager, "web")
    pair.isolate(BETA)
    assert any(isinstance(one.view, Unknown) for one in standing(manager.environment, pair.pair))
    cleaned = manager.clean_up()
    assert (cleaned.state, cleaned.exit_code) == (CleanupState.LEFT, ExitCode.NEEDS_ATTENTION)
    assert "dualsrm test-failover cleanup" in cleaned.fix
    pair.reach_again(BETA)
    assert manager.clean_up().state is CleanupState.CLEAN


def test_a_volume_that_is_not_marked_is_never_removed(manager: Manager) -> None:
    pair = manager.pair
    rehearsed(manager, "web")
    (name,) = pair.machines[BETA].snapshots
    pair.machines[BETA].snapshots[name].tags = ()
    manager.clean_up()
    assert set(pair.machines[BETA].snapshots) == {name}


def test_the_lock_of_one_that_died_stands_in_nobodys_way(manager: Manager) -> None:
    """It touched no guest: nothing has to wait until it is cleaned up."""
    pair = manager.pair
    pair.faults.append(Fault("crash_after", "take_snapshot"))
    with pytest.raises(ManagerCrash):
        manager.rehearse("web", BETA)
    pair.restart_manager()
    assert any(machine.locks for machine in pair.machines.values())
    assert manager.migrate("web").state is MoveState.MOVED
    assert not any(machine.locks for machine in pair.machines.values())


CALLS: tuple[tuple[Method, int], ...] = (
    ("lock", 2),
    ("unlock", 2),
    ("observe", 2),
    ("backing", 3),
    ("obstacle", 2),
    ("rehearsal_look", 7),
    ("drbd", 2),
    ("snapshot_origin", 3),
    ("make_network", 1),
    ("take_snapshot", 3),
    ("start_clone", 2),
    ("sleep", 3),
)


def _cases() -> Iterator[tuple[Method, int, Kind]]:
    for method, count in CALLS:
        kinds: tuple[Kind, ...] = (
            MUTATING_KINDS if method in MUTATING else (*READING_KINDS, "crash_before", "crash_after")
        )
        for kind in ("crash_before",) if method == "sleep" else kinds:
            for nth in range(1, count + 1):
                yield method, nth, kind


@pytest.mark.parametrize(("method", "nth", "kind"), [*_cases()])
def test_each_call_fails_in_each_way(tmp_path: Path, method: Method, nth: int, kind: Kind) -> None:
    """The guests never notice, what is said is so, and a cleanup leaves nothing behind."""
    pair = SimPair("8.4")
    pair.clock.advance(20)
    manager = Manager(pair, tmp_path)
    fault = Fault(kind, method, nth=nth)
    pair.faults.append(fault)
    report: RehearsalReport | None = None
    with contextlib.suppress(DualsrmError, ManagerCrash):
        _, report = manager.rehearse(None, BETA)
    assert fault.hit
    if report is not None and report.state is RehearsalState.REHEARSED:
        assert len(pair.machines[BETA].clones) == 2
    if report is not None and report.state is RehearsalState.ROLLED_BACK:
        assert not left(pair)
    if not any(machine.locks for machine in pair.machines.values()):
        assert_unaware(pair)
    pair.faults.clear()
    pair.restart_manager()
    assert not interrupted(tmp_path, pair.pair.name), "nothing else has to wait for it"
    cleaned = manager.clean_up()
    assert cleaned.state in (CleanupState.CLEAN, CleanupState.ALREADY)
    assert not left(pair)
    if kind.startswith("crash"):
        assert not any(machine.locks for machine in pair.machines.values())
    assert manager.migrate("web").state is MoveState.MOVED
    assert_promises(pair)


CLEANING: tuple[tuple[Method, int], ...] = (
    ("rehearsal_look", 8),
    ("destroy", 2),
    ("qemu_alive", 2),
    ("remove_snapshot", 3),
    ("remove_network", 1),
)


@pytest.mark.parametrize("kind", MUTATING_KINDS)
@pytest.mark.parametrize(
    ("method", "nth"), [(method, nth) for method, count in CLEANING for nth in range(1, count + 1)]
)
def test_a_cleanup_that_fails_in_any_way_is_run_again(tmp_path: Path, method: Method, nth: int, kind: Kind) -> None:
    if method in ("rehearsal_look", "qemu_alive") and kind in ("lie", "timeout_done"):
        kind = "timeout"
    pair = SimPair("9")
    pair.clock.advance(20)
    manager = Manager(pair, tmp_path)
    rehearsed(manager)
    fault = Fault(kind, method, nth=nth)
    pair.faults.append(fault)
    try:
        cleaned = manager.clean_up()
        assert (cleaned.state is CleanupState.CLEAN) <= (not left(pair))
    except (DualsrmError, ManagerCrash):
        pass
    assert fault.hit
    pair.faults.clear()
    pair.restart_manager()
    manager.clean_up()
    assert not left(pair)
    assert_unaware(pair)
