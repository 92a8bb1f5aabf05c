"""Asks a guest, over UDP, to read its disks back. Silence and garbage give None: unknown."""

import secrets
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from score.judge import AuditResult, DiskFinding
from score.ranges import Numbers, Range
from score.wire import RUN_UNKNOWN, RUN_UNREADABLE, Answer, WireError, pack_request, unpack_answer

AUDIT_PORT = 7101
_RETRY_S = 0.5
_MAX_ANSWER = 4096

Ask = Callable[[int, int, int], Answer]
"""disk, first, last -> one answer; raises SilentError."""


class SilentError(Exception):
    """No proper answer came before the deadline."""


class _RestartedError(Exception):
    """The guest was booted while it was being asked: answers of two boots do not add up."""


def finding(answers: Iterable[Answer]) -> DiskFinding:
    """Put the answers about one disk together."""
    spoken: list[Range] = []
    by_run: dict[int, list[Range]] = {}
    for answer in answers:
        spoken.append((answer.first, answer.covered))
        for extent in answer.extents:
            by_run.setdefault(extent.run, []).append((extent.first, extent.last))
    unreadable = Numbers.of(by_run.pop(RUN_UNREADABLE, ()))
    forgotten = Numbers.of(by_run.pop(RUN_UNKNOWN, ()))
    found = {run: Numbers.of(ranges) for run, ranges in by_run.items()}
    return DiskFinding(Numbers.of(spoken), found, unreadable, forgotten)


def collect(ask: Ask, wanted: Range) -> AuditResult:
    """Ask for the wanted numbers on every disk, answer after answer."""
    first_answer = ask(0, *wanted)
    disks: dict[int, DiskFinding] = {}
    holes = 0
    for disk in range(first_answer.disks):
        answers = [first_answer if disk == 0 else ask(disk, *wanted)]
        while answers[-1].covered < wanted[1]:
            answers.append(ask(disk, answers[-1].covered + 1, wanted[1]))
        if any(answer.run != first_answer.run for answer in answers):
            raise _RestartedError
        disks[disk] = finding(answers)
        holes += answers[-1].holes
    return AuditResult(disks, holes)


@dataclass(frozen=True, slots=True)
class _Line:
    """A socket to one guest, and until when to use it."""

    sock: socket.socket
    guest: str
    deadline: float

    def ask(self, disk: int, first: int, last: int) -> Answer:
        """Repeat one request until its answer comes; the guest may need several seconds to read."""
        request_id = secrets.randbits(64) | 1
        request = pack_request(request_id, disk, first, last)
        while (now := time.monotonic()) < self.deadline:
            try:
                self.sock.send(request)
                answer = self._receive(min(self.deadline, now + _RETRY_S), request_id)
            except OSError:  # "connection refused" of a guest that is booting
                time.sleep(min(_RETRY_S, max(0.0, self.deadline - time.monotonic())))
                continue
            if answer and (answer.disk, answer.first) == (disk, first) and first <= answer.covered <= last:
                return answer
        raise SilentError(self.guest)

    def _receive(self, until: float, request_id: int) -> Answer | None:
        while (left := until - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                answer = unpack_answer(self.sock.recv(_MAX_ANSWER))
            except TimeoutError:
                return None
            except WireError:
                continue
            if answer.request_id == request_id and answer.name == self.guest:
                return answer
        return None


def audit(guest: str, address: tuple[str, int], wanted: Range, deadline_s: float) -> AuditResult | None:
    """Have a guest read the wanted numbers back; None when it does not answer in time, or is another guest."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(address)
        except OSError:
            return None
        line = _Line(sock, guest, time.monotonic() + deadline_s)
        while True:
            try:
                return collect(line.ask, wanted)
            except _RestartedError:
                continue
            except SilentError:
                return None
