"""Names come from libvirt, DRBD and other managers' locks: none reaches a terminal as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dualsrm.config import load
from dualsrm.errors import ExitCode
from dualsrm.model import LockHolder
from tests.simulator.pair import Fault, GuestSpec, SimPair
from tests.unit.cli.running import Program

HOSTILE = [
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "[red]name[/red]",
    "[/]",
    "two\nlines: done",
    "back\rspace",
    "\u202egnirts",
    "\x9b31m",
    "\udcff",
    ":boom:",
    "nul\x00",
]
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\udcff]")


@pytest.fixture(params=HOSTILE, ids=ascii)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pair(name: str) -> SimPair:
    return SimPair("9", [GuestSpec(name, (("data", 0),))], name="lab")


def harmless(text: str) -> bool:
    return not CONTROL.search(text)


def shown(name: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in name)


@pytest.mark.parametrize("command", ["status", "check", "migrate", "dry-run", "recover"])
def test_a_guest_by_that_name(program: Program, pair: SimPair, name: str, command: str) -> None:
    arguments = {
        "status": ("status",),
        "check": ("check", "-v", "--", name),
        "migrate": ("migrate", "--", name),
        "dry-run": ("migrate", "--dry-run", "--", name),
        "recover": ("recover",),
    }[command]
    ran = program(*arguments)
    assert ran.code == ExitCode.OK
    assert harmless(ran.out + ran.err)
    if command in ("check", "migrate"):
        assert shown(name) in ran.out.replace("\n", ""), "shown, brackets and all, not swallowed"
    assert "two\nlines" not in ran.out


def test_a_file_made_of_it(program: Program, pair: SimPair, name: str, tmp_path: Path) -> None:
    """In a comment of a configuration: no line of it is more than that comment."""
    path = tmp_path / "fresh.toml"
    ran = program("init", "192.0.2.11", "192.0.2.12", "--output", str(path), "--state", str(tmp_path))
    assert ran.code == ExitCode.OK
    assert harmless(ran.out + ran.err)
    assert harmless(path.read_text())
    assert shown(name) in path.read_text()
    assert load(path).pairs.keys() == {"alpha-beta"}


@pytest.mark.parametrize("command", ["status", "check", "migrate", "recover"])
def test_json_of_it(program: Program, name: str, command: str) -> None:
    arguments = (command, "--json") + (("--", name) if command in ("check", "migrate") else ())
    ran = program(*arguments)
    assert ran.code == ExitCode.OK
    assert ran.document["kind"] == command
    assert harmless(ran.out)
    if command in ("check", "migrate"):
        assert ran.document["guest"] == name


def test_what_a_host_says_of_itself(program: Program, pair: SimPair, name: str) -> None:
    """Errors carry what the host said, and the host may say anything."""
    pair.machines["alpha"].locks["lab"] = LockHolder(name, name, name)
    for command in (("status",), ("check", "--", name), ("recover",)):
        ran = program(*command)
        assert ran.code == ExitCode.REFUSED
        assert harmless(ran.out + ran.err)


def test_a_guest_that_does_not_exist(program: Program, name: str) -> None:
    ran = program("migrate", "--", f"no{name}")
    assert ran.code == ExitCode.USAGE
    assert harmless(ran.out + ran.err)


def test_an_error_of_a_step(program: Program, pair: SimPair, name: str) -> None:
    pair.faults.append(Fault("error", "start_migration"))
    ran = program("migrate", "--", name)
    assert ran.code == ExitCode.ROLLED_BACK
    assert harmless(ran.out + ran.err)


def test_a_wrong_command_line(program: Program, name: str) -> None:
    for arguments in (("check", "--", "web", name), (f"--{name}",), ("status", f"--{name}"), (f"x{name}",)):
        ran = program(*arguments)
        assert ran.code == ExitCode.USAGE
        assert harmless(ran.err)
