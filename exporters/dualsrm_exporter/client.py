"""Our families as prometheus_client's, and the lines of their samples.

The lines are made here, because prometheus_client takes about a second of processor time for those of a thousand
resources, and a scrape may take a quarter. Everything else of a page is prometheus_client's own: formats, their names,
and what stands above the samples. A test holds the lines to those it would make.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, assert_never, cast

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    StateSetMetricFamily,
)
from prometheus_client.metrics_core import Metric as ClientFamily
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from dualsrm_exporter.collected import Family, Labels
from dualsrm_exporter.metrics import Kind, Metric

_HERE: Final = "\0"
"""Where an object's labels go in a stateset's lines. No label's name or state has it."""


def to_client(family: Family) -> ClientFamily:
    """For what only prometheus_client can do with it."""
    metric = family.metric
    match metric.kind:
        case Kind.STATESET:
            stateset = StateSetMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, row in family.rows.items():
                held = cast("frozenset[str]", row)
                stateset.add_metric(labels, {state: state in held for state in metric.states})
            return stateset
        case Kind.INFO:
            info = InfoMetricFamily(metric.family, metric.help, labels=metric.labels)
            for labels, row in family.rows.items():
                info.add_metric(labels, dict(zip(metric.facts, cast("Labels", row), strict=True)))
            return info
        case Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
            for labels, row in family.rows.items():
                buckets, total = cast("tuple[list[tuple[str, float]], float]", row)
                histogram.add_metric(labels, buckets, total)
            return histogram
        case Kind.GAUGE | Kind.COUNTER:
            return _of_values(family)
        case _:
            assert_never(metric.kind)


def _of_values(family: Family) -> ClientFamily:
    metric = family.metric
    make = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    found = make(metric.family, metric.help, labels=metric.labels, unit=metric.unit)
    for labels, row in family.rows.items():
        found.add_metric(labels, cast("float", row))
    return found


def sample_lines(family: Family) -> str:
    """The lines of all samples: the same in Prometheus' format and in OpenMetrics."""
    metric = family.metric
    match metric.kind:
        case Kind.GAUGE | Kind.COUNTER:
            values = cast("dict[Labels, float]", family.rows)
            before, after = (f"{metric.name}{{", "} ") if metric.labels else (metric.name, " ")
            lines = [
                f"{before}{_joined(metric.labels, labels)}{after}{_number(value)}\n" for labels, value in values.items()
            ]
        case Kind.STATESET:
            states = cast("dict[Labels, frozenset[str]]", family.rows)
            lines = [
                _state_lines(metric, held).replace(_HERE, _joined(metric.labels, labels))
                for labels, held in states.items()
            ]
        case Kind.INFO:
            facts = cast("dict[Labels, Labels]", family.rows)
            names = (*metric.labels, *metric.facts)
            lines = [f"{metric.name}{{{_joined(names, labels + said)}}} 1.0\n" for labels, said in facts.items()]
        case Kind.HISTOGRAM:
            lines = [_histogram_line(sample) for sample in to_client(family).samples]
        case _:
            assert_never(metric.kind)
    return "".join(lines)


def _histogram_line(sample: Sample) -> str:
    labels = _joined(tuple(sample.labels), tuple(sample.labels.values()))
    return f"{sample.name}{f'{{{labels}}}' if labels else ''} {_number(sample.value)}\n"


@lru_cache(maxsize=32768)
def _joined(names: tuple[str, ...], values: Labels) -> str:
    """Labels in the order they are printed. An object has the same in many families and at every scrape."""
    return ",".join([f'{name}="{_escaped(value)}"' for name, value in sorted(zip(names, values, strict=True))])


@lru_cache(maxsize=1024)
def _state_lines(metric: Metric, held: frozenset[str]) -> str:
    """A line for each state, with a place for the object's labels. The metric's own name is a label, too."""
    before = [name for name in metric.labels if name < metric.name]
    if before:
        raise ValueError(f"{metric.name}: a label that sorts before the metric's own name: {before}")
    comma = f",{_HERE}" if metric.labels else ""
    return "".join(
        f'{metric.name}{{{metric.name}="{_escaped(state)}"{comma}}} {_number(float(state in held))}\n'
        for state in sorted(metric.states)
    )


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@lru_cache(maxsize=8192)
def _number(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]
