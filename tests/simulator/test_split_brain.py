"""A split brain made by isolation and failover: seen, shown, refused, settled; every call of it failed in every way."""

from __future__ import annotations

import pytest

from dualsrm.checks import blocking
from dualsrm.engine.failover_report import FailoverState
from dualsrm.engine.journal import interrupted
from dualsrm.engine.observe import observe
from dualsrm.engine.resolve import ResolveState
from dualsrm.errors import DualsrmError, ExitCode
from dualsrm.model import ConnectionState, DiskState, Role
from dualsrm.overview import overview
from tests.simulator.driving import Manager
from tests.simulator.lost import isolated, journal, states
from tests.simulator.pair import ALPHA, BETA, MUTATING_KINDS, Fault, ManagerCrash, SimPair
from tests.simulator.pair.faults import Kind, Method

COMMAND = "dualsrm split-brain resolve --victim alpha -- web"


def back(pair: SimPair, *resources: str) -> None:
    """alpha is switched on again and reaches everybody."""
    pair.clock.advance(30)
    pair.power_on(ALPHA)
    pair.reach_again(ALPHA)
    pair.heal_management_between_hosts()
    for name in resources:
        pair.heal_link(name)
    pair.clock.advance(30)


def split(manager: Manager) -> SimPair:
    """alpha wrote on alone, was switched off, web runs on beta; then alpha is back."""
    pair = isolated(manager)
    assert states(manager.failover("web", BETA)) == {"web": FailoverState.FAILED_OVER}
    back(pair, "web")
    assert {pair.drbd.nodes[host, "web"].connection for host in (ALPHA, BETA)} == {ConnectionState.STANDALONE}
    pair.timeline[:] = pair.events
    return pair


def settled(pair: SimPair) -> bool:
    """Both UpToDate, Connected, with one set of data."""
    mine, kept = pair.drbd.nodes[ALPHA, "web"], pair.drbd.nodes[BETA, "web"]
    whole = {mine.disk, kept.disk} == {DiskState.UP_TO_DATE} and pair.drbd.joined(mine)
    return whole and mine.data == kept.data


def test_it_is_named_instead_of_an_adjust(manager: Manager) -> None:
    split(manager)
    seen = overview(observe(manager.environment, manager.pair.pair), None)
    assert "web" in seen.split_brains
    assert not seen.healthy
    fixes = [one.fix for guest in seen.guests if guest.guest == "web" for one in guest.blockers]
    assert "dualsrm split-brain show -- web" in fixes
    assert not [fix for fix in fixes if "drbdadm adjust" in fix]


def test_a_healthy_pair_is_not_asked(manager: Manager) -> None:
    assert manager.show_split() == ()
    assert not [call for call in manager.pair.calls if call.method == "generations"]


def test_one_side_that_is_behind_is_no_split_brain(manager: Manager) -> None:
    pair = manager.pair
    pair.cut_link("web")
    pair.clock.advance(60)
    pair.drbd.disconnect(BETA, "web", "drbdadm disconnect")
    (shown,) = manager.show_split()
    assert (shown.split, shown.relation) == (False, "beta is behind")
    prepared, report = manager.resolve(BETA, "web")
    assert report is None
    assert "drbdadm adjust web" in blocking(prepared.findings)[0].fix


def test_shown_with_both_sides_the_past_and_the_price(manager: Manager) -> None:
    split(manager)
    (shown,) = manager.show_split("web")
    assert (shown.resource, shown.split, shown.guests) == ("web", True, {"web": (BETA,)})
    assert [(side.host, side.role) for side in shown.sides] == [(ALPHA, "Secondary"), (BETA, "Primary")]
    assert all(side.generations for side in shown.sides)
    assert [(one.guest, one.lost, one.to) for one in shown.past] == [("web", ALPHA, BETA)]
    assert shown.choices[0].command == COMMAND
    assert manager.show_split("nobody") == ()


