"""Samples by metric, as collectors find them. Kept small: a thousand resources have 90,000."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias

from dualsrm_exporter.metrics import OTHER, Metric

_LABEL_LIMIT: Final = 512
"""Characters of a label's value: guests may be called nearly anything, DRBD's names have 255 bytes at most."""

Labels: TypeAlias = tuple[str, ...]
Row: TypeAlias = "float | frozenset[str] | tuple[str, ...] | tuple[Sequence[tuple[str, float]], float]"
"""By the metric's kind: a value; the states that hold; the facts; cumulative buckets and the sum."""


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric of one scrape."""

    metric: Metric
    rows: dict[Labels, Row] = field(default_factory=dict)


class Collected:
    """What one collector found at one scrape. Each sample of a family stands once: the first one wins.

    Two names can be one label, by what a label cannot hold, and Prometheus refuses a page with a sample twice.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._families = {metric: Family(metric) for metric in metrics}
        self._clean: dict[Labels, Labels] = {}
        self.failures: dict[str, str] = {}
        """What could not be read, by source, each with why."""

    def __iter__(self) -> Iterator[Family]:
        return iter(self._families.values())

    def add(self, metric: Metric, value: float | None, *labels: str) -> None:
        """A sample of a gauge or counter. None is unknown, and is not said."""
        if value is not None:
            self._put(metric, labels, value + 0.0)  # a float, and no negative zero

    def add_states(self, metric: Metric, states: Collection[str], *labels: str) -> None:
        """All states of an object: which of them hold. A word nobody knows is `other`."""
        held = frozenset(state if state in metric.states else OTHER for state in states)
        self._put(metric, labels, held)

    def add_info(self, metric: Metric, facts: Mapping[str, str], *labels: str) -> None:
        """Words about an object."""
        self._put(metric, labels, tuple(_label(facts.get(fact, "")) for fact in metric.facts))

    def add_histogram(self, metric: Metric, histogram: Histogram, *labels: str) -> None:
        """What was observed."""
        self._put(metric, labels, (histogram.cumulative(), histogram.sum))

    def _put(self, metric: Metric, labels: Labels, row: Row) -> None:
        if len(labels) != len(metric.labels):
            raise ValueError(f"{metric.name} has the labels {metric.labels}, not {labels}")
        # An object's labels come again with each of its metrics.
        if (clean := self._clean.get(labels)) is None:
            clean = self._clean[labels] = tuple(map(_label, labels))
        self._families[metric].rows.setdefault(clean, row)


@lru_cache(maxsize=32768)
def _label(text: str) -> str:
    """What UTF-8 can hold: half a surrogate pair in a journal must not end the page."""
    return text[:_LABEL_LIMIT].encode("utf-8", "replace").decode("utf-8")


class Histogram:
    """Counts by bucket."""

    def __init__(self, buckets: Sequence[float]) -> None:
        self._bounds = (*buckets, float("inf"))
        self._counts = [0] * len(self._bounds)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """One more."""
        index = next(number for number, bound in enumerate(self._bounds) if value <= bound)
        self._counts[index] += 1
        self.sum += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bound and how many lie below it."""
        total, found = 0, []
        for bound, number in zip(self._bounds, self._counts, strict=True):
            total += number
            found.append(("+Inf" if bound == float("inf") else str(float(bound)), float(total)))
        return found
