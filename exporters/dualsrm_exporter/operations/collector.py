"""The collector: counts over the whole journal, and what is under way."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from dualsrm.history.reader import JournalReader, Operation
from dualsrm.history.words import classified
from dualsrm_exporter.collected import Collected, Histogram
from dualsrm_exporter.metrics import OPERATIONS, OTHER, Metric
from dualsrm_exporter.metrics import operations as m

STATE: Final = Path("/var/lib/dualsrm")
_NOT_TIMED: Final = frozenset({"refused", "recovered", "nothing to do", "untouched"})
"""Ends that say nothing about how long an operation takes."""
_GUESTS_LIMIT: Final = 10_000


class OperationsCollector:
    """Operations of the manager whose state directory this is."""

    name: Final = "operations"
    metrics: Sequence[Metric] = OPERATIONS
    sources: Sequence[str] = ("journal",)

    def __init__(self, state: Path = STATE, hosts: Callable[[], Iterable[tuple[str, str]]] = tuple) -> None:
        """`hosts`: pair and host of all that are known, for zeros."""
        self._hosts = hosts
        self._fencings: dict[tuple[str, str], int] = {}
        self._failed: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._reader = JournalReader(state, self._ended)
        self._ends: Counter[tuple[str, str]] = Counter()
        self._histograms: dict[tuple[Metric, *tuple[str, ...]], Histogram] = {}
        for verb in m.OUTCOMES:
            for method in m.METHODS.get(verb, ("",)):
                self._histogram(m.DURATION, verb, method)
        for verb, parts in m.PARTS.items():
            for part in parts:
                self._histogram(m.PART, verb, part)
        for verb, methods in m.METHODS.items():  # the moves
            self._histogram(m.WINDOW, verb)
            for method in methods:
                self._histogram(m.OUTAGE, verb, method)
        self._rehearsed: dict[tuple[str, str], float] = {}
        self._last: dict[Metric, dict[tuple[str, str, str], float]] = {m.LAST_SUCCESS: {}, m.LAST_FAILURE: {}}

    def collect(self, collected: Collected) -> None:
        """Read what is new, and say everything."""
        with self._lock:
            try:
                unended = self._reader.look()
            except OSError as error:
                collected.failures["journal"] = f"the journal cannot be read: {error}"
                return  # counts without what could not be read would be too low
            self._report(collected, unended)

    def _report(self, collected: Collected, unended: Sequence[Operation]) -> None:
        running = Counter(_verb(one) for one in unended if one.running)
        interrupted = Counter(_verb(one) for one in unended if not one.running)
        for verb, outcomes in m.OUTCOMES.items():
            for outcome in outcomes:
                collected.add(m.OPERATIONS, self._ends[verb, outcome], verb, outcome)
            collected.add(m.IN_PROGRESS, running[verb], verb)
            collected.add(m.INTERRUPTED, interrupted[verb], verb)
        for (metric, *labels), histogram in self._histograms.items():
            collected.add_histogram(metric, histogram, *labels)
        for one in unended:
            if one.running:
                where = one.name, _verb(one), one.pair, one.guest
                collected.add_info(m.STEP, {"step": one.step}, *where)
                collected.add(m.STARTED, one.begun, *where)
        for who in {**dict.fromkeys(self._hosts()), **self._fencings}:
            collected.add(m.FENCINGS, self._fencings.get(who, 0), *who)
            collected.add(m.FENCINGS_FAILED, self._failed.get(who, 0), *who)
        for metric, ends in self._last.items():
            for whom, at in ends.items():
                collected.add(metric, at, *whom)
        for group, at in self._rehearsed.items():
            collected.add(m.REHEARSED, at, *group)
        collected.add(m.JOURNAL, self._reader.present)
        collected.add(m.UNREADABLE, self._reader.unreadable)

    def _ended(self, one: Operation) -> None:
        verb = _verb(one)
        said = one.guests or {one.guest: one.outcome or OTHER}
        ends = {guest: classified(verb, outcome) or OTHER for guest, outcome in said.items()}
        self._ends.update((verb, outcome) for outcome in ends.values())
        for part, seconds in one.parts if verb in m.PARTS else ():
            self._observe(seconds, m.PART, verb, part)
        who = one.pair, one.lost
        if one.fencings and (who in self._fencings or len(self._fencings) < _GUESTS_LIMIT):
            self._fencings[who] = self._fencings.get(who, 0) + len(one.fencings)
            self._failed[who] = self._failed.get(who, 0) + one.fencings.count(False)
        if not _NOT_TIMED.issuperset(ends.values()):
            methods = m.METHODS.get(verb, ("",))
            method = one.method if one.method in methods else OTHER
            self._observe(one.total_s, m.DURATION, verb, method)
            self._observe(one.outage_s, m.OUTAGE, verb, method)
            self._observe(one.window_s, m.WINDOW, verb)
        for group in one.rehearsed if one.ended is not None else ():
            which = one.pair, group
            if which in self._rehearsed or len(self._rehearsed) < _GUESTS_LIMIT:
                self._rehearsed[which] = max(one.ended or 0.0, self._rehearsed.get(which, 0.0))
        for guest, outcome in ends.items():
            if one.ended is None or outcome == "recovered":
                continue
            last = self._last[m.LAST_SUCCESS if outcome in m.SUCCESSES.get(verb, ()) else m.LAST_FAILURE]
            labels = verb, one.pair, guest
            if labels in last or len(last) < _GUESTS_LIMIT:
                last[labels] = max(one.ended, last.get(labels, 0.0))

    def _observe(self, seconds: float | None, metric: Metric, *labels: str) -> None:
        if seconds is not None:
            self._histogram(metric, *labels).observe(seconds)

    def _histogram(self, metric: Metric, *labels: str) -> Histogram:
        return self._histograms.setdefault((metric, *labels), Histogram(metric.buckets))


def _verb(one: Operation) -> str:
    return one.verb if one.verb in m.OUTCOMES else OTHER
