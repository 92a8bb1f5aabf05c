"""Sets of record numbers, kept as ranges: hours of announcements are a handful of ranges."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Range = tuple[int, int]
"""First and last number, both included."""


def _normal(ranges: Iterable[Range]) -> tuple[Range, ...]:
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


@dataclass(frozen=True, slots=True)
class Numbers:
    """An immutable set of integers: sorted ranges that neither overlap nor touch."""

    ranges: tuple[Range, ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[Range]) -> "Numbers":
        """Build from ranges in any order."""
        return cls(_normal(ranges))

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges:
            yield from range(first, last + 1)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.ranges, number, key=lambda r: r[0]) - 1
        return at >= 0 and number <= self.ranges[at][1]

    def __or__(self, other: "Numbers") -> "Numbers":
        return Numbers(_normal((*self.ranges, *other.ranges)))

    def __and__(self, other: "Numbers") -> "Numbers":
        found: list[Range] = []
        mine, theirs = 0, 0
        while mine < len(self.ranges) and theirs < len(other.ranges):
            (a, b), (c, d) = self.ranges[mine], other.ranges[theirs]
            if max(a, c) <= min(b, d):
                found.append((max(a, c), min(b, d)))
            if b < d:
                mine += 1
            else:
                theirs += 1
        return Numbers(tuple(found))

    def __sub__(self, other: "Numbers") -> "Numbers":
        if not self.ranges:
            return self
        edge = self.ranges[-1][1]
        outside: list[Range] = []
        start = self.ranges[0][0]
        for first, last in other.ranges:
            if first > start:
                outside.append((start, first - 1))
            start = max(start, last + 1)
        outside.append((start, max(start, edge)))
        return self & Numbers(_normal(outside))


class Collector:
    """Gathers numbers that come mostly in ascending order, without building a set for each."""

    def __init__(self) -> None:
        self._ranges: list[Range] = []

    def add(self, number: int) -> None:
        """Take one more number, in any order."""
        if self._ranges and number == self._ranges[-1][1] + 1:
            self._ranges[-1] = (self._ranges[-1][0], number)
        else:
            self._ranges.append((number, number))

    def numbers(self) -> Numbers:
        """Everything taken so far."""
        return Numbers.of(self._ranges)
