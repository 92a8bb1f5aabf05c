"""Every query, answered by a real Prometheus that has scraped what the exporter makes of captures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grafana.dashboards import theme
from tests.unit.dashboards.boards import QUERIES, Query
from tests.unit.dashboards.estate import estate
from tests.unit.dashboards.prometheus import Prometheus, prometheus

WITHOUT_DATA = {
    "dualsrm-pair: What the fence-peer handler answered A": "zeros are left out, and no handler was called",
}
"""Queries that the captures have nothing for, with the reason."""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    directory = tmp_path_factory.mktemp("prometheus")
    with (
        pytest.MonkeyPatch.context() as patch,
        estate(directory, patch) as targets,
        prometheus(directory, targets) as made,
    ):
        yield made


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_each_query_is_answered(real: Prometheus, query: Query) -> None:
    found = real.query(query.filled("lab" if query.board == "dualsrm-pair" else ".*"))
    assert bool(found) is (query.name not in WITHOUT_DATA), WITHOUT_DATA.get(query.name, "no series")
    assert len({frozenset(series["metric"].items()) for series in found}) == len(found)


def test_queries_without_data_are_there() -> None:
    assert set(WITHOUT_DATA) <= {query.name for query in QUERIES}


NUMBERS = {
    "Could not fail over": 1,
    "Could fail over": 0.5,
    "Not looked at": 2,
    "Down": 0,
    "On two hosts": 0,
    "Exporters that are silent": 0,
    "Sources not readable": 0,
    "Hosts not seen": 0,
    "Pairs without a manager's look": 1,
    "Without a recovery point": 1,
    "Split brains": 0,
    "Resources that are down": 0,
    "Alerts that fire": 1,
    "Alarms": 1,
    "Operations interrupted": 1,
    "Windows open": 1,
}
"""Pair lab has two guests, one of them ready, and resyncs; nobody looked at the two of pair nine."""


def _number(real: Prometheus, title: str, pair: str) -> float | None:
    (query,) = (each for each in QUERIES if (each.panel, each.board) == (title, "dualsrm-estate"))
    found = real.query(query.filled(pair))
    return float(found[0]["value"][1]) if found else None


@pytest.mark.parametrize("title", NUMBERS)
def test_the_estates_numbers(real: Prometheus, title: str) -> None:
    assert _number(real, title, ".*") == NUMBERS[title]


@pytest.mark.parametrize("title", NUMBERS)
def test_of_a_pair_that_is_not_scraped_there_is_no_number(real: Prometheus, title: str) -> None:
    assert _number(real, title, "no-such-pair") is None


@pytest.mark.parametrize("title", ["Could not fail over", "Could fail over", "Down", "On two hosts", "Hosts not seen"])
def test_a_pair_nobody_looked_at_is_neither_ready_nor_not(real: Prometheus, title: str) -> None:
    assert _number(real, title, "nine") is None
    assert _number(real, "Not looked at", "nine") == 2


def _pair(real: Prometheus, title: str, ref: str = "A") -> dict[tuple[str, ...], float]:
    """The values of a panel of the pair's dashboard by their labels' values, in the order of the labels' names."""
    (query,) = (each for each in QUERIES if (each.panel, each.board, each.ref) == (title, "dualsrm-pair", ref))
    return {
        tuple(value for _, value in sorted(series["metric"].items())): float(series["value"][1])
        for series in real.query(query.filled("lab"))
    }


def _drawn(metric: str, state: str) -> int:
    return list(theme.STATES[metric]).index(state) + 1


def test_timelines_draw_the_state_that_holds(real: Prometheus) -> None:
    running, off = (_drawn("dualsrm_guest_state", state) for state in ("running", "shutoff"))
    assert _pair(real, "Guests by host") == {
        ("mail", "node1"): running,
        ("mail", "node2"): off,
        ("web", "node1"): running,
        ("web", "node2"): off,
    }
    source, target = (_drawn("dualsrm_drbd_replication_state", state) for state in ("SyncSource", "SyncTarget"))
    assert _pair(real, "Replication") == {("node1", "vm1", "0"): source, ("node2", "vm1", "0"): target}


def test_operations_that_ended_meanwhile_and_the_one_that_runs(real: Prometheus) -> None:
    ended = _pair(real, "Operations by outcome")
    assert ended == {("moved", "migrate"): 1, ("rolled back", "migrate"): 1, ("failed over", "failover"): 1}
    ((labels, _),) = _pair(real, "Operations that run").items()
    assert labels[0] == "web"
    assert labels[2:] == ("open window", "migrate")
