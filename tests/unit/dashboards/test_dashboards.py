"""The dashboards: of metrics, labels and states that exist, and never green without a value."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dualsrm_exporter.metrics import Kind
from dualsrm_exporter.metrics.operations import OUTCOMES
from grafana.dashboards import theme
from grafana.dashboards.files import files
from grafana.dashboards.queries import READINESS_S
from tests.unit.dashboards.boards import BOARDS, METRICS, QUERIES, UIDS, Query, panels

TARGET_LABELS = {"job", "pair", "instance"}
"""What the scrape gives each metric."""
OF_PROMETHEUS: dict[str, set[str]] = {
    "up": set(),
    "scrape_duration_seconds": set(),
    "ALERTS": {"alertstate", "alertname", "severity", "guest", "resource"},
}
VARIABLES = {"datasource", "job", "pair", "instance", "__range", "__rate_interval"}
PANELS = [pytest.param(panel, id=f"{uid}: {panel['title']}") for uid in UIDS for panel in panels(uid)]
EACH = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
GOOD = {theme.GREEN, theme.BLUE}


def test_the_files_are_what_the_generator_makes() -> None:
    """After a change: `.venv/bin/python -m grafana.dashboards`."""
    assert {path: path.read_text() for path in files()} == files()


def _labels(name: str) -> set[str] | None:
    if name in OF_PROMETHEUS:
        return OF_PROMETHEUS[name] | TARGET_LABELS
    metric = METRICS.get(name)
    if metric is None or metric.kind is Kind.HISTOGRAM:
        metric = METRICS.get(name.removesuffix("_bucket"))
        if metric is None or metric.kind is not Kind.HISTOGRAM:
            return None
        return {*metric.labels, "le", *TARGET_LABELS}
    own = {metric.name} if metric.states else set()
    return {*metric.labels, *metric.facts, *own, *TARGET_LABELS}


@EACH
def test_each_metric_and_label_exists(query: Query) -> None:
    known: set[str] = set()
    assert query.selectors()
    for name, matchers in query.selectors():
        labels = _labels(name)
        assert labels is not None, f"{name} is no metric of the exporter"
        assert set(matchers) <= labels, f"{name} has no such label"
        known |= labels
    assert query.grouped() <= known
    assert "dualsrm_" not in query.bare(), "a metric without a selector is of every job"


@EACH
def test_each_value_of_a_label_can_be(query: Query) -> None:
    for name, matchers in query.selectors():
        if name != "ALERTS":
            assert matchers["job"] == ("=", "$job")
        assert "pair" in matchers
        for label, (how, value) in matchers.items():
            if label == name:
                assert (how, value in METRICS[name].states) == ("=", True)
            elif label == "verb":
                assert (how, value in OUTCOMES) == ("=", True)
            else:
                assert label in TARGET_LABELS | {"alertstate", "alertname"}


def test_every_state_is_drawn() -> None:
    assert {name: tuple(states) for name, states in theme.STATES.items()} == {
        name: METRICS[name].states for name in theme.STATES
    }


@EACH
def test_only_variables_that_the_dashboard_has(query: Query) -> None:
    used = set(re.findall(r"\$(\w+)", query.expr))
    there = {variable["name"] for variable in BOARDS[query.board]["templating"]["list"]}
    assert used <= there | {"__range", "__rate_interval"}
    assert there <= VARIABLES


@pytest.mark.parametrize("uid", UIDS)
def test_variables_are_labels_of_metrics_that_exist(uid: str) -> None:
    first, *others = BOARDS[uid]["templating"]["list"]
    assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", "prometheus")
    for variable in others:
        found = re.fullmatch(r"label_values\((\w+)(\{[^}]*\})?, (\w+)\)", variable["query"]["query"])
        assert found is not None
        assert found[3] in (_labels(found[1]) or ())
        assert found[3] == variable["name"]
        assert variable["datasource"]["uid"] == "$datasource"


def test_promtool_parses_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.filled("lab", "alpha.*")} for number, query in enumerate(QUERIES)
    ]
    path = tmp_path / "rules.json"  # YAML is JSON and more
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    assert f"SUCCESS: {len(QUERIES)} rules found" in done.stdout.decode()


@pytest.mark.parametrize("uid", UIDS)
def test_no_panel_lies_on_another(uid: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in BOARDS[uid]["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for x, y in itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])):
            other = taken.setdefault((x, y), panel["title"])
            assert other == panel["title"], f"{panel['title']} lies on {other}"


@pytest.mark.parametrize("uid", UIDS)
def test_ids_and_titles_are_there_once(uid: str) -> None:
    every = BOARDS[uid]["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    shown = panels(uid)
    assert len({panel["title"] for panel in shown}) == len(shown) > 20
    assert BOARDS[uid]["uid"] == uid


@pytest.mark.parametrize("panel", PANELS)
def test_each_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 15
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in {"short", "s", "bytes", "Bps", "percentunit"}
    assert panel["datasource"] == {"type": "prometheus", "uid": "$datasource"}
    assert all(target["datasource"]["uid"] == "$datasource" for target in panel["targets"])


@pytest.mark.parametrize("panel", PANELS)
def test_nothing_is_never_green(panel: dict[str, Any]) -> None:
    """Grafana gives what has no value the colour of the first step, unless a mapping says otherwise."""
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["noValue"].startswith("no")
    overrides = [each["properties"] for each in panel["fieldConfig"].get("overrides", ())]
    looks = [defaults, *({each["id"]: each["value"] for each in properties} for properties in overrides)]
    for look in looks:
        if panel["type"] != "timeseries":
            assert look["thresholds"]["steps"][0] == {"value": None, "color": theme.GREY}
        for mapping in look.get("mappings", ()):
            if mapping["type"] == "special":
                assert mapping["options"]["result"]["color"] == theme.GREY


@EACH
def test_nothing_is_counted_as_zero(query: Query) -> None:
    """`count` of a filter and `or vector(0)` make a 0 of what was not seen; one count is of alerts, and never green."""
    assert "vector(" not in query.expr
    assert "absent" not in query.expr
    if "count(" in query.expr:
        (panel,) = (each for each in panels(query.board) if each["title"] == query.panel and each["type"] == "stat")
        assert not GOOD & {step["color"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]}


@EACH
def test_what_the_manager_saw_is_shown_only_while_it_is_fresh(query: Query) -> None:
    """A look that is hours old would go on saying that every guest is ready."""
    look = r"\(time\(\) - dualsrm_readiness_timestamp_seconds\{[^}]*\} < " + f"{READINESS_S}" + r"\)"
    for name in ("failover_ready", "migration_ready", "active_hosts", "wanted_running", "blocker_info"):
        metric = f"dualsrm_guest_{name}"
        fresh = rf"\({metric}\{{[^}}]*\}} and on \(pair, instance\) {look}\)"
        assert len(re.findall(fresh, query.expr)) == query.expr.count(metric)