@pytest.mark.parametrize("snapshot", [False, True])
def test_resolved_onto_the_victim_only(manager: Manager, *, snapshot: bool) -> None:
    pair = split(manager)
    kept = set(pair.drbd.nodes[BETA, "web"].data)
    _, report = manager.resolve(ALPHA, "web", snapshot=snapshot)
    assert report is not None
    assert (report.state, report.exit_code, report.seen) == (ResolveState.RESOLVED, ExitCode.OK, "")
    assert settled(pair)
    assert kept <= pair.drbd.nodes[BETA, "web"].data
    assert pair.running_on("web") == (BETA,)
    assert len(pair.machines[ALPHA].snapshots) == snapshot
    order = [call.method for call in pair.calls if call.method in ("take_snapshot", "disconnect", "connect")]
    assert order == [*(["take_snapshot"] if snapshot else []), "disconnect", "disconnect", "connect", "connect"]
    intent = [line for line in journal(manager) if line["kind"] == "intent"][-1]
    assert (intent["victim"], intent["by"]) == (ALPHA, "anna@desk")
    assert intent["discarded"]
    _, again = manager.resolve(ALPHA, "web")
    assert again is not None
    assert again.state is ResolveState.ALREADY


def test_the_side_that_runs_the_guest_is_no_victim(manager: Manager) -> None:
    pair = split(manager)
    prepared, report = manager.resolve(BETA, "web")
    seen = " | ".join(one.seen for one in blocking(prepared.findings))
    assert report is None
    assert "web is running on beta" in seen
    assert "web is Primary on beta" in seen
    assert not discarding(pair)


def discarding(pair: SimPair) -> bool:
    """Whether anything was done but lock and unlock."""
    return any(call.method in ("disconnect", "connect", "take_snapshot") for call in pair.calls)


def test_a_victim_that_is_primary_is_refused(manager: Manager) -> None:
    pair = split(manager)
    pair.drbd.nodes[ALPHA, "web"].role = Role.PRIMARY
    prepared, report = manager.resolve(ALPHA, "web")
    assert report is None
    assert [one.seen for one in blocking(prepared.findings)] == ["web is Primary on alpha"]
    assert not discarding(pair)


def test_a_survivor_that_is_not_up_to_date_is_refused(manager: Manager) -> None:
    pair = split(manager)
    pair.drbd.nodes[BETA, "web"].disk = DiskState.INCONSISTENT
    prepared, report = manager.resolve(ALPHA, "web")
    assert report is None
    assert "Inconsistent" in blocking(prepared.findings)[0].seen
    assert not discarding(pair)


@pytest.mark.parametrize("free", [None, 1 << 20])
def test_without_room_for_the_snapshot_nothing_is_discarded(manager: Manager, free: int | None) -> None:
    pair = split(manager)
    pair.machines[ALPHA].free_in_group = free
    prepared, report = manager.resolve(ALPHA, "web", snapshot=True)
    assert report is None
    assert blocking(prepared.findings)
    assert not discarding(pair)


def test_half_of_a_guests_disks_is_refused(manager: Manager) -> None:
    """db lies on two resources; both went apart."""
    pair = isolated(manager)
    manager.failover("db", BETA)
    names = sorted({resource for resource, _ in pair.libvirt.guests["db"].disks})
    back(pair, *names)
    assert [one.resource for one in manager.show_split("db") if one.split] == names
    prepared, report = manager.resolve(ALPHA, names[0])
    assert report is None
    assert "different moments" in blocking(prepared.findings)[0].why
    _, report = manager.resolve(ALPHA, *names)
    assert report is not None
    assert report.state is ResolveState.RESOLVED


