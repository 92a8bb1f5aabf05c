"""What a metric is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Types, as OpenMetrics has them. In the text format a stateset and an info are gauges."""

    GAUGE = "gauge"
    COUNTER = "counter"
    STATESET = "stateset"
    INFO = "info"
    HISTOGRAM = "histogram"


OTHER: Final = "other"
"""A state or word this release does not know: it is shown as that, never dropped."""

_SUFFIX: Final = {Kind.COUNTER: "_total", Kind.INFO: "_info"}


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One metric, described once: collectors, pages and tests read it from here."""

    name: str
    """As it is queried, `_total` and `_info` included."""
    kind: Kind
    labels: tuple[str, ...]
    help: str
    unit: str = ""
    """Base unit, the name's last word before `_total`; empty for states, flags and counts of nothing in particular."""
    states: tuple[str, ...] = ()
    """Of a stateset; each of its samples has the metric's own name as one more label."""
    facts: tuple[str, ...] = ()
    """Of an info: labels whose values may change while the object stays the same."""
    buckets: tuple[float, ...] = ()
    only_drbd: str = ""
    """`9` for what DRBD 8.4 does not know; empty when it is had from both."""

    @property
    def family(self) -> str:
        """The name without its type's suffix, as prometheus_client wants it."""
        return self.name.removesuffix(_SUFFIX.get(self.kind, ""))
