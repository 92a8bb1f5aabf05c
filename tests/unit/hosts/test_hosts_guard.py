"""The manager's end of a guard, over a real sshd: to the real guard, and to hosts that are not as they should be."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

import pytest

from dualsrm.engine.ports import Disturbance
from dualsrm.errors import CommandFailed, DeadlineExceeded, HostUnreachable
from dualsrm.hosts import guard as guard_module
from dualsrm.hosts.guard import HostGuards
from dualsrm.hosts.ssh import SshConnection
from dualsrm.hostside.files import Files
from dualsrm.model import parse_window
from tests.unit.hosts.sshd import Sshd
from tests.unit.hostside.host import Tools, eventually, window
from tests.unit.hostside.rig import BACK, LOST, REPOSITORY, Rig


class Program:
    """What stands for `dualsrm-host` on the host."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = directory / "dualsrm-host"
        self.told = directory / "told"
        monkeypatch.setattr(guard_module, "_PROGRAM", str(self._path))

    def is_shell(self, script: str) -> None:
        """A piece of shell."""
        self._path.write_text(f"#!/bin/sh\ncd {shlex.quote(str(self._path.parent))}\n{script}\n")
        self._path.chmod(0o755)

    def is_python(self, code: str) -> None:
        """A guard in a few lines: `say(...)` to the manager, `hear()` its next line, which is noted."""
        start = (
            "import json, sys, time\n"
            "def say(**message): print(json.dumps(message), flush=True)\n"
            "def hear():\n"
            "    line = sys.stdin.readline()\n"
            "    open('told', 'a').write(line)\n"
            "    return line.strip()\n"
        )
        (self._path.parent / "guard.py").write_text(start + code)
        self.is_shell(f"exec {shlex.quote(sys.executable)} guard.py")

    def lines(self) -> list[str]:
        """What the manager said so far."""
        return self.told.read_text().splitlines() if self.told.exists() else []


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setattr(guard_module, "GUARD_BEAT_S", 0.1)
    return Program(tmp_path, monkeypatch)


@pytest.fixture
def guards(ssh: SshConnection) -> HostGuards:
    return HostGuards(ssh)


QUIET = """
hear()
say(armed=True)
while (word := hear()) not in ("release", ""):
    pass
word and say(released=True, left=[])
"""


# --- the real guard -----------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "run")


@pytest.fixture
def rig(tmp_path: Path, files: Files) -> Rig:
    (tmp_path / "bin").mkdir()
    return Rig(Tools(tmp_path / "bin"), tmp_path / "run", files)


def test_both_ends_understand_each_other(program: Program, guards: HostGuards, rig: Rig, files: Files) -> None:
    rig.role("Secondary")
    program.is_shell(f"cd {shlex.quote(str(REPOSITORY))}; exec {shlex.join(rig.argv(lease_s=2.0))}")
    guards.arm(window())
    assert files.windows() == (window(),)
    assert guards.disturbance() is None
    rig.event(LOST)
    assert eventually(lambda: guards.disturbance() == Disturbance("vm1 is Connecting", link=True))
    rig.event(BACK)
    assert eventually(lambda: guards.disturbance() is None)
    time.sleep(2.5)
    assert files.lease_held(window()), "heartbeats keep it"
    guards.disarm()
    assert not files.windows()
    assert not files.lease_held(window())


def test_closed_without_a_release_the_host_is_left_to_settle(
    program: Program, guards: HostGuards, rig: Rig, files: Files
) -> None:
    program.is_shell(f"cd {shlex.quote(str(REPOSITORY))}; exec {shlex.join(rig.argv())}")
    guards.arm(window())
    guards.close()
    assert eventually(lambda: not files.lease_held(window()))
    assert files.windows() == (window(),)


# --- arming -------------------------------------------------------------------------------------------------------


def test_the_record_comes_first_then_heartbeats(program: Program, guards: HostGuards) -> None:
    program.is_python(QUIET)
    guards.arm(window())
    assert parse_window(program.lines()[0]) == window()
    assert eventually(lambda: program.lines()[1:3] == ["beat", "beat"])
    guards.disarm()


def test_called_in_before_it_has_only_to_be_told(program: Program, guards: HostGuards) -> None:
    program.is_python("open('started', 'w').write(' '.join(sys.argv))\n" + QUIET)
    guards.call_in("beta")
    assert eventually(lambda: program.told.with_name("started").exists())
    assert not program.lines(), "neither a record nor a heartbeat"
    guards.arm(window())
    assert parse_window(program.lines()[0]) == window()
    guards.disarm()


