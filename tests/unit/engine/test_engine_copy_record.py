"""What is kept of a memory copy: little, whatever it is fed, and never at the price of the copy."""

from __future__ import annotations

from dualsrm.engine.copy_record import CopyRecorder
from dualsrm.engine.ports import JobProgress
from dualsrm.engine.progress import Copying, Event, Notice
from dualsrm.errors import Refused


class Journal:
    """Keeps what is jotted down, or is full."""

    operation = "op"

    def __init__(self, *, full: bool = False) -> None:
        self.kinds: list[str] = []
        self.full = full

    def write(self, kind: str, **facts: object) -> None:
        raise AssertionError("that would wait for the disk in the middle of a copy")

    def jot(self, kind: str, **facts: object) -> None:
        if self.full:
            raise Refused("the journal is full")
        self.kinds.append(kind)


def _copying(seconds: float, total: int = 1024) -> Copying:
    return Copying(JobProgress(memory_total=total, memory_remaining=1), seconds)


def test_an_hour_of_copying_is_a_few_hundred_lines_and_at_most_one_each_second() -> None:
    journal, told = Journal(), list[Event]()
    recorder = CopyRecorder(journal, told.append)
    for quarter in range(40):
        recorder(_copying(quarter / 4))
    assert len(journal.kinds) == 10
    for half in range(20, 7200):
        recorder(_copying(half / 2))
    assert 200 < len(journal.kinds) < 400
    assert len(told) == 40 + 7180, "all is passed on"


def test_before_memory_is_copied_there_is_nothing_to_keep() -> None:
    journal = Journal()
    CopyRecorder(journal, lambda _: None)(_copying(5.0, total=0))
    assert journal.kinds == []


def test_notices_are_kept_and_a_full_journal_stops_nothing() -> None:
    journal, told = Journal(), list[Event]()
    CopyRecorder(journal, told.append)(Notice("the link is lost"))
    assert journal.kinds == ["notice"]
    CopyRecorder(Journal(full=True), told.append)(Notice("again"))
    assert told == [Notice("the link is lost"), Notice("again")]
