"""Failures forced on real nodes: the guest runs at the source and the window is closed, or the move is completed."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.lab.handle import HOSTS, LabHandle, wait_for

ROLLED_BACK, NEEDS_ATTENTION = 3, 4


@pytest.fixture
def at_alpha(lab: LabHandle) -> LabHandle:
    """`web` at alpha, so that beta is the target."""
    if lab.host_of("web") != "alpha":
        assert lab.migrate("web", "--to", "alpha").exit == 0
    return lab


def _assert_rolled_back(lab: LabHandle, exit_code: int, document: dict[str, object]) -> None:
    assert exit_code == ROLLED_BACK, document
    assert lab.host_of("web") == "alpha"
    assert not any(lab.window_open(host) or lab.would_freeze(host) for host in HOSTS)
    assert lab.roles("beta")["web"] == "Secondary"
    assert lab.score()["web"]["lost"] == 0


def test_the_second_host_refuses_the_option(at_alpha: LabHandle) -> None:
    with at_alpha.drbdadm_refuses("beta", ("net-options", "--allow-two-primaries=yes")):
        answer = at_alpha.migrate("web")
    _assert_rolled_back(at_alpha, answer.exit, answer.document)


def test_promote_is_refused(at_alpha: LabHandle) -> None:
    with at_alpha.drbdadm_refuses("beta", ("primary",)):
        answer = at_alpha.migrate("web")
    _assert_rolled_back(at_alpha, answer.exit, answer.document)


def test_libvirt_refuses_because_the_memory_network_is_cut(at_alpha: LabHandle) -> None:
    at_alpha.lab("cut", "memory", "beta")
    try:
        answer = at_alpha.migrate("web")
    finally:
        at_alpha.lab("heal")
    _assert_rolled_back(at_alpha, answer.exit, answer.document)


def test_aborted_at_half(at_alpha: LabHandle, tmp_path: Path) -> None:
    # Memory at 1 MiB/s, so that half of the copy lasts long enough to be met.
    narrow = "[migration]\nbandwidth_mib_s = 1\n"
    slow = at_alpha.settings_with(tmp_path / "slow.toml", narrow, instead_of="[migration]\n")
    stop = threading.Event()
    aborter = threading.Thread(target=_abort_when_copying, args=(at_alpha, stop))
    aborter.start()
    try:
        done = at_alpha.lab("dualsrm", "--config", str(slow), "migrate", "web", "--json", check=False)
    finally:
        stop.set()
        aborter.join()
    _assert_rolled_back(at_alpha, done.returncode, json.loads(done.stdout))


def _abort_when_copying(lab: LabHandle, stop: threading.Event) -> None:
    while not stop.is_set():
        info = lab.node("alpha", "virsh", "domjobinfo", "web", check=False)
        if "Memory processed" in info:
            lab.node("alpha", "virsh", "domjobabort", "web", check=False)
        stop.wait(0.5)


def test_demote_is_refused_for_ever_then_recovered(at_alpha: LabHandle) -> None:
    with at_alpha.held_open("alpha", 0, 3600) as pid:
        answer = at_alpha.migrate("web")
        assert answer.exit == NEEDS_ATTENTION, answer.document
        assert answer.document["result"]["state"] == "moved, not settled"
        assert pid in answer.document["result"]["seen"], "the message names who holds it open"
        assert at_alpha.host_of("web") == "beta"
    recovered = at_alpha.dualsrm("recover")
    assert recovered.exit == 0, recovered.document
    assert recovered.document["pairs"][0]["settled"] == ["web"]
    assert at_alpha.score()["web"]["lost"] == 0


def test_closing_is_refused_then_recovered(at_alpha: LabHandle) -> None:
    with at_alpha.drbdadm_refuses("alpha", ("net-options", "--allow-two-primaries=no")):
        answer = at_alpha.migrate("web")
        # The connected peer adopts the option from beta's side, so this may well succeed: what counts is the kernel.
        if any(at_alpha.window_open(host) for host in HOSTS):
            assert answer.exit == NEEDS_ATTENTION, answer.document
    assert at_alpha.host_of("web") == "beta"
    assert at_alpha.dualsrm("recover").exit == 0
    wait_for("the window to be closed", lambda: not any(at_alpha.window_open(host) for host in HOSTS))
