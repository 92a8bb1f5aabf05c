"""From a healthy pair, change one fact: whether the guest would come up on the other host if its own were lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dualsrm.checks import REGISTRY, blocking, check_move
from dualsrm.checks.readiness import DEFINED, OF_A_MOVE, check_failover_ready
from dualsrm.model import ConnectionState, DiskState, DomainState, LibvirtView, Nic, Quarantine, Snapshot, Unknown
from tests import builders as b
from tests.builders import ALPHA, BETA, FACTS, MOVE

OK = b.add_domain(b.snapshot(), BETA, replace(b.domain(), state=DomainState.SHUTOFF))
"""Defined on both hosts, as a guest is that was moved once."""


def _blocked_by(snapshot: Snapshot, unfinished: str | None = None) -> set[str]:
    checked = check_move(snapshot, MOVE, FACTS, unfinished)
    return {finding.check for finding in blocking(check_failover_ready(snapshot, MOVE, checked))}


def _undefined_on_beta() -> Snapshot:
    libvirt = OK.view(BETA).libvirt
    assert isinstance(libvirt, LibvirtView)
    return b.change_view(OK, BETA, libvirt=replace(libvirt, domains=()))


def test_every_check_it_takes_from_a_move_is_one() -> None:
    assert {check.id for check in REGISTRY} >= OF_A_MOVE
    assert DEFINED not in {check.id for check in REGISTRY}


def test_a_healthy_pair_is_ready() -> None:
    assert _blocked_by(OK) == set()


@pytest.mark.parametrize(
    ("snapshot", "check"),
    [
        (b.change_connection(OK, ALPHA, state=ConnectionState.CONNECTING), "replication-connected"),
        (b.change_connection(OK, BETA, state=ConnectionState.STANDALONE), "replication-connected"),
        (b.change_volume(OK, BETA, disk=DiskState.INCONSISTENT), "disks-up-to-date"),
        (b.change_volume(OK, BETA, disk=DiskState.OUTDATED), "disks-up-to-date"),
        (b.change_system(OK, ALPHA, quarantined=(Quarantine(BETA, "2026-11-22T10:00:00+00:00", "x"),)), "quarantine"),
        (b.change_domain(OK, ALPHA, nics=(Nic("bridge", "br-dmz"),)), "networks"),
        (b.change_domain(OK, BETA, uuid="33333333-3333-3333-3333-333333333333"), "guest-same-uuid"),
        (b.change_domain(OK, BETA, state=DomainState.PAUSED), "guest-not-on-target"),
        (b.change_libvirt(OK, BETA, machines=frozenset({"pc"})), "machine-type"),
        (_undefined_on_beta(), DEFINED),
    ],
)
def test_what_keeps_it_from_coming_up_blocks(snapshot: Snapshot, check: str) -> None:
    assert check in _blocked_by(snapshot)


@pytest.mark.parametrize(
    "snapshot",
    [
        b.change_options(OK, ALPHA, allow_two_primaries=True),
        b.change_domain(OK, ALPHA, autostart=True),
        replace(OK, locks={ALPHA: Unknown("nobody asked"), BETA: Unknown("nobody asked")}),
    ],
)
def test_what_only_keeps_it_from_moving_does_not(snapshot: Snapshot) -> None:
    assert blocking(check_move(snapshot, MOVE, FACTS, None))
    assert _blocked_by(snapshot) == set()


def test_an_unfinished_operation_does_not() -> None:
    assert _blocked_by(OK, "20261122-migrate-1") == set()


def test_a_host_nobody_sees_is_not_ready() -> None:
    silent = Unknown("the reader timed out")
    assert "host-answers" in _blocked_by(b.change_view(OK, BETA, drbd=silent, libvirt=silent, system=silent))


def test_the_cure_of_a_missing_definition_names_both_hosts() -> None:
    snapshot = _undefined_on_beta()
    (found,) = [
        one
        for one in check_failover_ready(snapshot, MOVE, check_move(snapshot, MOVE, FACTS, None))
        if one.check == DEFINED
    ]
    assert found.fix == (
        f"ssh alpha 'virsh dumpxml --inactive --security-info {MOVE.guest}' | ssh beta 'virsh define /dev/stdin'"
    )
