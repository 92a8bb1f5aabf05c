"""The journal: what is on disk before the act, and what counts as an end."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from pathlib import Path

import pytest

from dualsrm.engine.environment import SystemClock
from dualsrm.engine.journal import FileJournal, interrupted, note, over, settle_interrupted
from dualsrm.engine.progress import Event, Notice
from dualsrm.errors import Refused


def _begin(directory: Path) -> FileJournal:
    journal = FileJournal.begin(directory, "migrate", SystemClock())
    journal.write("intent", guest="web; rm -rf /", pair="lab")
    return journal


def test_an_operation_without_an_end_is_interrupted(tmp_path: Path) -> None:
    journal = _begin(tmp_path)
    journal.close()
    (found,) = interrupted(tmp_path, "lab")
    assert found.operation == journal.operation
    assert found.intent["guest"] == "web; rm -rf /"


def test_an_operation_that_still_runs_is_neither_interrupted_nor_over(tmp_path: Path) -> None:
    """Else a recovery beside a running move would take its lock and undo its work."""
    journal = _begin(tmp_path)
    assert interrupted(tmp_path, "lab") == ()
    assert over(tmp_path) == frozenset()
    journal.close()
    assert over(tmp_path) == {journal.operation}


def test_an_operation_that_is_just_beginning_is_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that can be seen before it is locked would be called a dead operation's, and cleared up after."""
    seen: list[object] = []
    flock = fcntl.flock

    def look_then_lock(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        seen.extend((interrupted(tmp_path, "lab"), over(tmp_path)))
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", look_then_lock)
    _begin(tmp_path).close()
    assert seen == [(), frozenset()]
    assert len(interrupted(tmp_path, "lab")) == 1


def test_an_interrupted_operation_is_no_matter_of_another_pair(tmp_path: Path) -> None:
    _begin(tmp_path).close()
    assert interrupted(tmp_path, "other") == ()


def test_an_end_ends_it(tmp_path: Path) -> None:
    journal = _begin(tmp_path)
    journal.write("end", outcome="moved")
    journal.close()
    assert interrupted(tmp_path, "lab") == ()


def test_a_line_cut_short_is_not_an_end(tmp_path: Path) -> None:
    journal = _begin(tmp_path)
    path = tmp_path / "operations" / f"{journal.operation}.jsonl"
    journal.close()
    with path.open("a") as file:
        file.write('{"kind": "end", "outc')
    assert len(interrupted(tmp_path, "lab")) == 1


def test_recovery_ends_it_even_after_a_line_cut_short(tmp_path: Path) -> None:
    journal = _begin(tmp_path)
    path = tmp_path / "operations" / f"{journal.operation}.jsonl"
    with path.open("a") as file:
        file.write('{"kind": "st')
    journal.close()
    settle_interrupted(tmp_path, journal.operation, "some-recovery", SystemClock())
    assert interrupted(tmp_path, "lab") == ()
    assert json.loads(path.read_text().splitlines()[-1])["by"] == "some-recovery"


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    journal = _begin(tmp_path)
    path = tmp_path / "operations" / f"{journal.operation}.jsonl"
    assert path.stat().st_mode & 0o077 == 0


def test_an_unwritable_directory_refuses_before_anything_is_touched(tmp_path: Path) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    with pytest.raises(Refused) as refused:
        FileJournal.begin(blocked, "migrate", SystemClock())
    assert "journal" in refused.value.seen
    assert refused.value.fix


def test_a_journal_that_fills_up_midway_is_told_and_survived(tmp_path: Path) -> None:
    """F58: once something was touched, a full disk must not stop what makes it safe again."""
    journal = _begin(tmp_path)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._descriptor)
    told: list[Event] = []
    note(journal, told.append, "step", step="demote")
    assert [type(event) for event in told] == [Notice]


def test_a_line_the_disk_took_half_of_is_told_and_the_next_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = _begin(tmp_path)
    write, room = os.write, [5]

    def half(descriptor: int, data: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[: room.pop()])

    with monkeypatch.context() as full:
        full.setattr(os, "write", half)
        with pytest.raises(Refused, match="No space left"):
            journal.write("step", step="demote")
    journal.write("end", outcome="moved")
    journal.close()
    assert interrupted(tmp_path, "lab") == ()


def test_no_operations_yet(tmp_path: Path) -> None:
    assert interrupted(tmp_path, "lab") == ()
