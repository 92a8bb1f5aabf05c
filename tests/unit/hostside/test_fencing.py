"""`dualsrm-host peer-status`, `fence` and `peer-is-off --by`: what the manager asks of a survivor."""

from __future__ import annotations

import json
import os
import syslog
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.hostside import commands, fence_device, local_drbd, machine, main
from dualsrm.hostside.files import Files
from dualsrm.hostside.peer import reach
from dualsrm.hostside.settings import FenceDevice, Peer
from dualsrm.model import PeerError, Power, parse_fenced, parse_peer_seen
from tests.unit.hostside.host import HERE, PEER, Tools

OFF, ON = "echo 'Status: OFF'; exit 2", "echo 'Status: ON'; exit 0"
LOG = """1763800000.1 beta kernel: drbd web alpha: conn( Connecting -> Connected ) peer( Unknown -> Primary )
1763800100.5 beta kernel: drbd web alpha: conn( Connected -> NetworkFailure ) peer( Primary -> Unknown )
1763800200.5 beta kernel: drbd db-data: peer( Primary -> Unknown ) conn( Connected -> Timeout )
1763800300.0 beta kernel: drbd web alpha: conn( Connected -> Timeout ) peer( Primary -> Unknown )
1763800301.0 beta kernel: drbd web/0 drbd0: conn( Connecting -> Connected )
1763800302.0 beta kernel: something says drbd web: conn( Connected
"""


@pytest.fixture(autouse=True)
def _this_host(tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "Machine", partial(machine.Machine, tmp_path / "run", tmp_path / "lasting"))
    monkeypatch.setattr(syslog, "syslog", lambda *_: None)
    monkeypatch.setattr(fence_device, "_OFF_S", 0.1)
    monkeypatch.setattr(fence_device, "_LOOK_S", 0.05)
    has_device(monkeypatch, yes=True)
    tools.put("ssh", "echo 'ssh: connect to host x port 22: Connection timed out' >&2; exit 255")
    newest_first = "\n".join(reversed(LOG.splitlines()))
    tools.put("journalctl", f"cat <<'END'\n{newest_first}\nEND")


def has_device(monkeypatch: pytest.MonkeyPatch, *, yes: bool) -> None:
    device = FenceDevice("fence_test", {}) if yes else None
    monkeypatch.setattr(machine, "load_peer", lambda name: Peer(name, name, fence=device))


