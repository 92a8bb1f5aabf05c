"""The real host behind the decisions: which command is run for what, and what people are told."""

from __future__ import annotations

import json
import syslog
from functools import partial
from pathlib import Path

import pytest

from dualsrm.hostside import fence_device, local_drbd, machine
from dualsrm.hostside.machine import Machine
from dualsrm.hostside.port import Answer, GuestHere, HostsideError, Reply
from dualsrm.hostside.settings import FenceDevice, Peer, load_peer
from dualsrm.model import AT_REST, Power, Role
from tests.unit.hostside.host import FIXTURES, HERE, PEER, Tools, window

NINE = FIXTURES / "12-dual-primary.nine1"
EIGHT = FIXTURES.parent / "8.4" / "12-dual-primary.node1"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """What went to the system's log."""
    found: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "syslog", lambda level, text: found.append((level, text)))
    return found


@pytest.fixture
def here(tools: Tools, tmp_path: Path, told: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(machine, "load_peer", partial(load_peer, path=tmp_path / "host.toml"))
    tools.put("drbdadm", "exit 0")
    return Machine(tmp_path / "run", tmp_path / "lasting")


def drbd_is(tools: Tools, recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools.put(
        "drbdsetup", f'case "$*" in show) cat {recording}.show ;; "events2 --now") cat {recording}.events2-now ;; esac'
    )
    monkeypatch.setattr(local_drbd, "PROC", Path(f"{recording}.proc-drbd"))


@pytest.mark.parametrize(("recording", "verb"), [(EIGHT, "disk-options"), (NINE, "net-options")])
def test_drbd_is_changed_by_drbdadm_one_resource_at_a_time(
    here: Machine, tools: Tools, monkeypatch: pytest.MonkeyPatch, recording: Path, verb: str
) -> None:
    drbd_is(tools, recording, monkeypatch)
    here.demote("web")
    here.outdate("web")
    here.connect("web")
    here.set_two_primaries("web", allowed=True)
    here.set_two_primaries("web", allowed=False)
    here.set_fencing("web", AT_REST)
    assert tools.calls("drbdadm") == [
        "drbdadm secondary web",
        "drbdadm outdate web",
        "drbdadm connect web",
        "drbdadm net-options --allow-two-primaries=yes web",
        "drbdadm net-options --allow-two-primaries=no web",
        f"drbdadm {verb} --fencing=resource-only web",
    ]


@pytest.mark.parametrize("recording", [EIGHT, NINE])
def test_a_resource_is_seen_with_its_options(
    here: Machine, tools: Tools, monkeypatch: pytest.MonkeyPatch, recording: Path
) -> None:
    drbd_is(tools, recording, monkeypatch)
    found = here.resource("vm1")
    assert found is not None
    assert found.role == Role.PRIMARY
    assert found.options.allow_two_primaries  # type: ignore[union-attr]  # Unknown would fail here, rightly
    assert here.resource("other") is None


def test_drbd_that_cannot_be_read_is_an_error(here: Machine, tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_drbd, "PROC", Path("/nowhere"))
    with pytest.raises(HostsideError, match="DRBD cannot be read"):
        here.resource("vm1")
    drbd_is(tools, NINE, monkeypatch)
    tools.put("drbdsetup", "echo '2026-11-22T09:14:34.869282+00:00 exists resource name:vm1 role:Primary'")
    with pytest.raises(HostsideError):
        here.resource("vm1")


def test_its_name_is_the_kernels(here: Machine) -> None:
    assert here.name == HERE


def test_a_guest_without_a_process_is_absent(here: Machine) -> None:
    gone = window(uuid="00000000-1111-2222-3333-444444444444")
    assert here.guest(gone) is GuestHere.ABSENT
    assert here.kill_unless_running(gone) is GuestHere.ABSENT


def test_a_peer_that_answers_is_not_off(here: Machine, tools: Tools) -> None:
    here.confirm_off(PEER, "anna")
    tools.put("ssh", "exit 255")
    assert here.ask(PEER, "web", claims=False) is None
    assert here.confirmed_off(PEER) == "anna"
    tools.put("ssh", f"echo '{json.dumps({'answer': 'not yet', 'why': 'busy'})}'")
    assert here.ask(PEER, "web", claims=True) == Reply(Answer.NOT_YET, "busy")
    assert here.confirmed_off(PEER) is None


def test_without_a_device_nobody_is_fenced(here: Machine) -> None:
    assert here.fence(PEER) is None


def test_a_device_is_used_and_that_is_logged_before(
    here: Machine, tools: Tools, told: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "load_peer", lambda name: Peer(name, name, fence=FenceDevice("fence_test", {})))
    monkeypatch.setattr(fence_device, "_OFF_S", 0.1)
    tools.put("fence_test", "echo 'Status: OFF'; exit 2")
    assert here.fence(PEER) is Power.OFF
    assert told == [(syslog.LOG_NOTICE, f"switching {PEER} off with fence_test")]
    tools.put("fence_test", "exit 1")
    with pytest.raises(HostsideError):
        here.fence(PEER)


def test_an_alarm_is_logged_once_for_each_thing_it_says(here: Machine, told: list[tuple[int, str]]) -> None:
    for why in ("silent", "silent", "silent\x1b[2J, no fence device"):
        here.raise_alarm("web", why)
    assert told == [
        (syslog.LOG_CRIT, "web needs a person: silent"),
        (syslog.LOG_CRIT, "web needs a person: silent [2J, no fence device"),
    ]
    here.clear_alarm("web")
    here.clear_alarm("web")
    assert told[2:] == [(syslog.LOG_NOTICE, "web needs nobody any more")]


def test_an_alarm_that_cannot_be_kept_is_logged_all_the_same(
    here: Machine, tmp_path: Path, told: list[tuple[int, str]]
) -> None:
    """/run is full: the handler goes on asking, and the log says why the guest stands still."""
    (tmp_path / "run").write_text("no directory")
    assert here.raise_alarm("web", "silent")
    assert told == [(syslog.LOG_CRIT, "web needs a person: silent")]
