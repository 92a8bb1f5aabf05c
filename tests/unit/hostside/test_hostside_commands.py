"""`dualsrm-host` from its arguments to its exit status, and what it may import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import syslog
from functools import partial
from pathlib import Path

import pytest

from dualsrm import __version__
from dualsrm.hostside import commands, local_drbd, machine, main
from dualsrm.hostside.fence_peer import Exit
from dualsrm.hostside.files import Files
from dualsrm.hostside.settings import load_peer
from dualsrm.model import Window
from tests.unit.hostside.host import FIXTURES, HERE, PEER, Tools, window

REPOSITORY = Path(__file__).parents[3]
AT_REST = "08-connected-uptodate-primary-secondary.nine1"
ALONE = "70-primary-disconnected-peer-outdated.nine1"


@pytest.fixture(autouse=True)
def _this_host(tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files and its DRBD; the log is the machine's own."""
    monkeypatch.setattr(commands, "Machine", partial(machine.Machine, tmp_path / "run", tmp_path / "lasting"))
    monkeypatch.setattr(machine, "load_peer", partial(load_peer, path=tmp_path / "host.toml"))
    monkeypatch.setattr(syslog, "syslog", lambda *_: None)
    monkeypatch.setattr(local_drbd, "PROC", FIXTURES / "12-dual-primary.nine1.proc-drbd")
    monkeypatch.setattr(commands, "_AGAIN_S", 0.05)
    for quiet in ("systemctl", "drbdadm"):
        tools.put(quiet, "exit 0")
    drbd_is(tools, AT_REST)


def drbd_is(tools: Tools, recording: str, *, show: str = AT_REST) -> None:
    """DRBD's state, read as it was recorded."""
    tools.put(
        "drbdsetup",
        f'case "$*" in show) cat {FIXTURES}/{show}.show ;; *) cat {FIXTURES}/{recording}.events2-now ;; esac',
    )


def peer_says(tools: Tools, answer: str) -> None:
    tools.put("ssh", f"echo '{json.dumps({'answer': answer, 'why': 'as it is'})}'")


# --- imports ------------------------------------------------------------------------------------------------------


def test_it_needs_pythons_own_library_only(tmp_path: Path) -> None:
    """A host has no pydantic, no paramiko, and nothing that could be imported from a frozen device by mistake."""
    (tmp_path / "dualsrm").symlink_to(REPOSITORY / "dualsrm")
    code = (
        "import sys, dualsrm.hostside.commands\n"
        "sys.exit(' '.join(sorted({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert set(done.stderr.split()) == {"__main__", "dualsrm"}


def test_the_program_by_its_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dualsrm.hostside", "version"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == f"dualsrm-host {__version__}\n"


def test_the_version_is_told_without_loading_the_rest() -> None:
    """The peer waits for it before every window."""
    code = (
        "import sys\nfrom dualsrm.hostside.main import main\nassert main(['version']) == 0\n"
        "assert 'dualsrm.hostside.commands' not in sys.modules\nassert 'subprocess' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-S", "-c", code], cwd=REPOSITORY, timeout=60, check=True)


@pytest.mark.parametrize(
    "arguments", [[], ["reboot"], ["yield"], ["yield", "--", "all"], ["yield", "--", "-x"], ["yield", "a/b"], ["guard"]]
)
def test_what_is_no_command_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main.main(arguments)
    assert left.value.code == 2
    assert capsys.readouterr().out == ""


# --- the handler --------------------------------------------------------------------------------------------------


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> None:
    """By DRBD, for vm1."""
    monkeypatch.setenv("DRBD_RESOURCE", "vm1")
    monkeypatch.setenv("DRBD_PEER", PEER)


@pytest.mark.usefixtures("called")
def test_the_handler_gives_the_kernel_the_verdict(tools: Tools) -> None:
    drbd_is(tools, ALONE)
    peer_says(tools, "gave way")
    assert main.main(["fence-peer"]) == Exit.PEER_OUTDATED
    (asked,) = tools.calls("ssh")
    assert asked.endswith(f"-- {PEER} dualsrm-host yield -- vm1")


@pytest.mark.usefixtures("called")
def test_the_handler_asks_until_there_is_a_verdict(tools: Tools) -> None:
    drbd_is(tools, ALONE)
    count = tools.directory / "count"
    reply = json.dumps({"answer": "owns", "why": "x"})
    tools.put("ssh", f"echo . >>{count}; test $(wc -l <{count}) -lt 3 && exit 255; echo '{reply}'")
    assert main.main(["fence-peer"]) == Exit.PEER_PRIMARY
    assert len(tools.calls("ssh")) == 3


