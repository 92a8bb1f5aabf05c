"""A host of files and small programs for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualsrm.hostside.files import Files
from dualsrm.hostside.run import ENVIRONMENT
from tests.unit.hostside.host import Tools


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    directory = tmp_path / "bin"
    directory.mkdir()
    made = Tools(directory)
    monkeypatch.setitem(ENVIRONMENT, "PATH", made.path)
    return made


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "run", tmp_path / "lasting")
