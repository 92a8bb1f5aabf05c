"""Every metric of the exporter, as data. docs/metrics.md is held to it by a test."""

from __future__ import annotations

from typing import Final

from dualsrm_exporter.metrics import drbd, exporter, guests, operations, readiness
from dualsrm_exporter.metrics.metric import OTHER as OTHER
from dualsrm_exporter.metrics.metric import Kind as Kind
from dualsrm_exporter.metrics.metric import Metric as Metric

DRBD: Final = tuple(value for value in vars(drbd).values() if isinstance(value, Metric))
GUESTS: Final = tuple(value for value in vars(guests).values() if isinstance(value, Metric))
READINESS: Final = tuple(value for value in vars(readiness).values() if isinstance(value, Metric))
OPERATIONS: Final = tuple(value for value in vars(operations).values() if isinstance(value, Metric))
EXPORTER: Final = tuple(value for value in vars(exporter).values() if isinstance(value, Metric))
ALL: Final = DRBD + GUESTS + READINESS + OPERATIONS + EXPORTER
"""In the order of a scrape."""
