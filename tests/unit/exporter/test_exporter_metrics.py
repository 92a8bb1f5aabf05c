"""The one table of metrics: names by Prometheus' rules, and docs/metrics.md says the same."""

from __future__ import annotations

import re
import subprocess

import pytest

from dualsrm_exporter.drbd.follower import HELPERS
from dualsrm_exporter.metrics import ALL, DRBD, EXPORTER, GUESTS, OPERATIONS, OTHER, READINESS, Kind, Metric
from dualsrm_exporter.metrics import operations as m
from dualsrm_exporter.render import render
from tests.unit.docs.pages import DOCS, rows, sections
from tests.unit.exporter.test_exporter_render import one_of_each

PAGE = DOCS / "metrics.md"
UNITS = {"seconds", "bytes", "ratio", "requests", "bytes_per_second", ""}


def test_each_name_is_there_once() -> None:
    assert len({metric.name for metric in ALL}) == len({metric.family for metric in ALL}) == len(ALL) > 70


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_names_units_and_labels(metric: Metric) -> None:
    assert re.fullmatch(r"dualsrm(_[a-z0-9]+)+", metric.name)
    assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER)
    assert metric.name.endswith("_info") is (metric.kind is Kind.INFO)
    assert metric.unit in UNITS
    assert not metric.unit or metric.family.endswith(f"_{metric.unit}")
    assert not metric.unit or metric.kind not in (Kind.STATESET, Kind.INFO)
    assert bool(metric.states) is (metric.kind is Kind.STATESET)
    assert bool(metric.facts) is (metric.kind is Kind.INFO)
    assert bool(metric.buckets) is (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert len(metric.help) > 20
    assert metric.help.endswith(".")
    assert all(re.fullmatch(r"[a-z_]+", label) for label in metric.labels + metric.facts)
    assert not {"le", "instance", "job", metric.name} & set(metric.labels + metric.facts)
    assert "host" not in metric.labels or "pair" in metric.labels, "the host that is scraped is `instance`"
    assert not metric.states or metric.states[-1] == OTHER
    assert len(set(metric.states)) == len(metric.states)


def test_the_words_that_become_labels_are_closed_lists() -> None:
    assert HELPERS[-1] == OTHER
    assert all(outcomes[-1] == OTHER for outcomes in m.OUTCOMES.values())


def _row(metric: Metric, *, drbd: bool) -> tuple[str, ...]:
    labels = ", ".join(metric.labels)
    if metric.facts:
        labels = "; ".join(filter(None, [labels])) + "; " + ", ".join(metric.facts)
    version = (metric.only_drbd or "8.4, 9",) if drbd else ()
    meaning = metric.help.replace("`", "")
    return (metric.name, metric.kind.value, metric.unit or "–", labels or "–", *version, meaning)


@pytest.mark.parametrize(
    ("section", "metrics"),
    [
        ("DRBD, windows and alarms", DRBD),
        ("Guests", GUESTS),
        ("Readiness", READINESS),
        ("Operations", OPERATIONS),
        ("The exporter itself", EXPORTER),
    ],
)
def test_the_page_describes_each_metric_as_it_is(section: str, metrics: tuple[Metric, ...]) -> None:
    drbd = metrics is DRBD
    assert rows(sections(PAGE)[section]) == [_row(metric, drbd=drbd) for metric in metrics]


def test_the_page_names_every_state_and_outcome() -> None:
    states = {name: tuple(words.split(", ")) for name, words in rows(sections(PAGE)["States"])}
    assert states == {metric.name: metric.states for metric in ALL if metric.states}
    outcomes = {verb: tuple(words.split("; ")) for verb, words in rows(sections(PAGE)["Outcomes"])}
    assert outcomes == m.OUTCOMES


def test_promtool_finds_nothing() -> None:
    page = render(tuple(one_of_each())).body
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.decode(), done.stdout.decode()) == (0, "", "")