def test_called_in_and_not_needed_it_ends_with_the_connection(
    program: Program, guards: HostGuards, ssh: SshConnection
) -> None:
    program.is_python("open('started', 'w')\nhear()\nopen('ended', 'w')\n")
    guards.call_in("beta")
    assert eventually(lambda: program.told.with_name("started").exists())
    guards.close()
    ssh.close()
    assert eventually(lambda: program.told.with_name("ended").exists())


def test_what_the_host_says_against_it_is_the_error(program: Program, guards: HostGuards) -> None:
    program.is_python("hear()\nsay(armed=False, why='beta has \\x1b[31mversion 0')\n")
    with pytest.raises(CommandFailed, match=r"guard` on alpha: beta has \[31mversion 0"):
        guards.arm(window())


@pytest.mark.parametrize("script", ["echo Traceback: something >&2; exit 1", "exec cat >&2"])
def test_a_program_that_ends_or_says_nothing_of_use_is_an_error(
    program: Program, guards: HostGuards, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(guard_module, "GUARD_ARM_S", 0.5)
    program.is_shell(script)
    with pytest.raises((CommandFailed, DeadlineExceeded)) as caught:
        guards.arm(window())
    assert "alpha" in caught.value.seen
    assert "dualsrm-host" in caught.value.fix


def test_a_host_without_the_program_says_so(program: Program, guards: HostGuards) -> None:
    """The channel may have ended before the record was sent: that is no fault of its own."""
    for _ in range(5):
        with pytest.raises(CommandFailed, match=r"not found|No such file"):
            guards.arm(window())


def test_a_host_that_is_silent_costs_its_deadline(
    program: Program, guards: HostGuards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "GUARD_ARM_S", 0.5)
    program.is_python("hear()\ntime.sleep(60)\n")
    with pytest.raises(DeadlineExceeded, match=r"did not answer within 0.5 s"):
        guards.arm(window())


# --- watching -----------------------------------------------------------------------------------------------------


def test_only_what_was_said_last_counts_and_what_makes_no_sense_is_passed_over(
    program: Program, guards: HostGuards
) -> None:
    program.is_python(
        "hear()\nsay(armed=True)\nprint('no json')\nprint('[1]')\nprint('[' * 50000)\nsay(other=1)\n"
        "say(differs='first', link=False)\nsay(differs='web \\x1b[2J is gone', link='yes')\n"
        "while hear(): pass\n"
    )
    guards.arm(window())
    assert eventually(lambda: guards.disturbance() == Disturbance("web [2J is gone", link=False))


def test_without_a_guard_nothing_is_said(guards: HostGuards) -> None:
    assert guards.disturbance() is None


# --- the end ------------------------------------------------------------------------------------------------------


def test_a_release_waits_for_its_answer(program: Program, guards: HostGuards) -> None:
    program.is_python(QUIET)
    guards.arm(window())
    guards.disarm()
    assert program.lines()[-1] == "release"
    assert guards.disturbance() is None


def test_without_a_guard_the_host_settles(program: Program, guards: HostGuards) -> None:
    program.is_shell('echo "$@" >>told')
    guards.disarm()
    assert program.lines() == ["settle"]


def test_a_guard_that_died_is_no_reason_not_to_settle(program: Program, guards: HostGuards) -> None:
    program.is_python("hear()\nsay(armed=True)\n")
    guards.arm(window())
    program.is_shell('echo "$@" >>told')
    guards.disarm()
    assert program.lines()[-1] == "settle"


def test_a_guard_that_died_on_a_host_that_can_be_heard_is_a_disturbance(program: Program, guards: HostGuards) -> None:
    """Nobody there would see an `adjust` any more."""
    program.is_python("hear()\nsay(armed=True)\n")
    guards.arm(window())
    gone = Disturbance("the guard of the window ended", link=False)
    assert eventually(lambda: guards.disturbance() == gone)


def test_a_host_that_cannot_settle_is_an_error(program: Program, guards: HostGuards) -> None:
    program.is_shell("echo no python3 >&2; exit 127")
    with pytest.raises(CommandFailed, match="settle` on alpha: no python3"):
        guards.disarm()


def test_a_lost_connection_is_found_out_when_it_is_released(program: Program, guards: HostGuards, sshd: Sshd) -> None:
    program.is_python(QUIET)
    guards.arm(window())
    sshd.drop_connections()
    program.is_shell('echo "$@" >>told')
    try:
        guards.disarm()
    except HostUnreachable:  # the kept connection noticed only now; the next call opens another
        guards.disarm()
    assert program.lines()[-1] == "settle"
