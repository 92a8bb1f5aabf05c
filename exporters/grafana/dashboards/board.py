"""A whole dashboard: its variables, and its sections of panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.models import dashboard as model

from grafana.dashboards.panels import DATASOURCE, Panel


def board(
    uid: str,
    title: str,
    text: str,
    variables: Sequence[QueryVariable],
    sections: Mapping[str, Sequence[Panel]],
) -> model.Dashboard:
    """The dashboard; panels are numbered as they stand."""
    made = Dashboard(title).uid(uid).description(text).tags(["dualsrm"]).readonly().time("now-6h", "now").refresh("30s")
    made.tooltip(model.DashboardCursorSync.CROSSHAIR)
    made.variables([DatasourceVariable("datasource").label("Data source").type("prometheus"), *variables])
    link = DashboardLink("dualsrm").type(model.DashboardLinkType.DASHBOARDS).tags(["dualsrm"])
    made.link(link.as_dropdown(False).include_vars(True).keep_time(True))
    for name, panels in sections.items():
        made.with_row(Row(name))
        for panel in panels:
            made.with_panel(panel)
    built = made.build()
    for number, one in enumerate(built.panels or (), 1):
        one.id_val = number
    return built


def variable(name: str, label: str, query: str) -> QueryVariable:
    """Values of a label that there are in the time shown."""
    made = QueryVariable(name).label(label).query({"query": query, "refId": f"{name}-values"}).datasource(DATASOURCE)
    made.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)
    return made


def any_of(made: QueryVariable, everything: str) -> QueryVariable:
    """Several, and all of them to begin with."""
    made.multi(True).include_all(True).all_value(everything)
    return made.current(model.VariableOption(selected=True, text="All", value="$__all"))


def job() -> QueryVariable:
    """The scrape job's name, which the alerts want to be this."""
    made = variable("job", "Job", "label_values(dualsrm_build_info, job)")
    return made.current(model.VariableOption(selected=True, text="dualsrm", value="dualsrm"))
