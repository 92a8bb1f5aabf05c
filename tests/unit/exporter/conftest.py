"""A host for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dualsrm.hosts.drbd import Dialect
from dualsrm.hostside.run import ENVIRONMENT
from tests.unit.exporter.rig import FakeHost
from tests.unit.hostside.host import Tools


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    directory = tmp_path / "bin"
    directory.mkdir()
    made = Tools(directory)
    monkeypatch.setitem(ENVIRONMENT, "PATH", made.path)
    return made


@pytest.fixture(params=list(Dialect), ids=lambda dialect: dialect.value)
def host(request: pytest.FixtureRequest, tools: Tools, tmp_path: Path) -> Iterator[FakeHost]:
    """One of each version."""
    made = FakeHost(tools, tmp_path, request.param)
    yield made
    made.stop()


@pytest.fixture
def host84(tools: Tools, tmp_path: Path) -> Iterator[FakeHost]:
    made = FakeHost(tools, tmp_path, Dialect.V84)
    yield made
    made.stop()


@pytest.fixture
def host9(tools: Tools, tmp_path: Path) -> Iterator[FakeHost]:
    made = FakeHost(tools, tmp_path, Dialect.V9)
    yield made
    made.stop()
