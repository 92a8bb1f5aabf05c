"""What the recorder writes and the judge reads: announcements with the time they came, and marks.

A spool is a directory. Each start of the recorder, and each 64 MiB, begins a new file; a file is a header and then
entries of 16 + 60 bytes. Only the last entry of a file may be incomplete (a recorder that was killed).
"""

import json
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, NamedTuple

from score.ranges import Numbers
from score.wire import DATAGRAM_SIZE, Announcement, WireError, unpack_announcement

_HEADER: Final = b"score spool 1\n"
_STAMP: Final = struct.Struct("<QQ")
_ENTRY_SIZE: Final = _STAMP.size + DATAGRAM_SIZE
_ROTATE_BYTES: Final = 64 * 2**20
_MARKS: Final = "marks.jsonl"
_BOOT: Final = "boot_id"
_READ_ENTRIES: Final = 4096


class SpoolError(Exception):
    """The spool cannot be used; the message says why."""


class Stamped(NamedTuple):
    """An announcement and when it came, by both clocks of the recorder."""

    mono_ns: int
    wall_ns: int
    said: Announcement


RunNumbers = Mapping[int, Numbers]
"""Record numbers by the run that announced them."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The start of a new measurement; `settled` holds by guest what earlier measurements have reported already."""

    mono_ns: int
    wall_ns: int
    settled: Mapping[str, RunNumbers] = field(default_factory=dict)


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def claim(spool: Path) -> None:
    """Create the spool, or make sure that it belongs to this boot: monotonic stamps of two boots do not compare."""
    spool.mkdir(parents=True, exist_ok=True)
    owner = spool / _BOOT
    if not owner.exists():
        owner.write_text(_boot_id())
    if owner.read_text() != _boot_id():
        raise SpoolError(f"{spool} was recorded before this machine was booted: use a new directory")


class SpoolWriter:
    """Appends entries; each is handed to the kernel before `append` returns."""

    def __init__(self, spool: Path, rotate_bytes: int = _ROTATE_BYTES) -> None:
        claim(spool)
        self._spool = spool
        self._rotate_bytes = rotate_bytes
        self._file = self._next_file()

    def _next_file(self) -> IO[bytes]:
        number = max((int(p.stem) for p in self._spool.glob("*.spool")), default=0) + 1
        file = (self._spool / f"{number:06}.spool").open("xb", buffering=0)
        file.write(_HEADER)
        return file

    def append(self, mono_ns: int, wall_ns: int, datagram: bytes) -> None:
        """Keep a datagram that unpack_announcement accepts."""
        if self._file.tell() >= self._rotate_bytes:
            self._file.close()
            self._file = self._next_file()
        self._file.write(_STAMP.pack(mono_ns, wall_ns) + datagram)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def _entries(path: Path, last: int | None) -> Iterator[bytes]:
    with path.open("rb") as file:
        if file.read(len(_HEADER)) != _HEADER:
            return  # created this instant, or killed before the header was out: holds no entry
        if last is not None:
            there = (path.stat().st_size - len(_HEADER)) // _ENTRY_SIZE
            file.seek(_ENTRY_SIZE * max(0, there - last), os.SEEK_CUR)
        size = _ENTRY_SIZE * _READ_ENTRIES
        block = b"\0" * size
        while len(block) == size:  # a short one is the end, even if the recorder appends meanwhile
            block = file.read(size)
            yield from (block[at : at + _ENTRY_SIZE] for at in range(0, len(block) - _ENTRY_SIZE + 1, _ENTRY_SIZE))


def read(spool: Path, last: int | None = None) -> Iterator[Stamped]:
    """Everything recorded, in the order it came; or so much of the end of each of the two newest files."""
    claim(spool)
    for path in sorted(spool.glob("*.spool"))[-2 if last is not None else 0 :]:
        for entry in _entries(path, last):
            mono_ns, wall_ns = _STAMP.unpack_from(entry)
            try:
                said = unpack_announcement(entry[_STAMP.size :])
            except WireError as error:
                raise SpoolError(f"{path} is damaged") from error
            yield Stamped(mono_ns, wall_ns, said)


def write_mark(spool: Path, mark: Mark) -> None:
    """Append a mark."""
    claim(spool)
    settled = {
        guest: {str(run): numbers.ranges for run, numbers in runs.items()} for guest, runs in mark.settled.items()
    }
    line = json.dumps({"mono_ns": mark.mono_ns, "wall_ns": mark.wall_ns, "settled": settled})
    with (spool / _MARKS).open("a", encoding="ascii") as file:
        file.write(line + "\n")


def read_mark(spool: Path) -> Mark | None:
    """Return the newest mark with everything that any mark settled; None before the first."""
    path = spool / _MARKS
    if not path.exists():
        return None
    settled: dict[str, dict[int, Numbers]] = {}
    newest: tuple[int, int] | None = None
    for line in path.read_text(encoding="ascii").splitlines():
        entry = json.loads(line)
        newest = (entry["mono_ns"], entry["wall_ns"])
        for guest, runs in entry["settled"].items():
            known = settled.setdefault(guest, {})
            for run, ranges in runs.items():
                more = Numbers.of((first, last) for first, last in ranges)
                known[int(run)] = known.get(int(run), Numbers()) | more
    return Mark(*newest, settled) if newest else None