@pytest.mark.usefixtures("called")
def test_the_handler_survives_what_it_cannot_do(tools: Tools) -> None:
    """DRBD cannot be read at first: it tries again, it does not end."""
    drbd_is(tools, ALONE)
    peer_says(tools, "gave way")
    drbdsetup, count = tools.directory / "drbdsetup", tools.directory / "count"
    fails_twice = f"echo . >>{count}\ntest $(wc -l <{count}) -lt 3 && exit 20\ncase"
    drbdsetup.write_text(drbdsetup.read_text().replace("case", fails_twice, 1))
    assert main.main(["fence-peer"]) == Exit.PEER_OUTDATED
    assert len(tools.calls("drbdsetup")) > 3


@pytest.mark.usefixtures("called")
def test_when_the_link_is_back_there_is_no_verdict(tools: Tools) -> None:
    peer_says(tools, "gave way")
    assert main.main(["fence-peer"]) == Exit.NONE
    assert not tools.calls("ssh")


@pytest.mark.parametrize(
    "environment", [{}, {"DRBD_RESOURCE": "vm1"}, {"DRBD_PEER": PEER}, {"DRBD_RESOURCE": "all", "DRBD_PEER": PEER}]
)
def test_the_handler_is_not_for_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environment: dict[str, str]
) -> None:
    for name in ("DRBD_RESOURCE", "DRBD_PEER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main.main(["fence-peer"]) == Exit.NONE
    assert "is run by DRBD" in capsys.readouterr().err


# --- the counterpart, the dead-man, the operator ------------------------------------------------------------------


def test_yielding_answers_in_one_line_that_the_peer_can_read(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    drbd_is(tools, ALONE)
    assert main.main(["yield", "--", "vm1"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["answer"] == "owns", "vm1 is Primary here, and there is no window"


def test_yielding_takes_its_time_and_then_says_not_yet(
    tools: Tools, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "_YIELD_S", 0.3)
    tools.put("drbdsetup", "echo busy >&2; exit 20")
    assert main.main(["yield", "--", "vm1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["answer"] == "not yet"
    assert "busy" in found["why"]
    assert len(tools.calls("drbdsetup")) > 1


def test_settling_ends_the_timer_with_its_window(tools: Tools, files: Files) -> None:
    files.leave(window("op1"))
    assert main.main(["settle", "--operation", "op1"]) == 0
    assert not files.windows()
    assert tools.calls("systemctl") == ["systemctl --quiet stop dualsrm-window-op1.timer"]
    assert main.main(["settle", "--operation", "op1"]) == 0, "a second time it finds nothing to do"


def test_a_window_that_is_left_keeps_its_timer_and_says_why(
    tools: Tools, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    files.leave(window("op1"))
    drbd_is(tools, ALONE)
    assert main.main(["settle", "--operation", "op1"]) == 0
    assert files.windows() == (window("op1"),)
    assert not tools.calls("systemctl")
    assert capsys.readouterr().out.startswith("vm1: ")


def test_a_window_whose_manager_lives_is_not_settled(tools: Tools, files: Files) -> None:
    files.leave(window("op1"))
    lease = files.take_lease(window("op1"))
    assert main.main(["settle"]) == 0
    assert files.windows() == (window("op1"),)
    assert not tools.calls()
    os.close(lease)


def test_who_says_that_the_peer_is_off_is_written_down(
    files: Files, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUDO_USER", "anna")
    assert main.main(["peer-is-off", PEER]) == 0
    assert files.confirmed_off(PEER) == "anna"
    assert f"{PEER} is off, says anna" in capsys.readouterr().out


@pytest.mark.usefixtures("called")
def test_a_host_that_is_confirmed_off_is_a_verdict_until_it_answers(tools: Tools, files: Files) -> None:
    drbd_is(tools, ALONE)
    main.main(["peer-is-off", PEER])
    tools.put("ssh", "exit 255")
    assert main.main(["fence-peer"]) == Exit.PEER_FENCED
    peer_says(tools, "gave way")
    assert main.main(["fence-peer"]) == Exit.PEER_OUTDATED
    assert files.confirmed_off(PEER) is None


def test_the_name_of_this_host_is_no_peer(capsys: pytest.CaptureFixture[str], files: Files) -> None:
    assert main.main(["peer-is-off", HERE]) == 1
    assert "this host" in capsys.readouterr().err
    assert files.confirmed_off(HERE) is None


def test_a_name_nobody_knows_is_noted_and_questioned(capsys: pytest.CaptureFixture[str], files: Files) -> None:
    """Whoever types it at 3 a.m. would wait for a verdict that never comes."""
    files.leave(window("op1"))
    assert main.main(["peer-is-off", PEER]) == 0
    assert "spelled" not in capsys.readouterr().err
    assert main.main(["peer-is-off", PEER.upper()]) == 0
    assert "must be spelled" in capsys.readouterr().err


def test_every_window_knows_its_peer() -> None:
    one = Window("op", "lab", "web", "uuid", "alpha", "beta", ("web",), "now")
    assert (one.peer_of("alpha"), one.peer_of("beta")) == ("beta", "alpha")
