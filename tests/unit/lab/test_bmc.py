"""Power switches: what ipmi_sim is told, and what it runs when it is asked about a node's power."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from uml import bmc, chassis, layout
from uml import lab as lab_module
from uml.errors import LabError
from uml.lab import Lab
from uml.layout import Layout
from uml.processes import identify


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A lab `fake` whose node alpha is a sleeping process and whose node beta never ran."""
    for module in (layout, lab_module):
        monkeypatch.setattr(module, "LABS", tmp_path)
    monkeypatch.setattr(layout, "LONGEST_DIRECTORY", 200)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as kernel:
        found = identify(kernel.pid)
        assert found is not None
        (tmp_path / "fake").mkdir()
        (tmp_path / "fake" / "state.json").write_text(json.dumps({"kernels": {"alpha": asdict(found)}}))
        yield kernel
        kernel.kill()


def settings(text: str, word: str) -> list[str]:
    lines = [shlex.split(line) for line in text.splitlines()]
    return next(words[1:] for words in lines if words[0] == word)


def test_the_agent_logs_in_as_the_user_the_bmc_knows() -> None:
    text = bmc.configuration("lab", "alpha", "192.0.2.9", "s3cret")
    number, enabled, name, password, privilege, *_ = settings(text, "user")
    options = bmc.agent_options("192.0.2.9")
    assert (number, enabled, name, password, privilege) == ("2", "true", options["username"], "s3cret", "admin")
    assert settings(text, "addr") == [options["ip"], "623"]


def test_the_bmc_runs_our_program_for_its_own_lab_and_node() -> None:
    command = settings(bmc.configuration("lab-2", "beta", "192.0.2.9", "s3cret"), "chassis_control")
    assert [shlex.split(word) for word in command] == [["python", "-m", chassis.__name__, "lab-2", "beta"]]


def test_only_its_owner_may_read_a_bmc_s_password(tmp_path: Path) -> None:
    bmc.write(tmp_path / "bmc" / "alpha", "secret\n")
    written = tmp_path / "bmc" / "alpha" / "lan.conf"
    assert written.read_text() == "secret\n"
    assert written.stat().st_mode & 0o777 == 0o600


def test_power_is_on_until_it_is_switched_off(
    node: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    assert chassis.main("fake", "alpha", ["get", "power"]) == 0
    assert capsys.readouterr().out == "power:1\n"
    assert chassis.main("fake", "alpha", ["set", "power", "0"]) == 0
    assert chassis.main("fake", "alpha", ["get", "power"]) == 0
    assert capsys.readouterr().out == "power:0\n"
    assert node.wait(timeout=5) < 0


def test_a_bmc_that_lies_says_done_and_does_nothing(
    node: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    directory = Layout("fake").bmc("alpha")
    directory.mkdir(parents=True)
    bmc.set_mood(directory, bmc.Mood.LIES)
    assert chassis.main("fake", "alpha", ["set", "power", "0"]) == 0
    assert chassis.main("fake", "alpha", ["get", "power"]) == 0
    assert capsys.readouterr().out == "power:1\n"
    assert node.poll() is None


def test_off_does_not_wait_for_a_command_that_works_on_the_lab(node: subprocess.Popen[bytes]) -> None:
    with Lab(Layout("fake"), lambda _text: None).exclusive():
        assert chassis.main("fake", "alpha", ["set", "power", "0"]) == 0
    assert node.wait(timeout=5) < 0


@pytest.mark.usefixtures("node")
def test_a_node_nobody_recorded_is_not_reported_as_off(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LabError, match="not up"):
        chassis.main("fake", "beta", ["get", "power"])
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("node")
def test_what_the_switch_cannot_do_is_an_error() -> None:
    assert chassis.main("fake", "alpha", ["set", "shutdown", "1"]) != 0


@pytest.mark.usefixtures("node")
def test_a_lab_without_fence_devices_has_none_to_break(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lab, "require_up", lambda _self: None)
    with pytest.raises(LabError, match="without fence devices"):
        Lab(Layout("fake"), lambda _text: None).set_bmc("alpha", bmc.Mood.BROKEN)
