"""docs/dependencies.md explains every dependency there is, and no other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.unit.docs.pages import DOCS, REPOSITORY, rows, sections

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
VAGRANT = REPOSITORY / "vagrant"


def _explained(section: str) -> set[str]:
    return {name for first, *_ in rows(sections(DOCS / "dependencies.md")[section]) for name in first.split(", ")}


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=~!\[ ]", requirement)[0] for requirement in requirements}


def _listed(path: Path) -> set[str]:
    return {line for line in path.read_text().splitlines() if line and not line.startswith("#")}


def test_run_time() -> None:
    assert _explained("At run time") == _names(PROJECT["project"]["dependencies"])


def test_the_exporter() -> None:
    assert _explained("The exporter") == _names(PROJECT["project"]["optional-dependencies"]["exporter"])


def test_development() -> None:
    wanted = _names(PROJECT["project"]["optional-dependencies"]["dev"]) | _names(PROJECT["build-system"]["requires"])
    assert _explained("For development") == wanted


def test_packages_of_the_testing_machine() -> None:
    listed = re.search(r"^packages=\(\n(.*?)^\)", (VAGRANT / "bootstrap").read_text(), re.DOTALL | re.MULTILINE)
    assert listed is not None
    wanted = set(listed[1].split()) | _listed(VAGRANT / "score" / "packages")
    wanted |= _listed(REPOSITORY / "tests" / "packages") | _listed(REPOSITORY / "tests" / "debian" / "packages")
    wanted |= _listed(REPOSITORY / "tests" / "browser" / "packages")
    assert _explained("Debian packages: the machine that runs tests and lab") == wanted


def test_packages_of_a_host() -> None:
    assert _explained("Debian packages: a host") == _listed(VAGRANT / "provision" / "packages.list")
