"""What a machine or a lab lacks is said in three parts, before anything is waited for."""

from __future__ import annotations

from pathlib import Path

import pytest

from uml import lab as lab_module
from uml import layout, network
from uml.errors import LabError
from uml.facts import read_facts
from uml.lab import Lab
from uml.layout import Layout
from uml.network import Networks
from uml.outside import printable


def test_a_machine_without_tap_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(network, "_TUN", tmp_path / "tun")
    with pytest.raises(LabError, match="modprobe tun"):
        Networks("dualsrm-none", read_facts()).create(("alpha",))
    assert not Networks("dualsrm-none", read_facts()).exists()


def test_a_console_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(layout, "LABS", tmp_path)
    monkeypatch.setattr(layout, "LONGEST_DIRECTORY", 200)
    the = Lab(Layout("none"), lambda _text: None)
    with pytest.raises(LabError, match="no console of alpha"):
        the.require_console("alpha")
    the.layout.directory.mkdir()
    the.layout.console("alpha").write_text("")
    the.require_console("alpha")


def test_a_console_s_control_sequences_do_not_reach_the_terminal() -> None:
    assert printable("\x1b[31mred\x1b[0m\nnext\r\n\u202elast") == " [31mred [0m\nnext\n last"


def test_a_lab_whose_image_is_still_being_built_is_among_the_existing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It has a lock and no directory yet; `clean` would else take the image away from under it."""
    monkeypatch.setattr(lab_module, "LABS", tmp_path)
    (tmp_path / "building.lock").touch()
    (tmp_path / "stopped").mkdir()
    (tmp_path / "stopped.lock").touch()
    (tmp_path / "failed.alpha.console").touch()
    assert lab_module.existing() == ["building", "stopped"]
