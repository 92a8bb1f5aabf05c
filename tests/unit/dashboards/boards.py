"""The dashboards as Grafana reads them: panels, queries, and the words in a query."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dualsrm_exporter.metrics import ALL
from grafana.dashboards.files import PLACE

UIDS = ("dualsrm-estate", "dualsrm-pair")
BOARDS: dict[str, dict[str, Any]] = {uid: json.loads((PLACE / f"{uid}.json").read_text()) for uid in UIDS}
METRICS = {metric.name: metric for metric in ALL}
_METRIC = re.compile(r"\b([A-Za-z_:]+)\{([^}]*)\}")
_MATCHER = re.compile(r'([a-z_]+)\s*(=~|!=|!~|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on|group_left|group_right) \(([^)]*)\)")


@dataclass(frozen=True)
class Query:
    """One query of a panel."""

    board: str
    panel: str
    ref: str
    expr: str

    @property
    def name(self) -> str:
        return f"{self.board}: {self.panel} {self.ref}"

    def filled(self, pair: str, instance: str = ".+") -> str:
        """As Grafana sends it, with values in place of its variables."""
        values = {
            "$__rate_interval": "1m",
            "$__range": "1h",
            "$job": "dualsrm",
            "$pair": pair,
            "$instance": instance,
        }
        filled = self.expr
        for name, value in values.items():
            filled = filled.replace(name, value)
        return filled

    def selectors(self) -> list[tuple[str, dict[str, tuple[str, str]]]]:
        """Each metric, and by label how it is chosen."""
        return [
            (metric, {label: (how, value) for label, how, value in _MATCHER.findall(inside)})
            for metric, inside in _METRIC.findall(self.expr)
        ]

    def grouped(self) -> set[str]:
        """Labels that aggregations and joins name."""
        return {label.strip() for part in _GROUPING.findall(self.expr) for label in part.split(",") if label.strip()}

    def bare(self) -> str:
        """What is left without what is in braces."""
        return _METRIC.sub("", self.expr)


def panels(uid: str) -> list[dict[str, Any]]:
    """Those that show something: no headings."""
    return [panel for panel in BOARDS[uid]["panels"] if panel["type"] != "row"]


def _queries() -> Iterator[Query]:
    for uid in UIDS:
        for panel in panels(uid):
            for target in panel["targets"]:
                yield Query(uid, panel["title"], target["refId"], target["expr"])


QUERIES = tuple(_queries())
