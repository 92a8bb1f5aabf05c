"""Recovery: what it sees, what it leaves alone, and what it may not guess."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dualsrm.engine.recover import _must_see_both, see_guests
from dualsrm.errors import ExitCode, HostUnreachable, Refused
from dualsrm.model import IN_WINDOW, DomainState, LockHolder, Role, Unknown
from dualsrm.outcome import Presence
from tests.builders import (
    ALPHA,
    BETA,
    add_domain,
    change_domain,
    change_options,
    change_resource,
    change_view,
    domain,
    snapshot,
)
from tests.simulator.driving import Manager
from tests.simulator.pair import Fault, ManagerCrash, SimPair


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(SimPair("9"), tmp_path)


def killed(manager: Manager, fault: Fault, *, wait_s: float = 60.0) -> None:
    manager.pair.faults.append(fault)
    with pytest.raises(ManagerCrash):
        manager.migrate("web")
    manager.pair.faults.clear()
    manager.pair.clock.advance(wait_s)
    manager.pair.restart_manager()


def test_a_healthy_pair_is_not_disturbed() -> None:
    (seen,) = see_guests(snapshot(), {})
    assert (seen.presence, seen.job_active, seen.disturbed) == ((Presence.RUNNING, Presence.GONE), False, ())


@pytest.mark.parametrize("at", [ALPHA, BETA])
def test_an_open_window_on_either_side_disturbs(at: str) -> None:
    (seen,) = see_guests(change_options(snapshot(), at, allow_two_primaries=True), {})
    assert seen.disturbed == ("web",)


@pytest.mark.parametrize("at", [ALPHA, BETA])
def test_options_nobody_could_read_may_hide_an_open_window(at: str) -> None:
    (seen,) = see_guests(change_resource(snapshot(), at, options=Unknown("drbdsetup show failed")), {})
    assert seen.disturbed == ("web",)


def test_an_idle_primary_of_a_guest_that_runs_nowhere_is_left_alone() -> None:
    """Nobody says that it is idle: a file system may be mounted from it, and the window is closed."""
    stopped = change_domain(snapshot(), ALPHA, state=DomainState.SHUTOFF, reason="shutdown")
    (seen,) = see_guests(stopped, {})
    assert seen.disturbed == ()


def test_a_primary_where_the_guest_is_not_disturbs() -> None:
    (seen,) = see_guests(change_resource(snapshot(), BETA, role=Role.PRIMARY), {})
    assert seen.disturbed == ("web",)


@pytest.mark.parametrize("part", ["drbd", "libvirt"])
@pytest.mark.parametrize("at", [ALPHA, BETA])
def test_half_of_a_host_is_not_enough(part: str, at: str) -> None:
    with pytest.raises(HostUnreachable, match="silent"):
        _must_see_both(change_view(snapshot(), at, **{part: Unknown("silent")}))


def test_a_job_nobody_could_ask_about_counts_as_active() -> None:
    """A hand-over under way could make the half that looks like a leftover the one that runs."""
    healthy = add_domain(snapshot(), BETA, replace(domain(), state=DomainState.PAUSED, reason="migration"))
    asked = change_domain(healthy, ALPHA, job_active=Unknown("libvirt did not answer in time"))
    (seen,) = see_guests(asked, {})
    assert seen.job_active


def test_a_migration_that_goes_on_is_not_touched_though_nobody_can_ask_about_its_job(manager: Manager) -> None:
    killed(manager, Fault("crash_before", "job_poll", nth=5), wait_s=1.0)
    pair = manager.pair
    for host in pair.ports:
        pair.libvirt.records[host, "web"].job_active = Unknown("libvirt is slow")  # type: ignore[assignment]  # the simulator has no word for unknown
    report = manager.recover()
    assert report.exit_code is ExitCode.IN_DOUBT
    assert not [call for call in pair.calls if call.method == "destroy"]


def test_a_half_seen_pair_is_refused_before_anything(manager: Manager) -> None:
    manager.pair.isolate("beta")
    with pytest.raises(HostUnreachable, match="beta"):
        manager.recover()
    assert not [call for call in manager.pair.calls if call.mutating]


def test_another_managers_lock_is_its_own(manager: Manager, tmp_path: Path) -> None:
    machine = manager.pair.machines["alpha"]
    machine.locks["pair"] = LockHolder("theirs", "elsewhere", "2026-11-22T09:00:00+00:00")
    with pytest.raises(Refused, match="elsewhere"):
        manager.recover()
    assert "pair" in machine.locks
    assert manager.recover(take_over=True).exit_code is ExitCode.OK
    assert "pair" not in machine.locks


def test_our_own_dead_operations_lock_is_released_without_being_told(manager: Manager) -> None:
    killed(manager, Fault("crash_after", "promote"), wait_s=1.0)
    assert manager.pair.machines["beta"].locks
    report = manager.recover()
    assert (report.exit_code, report.settled) == (ExitCode.OK, ("web",))
    assert not manager.pair.machines["beta"].locks
    assert len(report.closed_operations) == 1
    assert manager.recover().closed_operations == ()


def test_an_operation_is_not_called_closed_while_a_guest_is_not_settled(manager: Manager) -> None:
    killed(manager, Fault("crash_after", "promote"), wait_s=1.0)
    manager.pair.open_device("beta", "web", seconds=90)
    assert manager.recover().exit_code is ExitCode.NEEDS_ATTENTION
    manager.pair.clock.advance(90)
    assert len(manager.recover().closed_operations) == 1


def test_after_the_hosts_closed_the_window_alone_only_the_lock_is_left(manager: Manager) -> None:
    """The dead-man's work: a minute after the manager's death recovery has nothing to settle."""
    killed(manager, Fault("crash_after", "promote"), wait_s=60.0)
    for machine in manager.pair.machines.values():
        assert not machine.left
    report = manager.recover()
    assert (report.exit_code, report.settled) == (ExitCode.OK, ())
    assert not manager.pair.machines["beta"].locks
    assert len(report.closed_operations) == 1


@pytest.mark.parametrize("at", [ALPHA, BETA])
def test_a_fencing_policy_left_from_a_window_disturbs(at: str) -> None:
    """Nothing is open, but the next lost link would freeze the guest with nobody to decide."""
    (seen,) = see_guests(change_options(snapshot(), at, fencing=IN_WINDOW), {})
    assert seen.disturbed == ("web",)


def test_a_lock_nobody_can_read_is_refused_with_what_its_host_says_to_do(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--take-over` releases by the holder's name, so it is no advice for a lock that has none."""
    unreadable = Unknown("the lock is held, by a file that is not ours", fix="on alpha, rm /run/dualsrm/lock-pair.json")
    monkeypatch.setattr(type(manager.pair.ports["alpha"]), "lock", lambda *_: unreadable)
    with pytest.raises(Refused, match="not ours") as refused:
        manager.recover(take_over=True)
    assert refused.value.fix == unreadable.fix
