"""Metrics about the exporter itself."""

from __future__ import annotations

from typing import Final

from dualsrm_exporter.metrics.metric import Kind, Metric

BUILD: Final = Metric(
    "dualsrm_build_info",
    Kind.INFO,
    (),
    "Version of dualsrm and of the Python that runs the exporter.",
    facts=("version", "python"),
)
SUCCESS: Final = Metric(
    "dualsrm_scrape_collector_success",
    Kind.GAUGE,
    ("collector",),
    "Whether the collector could read everything it reads; 0: some of its metrics are missing from this scrape.",
)
DURATION: Final = Metric(
    "dualsrm_scrape_collector_duration_seconds",
    Kind.GAUGE,
    ("collector",),
    "How long the collector took.",
    "seconds",
)
SOURCE_SUCCESS: Final = Metric(
    "dualsrm_scrape_source_success",
    Kind.GAUGE,
    ("collector", "source"),
    "Whether one of the things a collector reads could be read; says which when the collector has no success.",
)
