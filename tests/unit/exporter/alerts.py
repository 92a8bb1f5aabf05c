"""The alerts as the tests read them: the rules, their promtool tests, and the names in a PromQL expression."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.unit.docs.pages import REPOSITORY

RULES: Final = REPOSITORY / "exporters" / "prometheus" / "dualsrm.rules.yml"
TESTS: Final = tuple(sorted((Path(__file__).parent / "rules").glob("*.yml")))
RUNBOOKS: Final = REPOSITORY / "docs" / "runbooks"

_MATCHER = re.compile(r'([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?")
_GROUPING = re.compile(r"\b(on|by|group_left)\s*\(([^)]*)\)")
_WORDS = {
    *("and", "or", "unless", "on", "by", "group_left", "offset", "time"),
    *("max", "count", "avg", "absent", "delta", "deriv", "max_over_time", "min_over_time", "last_over_time"),
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of the rules file."""

    name: str
    expr: str
    wait: str
    severity: str
    annotations: dict[str, str]


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric and what is asked of its labels: label, operator, value."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Story:
    """One test group of promtool: the alert it is about, and which of the two it has to be."""

    alert: str
    kind: str
    group: dict[str, Any]


@functools.cache
def _parsed() -> Any:
    return yaml.safe_load(RULES.read_text())


def _rules() -> Iterator[dict[str, Any]]:
    for group in _parsed()["groups"]:
        yield from group["rules"]


def alerts() -> list[Alert]:
    """In the order of the file."""
    return [
        Alert(rule["alert"], rule["expr"], rule["for"], rule["labels"]["severity"], rule["annotations"])
        for rule in _rules()
        if "alert" in rule
    ]


def records() -> dict[str, str]:
    """Recorded name to expression."""
    return {rule["record"]: rule["expr"] for rule in _rules() if "record" in rule}


@functools.cache
def stories() -> tuple[Story, ...]:
    """Every test group that is about one alert; read once, because YAML takes a second."""
    found = []
    for path in TESTS:
        for group in yaml.safe_load(path.read_text())["tests"]:
            if said := re.match(r"(\w+) (fires|is quiet): ", group["name"]):
                found.append(Story(said[1], said[2], group))
    return tuple(found)


def seconds(duration: str) -> int:
    """`5m` in seconds."""
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[duration[-1]]


def selectors(expr: str) -> list[Selector]:
    """Every metric of an expression; raises on a word that is neither a metric nor known."""
    bare = re.sub(r"\[[^]]*\]|\boffset \w+", " ", _GROUPING.sub(" ", expr))
    found = []
    for name, inner in _SELECTOR.findall(bare):
        if name not in _WORDS:
            found.append(Selector(name, tuple(_MATCHER.findall(inner))))
    return found


def groupings(expr: str) -> set[str]:
    """Labels in `on (...)`, `by (...)` and `group_left (...)`."""
    return {label.strip() for _, inner in _GROUPING.findall(expr) for label in inner.split(",")}


def labels_of_a_page(alert: str) -> set[str]:
    """What an alert carries, by the test that makes it fire."""
    carried: set[str] = set()
    for story in stories():
        if (story.alert, story.kind) == (alert, "fires"):
            for test in story.group["promql_expr_test"]:
                for sample in test["exp_samples"]:
                    carried |= {label for label, _, _ in _MATCHER.findall(sample["labels"])}
    return carried - {"alertname", "alertstate"}
