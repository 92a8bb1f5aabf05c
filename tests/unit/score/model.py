"""A guest in a few lines: the same ring, ledger and audit as the C writer's, on disks that can be damaged at will.

Beside what a disk holds the model keeps what it *should* tell (`truth`): every record that was written to it and
neither damaged nor rolled back. The judge never sees the truth; tests compare its verdict with it.
"""

import copy
from dataclasses import dataclass, field

from score.wire import RUN_UNKNOWN, Answer, Extent, pack_answer, unpack_answer

Key = tuple[int, int]
"""Run and number."""

EXTENTS_PER_ANSWER = 3


@dataclass
class Disk:
    slots: int
    held: dict[int, Key] = field(default_factory=dict)
    ledger: dict[int, int] = field(default_factory=dict)
    """Number -> run, 0 if it was not found when it was overwritten."""
    ledgers: dict[Key, dict[int, int]] = field(default_factory=dict)
    truth: set[Key] = field(default_factory=set)
    forget_below: int = 1

    def newest(self) -> int:
        return max((seq for _, seq in self.held.values()), default=0)

    def boot(self) -> None:
        key = max(self.held.values(), key=lambda k: k[1], default=None)
        self.ledger = dict(self.ledgers[key]) if key else {}

    def catch_up(self, resume_at: int) -> None:
        end = min(resume_at, self.newest() + self.slots)
        for seq in range(self.ledger_end() + self.slots + 1, end + 1 if self.newest() else 0):
            self.retire(seq)

    def ledger_end(self) -> int:
        return max(self.ledger, default=0)

    def retire(self, seq: int) -> None:
        old = seq - self.slots
        if old <= self.ledger_end():
            return
        for skipped in range(self.ledger_end() + 1, old):
            self.ledger[skipped] = 0
        run, found = self.held.get(seq % self.slots, (0, 0))
        self.ledger[old] = run if found == old else 0

    def write(self, run: int, seq: int) -> None:
        self.retire(seq + 1)
        self.held[seq % self.slots] = (run, seq)
        self.ledgers[run, seq] = dict(self.ledger)
        self.truth.add((run, seq))

    def damage(self, slot: int) -> None:
        key = self.held.pop(slot, (0, 0))
        if key[1] > self.ledger_end():  # else it was seen in its place, and is about to be overwritten
            self.truth.discard(key)

    def who(self, seq: int) -> int:
        """Return the run that wrote seq as far as this disk knows; 0: not there."""
        if seq in self.ledger:
            return RUN_UNKNOWN if seq < self.forget_below else self.ledger[seq]
        run, found = self.held.get(seq % self.slots, (0, 0))
        return run if found == seq else 0


class Guest:
    """Runs are numbered from 100; `announced` is what the judge is told."""

    def __init__(self, disks: int, slots: int) -> None:
        self.disks = [Disk(slots) for _ in range(disks)]
        self.run = 99
        self.seq = 1
        self.announced: set[Key] = set()
        self.boot()

    def boot(self) -> None:
        self.run += 1
        self.seq = max(disk.newest() for disk in self.disks) + 1
        for disk in self.disks:
            disk.boot()
            disk.catch_up(self.seq)

    def write(self, count: int = 1) -> None:
        for _ in range(count):
            for disk in self.disks:
                disk.write(self.run, self.seq)
            self.announced.add((self.run, self.seq))
            self.seq += 1

    def crash_between_disks(self) -> None:
        """Write to the first disk only and die: nothing was promised."""
        self.disks[0].write(self.run, self.seq)
        self.boot()

    def copy_of(self, disk: int) -> Disk:
        return copy.deepcopy(self.disks[disk])

    def lost(self) -> set[Key]:
        return {key for key in self.announced if any(key not in disk.truth for disk in self.disks)}

    def ask(self, disk: int, first: int, last: int) -> Answer:
        """Answer an audit, in small portions, by way of the real datagram."""
        extents: list[Extent] = []
        covered = last
        for seq in range(first, min(last, max(self.disks[disk].newest(), first)) + 1):
            run = self.disks[disk].who(seq)
            if run and extents and extents[-1].run == run and extents[-1].last == seq - 1:
                extents[-1] = Extent(extents[-1].first, seq, run)
            elif run and len(extents) == EXTENTS_PER_ANSWER:
                covered = seq - 1
                break
            elif run:
                extents.append(Extent(seq, seq, run))
        answer = Answer("web", len(self.disks), disk, self.run, 1, first, covered, 8, 0, tuple(extents))
        return unpack_answer(pack_answer(answer))