def test_a_manager_killed_between_two_resources_goes_on_with_the_second(manager: Manager) -> None:
    pair = isolated(manager)
    manager.failover("db", BETA)
    names = sorted({resource for resource, _ in pair.libvirt.guests["db"].disks})
    back(pair, *names)
    pair.faults.append(Fault("crash_before", "disconnect", subject=names[1]))
    with pytest.raises(ManagerCrash):
        manager.resolve(ALPHA, *names)
    pair.faults.clear()
    pair.restart_manager()
    manager.recover(take_over=True)
    _, report = manager.resolve(ALPHA, *names)
    assert report is not None
    assert report.state is ResolveState.RESOLVED
    assert [one.resource for one in report.discarded] == names[1:]
    for name in names:
        assert pair.drbd.nodes[ALPHA, name].data == pair.drbd.nodes[BETA, name].data


def test_a_resync_the_wrong_way_is_cut_at_once(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = split(manager)
    pair.drbd.resync_s = 30.0

    def turned() -> None:
        """As if the kernel had mistaken who gives way."""
        mine, kept = pair.drbd.nodes[ALPHA, "web"], pair.drbd.nodes[BETA, "web"]
        mine.discards, kept.role = False, Role.SECONDARY

    connect = pair.drbd.connect

    def other_way(host: str, resource: str, *, discard: bool = False) -> None:
        connect(host, resource, discard=host == BETA and not discard)

    pair.before_call("connect", turned, host=BETA)
    monkeypatch.setattr(pair.drbd, "connect", other_way)
    _, report = manager.resolve(ALPHA, "web")
    assert report is not None
    assert (report.state, report.exit_code) == (ResolveState.WRONG_WAY, ExitCode.NEEDS_ATTENTION)
    assert {pair.drbd.nodes[host, "web"].connection for host in (ALPHA, BETA)} == {ConnectionState.STANDALONE}
    assert report.total_s < 10.0


def test_a_resync_that_is_late_goes_on_and_is_waited_for_again(manager: Manager) -> None:
    pair = split(manager)
    pair.drbd.resync_s = 300.0
    _, report = manager.resolve(ALPHA, "web", deadline_s=20.0)
    assert report is not None
    assert (report.state, report.exit_code) == (ResolveState.RESYNCING, ExitCode.NEEDS_ATTENTION)
    assert COMMAND in report.fix
    _, report = manager.resolve(ALPHA, "web", deadline_s=600.0)
    assert report is not None
    assert report.state is ResolveState.RESOLVED
    assert settled(pair)


@pytest.mark.parametrize("kind", MUTATING_KINDS)
@pytest.mark.parametrize(
    ("method", "host"),
    [
        ("take_snapshot", ALPHA),
        ("disconnect", ALPHA),
        ("disconnect", BETA),
        ("connect", ALPHA),
        ("connect", BETA),
        ("lock", ALPHA),
        ("unlock", BETA),
    ],
)
def test_each_call_fails_in_each_way_and_nothing_that_counts_is_lost(
    manager: Manager, method: Method, host: str, kind: Kind
) -> None:
    pair = split(manager)
    kept = set(pair.drbd.nodes[BETA, "web"].data)
    fault = Fault(kind, method, host=host)
    pair.faults.append(fault)
    try:
        _, report = manager.resolve(ALPHA, "web", snapshot=True)
        if report is not None and report.exit_code is ExitCode.OK:
            assert settled(pair)
            assert pair.machines[ALPHA].snapshots
    except (DualsrmError, ManagerCrash):
        pass
    assert fault.hit
    assert kept <= pair.drbd.nodes[BETA, "web"].data
    assert pair.running_on("web") == (BETA,)
    if pair.drbd.nodes[ALPHA, "web"].connection is ConnectionState.CONNECTED:
        assert pair.machines[ALPHA].snapshots, "kept before it is discarded"
    pair.restart_manager()
    pair.clock.advance(30)
    if interrupted(manager.state, pair.pair.name) or any(one.locks for one in pair.machines.values()):
        manager.recover(take_over=True)
    _, report = manager.resolve(ALPHA, "web", snapshot=True)
    assert report is not None
    assert report.exit_code is ExitCode.OK
    assert settled(pair)
