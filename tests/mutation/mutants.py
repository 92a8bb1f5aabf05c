"""What mutmut made of the code, which of it lived, and why that may be."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

STATE = Path("mutants")
"""Where mutmut writes its copy of the tree, below the directory it is called in."""
_LINE = re.compile(r" +(?P<name>\S+): (?P<status>[a-z ]+)")
_NAME = re.compile(r"(?P<module>.+)\.x(?:_|ǁ(?P<class>\w+)ǁ)(?P<function>\w+)__mutmut_\d+")
_ENDED = {"killed", "timeout", "segfault"}
_LIVED = {"survived", "no tests"}


@dataclass(frozen=True, slots=True)
class Change:
    """What a mutant changes, and in which function: its number moves with every line before it."""

    function: str
    was: str
    becomes: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mutant, as mutmut calls it."""

    name: str
    status: str

    @property
    def module(self) -> str:
        """Which it is a mutant of."""
        return self._parts()["module"]

    @property
    def function(self) -> str:
        """With module and class."""
        parts = self._parts()
        return ".".join(part for part in (parts["module"], parts["class"], parts["function"]) if part)

    @property
    def lives(self) -> bool:
        """No test saw a difference, or none ran. Raises ValueError when that is not known."""
        if self.status not in _ENDED | _LIVED:
            raise ValueError(f"mutmut says {self.status!r} of {self.name}")
        return self.status in _LIVED

    def change(self) -> Change:
        """What it changes."""
        shown = _mutmut("show", self.name).splitlines()
        lines = [line for line in shown if line[:1] in {"-", "+"} and line[:3] not in {"---", "+++"}]
        was, becomes = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
        return Change(self.function, was, becomes)

    def _parts(self) -> re.Match[str]:
        parts = _NAME.fullmatch(self.name)
        if parts is None:
            raise ValueError(f"mutmut calls a mutant {self.name!r}")
        return parts


def run(modules: Sequence[str]) -> list[Mutant]:
    """Make and try the mutants of these modules anew; none: of all in pyproject.toml. Raises when there is none."""
    shutil.rmtree(STATE, ignore_errors=True)
    subprocess.run(["mutmut", "run", *(f"{module}.*" for module in modules)], check=True)
    found = (_LINE.fullmatch(line) for line in _mutmut("results", "--all", "true").splitlines())
    every = (Mutant(line["name"], line["status"]) for line in found if line)
    asked = [one for one in every if not modules or one.module in modules]
    if not asked:
        raise RuntimeError("mutmut made no mutant, or its results cannot be read: nothing was tried")
    return asked


def explained(path: Path) -> dict[Change, str]:
    """By change: why it may live."""
    reasons = tomllib.loads(path.read_text())["reason"]
    return {Change(*change): reason["why"] for reason in reasons for change in reason["changes"]}


def survivors(mutants: Iterable[Mutant]) -> dict[Mutant, Change]:
    """Those that live, with what they change."""
    return {mutant: mutant.change() for mutant in mutants if mutant.lives}


def _mutmut(*arguments: str) -> str:
    return subprocess.run(["mutmut", *arguments], check=True, capture_output=True, text=True).stdout
