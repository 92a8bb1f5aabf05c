"""What the exporter remembers: whole or not at all, and nothing a broken file says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dualsrm_exporter.drbd import memory as module
from dualsrm_exporter.drbd.memory import Memory, PeerVolume

ONE = PeerVolume('r"\n', "", 0)


def test_it_is_there_again(tmp_path: Path) -> None:
    first = Memory(tmp_path / "m.json", lambda: 100.0)
    first.saw_uptodate(ONE)
    first.saw_split_brain("r2")
    first.save()
    again = Memory(tmp_path / "m.json")
    assert again.uptodate() == {ONE: 100.0}
    assert again.split_brains() == {"r2"}
    assert (tmp_path / "m.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": 2, "uptodate": [["r", "", 0, 1]]}',
        '{"format": 1, "uptodate": {"r": 1}, "split_brain": ["r"]}',
        '{"format": 1, "uptodate": [["r", "", 0], ["r", "", "0", 1], [1, "", 0, 1], null], "split_brain": {"r": "x"}}',
        '{"format": 1, "uptodate": [["r", "", 0, NaN], ["r", "", 1, Infinity], ["r", "", 2, -1]]}',
        "[" * 100_000,
    ],
)
def test_a_file_that_makes_no_sense_is_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.json").write_text(text)
    found = Memory(tmp_path / "m.json")
    assert found.uptodate() == {}
    assert found.split_brains() == set()


def test_a_time_to_come_is_not_believed(tmp_path: Path) -> None:
    """A clock that was wrong would make a stale peer look fresh for as long."""
    (tmp_path / "m.json").write_text(json.dumps({"format": 1, "uptodate": [["r", "", 0, 2000.0]]}))
    assert Memory(tmp_path / "m.json", lambda: 1000.0).uptodate() == {}


def test_what_matters_is_written_at_once_and_the_rest_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    found = Memory(path, lambda: 100.0)
    found.saw_uptodate(ONE)
    found.save()
    before = path.read_text()
    found.saw_uptodate(PeerVolume("r", "", 1))
    found.save()
    assert path.read_text() == before
    found.saw_uptodate(PeerVolume("r", "", 1), last=True)
    found.save()
    assert len(Memory(path).uptodate()) == 2
    found.saw_split_brain("r")
    found.save()
    assert Memory(path).split_brains() == {"r"}
    found.saw_replication("r")
    found.save()
    assert Memory(path).split_brains() == set()


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.json"
    found = Memory(path)
    found.saw_split_brain("r")
    found.save()
    found.saw_split_brain("r2")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            found.save()
    assert Memory(path).split_brains() == {"r"}
    found.save()
    assert Memory(path).split_brains() == {"r", "r2"}


def test_it_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ENTRIES_LIMIT", 10)
    times = iter(range(1000))
    found = Memory(tmp_path / "m.json", lambda: float(next(times)))
    for number in range(50):
        found.saw_uptodate(PeerVolume(f"r{number}", "", 0))
        found.saw_split_brain(f"r{number}")
    assert len(found.uptodate()) == len(found.split_brains()) == 10
    assert PeerVolume("r49", "", 0) in found.uptodate()