def test_the_peer_as_seen_from_here(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    tools.put("fence_test", ON)
    assert main.main(["peer-status", "--", PEER]) == 0
    seen = parse_peer_seen(capsys.readouterr().out)
    assert (seen.reached, seen.power, seen.agent) == (False, Power.ON, "fence_test")
    assert "Connection timed out" in seen.why
    assert seen.lost_since == {"web": "2025-11-22T08:31:40+00:00", "db-data": "2025-11-22T08:30:00+00:00"}


def test_what_cannot_be_seen_is_unknown(
    tools: Tools, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tools.put("fence_test", "echo 'Unable to connect: wrong password' >&2; exit 1")
    tools.put("ssh", "echo 'Could not resolve hostname' >&2; exit 255")
    tools.put("journalctl", "exit 1")
    main.main(["peer-status", "--", PEER])
    seen = parse_peer_seen(capsys.readouterr().out)
    assert (seen.reached, seen.power, seen.lost_since) == (None, Power.UNKNOWN, {})
    assert "wrong password" in seen.power_why
    has_device(monkeypatch, yes=False)
    main.main(["peer-status", "--", PEER])
    seen = parse_peer_seen(capsys.readouterr().out)
    assert (seen.power, seen.agent) == (Power.NO_DEVICE, "")


@pytest.mark.parametrize(
    ("said", "status", "reached"),
    [
        ("dualsrm-host 0.1", 0, True),
        ("bash: dualsrm-host: command not found", 127, True),
        ("ssh: connect to host b port 22: Connection timed out", 255, False),
        ("Connection timed out during banner exchange", 255, False),
        ("ssh: connect to host b port 22: No route to host", 255, False),
        ("ssh: connect to host b port 22: Connection refused", 255, True),
        ("root@b: Permission denied (publickey).", 255, True),
        ("Host key verification failed.", 255, True),
        ("kex_exchange_identification: read: Connection reset by peer", 255, True),
        ("Connection closed by 10.0.0.2 port 22", 255, True),
        ("ssh: connect to host b port 22: Network is unreachable", 255, None),
        ("ssh: Could not resolve hostname b: Name or service not known", 255, None),
        ("", 255, None),
    ],
)
def test_a_refusal_is_an_answer_and_silence_is_none(tools: Tools, said: str, status: int, reached: bool | None) -> None:
    tools.put("ssh", f"echo '{said}' >&2; exit {status}")
    assert reach(Peer("b", "b"))[0] is reached


def test_a_peer_that_answers_is_not_off(tools: Tools, files: Files) -> None:
    files.confirm_off(PEER, "anna")
    tools.put("fence_test", ON)
    tools.put("ssh", "echo dualsrm-host 1")
    main.main(["peer-status", "--", PEER])
    assert files.confirmed_off(PEER) is None


def test_switched_off_and_noted(tools: Tools, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    on_disk = tools.directory / "switched"
    script = (
        f"case $(sed -n s/^action=//p) in off) touch {on_disk} ;; *) if test -e {on_disk}; then {OFF}; fi; {ON} ;; esac"
    )
    tools.put("fence_test", script)
    assert main.main(["fence", "--", PEER]) == 0
    fenced = parse_fenced(capsys.readouterr().out)
    assert (fenced.off, fenced.was, fenced.agent, fenced.asked) == (True, Power.ON, "fence_test", True)
    assert files.confirmed_off(PEER) == f"fence_test on {HERE}"
    main.main(["fence", "--", PEER])
    again = parse_fenced(capsys.readouterr().out)
    assert (again.off, again.was, again.asked) == (True, Power.OFF, False)


@pytest.mark.parametrize(
    ("script", "asked"), [(ON, True), ("exit 1", False), ("echo 'wrong password' >&2; exit 1", False), (None, False)]
)
def test_a_device_that_does_not_show_off_is_noted_nowhere(
    tools: Tools, files: Files, capsys: pytest.CaptureFixture[str], script: str | None, asked: bool
) -> None:
    if script is not None:
        tools.put("fence_test", script)
    assert main.main(["fence", "--", PEER]) == 1
    fenced = parse_fenced(capsys.readouterr().out)
    assert (fenced.off, fenced.asked) == (False, asked)
    assert fenced.why
    assert files.confirmed_off(PEER) is None


def test_without_a_device(files: Files, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    has_device(monkeypatch, yes=False)
    assert main.main(["fence", "--", PEER]) == 1
    fenced = parse_fenced(capsys.readouterr().out)
    assert (fenced.off, fenced.was, fenced.asked) == (False, Power.NO_DEVICE, False)
    assert files.confirmed_off(PEER) is None


def test_what_was_noted(files: Files, capsys: pytest.CaptureFixture[str], tools: Tools) -> None:
    main.main(["peer-is-off", "--by=anna@desk\x1b[2J", "--", PEER])
    assert files.confirmed_off(PEER) == "anna@desk [2J"
    capsys.readouterr()
    main.main(["peer-status", "--noted", "--", PEER])
    assert json.loads(capsys.readouterr().out) == {"confirmed_off": "anna@desk [2J", "quarantined": False}
    main.main(["peer-is-off", "--by=anna", "--quarantine=op1", "--", PEER])
    capsys.readouterr()
    main.main(["peer-status", "--noted", "--", PEER])
    assert json.loads(capsys.readouterr().out) == {"confirmed_off": "anna", "quarantined": True}
    assert not tools.calls(), "nobody is asked"
    main.main(["lift-quarantine", "--", PEER])
    assert files.quarantined() == ()


def test_switched_off_for_a_failover_is_in_quarantine_and_one_that_is_not_off_is_not(
    tools: Tools, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.put("fence_test", ON)
    assert main.main(["fence", "--quarantine=op1", "--", PEER]) == 1
    assert files.quarantined() == ()
    tools.put("fence_test", OFF)
    assert main.main(["fence", "--quarantine=op1", "--", PEER]) == 0
    assert [(one.host, one.operation) for one in files.quarantined()] == [(PEER, "op1")]
    capsys.readouterr()


@pytest.mark.parametrize("name", [os.uname().nodename, "-x", "a b", ""])
@pytest.mark.parametrize("verb", ["fence", "peer-status"])
def test_what_is_no_peer_is_not_fenced(verb: str, name: str, tools: Tools) -> None:
    with pytest.raises(SystemExit):
        main.main([verb, "--", name])
    assert not tools.calls()


def test_a_log_that_cannot_be_read_tells_no_time(tools: Tools) -> None:
    tools.put("journalctl", "exit 1")
    assert local_drbd.lost_since() == {}


@given(st.text() | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_an_answer_or_an_error(text: str) -> None:
    for parse in (parse_fenced, parse_peer_seen):
        with pytest.raises(PeerError):
            parse(text)
