"""Panels as these dashboards have them: each says what it shows, in which unit, and `no data` where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from grafana_foundation_sdk.builders import common, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.dashboards import theme
from grafana.dashboards.theme import NO_DATA, Steps, Words

DATASOURCE: Final = DataSourceRef(type_val="prometheus", uid="$datasource")
P = TypeVar("P", stat.Panel, table.Panel, statetimeline.Panel, timeseries.Panel)
Panel: TypeAlias = "stat.Panel | table.Panel | statetimeline.Panel | timeseries.Panel"


@dataclass(frozen=True, slots=True)
class Column:
    """One query of a table, and the column of its values. Rows whose labels are the same are one row."""

    title: str
    expr: str
    unit: str = "short"
    words: Words = field(default_factory=dict)
    steps: Steps = ()


def number(
    title: str, text: str, expr: str, *, steps: Steps, unit: str = "short", width: int = 4, nothing: str = NO_DATA
) -> stat.Panel:
    """One number, coloured."""
    panel = stat.Panel().with_target(_instant(expr, "A").legend_format(title))
    panel.graph_mode(kinds.BigValueGraphMode.NONE).color_mode(kinds.BigValueColorMode.BACKGROUND_SOLID)
    panel.text_mode(kinds.BigValueTextMode.VALUE)
    panel.reduce_options(common.ReduceDataOptions().calcs(["last"]).fields("").values(False))
    panel.thresholds(theme.thresholds(steps)).mappings(theme.mappings({})).color_scheme(_by_threshold())
    return _common(panel, title, text, unit=unit, width=width, height=4, nothing=nothing)


def lines(
    title: str, text: str, queries: Mapping[str, str], *, unit: str, width: int = 12, height: int = 7
) -> timeseries.Panel:
    """Values over time: legends with their queries. A gap stays a gap."""
    panel = timeseries.Panel()
    for index, (legend, expr) in enumerate(queries.items()):
        panel.with_target(_range(expr, index).legend_format(legend))
    panel.span_nulls(False).min(0)
    panel.legend(
        common.VizLegendOptions()
        .display_mode(kinds.LegendDisplayMode.TABLE)
        .placement(kinds.LegendPlacement.RIGHT)
        .show_legend(True)
        .calcs(["last", "max"])
    )
    panel.tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI))
    panel.color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    return _common(panel, title, text, unit=unit, width=width, height=height)


def timeline(
    title: str, text: str, legend: str, expr: str, *, words: Words, width: int = 12, height: int = 7
) -> statetimeline.Panel:
    """States over time, a line for each object. Nothing is drawn where nothing was seen."""
    panel = statetimeline.Panel().with_target(_range(expr, 0).legend_format(legend))
    panel.mappings(theme.mappings(words)).thresholds(theme.thresholds(())).color_scheme(_by_threshold())
    panel.merge_values(True).show_value(kinds.VisibilityMode.AUTO).row_height(0.85)
    panel.legend(common.VizLegendOptions().show_legend(False).display_mode(kinds.LegendDisplayMode.LIST))
    return _common(panel, title, text, unit="short", width=width, height=height)


def rows(
    title: str, text: str, labels: Sequence[str], columns: Sequence[Column], *, width: int = 12, height: int = 7
) -> table.Panel:
    """What is so now, an object a row."""
    panel = table.Panel()
    for index, column in enumerate(columns):
        panel.with_target(_instant(column.expr, chr(ord("A") + index)).format(PromQueryFormat.TABLE))
    names = {
        f"Value #{chr(ord('A') + index)}" if len(columns) > 1 else "Value": column
        for index, column in enumerate(columns)
    }
    order = {name: index for index, name in enumerate([*labels, *names])}
    hidden = {"Time": True, **{name: True for name, column in names.items() if not column.title}}
    renamed = {name: column.title for name, column in names.items() if column.title}
    panel.with_transformation(DataTransformerConfig("merge", options={}))
    panel.with_transformation(
        DataTransformerConfig(
            "organize", options={"excludeByName": hidden, "indexByName": order, "renameByName": renamed}
        )
    )
    for column in columns:
        if column.title:
            panel.override_by_name(column.title, _looks(column))
    panel.thresholds(theme.thresholds(())).color_scheme(_by_threshold()).show_header(True)
    return _common(panel, title, text, unit="short", width=width, height=height)


def _looks(column: Column) -> list[DynamicConfigValue]:
    cell = {"type": "color-background" if column.words or column.steps else "auto"}
    steps = {"mode": "absolute", "steps": theme.threshold_steps(column.steps)}
    return [
        DynamicConfigValue("unit", column.unit),
        DynamicConfigValue("mappings", theme.mappings(column.words)),
        DynamicConfigValue("thresholds", steps),
        DynamicConfigValue("custom.cellOptions", cell),
    ]


def _common(panel: P, title: str, text: str, *, unit: str, width: int, height: int, nothing: str = NO_DATA) -> P:
    panel.title(title).description(text).unit(unit).no_value(nothing).datasource(DATASOURCE)
    return panel.span(width).height(height)


def _by_threshold() -> FieldColor:
    return FieldColor().mode(FieldColorModeId.THRESHOLDS)


def _instant(expr: str, ref: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expr).instant().ref_id(ref).datasource(DATASOURCE)


def _range(expr: str, index: int) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expr).range().ref_id(chr(ord("A") + index)).datasource(DATASOURCE)
