from pathlib import Path

import pytest

from score.ranges import Numbers
from score.spool import Mark, SpoolError, SpoolWriter, read, read_mark, write_mark
from score.wire import Announcement, Kind, pack_announcement


def datagram(seq: int) -> bytes:
    return pack_announcement(Announcement(Kind.DURABLE, "web", 1, 0, 100, seq))


def fill(spool: Path, numbers: range, rotate_bytes: int = 2**20) -> None:
    writer = SpoolWriter(spool, rotate_bytes)
    for seq in numbers:
        writer.append(seq, seq, datagram(seq))
    writer.close()


def numbers(spool: Path) -> list[int]:
    return [entry.said.seq for entry in read(spool)]


def test_what_was_written_is_read_across_files_and_restarts(tmp_path: Path) -> None:
    fill(tmp_path, range(1, 5001), rotate_bytes=10_000)
    fill(tmp_path, range(5001, 5011))
    assert numbers(tmp_path) == list(range(1, 5011))
    assert len(list(tmp_path.glob("*.spool"))) > 10


def test_the_end_is_read_without_the_rest(tmp_path: Path) -> None:
    fill(tmp_path, range(1, 101))
    fill(tmp_path, range(101, 104))
    assert [entry.said.seq for entry in read(tmp_path, last=2)] == [99, 100, 102, 103]
    assert [entry.said.seq for entry in read(tmp_path, last=1000)] == numbers(tmp_path)


def test_an_entry_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    fill(tmp_path, range(1, 4))
    file = next(tmp_path.glob("*.spool"))
    file.write_bytes(file.read_bytes()[:-1])
    fill(tmp_path, range(4, 6))
    assert numbers(tmp_path) == [1, 2, 4, 5]


def test_a_file_without_a_header_yet_holds_nothing(tmp_path: Path) -> None:
    fill(tmp_path, range(1, 3))
    (tmp_path / "000002.spool").touch()
    assert numbers(tmp_path) == [1, 2]


def test_a_damaged_entry_is_told_not_skipped(tmp_path: Path) -> None:
    fill(tmp_path, range(1, 4))
    file = next(tmp_path.glob("*.spool"))
    data = bytearray(file.read_bytes())
    data[60] ^= 1  # header 14, stamps 16: inside the first datagram
    file.write_bytes(bytes(data))
    with pytest.raises(SpoolError, match="damaged"):
        numbers(tmp_path)


def test_a_spool_of_another_boot_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, range(1, 3))
    (tmp_path / "boot_id").write_text("another")
    with pytest.raises(SpoolError, match="new directory"):
        numbers(tmp_path)


def test_no_mark_yet(tmp_path: Path) -> None:
    assert read_mark(tmp_path) is None


def test_the_newest_mark_counts_with_all_that_was_ever_settled(tmp_path: Path) -> None:
    big = 2**64 - 1
    write_mark(tmp_path, Mark(5, 6, {"web": {big: Numbers(((1, 3),))}}))
    write_mark(tmp_path, Mark(7, 8, {"web": {big: Numbers(((9, 9),))}, "db": {7: Numbers(((2, 2),))}}))
    write_mark(tmp_path, Mark(10, 11))
    assert read_mark(tmp_path) == Mark(10, 11, {"web": {big: Numbers(((1, 3), (9, 9)))}, "db": {7: Numbers(((2, 2),))}})
