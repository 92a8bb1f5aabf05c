"""Is a host lost, can it be seen off, may its guest start: one fact changed at a time. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dualsrm.checks import blocking
from dualsrm.checks.failover import Ask, Signs, check_fence, check_guest, check_lost, signs_of, uses_device
from dualsrm.model import (
    ConnectionState,
    DiskState,
    DomainState,
    Finding,
    HostView,
    PeerSeen,
    Power,
    Resource,
    Severity,
    Snapshot,
    Unknown,
)
from tests.builders import (
    ALPHA,
    BETA,
    add_disk,
    add_domain,
    change_connection,
    change_domain,
    change_resource,
    change_view,
    change_volume,
    disk,
    domain,
    resource,
    snapshot,
)

ASK = Ask(BETA, ALPHA)
SINCE = "2026-11-22T11:00:00+00:00"
GONE = PeerSeen(reached=False, why="timed out", power=Power.OFF, agent="fence_x", lost_since={"web": SINCE})
MUTE = replace(GONE, reached=None, power=Power.UNKNOWN, power_why="no answer")


def alone(state: ConnectionState = ConnectionState.CONNECTING) -> Resource:
    found = resource(primary=False, at=BETA)
    assert found.connection is not None
    return replace(found, connection=replace(found.connection, state=state))


def survivor() -> Snapshot:
    """web is defined on beta and off, its disk UpToDate; alpha is silent."""
    silent = Unknown("no route")
    seen = add_domain(snapshot(), BETA, replace(domain(), state=DomainState.SHUTOFF))
    seen = change_connection(seen, BETA, state=ConnectionState.CONNECTING)
    return replace(seen, views={**seen.views, ALPHA: HostView(ALPHA, silent, silent, silent)})


def against(findings: tuple[Finding, ...]) -> str:
    return " | ".join(f"{one.severity.value}: {one.seen} -> {one.fix}" for one in blocking(findings))


# --- signs --------------------------------------------------------------------------------------------------------


def test_all_four_signs() -> None:
    signs = signs_of(ASK, False, GONE, [alone()], [])
    assert len(signs.lost) == 4
    assert not signs.alive
    assert [one.severity for one in check_lost(ASK, signs, "web")] == [Severity.PASSED] * 4


@pytest.mark.parametrize(
    ("heard", "seen", "mine", "others"),
    [
        (True, GONE, [alone()], []),
        (False, replace(GONE, reached=True), [alone()], []),
        (False, GONE, [alone(ConnectionState.CONNECTED)], []),
        (False, GONE, [alone()], [alone(ConnectionState.CONNECTED)]),
    ],
)
def test_one_sign_of_life_outweighs_the_rest(heard: bool, seen: PeerSeen, mine: Any, others: Any) -> None:
    signs = signs_of(ASK, heard, seen, mine, others)
    assert len(signs.alive) == 1
    why = against(check_lost(ASK, signs, "web"))
    assert "`dualsrm migrate --to beta -- web`" in why
    assert "`dualsrm stop -- web`" in why


@pytest.mark.parametrize(
    ("heard", "seen", "lost"),
    [
        (Unknown("no network"), MUTE, 1),
        (Unknown("no network"), Unknown("no dualsrm-host"), 1),
        (Unknown("no network"), replace(MUTE, power=Power.OFF), 2),
        (Unknown("no network"), replace(MUTE, reached=False), 2),
        (False, MUTE, 2),
        (False, replace(MUTE, power=Power.ON), 2),
    ],
)
def test_two_signs_are_needed_and_what_is_unknown_is_none(heard: Any, seen: Any, lost: int) -> None:
    signs = signs_of(ASK, heard, seen, [alone()], [])
    assert len(signs.lost) == lost
    assert bool(blocking(check_lost(ASK, signs, None))) is (lost < 2)


def test_a_side_that_gave_its_peer_up_tells_nothing_of_it() -> None:
    signs = signs_of(ASK, heard=False, seen=MUTE, mine=[alone(ConnectionState.STANDALONE)], others=[])
    assert len(signs.lost) == 1
    assert any("web on beta gave its peer up by itself" in one for one in signs.untold)


def test_no_resource_is_no_sign() -> None:
    assert (
        signs_of(ASK, False, GONE, [], []).lost
        == signs_of(ASK, False, GONE, [alone()], []).lost[:1] + (signs_of(ASK, False, GONE, [alone()], []).lost[2:])
    )


def test_nobody_asked_is_not_lost() -> None:
    assert "nobody was asked" in against(check_lost(ASK, Signs((), ()), "web"))


# --- seeing it off ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("power", "confirmed", "blocks", "device"),
    [
        (Power.OFF, False, False, True),
        (Power.OFF, True, False, True),
        (Power.ON, False, False, True),
        (Power.ON, True, True, True),
        (Power.UNKNOWN, False, True, True),
        (Power.UNKNOWN, True, False, False),
        (Power.NO_DEVICE, False, True, False),
        (Power.NO_DEVICE, True, False, False),
    ],
)
def test_a_device_or_a_person(power: Power, confirmed: bool, blocks: bool, device: bool) -> None:
    ask, seen = replace(ASK, confirmed=confirmed), replace(GONE, power=power)
    assert bool(blocking(check_fence(ask, seen, "web"))) is blocks
    if not blocks:
        assert uses_device(ask, seen) is device


@pytest.mark.parametrize("power", [Power.UNKNOWN, Power.NO_DEVICE])
def test_both_ways_are_named(power: Power) -> None:
    why = against(check_fence(ASK, replace(GONE, power=power, power_why="wrong password"), None))
    assert "[peers.alpha.fence] in /etc/dualsrm/host.toml on beta" in why
    assert "dualsrm failover --to beta --confirm-off alpha --all" in why
    assert ("wrong password" in why) is (power is Power.UNKNOWN)


def test_a_host_program_that_cannot_be_asked_blocks() -> None:
    assert blocking(check_fence(replace(ASK, confirmed=True), Unknown("too old", "update it"), "web"))


def test_on_is_a_warning_with_the_time() -> None:
    (one,) = check_fence(ASK, replace(GONE, power=Power.ON), "web")
    assert one.severity is Severity.WARNING
    assert SINCE in one.why


# --- data ---------------------------------------------------------------------------------------------------------


def guest(seen: Snapshot, ask: Ask = ASK, peer: Any = GONE, left: tuple[str, ...] = ()) -> tuple[Finding, ...]:
    return check_guest(ask, seen, "web", peer, left)


def test_a_guest_that_may_start() -> None:
    assert [one.severity for one in guest(survivor())] == [Severity.PASSED]


@pytest.mark.parametrize("state", list(DiskState))
@pytest.mark.parametrize("accept", [False, True])
def test_every_state_of_a_disk(state: DiskState, accept: bool) -> None:
    found = guest(change_volume(survivor(), BETA, disk=state), replace(ASK, accept_data_loss=accept))
    behind = state in (DiskState.OUTDATED, DiskState.CONSISTENT)
    assert bool(blocking(found)) is (state is not DiskState.UP_TO_DATE and not (behind and accept))
    assert ("--accept-data-loss" in against(found)) is (behind and not accept)
    if behind and accept:
        assert [one.severity for one in found] == [Severity.WARNING]


def test_the_loss_is_named_before_it_can_be_accepted() -> None:
    stale = change_volume(survivor(), BETA, disk=DiskState.OUTDATED)
    (one,) = blocking(guest(stale))
    assert SINCE in one.seen
    assert "how much was written since then is not known" in one.why
    (one,) = blocking(guest(stale, peer=Unknown("not asked")))
    assert "since when is not known" in one.seen


@pytest.mark.parametrize("accept", [False, True])
def test_a_host_back_from_a_failover_whose_old_disk_is_up_to_date(accept: bool) -> None:
    """Cut off, it wrote alone; the guests went on at the other host. Back, it is StandAlone, and the other one dies."""
    seen = change_connection(survivor(), BETA, state=ConnectionState.STANDALONE)
    found = check_guest(replace(ASK, accept_data_loss=accept), seen, "web", GONE, ())
    assert bool(blocking(found)) is not accept
    (said,) = [one for one in found if "StandAlone" in one.seen]
    assert "may be on alpha only" in said.why
    assert accept or "--accept-data-loss" in said.fix


def test_frozen_by_its_handler_is_no_reason_against_it() -> None:
    assert not blocking(guest(change_resource(survivor(), BETA, suspended=("fencing",))))
    assert blocking(guest(change_resource(survivor(), BETA, suspended=("fencing", "quorum"))))


# --- the guest ----------------------------------------------------------------------------------------------------


def test_not_defined_there() -> None:
    found = against(guest(change_connection(snapshot(), BETA, state=ConnectionState.CONNECTING)))
    assert "it is not defined on beta" in found
    assert "ssh beta 'virsh define web.xml'" in found


@pytest.mark.parametrize("state", [DomainState.PAUSED, DomainState.RUNNING])
def test_active_there(state: DomainState) -> None:
    assert blocking(guest(change_domain(survivor(), BETA, state=state)))


def test_a_disk_that_lies_elsewhere() -> None:
    assert blocking(guest(add_disk(survivor(), BETA, disk("vdb", "/dev/vg/other")))) or blocking(
        guest(change_domain(survivor(), BETA, disks=(disk(), disk("vdb", "/dev/vg/other"))))
    )
    assert blocking(guest(change_domain(survivor(), BETA, disks=())))


def test_a_neighbour_that_writes_to_the_same_device() -> None:
    other = domain("mail", uuid="5b1cdd3e-0c1f-4a77-9d5e-7a1f00000099")
    assert "mail runs on it" in against(guest(add_domain(survivor(), BETA, other)))


def test_an_interrupted_operation_is_named_and_not_against_it() -> None:
    found = guest(survivor(), left=("2026-migrate-abc",))
    assert found[0].severity is Severity.WARNING
    assert "2026-migrate-abc" in found[0].seen
    assert not blocking(found)


@pytest.mark.parametrize("part", ["drbd", "libvirt"])
def test_a_survivor_that_cannot_be_seen(part: str) -> None:
    assert blocking(guest(change_view(survivor(), BETA, **{part: Unknown("no answer")})))
