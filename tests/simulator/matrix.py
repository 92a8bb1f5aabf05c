"""The fault matrix: every kind of fault at every call that a run makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.simulator.pair import MUTATING, MUTATING_KINDS, READING_KINDS, Fault
from tests.simulator.pair.faults import Kind, Method


@dataclass(frozen=True, slots=True)
class FaultAt:
    """One fault, at the nth call of its kind to a host and, `times` None, at all after it."""

    kind: Kind
    at: Method
    host: str | None
    nth: int
    times: int | None

    def __str__(self) -> str:
        times = "ever" if self.times is None else f"{self.times}x"
        return "-".join(word for word in (self.kind, self.at, self.host, f"#{self.nth}", times) if word)

    @property
    def fault(self) -> Fault:
        """One to be met; it remembers that it was."""
        return Fault(self.kind, self.at, host=self.host, nth=self.nth, times=self.times)


def faults_at(
    method: Method, host: str | None, nths: Iterable[int], reading: Sequence[Kind] = READING_KINDS
) -> Iterator[FaultAt]:
    """All kinds that this call can meet; a crash happens once. `reading`: of a call that changes nothing."""
    kinds = ("crash_before",) if method == "sleep" else MUTATING_KINDS if method in MUTATING else reading
    for kind in kinds:
        for nth in nths:
            for times in (1,) if kind.startswith("crash") else (1, None):
                yield FaultAt(kind, method, host, nth, times)
