"""The datagrams between guest, recorder and judge; format.h is the reference."""

import enum
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

MAGIC: Final = b"SCO1"
RUN_UNREADABLE: Final = 1
RUN_UNKNOWN: Final = 2
RUN_FIRST_REAL: Final = 16
LAST_NUMBER: Final = 2**64 - 1

_DATAGRAM: Final = struct.Struct("<4sBBBx16sQQQII")
_ANSWER: Final = struct.Struct("<4sBBBx16sQQQQQII")
_EXTENT: Final = struct.Struct("<QQQ")
_CRC: Final = struct.Struct("<I")
DATAGRAM_SIZE: Final = _DATAGRAM.size + _CRC.size


class Kind(enum.IntEnum):
    """What a datagram says."""

    BOOT = 1
    DURABLE = 2
    ERROR = 3
    REQUEST = 4
    ANSWER = 5


_ANNOUNCED: Final = {kind.value: kind for kind in (Kind.BOOT, Kind.DURABLE, Kind.ERROR)}


class WireError(ValueError):
    """A datagram that no guest of ours sent, or that was damaged on its way."""


class Announcement(NamedTuple):
    """What a guest said about itself; `seq`, `other` and `value` mean what format.h says for each kind."""

    kind: Kind
    name: str
    disks: int
    disk: int
    run: int
    seq: int
    other: int = 0
    holes: int = 0
    value: int = 0


@dataclass(frozen=True, slots=True)
class Extent:
    """Record numbers first..last, all written by `run` (or one of the reserved runs)."""

    first: int
    last: int
    run: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One datagram's worth of what a guest read back from one disk: speaks for first..covered."""

    name: str
    disks: int
    disk: int
    run: int
    request_id: int
    first: int
    covered: int
    slots: int
    holes: int
    extents: tuple[Extent, ...]


def _checked(data: bytes) -> bytes:
    body, crc = data[: -_CRC.size], data[-_CRC.size :]
    if len(data) < DATAGRAM_SIZE or crc != _CRC.pack(zlib.crc32(body)) or not body.startswith(MAGIC):
        raise WireError("not a datagram of ours, or damaged")
    return body


def _sealed(body: bytes) -> bytes:
    return body + _CRC.pack(zlib.crc32(body))


@lru_cache(maxsize=256)
def _name(raw: bytes) -> str:
    name = raw.rstrip(b"\0").decode("ascii", "backslashreplace")
    if not name.isprintable() or not name:
        raise WireError("a guest without a proper name")
    return name


def unpack_announcement(data: bytes) -> Announcement:
    """Read a datagram sent to the recorder."""
    if len(data) != DATAGRAM_SIZE:
        raise WireError(f"{len(data)} bytes instead of {DATAGRAM_SIZE}")
    _, kind, disks, disk, name, run, seq, other, holes, value = _DATAGRAM.unpack(_checked(data))
    if kind not in _ANNOUNCED or run < RUN_FIRST_REAL or disk >= disks:
        raise WireError("not an announcement")
    return Announcement(_ANNOUNCED[kind], _name(name), disks, disk, run, seq, other, holes, value)


def pack_announcement(a: Announcement) -> bytes:
    """Write what a guest would send."""
    name = a.name.encode("ascii")
    return _sealed(_DATAGRAM.pack(MAGIC, a.kind, a.disks, a.disk, name, a.run, a.seq, a.other, a.holes, a.value))


def pack_request(request_id: int, disk: int, first: int, last: int) -> bytes:
    """Ask a guest to read numbers first..last of one disk back."""
    return _sealed(_DATAGRAM.pack(MAGIC, Kind.REQUEST, 0, disk, b"", request_id, first, last, 0, 0))


def unpack_answer(data: bytes) -> Answer:
    """Read a guest's answer; extents must be in order and within what the answer claims to speak for."""
    body = _checked(data)
    if len(body) < _ANSWER.size:
        raise WireError("too short for an answer")
    _, kind, disks, disk, name, run, request_id, first, covered, slots, holes, count = _ANSWER.unpack_from(body)
    if kind != Kind.ANSWER or disk >= disks or len(body) != _ANSWER.size + count * _EXTENT.size:
        raise WireError("not an answer")
    extents = tuple(Extent(*fields) for fields in _EXTENT.iter_unpack(body[_ANSWER.size :]))
    before = first - 1
    for extent in extents:
        if not before < extent.first <= extent.last <= covered:
            raise WireError("an answer whose extents are out of order")
        before = extent.last
    return Answer(_name(name), disks, disk, run, request_id, first, covered, slots, holes, extents)


def pack_answer(a: Answer) -> bytes:
    """Write what a guest would answer."""
    head = _ANSWER.pack(
        MAGIC, Kind.ANSWER, a.disks, a.disk, a.name.encode("ascii"), a.run, a.request_id,
        a.first, a.covered, a.slots, a.holes, len(a.extents),
    )  # fmt: skip
    return _sealed(head + b"".join(_EXTENT.pack(e.first, e.last, e.run) for e in a.extents))
