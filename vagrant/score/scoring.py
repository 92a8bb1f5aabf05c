"""The two calls the lab makes: score the guests, and begin a new measurement."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from score.audit import AUDIT_PORT, audit
from score.history import History, fold
from score.judge import Verdict, judge, pending
from score.ranges import Range
from score.spool import Mark, read, read_mark, write_mark


@dataclass(frozen=True, slots=True)
class Measurement:
    """Verdicts by guest, and the moment up to which announcements were taken."""

    mono_ns: int
    wall_ns: int
    verdicts: Mapping[str, Verdict]


def _wanted(history: History) -> Range:
    """Return the smallest range that holds everything to be looked for: reading back a whole ring takes seconds."""
    ranges = [r for numbers in pending(history).values() for r in numbers.ranges]
    return (min(r[0] for r in ranges), max(r[1] for r in ranges)) if ranges else (1, 1)


def measure(spool: Path, guests: Mapping[str, str], deadline_s: float, port: int = AUDIT_PORT) -> Measurement:
    """Take the announcements up to now, then have every guest (name -> address) read its disks back."""
    mono_ns, wall_ns = time.monotonic_ns(), time.time_ns()
    histories = fold(read(spool), read_mark(spool), mono_ns, wall_ns)

    def verdict(guest: str) -> Verdict:
        history = histories.get(guest, History())
        return judge(history, audit(guest, (guests[guest], port), _wanted(history), deadline_s))

    with ThreadPoolExecutor(max_workers=max(1, len(guests))) as pool:
        return Measurement(mono_ns, wall_ns, dict(zip(guests, pool.map(verdict, guests), strict=True)))


def reset(spool: Path, after: Measurement | None = None) -> None:
    """Begin a new measurement, now or where `after` ended.

    Gaps and counts begin anew. Promises do not: what was announced before must still be on the disks, save what
    `after` has reported as lost already.
    """
    if after is None:
        write_mark(spool, Mark(time.monotonic_ns(), time.time_ns()))
    else:
        settled = {guest: verdict.settled() for guest, verdict in after.verdicts.items()}
        write_mark(spool, Mark(after.mono_ns, after.wall_ns, settled))
