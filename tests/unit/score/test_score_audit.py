"""Asking over a real socket: answers that are late, lost, garbled or somebody else's."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from score.audit import audit, finding
from score.judge import AuditResult, DiskFinding
from score.ranges import Numbers
from score.wire import RUN_UNKNOWN, RUN_UNREADABLE, Answer, Extent, pack_answer
from tests.unit.score.model import Guest

Reply = Callable[[bytes], list[bytes]]


@contextmanager
def guest_at(reply: Reply) -> Iterator[tuple[str, int]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        stopping = threading.Event()

        def serve() -> None:
            while not stopping.is_set():
                request, asker = sock.recvfrom(100)
                for answer in reply(request) if len(request) > 1 else ():
                    sock.sendto(answer, asker)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()
        finally:
            stopping.set()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
                waker.sendto(b"!", sock.getsockname())
            thread.join()


def field(request: bytes, at: int) -> int:
    return int.from_bytes(request[at : at + 8], "little")


def honest(guest: Guest) -> Callable[[bytes], Answer]:
    def answer(request: bytes) -> Answer:
        found = guest.ask(request[6], field(request, 32), field(request, 40))
        return replace(found, request_id=field(request, 24))

    return answer


def written(count: int = 40) -> Guest:
    guest = Guest(disks=2, slots=16)
    guest.write(count)
    return guest


def holds_all(result: AuditResult | None, count: int) -> bool:
    return result is not None and all(
        finding.found == {100: Numbers(((1, count),))} for finding in result.disks.values()
    )


def test_an_honest_guest() -> None:
    answer = honest(written())
    with guest_at(lambda request: [pack_answer(answer(request))]) as address:
        result = audit("web", address, (1, 40), deadline_s=30)
    assert result is not None
    assert set(result.disks) == {0, 1}
    assert holds_all(result, 40)


def test_answers_that_do_not_fit_one_datagram_are_fetched_piece_by_piece() -> None:
    guest = written(12)
    for slot in (2, 4, 6, 8, 10):
        guest.disks[0].damage(slot)
    answer = honest(guest)
    with guest_at(lambda request: [pack_answer(answer(request))]) as address:
        result = audit("web", address, (1, 12), deadline_s=30)
    assert result is not None
    assert set(result.disks[0].found[100]) == {1, 3, 5, 7, 9, 11, 12}
    assert result.disks[0].spoken == Numbers(((1, 12),))


def test_garbage_and_foreign_answers_are_passed_over() -> None:
    answer = honest(written())

    def reply(request: bytes) -> list[bytes]:
        good = answer(request)
        return [
            b"garbage",
            pack_answer(good)[:-1],
            pack_answer(replace(good, request_id=3, extents=())),
            pack_answer(replace(good, name="db", extents=())),
            pack_answer(good),
        ]

    with guest_at(reply) as address:
        assert holds_all(audit("web", address, (1, 40), deadline_s=30), 40)


def test_a_lost_answer_is_asked_for_again() -> None:
    answer = honest(written())
    asked: list[bytes] = []

    def reply(request: bytes) -> list[bytes]:
        asked.append(request)
        return [pack_answer(answer(request))] if asked.count(request) > 1 else []

    with guest_at(reply) as address:
        assert holds_all(audit("web", address, (1, 40), deadline_s=30), 40)


def test_a_guest_booted_in_between_is_asked_from_the_beginning() -> None:
    guest = written()
    answer = honest(guest)
    asked: list[bytes] = []

    def reply(request: bytes) -> list[bytes]:
        asked.append(request)
        if len(asked) == 2:
            guest.boot()
        return [pack_answer(answer(request))]

    with guest_at(reply) as address:
        assert holds_all(audit("web", address, (1, 40), deadline_s=30), 40)
    assert len(asked) == 4


def test_silence_ends_at_the_deadline() -> None:
    with guest_at(lambda _request: []) as address:
        assert audit("web", address, (1, 1), deadline_s=0.2) is None


def test_nobody_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        nobody = sock.getsockname()
    assert audit("web", nobody, (1, 1), deadline_s=0.2) is None


def test_the_wrong_guest_is_no_answer() -> None:
    answer = honest(written())
    with guest_at(lambda request: [pack_answer(answer(request))]) as address:
        assert audit("db", address, (1, 1), deadline_s=0.2) is None


def test_what_could_not_be_read_is_kept_apart() -> None:
    extents = (Extent(1, 2, RUN_UNKNOWN), Extent(3, 3, 99), Extent(5, 5, RUN_UNREADABLE), Extent(6, 9, 99))
    answer = Answer("web", 1, 0, 99, 7, 1, 20, 128, 0, extents)
    assert finding([answer]) == DiskFinding(
        spoken=Numbers(((1, 20),)),
        found={99: Numbers(((3, 3), (6, 9)))},
        unreadable=Numbers(((5, 5),)),
        forgotten=Numbers(((1, 2),)),
    )
