"""The simulator itself: it shows the hole it is there to show, and faults do what they say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dualsrm.engine.ports import JobEnded
from dualsrm.errors import CommandFailed, DeadlineExceeded, DeviceHeldOpen, HostUnreachable
from dualsrm.model import DomainState, LockHolder, Role, Unknown
from tests.simulator.pair import (
    ALPHA,
    BETA,
    MUTATING_KINDS,
    WEB,
    Fault,
    Kind,
    ManagerCrash,
    Phase,
    Reported,
    Script,
    SimPair,
    assert_promises,
    broken_promises,
)

HOLDER = LockHolder("op-1", "manager", "2026-11-22T09:00:00+00:00")


def migrate(pair: SimPair, guest: str = "web") -> JobEnded:
    job = pair.ports[ALPHA].start_migration(guest, pair.ports[BETA].host)
    while not isinstance(ended := job.poll(), JobEnded):
        pair.clock.sleep(0.5)
    return ended


def demote_when_closed(pair: SimPair, host: str, resource: str) -> None:
    for _ in range(20):
        try:
            pair.ports[host].demote(resource)
        except DeviceHeldOpen:
            pair.clock.sleep(0.5)
        else:
            return


def naive_script(pair: SimPair, guest: str = "web") -> JobEnded:
    """What is on every wiki: open, promote, migrate, believe the exit code, demote, close."""
    resources = pair.libvirt.guests[guest].resources
    for resource in resources:
        pair.ports[ALPHA].set_two_primaries(resource, allowed=True)
        pair.ports[BETA].promote(resource)
    ended = migrate(pair, guest)
    for resource in resources:
        demote_when_closed(pair, ALPHA, resource)
        pair.ports[ALPHA].set_two_primaries(resource, allowed=False)
    return ended


# --- the control ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["8.4", "9"])
@pytest.mark.parametrize("guest", ["web", "db"])
def test_the_naive_script_moves_a_guest_when_nothing_happens(dialect: str, guest: str) -> None:
    pair = SimPair(dialect, fencing="dont-care")
    assert naive_script(pair, guest).error is None
    assert_promises(pair, Reported(runs_on={guest: BETA}))
    assert pair.running_on("web" if guest == "db" else "db") == (ALPHA,)


@pytest.mark.parametrize("dialect", ["8.4", "9"])
def test_the_naive_script_loses_data_when_the_link_is_cut_while_copying(dialect: str) -> None:
    """Measured on two real nodes (design, section 3, point 1): exit code 0, a stale disk, acknowledged writes gone."""
    pair = SimPair(dialect, fencing="dont-care")
    pair.during_copy(0.5, pair.cut_link)
    assert naive_script(pair).error is None
    assert pair.running_on("web") == (BETA,)
    assert pair.lost_writes("web") == 30  # three seconds of copying alone at ten writes a second
    assert any(promise.startswith("P2") for promise in broken_promises(pair))
    pair.clock.sleep(1)
    pair.heal_link()
    assert pair.drbd.nodes[ALPHA, "web"].connection == "StandAlone"


def test_a_frozen_source_does_not_hand_over() -> None:
    """Design, section 3, point 2; and libvirt calls on the frozen guest block. Without a handler it lasts for ever."""
    pair = SimPair("8.4", [WEB], fencing="resource-and-stonith")
    for machine in pair.machines.values():
        machine.handler = False
    pair.during_copy(0.5, pair.cut_link)
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.ports[BETA].promote("web")
    job = pair.ports[ALPHA].start_migration("web", pair.ports[BETA].host)
    pair.clock.sleep(600)
    assert pair.libvirt.record(ALPHA, "web").state is DomainState.RUNNING
    assert pair.running_on("web") == ()  # it waits in the hand-over, its virtual CPUs stopped
    with pytest.raises(DeadlineExceeded):
        job.abort()
    pair.ports[BETA].destroy("web")
    pair.ports[BETA].demote("web")
    for host, code in ((BETA, 6), (ALPHA, 4)):
        node = pair.drbd.nodes[host, "web"]
        pair.drbd.answer_fence_peer(node, code, node.connects)
    pair.clock.sleep(20)
    assert isinstance(job.poll(), JobEnded)
    assert pair.running_on("web") == (ALPHA,)
    for host in pair.pair.hosts:
        pair.ports[host].set_two_primaries("web", allowed=False)
        pair.ports[host].set_fencing("web", policy="resource-only")
    pair.heal_link()
    pair.clock.sleep(5)
    assert not pair.drbd.split_brains
    assert_promises(pair, Reported(runs_on={"web": ALPHA}))


def test_two_running_qemus_are_seen_at_once() -> None:
    pair = SimPair("9")
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.libvirt.spawn("web", BETA)
    pair.libvirt.run("web", BETA, "booted")
    assert pair.violations
    assert pair.violations[0].startswith("P1")


# --- how migrations end ---------------------------------------------------------------------------


def open_window(script: Script) -> SimPair:
    pair = SimPair("8.4")
    pair.script = script
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.ports[BETA].promote("web")
    return pair


PAUSED, RUNNING, SHUTOFF = DomainState.PAUSED, DomainState.RUNNING, DomainState.SHUTOFF


@pytest.mark.parametrize(
    ("script", "succeeds", "source", "target"),
    [
        (Script(), True, SHUTOFF, RUNNING),
        (Script(fail_at=Phase.PREPARED), False, RUNNING, SHUTOFF),
        (Script(fail_at=Phase.COPYING), False, RUNNING, SHUTOFF),
        (Script(fail_at=Phase.HANDOVER), False, RUNNING, SHUTOFF),
        (Script(fail_at=Phase.COPYING, leftover_on_target=True), False, RUNNING, PAUSED),
        (Script(fail_at=Phase.COPYING, success_although_failed=True), True, RUNNING, SHUTOFF),
        (Script(stuck_in_handover=True), False, PAUSED, PAUSED),
        (Script(error_although_moved=True), False, SHUTOFF, RUNNING),
        (Script(source_left_paused=True), False, PAUSED, RUNNING),
    ],
)
def test_every_end_of_a_migration(script: Script, succeeds: bool, source: DomainState, target: DomainState) -> None:
    pair = open_window(script)
    ended = migrate(pair)
    assert (ended.error is None) == succeeds
    assert [pair.ports[host].domain_status("web").state for host in (ALPHA, BETA)] == [source, target]
    assert not pair.violations
    assert not pair.lost_writes("web")


def test_a_secondary_on_8_4_takes_no_migration() -> None:
    pair = SimPair("8.4")
    assert "Read-only file system" in (migrate(pair).error or "")
    assert pair.running_on("web") == (ALPHA,)


def test_the_sources_qemu_outlives_its_domain() -> None:
    pair = open_window(Script(source_exit_delay_s=3.0))
    migrate(pair)
    port, uuid = pair.ports[ALPHA], pair.libvirt.guests["web"].uuid
    assert port.domain_status("web").state is SHUTOFF
    assert port.qemu_alive(uuid)
    assert port.openers(0)
    pair.clock.sleep(4)
    assert not port.qemu_alive(uuid)
    port.demote("web")


def test_a_guest_may_stop_itself_half_way() -> None:
    pair = open_window(Script())
    pair.during_copy(0.5, lambda: pair.shut_down_guest("web"))
    assert migrate(pair).error is not None
    assert pair.running_on("web") == ()
    assert not [promise for promise in broken_promises(pair) if promise.startswith("P7")]


@pytest.mark.parametrize("lost", [ALPHA, BETA])
def test_power_loss_half_way(lost: str) -> None:
    pair = open_window(Script())
    pair.during_copy(0.5, lambda: pair.power_off(lost))
    job = pair.ports[ALPHA].start_migration("web", pair.ports[BETA].host)
    pair.clock.sleep(20)
    assert pair.running_on("web") == (() if lost == ALPHA else (ALPHA,))
    assert isinstance(job.poll(), JobEnded) == (lost == BETA)
    assert not pair.violations


def test_aborting_while_copying_and_after() -> None:
    pair = open_window(Script(never_converges=True))
    job = pair.ports[ALPHA].start_migration("web", pair.ports[BETA].host)
    pair.clock.sleep(100)
    assert not isinstance(job.poll(), JobEnded)
    job.abort()
    pair.clock.sleep(1)
    assert isinstance(job.poll(), JobEnded)
    with pytest.raises(CommandFailed):
        job.abort()
    assert pair.running_on("web") == (ALPHA,)


# --- faults ---------------------------------------------------------------------------------------

TAKES_EFFECT = {"timeout_done", "crash_after"}
RAISES: dict[str, type[BaseException] | None] = {
    "error": CommandFailed,
    "timeout": DeadlineExceeded,
    "timeout_done": DeadlineExceeded,
    "crash_before": ManagerCrash,
    "crash_after": ManagerCrash,
    "lie": None,
}


@pytest.mark.parametrize("kind", MUTATING_KINDS)
def test_each_kind_of_fault(kind: Kind) -> None:
    pair = SimPair("9")
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.faults.append(fault := Fault(kind, "promote", host=BETA, subject="web"))
    raised: type[BaseException] | None = None
    try:
        pair.ports[BETA].promote("web")
    except BaseException as error:  # noqa: BLE001 - ManagerCrash is one
        raised = type(error)
    assert raised is RAISES[kind]
    assert (pair.drbd.nodes[BETA, "web"].role is Role.PRIMARY) == (kind in TAKES_EFFECT)
    assert fault.hit == 1


def test_a_dead_manager_does_nothing_more_until_a_new_one_starts() -> None:
    pair = SimPair("9")
    pair.ports[ALPHA].lock("pair", HOLDER)
    pair.faults.append(Fault("crash_before", "sleep"))
    with pytest.raises(ManagerCrash):
        pair.clock.sleep(1)
    with pytest.raises(ManagerCrash):
        pair.ports[ALPHA].unlock("pair", "op-1")
    pair.restart_manager()
    assert pair.ports[ALPHA].lock_holder("pair") == HOLDER
    pair.ports[ALPHA].unlock("pair", "op-1")
    assert pair.ports[ALPHA].lock_holder("pair") is None


def test_faults_wait_for_their_turn() -> None:
    pair = SimPair("9")
    pair.faults.append(Fault("error", "drbd", host=ALPHA, nth=2, times=2))
    seen = []
    for _ in range(4):
        try:
            pair.ports[ALPHA].drbd()
        except CommandFailed:
            seen.append("error")
        else:
            seen.append("ok")
    assert seen == ["ok", "error", "error", "ok"]


def test_an_isolated_host_is_unknown_and_the_migration_goes_on() -> None:
    pair = open_window(Script())
    job = pair.ports[ALPHA].start_migration("web", pair.ports[BETA].host)
    pair.isolate(ALPHA)
    assert job.poll() is None
    assert isinstance(pair.ports[ALPHA].observe().drbd, Unknown)
    with pytest.raises(HostUnreachable):
        pair.ports[ALPHA].drbd()
    pair.clock.sleep(20)
    pair.reach_again(ALPHA)
    assert isinstance(job.poll(), JobEnded)
    assert pair.running_on("web") == (BETA,)


@pytest.mark.parametrize("twice", [lambda: SimPair("8.4"), lambda: SimPair("9")], ids=["8.4", "9"])
def test_a_run_is_the_same_every_time(twice: Callable[[], SimPair]) -> None:
    logs = []
    for pair in (twice(), twice()):
        pair.during_copy(0.3, lambda pair=pair: pair.open_device(BETA, "web", 5.0))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        naive_script(pair)
        logs.append(pair.log())
    assert logs[0] == logs[1]
