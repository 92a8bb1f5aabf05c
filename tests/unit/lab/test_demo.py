"""The demo takes down what it brought up, and nothing else."""

from __future__ import annotations

import io
import signal
from dataclasses import dataclass, field

import pytest
from rich.console import Console

from uml import demo
from uml.errors import LabError
from uml.lab import MEMORY, Lab
from uml.layout import Layout


@dataclass(frozen=True)
class NoLab(Lab):
    """A lab that only notes what is asked of it."""

    asked: list[str] = field(default_factory=list)
    boots: bool = True

    def is_up(self) -> bool:
        return False

    def up(self, *, fencing: bool = True, memory: int = MEMORY) -> bool:
        self.asked.append("up" if fencing else "up without fence devices")
        return self.boots

    def down(self) -> None:
        self.asked.append("down")


def lab(*, boots: bool) -> NoLab:
    return NoLab(Layout("demo"), say=lambda _text: None, boots=boots)


def test_a_lab_another_demo_booted_meanwhile_is_left_up() -> None:
    the = lab(boots=False)
    with pytest.raises(LabError, match="already up"):
        demo.run(the, Console(file=io.StringIO()))
    assert the.asked == ["up"]


def test_its_own_lab_goes_down_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_play", interrupted)
    ignored: list[object] = []
    monkeypatch.setattr(signal, "signal", lambda *what: ignored.append(what))
    the = lab(boots=True)
    with pytest.raises(KeyboardInterrupt):
        demo.run(the, Console(file=io.StringIO()))
    assert the.asked == ["up", "down"]
    assert ignored == [(signal.SIGINT, signal.SIG_IGN)]
