"""A line is on disk when `write` returns, and a journal that cannot be read is not an empty one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dualsrm.engine.environment import SystemClock
from dualsrm.engine.journal import FileJournal, interrupted, over
from dualsrm.errors import Refused


def test_each_line_is_synced_after_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = FileJournal.begin(tmp_path, "migrate", SystemClock())
    (path,) = (tmp_path / "operations").iterdir()
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        synced.append(path.read_text().splitlines()[-1])

    monkeypatch.setattr("dualsrm.engine.journal.os.fsync", fsync)
    for step in ("open window", "promote"):
        journal.write("step", step=step)
    assert [step in line for step, line in zip(("open window", "promote"), synced, strict=True)] == [True, True]


def test_a_directory_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "operations").write_text("in the way")
    with pytest.raises(Refused, match="cannot be read"):
        interrupted(tmp_path, "lab")
    with pytest.raises(Refused, match="cannot be read"):
        over(tmp_path)


def test_other_files_there_are_not_operations(tmp_path: Path) -> None:
    (tmp_path / "operations").mkdir()
    (tmp_path / "operations" / "notes.txt").write_text("{}")
    assert interrupted(tmp_path, "lab") == ()
