"""The alerts: right by promtool, each with a test that fires, one that stays quiet, and names that the exporter has."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml

from dualsrm.checks.registry import REGISTRY
from dualsrm_exporter.metrics import ALL, Kind
from dualsrm_exporter.metrics import operations as m
from tests.unit.exporter.alerts import (
    RULES,
    TESTS,
    Alert,
    alerts,
    groupings,
    labels_of_a_page,
    records,
    seconds,
    selectors,
    stories,
)

ALERTS = alerts()
SCRAPES = 15
TARGET = {"instance", "job", "pair"}
QUIET_ENDS = {"refused", "recovered", "untouched"}
"""Nothing was touched, or another operation has cleared up: whoever started it has read so."""
LABELS: dict[str, set[str]] = {
    "up": set(),
    **{metric.name: {*metric.labels, *metric.facts, *([metric.name] if metric.states else [])} for metric in ALL},
}
STATES = {metric.name: metric.states for metric in ALL if metric.states}


def _promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=110)


def test_promtool_can_read_the_rules() -> None:
    done = _promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_and_stay_quiet(path: Path) -> None:
    done = _promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_one_test_of_each_kind() -> None:
    told = Counter((story.alert, story.kind) for story in stories())
    assert told == {(alert.name, kind): 1 for alert in ALERTS for kind in ("fires", "is quiet")}
    for story in stories():
        for test in story.group["promql_expr_test"]:
            assert f'alertname="{story.alert}",alertstate="firing"' in test["expr"]
            assert bool(test["exp_samples"]) is (story.kind == "fires")


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_quiet_is_a_near_miss_and_not_an_empty_series(path: Path, tmp_path: Path) -> None:
    """With rules that fire for whatever is there, no test of quiet may pass."""
    rules = yaml.safe_load(RULES.read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                rule["expr"] = _anything(rule["expr"])
                rule["for"] = "0s"
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    tests = yaml.safe_load(path.read_text())
    quiet = [group for group in tests["tests"] if " is quiet: " in group["name"]]
    if not quiet:
        pytest.skip("a story of many alerts has its control in the same file")
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests | {"rule_files": ["rules.yml"], "tests": quiet}))
    said = _promtool("test", "rules", tmp_path / "tests.yml")
    failed = set(re.findall(r'expr: "count_over_time\(ALERTS\{alertname=\\"(\w+)', said.stdout + said.stderr))
    assert failed == {group["name"].split()[0] for group in quiet}


def _anything(expr: str) -> str:
    """Whether the first metric of the alert is there at all, recorded ones by what they are made of."""
    first = selectors(expr)[0].metric
    first = selectors(records()[first])[0].metric if first in records() else first
    return f"count({first}) > 0"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_it_waits_for_two_scrapes(alert: Alert) -> None:
    assert seconds(alert.wait) >= 2 * SCRAPES
    assert alert.severity in ("critical", "warning", "info")


def _expressions() -> list[tuple[str, str]]:
    return [(alert.name, alert.expr) for alert in ALERTS] + list(records().items())


@pytest.mark.parametrize(("name", "expr"), _expressions())
def test_it_uses_what_the_exporter_has(name: str, expr: str) -> None:
    known = LABELS | {record: {*groupings(inner), "verb", "outcome"} for record, inner in records().items()}
    used: set[str] = set(TARGET)
    for selector in selectors(expr):
        assert selector.metric in known
        used |= known[selector.metric]
        for label, operator, value in selector.matchers:
            assert label in known[selector.metric] | TARGET
            if selector.metric == label:
                assert operator in ("=", "=~")
                assert set(value.split("|")) <= set(STATES[selector.metric])
    assert groupings(expr) <= used


def test_states_are_never_counted_by_their_label() -> None:
    """Every state is exported, at 0 too: a selector of a state without a comparison matches what is not so."""
    for alert in ALERTS:
        for selector in selectors(alert.expr):
            if any(label == selector.metric for label, _, _ in selector.matchers):
                assert re.search(rf'{selector.metric}=~?"[^"]*"\}}\)* [=>]', alert.expr), alert.name


def _told(verb: str, outcome: str) -> list[str]:
    return [
        alert.name
        for alert in ALERTS
        for selector in selectors(alert.expr)
        if selector.metric == "dualsrm_operations:rise"
        and all(
            _matches(operator, value, {"verb": verb, "outcome": outcome}[label])
            for label, operator, value in selector.matchers
        )
    ]


def _matches(operator: str, value: str, word: str) -> bool:
    hit = re.fullmatch(value if "~" in operator else re.escape(value), word) is not None
    return hit is (operator in ("=", "=~"))


@pytest.mark.parametrize(("verb", "outcome"), [(verb, word) for verb, words in m.OUTCOMES.items() for word in words])
def test_each_bad_end_of_an_operation_is_told_once(verb: str, outcome: str) -> None:
    told = _told(verb, outcome)
    if (verb, outcome) == ("failover", "failed over"):
        assert told == ["GuestFailedOver"]
    elif outcome in QUIET_ENDS or outcome in m.SUCCESSES.get(verb, ()):
        assert told == []
    else:
        assert len(told) == 1


def test_each_end_that_is_named_exists() -> None:
    ends = {(verb, outcome) for verb, outcomes in m.OUTCOMES.items() for outcome in outcomes}
    for alert in ALERTS:
        for selector in selectors(alert.expr):
            asked = {label: (operator, value) for label, operator, value in selector.matchers}
            if selector.metric != "dualsrm_operations:rise":
                continue
            for word in asked["outcome"][1].split("|"):
                assert any(_matches(*asked["verb"], verb) and outcome == word for verb, outcome in ends), word


def test_checks_that_a_resync_explains_exist() -> None:
    (ready,) = [alert for alert in ALERTS if alert.name == "GuestNotFailoverReady"]
    named = [value for selector in selectors(ready.expr) for label, _, value in selector.matchers if label == "check"]
    assert set(named[0].split("|")) < {check.id for check in REGISTRY}


def test_counters_are_not_told_by_increase() -> None:
    """The journal's counters go down when its files are removed, and increase() takes what is left for new."""
    assert not any("increase(" in alert.expr for alert in ALERTS)
    counters = {metric.name for metric in ALL if metric.kind is Kind.COUNTER} | {"dualsrm_fencing_failures_total"}
    for alert in ALERTS:
        for name in {selector.metric for selector in selectors(alert.expr)} & counters:
            assert f"{name} > min_over_time({name}[" in alert.expr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_a_page_names_only_labels_that_the_alert_has(alert: Alert) -> None:
    said = set(re.findall(r"\$labels\.(\w+)", " ".join(alert.annotations.values())))
    assert said <= labels_of_a_page(alert.name)
    assert set(alert.annotations) == {"summary", "description", "runbook_url"}
