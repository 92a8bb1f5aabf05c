import dataclasses
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from score.wire import (
    DATAGRAM_SIZE,
    Announcement,
    Answer,
    Extent,
    Kind,
    WireError,
    pack_announcement,
    pack_answer,
    pack_request,
    unpack_announcement,
    unpack_answer,
)

u64 = st.integers(0, 2**64 - 1)
SAID = Announcement(Kind.DURABLE, "web", 2, 0, 2**63 + 5, 105, 0, 3, 740)
ANSWER = Answer("web", 2, 1, 99, 7, 10, 20, 128, 0, (Extent(10, 12, 99), Extent(14, 20, 98)))


@given(st.sampled_from([Kind.BOOT, Kind.DURABLE, Kind.ERROR]), st.integers(16, 2**64 - 1), u64, u64)
def test_announcements_survive_the_way(kind: Kind, run: int, seq: int, other: int) -> None:
    said = SAID._replace(kind=kind, run=run, seq=seq, other=other)
    assert unpack_announcement(pack_announcement(said)) == said


def test_answers_survive_the_way() -> None:
    assert unpack_answer(pack_answer(ANSWER)) == ANSWER


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    for unpack in (unpack_announcement, unpack_answer):
        with pytest.raises(WireError):
            unpack(data)


@given(st.binary(min_size=DATAGRAM_SIZE - 4, max_size=DATAGRAM_SIZE - 4))
def test_garbage_with_a_good_checksum_is_refused_or_harmless(body: bytes) -> None:
    data = b"SCO1" + body[4:]
    try:
        said = unpack_announcement(data + struct.pack("<I", zlib.crc32(data)))
    except WireError:
        return
    assert said.name.isprintable()
    assert said.disk < said.disks


@given(st.integers(0, DATAGRAM_SIZE * 8 - 1))
def test_every_flipped_bit_is_noticed(bit: int) -> None:
    data = bytearray(pack_announcement(SAID))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WireError):
        unpack_announcement(bytes(data))


def test_a_request_is_no_announcement() -> None:
    with pytest.raises(WireError):
        unpack_announcement(pack_request(99, 0, 1, 2))


@pytest.mark.parametrize(
    "extents",
    [(Extent(9, 12, 99),), (Extent(14, 21, 99),), (Extent(14, 13, 99),), (Extent(10, 12, 99), Extent(12, 13, 98))],
)
def test_answers_that_contradict_themselves_are_refused(extents: tuple[Extent, ...]) -> None:
    with pytest.raises(WireError):
        unpack_answer(pack_answer(dataclasses.replace(ANSWER, extents=extents)))


def test_an_answer_is_refused_when_cut_short() -> None:
    with pytest.raises(WireError):
        unpack_answer(pack_answer(ANSWER)[:-24])
