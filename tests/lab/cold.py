"""Stopping, starting, moving cold on real nodes (`tests/run cold`): nothing lost, no device given up below a QEMU."""

from __future__ import annotations

import pytest

from tests.lab.handle import HOSTS, RESOURCES, LabHandle, wait_for

NEEDS_ATTENTION = 4


def _writes_again(lab: LabHandle, guest: str) -> None:
    """Its own boot is over when it announces new records."""
    lab.write_again([guest])
    assert lab.score()[guest]["lost"] == 0


@pytest.mark.parametrize("guest", ["web", "db"])
def test_stopped_and_started_on_the_other_host(lab: LabHandle, guest: str) -> None:
    source = lab.host_of(guest)
    stopped = lab.dualsrm("stop", guest)
    assert (stopped.exit, stopped.document["result"]["state"]) == (0, "stopped"), stopped.document
    assert lab.host_of(guest) is None
    for host in HOSTS:
        assert {lab.roles(host)[name] for name in RESOURCES[guest]} == {"Secondary"}
    started = lab.dualsrm("start", guest, "--on", lab.other(source))
    assert (started.exit, started.document["result"]["state"]) == (0, "started"), started.document
    assert lab.host_of(guest) == lab.other(source)
    _writes_again(lab, guest)


def test_a_guest_that_hears_nothing_runs_on_and_stops_when_it_hears(lab: LabHandle) -> None:
    """Paused, it takes no notice of the power button until it runs again."""
    source = lab.host_of("web")
    assert source is not None
    lab.node(source, "virsh", "suspend", "web")
    answer = lab.dualsrm("stop", "web", "--deadline", "15")
    assert answer.exit == NEEDS_ATTENTION, answer.document
    assert answer.document["result"]["state"] == "still running"
    assert lab.roles(source)["web"] == "Primary"
    lab.node(source, "virsh", "resume", "web")
    assert lab.dualsrm("stop", "web").exit == 0
    assert lab.dualsrm("start", "web", "--on", source).exit == 0
    _writes_again(lab, "web")


@pytest.mark.parametrize(("verb", "step"), [("stop", "demote"), ("start", "promote"), ("start", "start")])
def test_a_manager_killed_in_the_middle_is_finished_by_recover_and_a_second_run(
    lab: LabHandle, verb: str, step: str
) -> None:
    host = lab.host_of("web")
    assert host is not None
    if verb == "start":
        assert lab.dualsrm("stop", "web").exit == 0
    lab.dualsrm_killed(step, verb, "web", *_on(verb, host))
    recovered = lab.dualsrm("recover")
    down = recovered.document["pairs"][0]["down"]
    assert (recovered.exit, down) == (0, []) or (
        (verb, recovered.exit, down) == ("start", NEEDS_ATTENTION, ["web"])  # not started yet, and said so
    ), recovered.document
    assert not any(lab.dualsrm("recover").document["pairs"][0][what] for what in ("settled", "closed_operations"))
    again = lab.dualsrm(verb, "web", *_on(verb, host))
    assert again.exit == 0, again.document
    if verb == "stop":
        assert lab.roles(host)["web"] == "Secondary"
        assert lab.dualsrm("start", "web", "--on", host).exit == 0
    _writes_again(lab, "web")


def _on(verb: str, host: str) -> tuple[str, ...]:
    return ("--on", host) if verb == "start" else ()


def test_a_qemu_that_does_not_die_is_named_and_its_device_kept(lab: LabHandle) -> None:
    """Its writes wait in the kernel, so neither SIGTERM nor SIGKILL ends it until they are done."""
    host = lab.host_of("web")
    assert host is not None
    lab.node(host, "drbdadm", "suspend-io", "web")
    try:
        answer = lab.dualsrm("stop", "web", "--destroy", "--deadline", "10")
        assert answer.exit == NEEDS_ATTENTION, answer.document
        assert lab.roles(host)["web"] == "Primary"
    finally:
        lab.node(host, "drbdadm", "resume-io", "web")
    wait_for("what was killed to be gone, or to run on", lambda: lab.dualsrm("stop", "web").exit == 0, 300)
    assert lab.dualsrm("start", "web", "--on", host).exit == 0
    _writes_again(lab, "web")


def test_a_device_that_a_stray_process_holds_open_is_named_with_the_process(lab: LabHandle) -> None:
    host = lab.host_of("web")
    assert host is not None
    with lab.held_open(host, 0, 600) as pid:
        answer = lab.dualsrm("stop", "web")
        result = answer.document["result"]
        assert (answer.exit, pid in result["seen"] + result["fix"]) == (NEEDS_ATTENTION, True), answer.document
        assert lab.host_of("web") is None
    assert lab.dualsrm("stop", "web").exit == 0
    assert lab.roles(host)["web"] == "Secondary"
    assert lab.dualsrm("start", "web", "--on", host).exit == 0
    _writes_again(lab, "web")


def test_a_live_move_that_libvirt_refuses_is_finished_cold(lab: LabHandle) -> None:
    source = lab.host_of("web")
    lab.lab("cut", "memory", lab.other(source))
    try:
        answer = lab.migrate("web", "--on-failure", "cold")
    finally:
        lab.lab("heal")
    result = answer.document["result"]
    assert (answer.exit, result["state"], result["method"]) == (0, "moved", "cold"), answer.document
    assert lab.host_of("web") == lab.other(source)
    _writes_again(lab, "web")


def test_a_target_that_cannot_start_it_leaves_it_running_at_the_source(lab: LabHandle) -> None:
    source = lab.host_of("web")
    target = lab.other(source)
    with lab.drbdadm_refuses(target, ("primary",)):
        answer = lab.migrate("web", "--cold")
    assert (answer.exit, answer.document["result"]["state"]) == (3, "rolled back"), answer.document
    assert lab.host_of("web") == source
    _writes_again(lab, "web")
