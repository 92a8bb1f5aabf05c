"""One pair: where its guests are and were, its replication, and what was done to it."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.dashboards.board import any_of, board, job, variable
from grafana.dashboards.pair_health import fencing, health
from grafana.dashboards.pair_operations import migration, operations, windows
from grafana.dashboards.pair_state import guests, replication, resync


def dashboard() -> Dashboard:
    """The whole of it."""
    where = 'job="$job", pair="$pair"'
    return board(
        "dualsrm-pair",
        "dualsrm pair",
        "One pair of hosts over time. Nothing is drawn where nothing was seen.",
        [
            job(),
            variable("pair", "Pair", 'label_values(dualsrm_drbd_module_loaded{job="$job"}, pair)'),
            any_of(
                variable("instance", "Host", f"label_values(dualsrm_drbd_module_loaded{{{where}}}, instance)"), ".+"
            ),
        ],
        {
            "Guests": guests(),
            "Replication": replication(),
            "Resync": resync(),
            "Windows": windows(),
            "Live migration": migration(),
            "Operations": operations(),
            "Fencing": fencing(),
            "The exporter": health(),
        },
    )
