"""Fencings, and the parts of a failover, from what the real engine writes on a simulated pair."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dualsrm.history import reader as module
from dualsrm.plan.peer_steps import ConfirmOff, Fence
from dualsrm_exporter.collected import Collected
from dualsrm_exporter.metrics import Metric
from dualsrm_exporter.metrics import operations as m
from dualsrm_exporter.operations.collector import OperationsCollector
from dualsrm_exporter.render import render
from tests.simulator.driving import Manager
from tests.simulator.lost import isolated, lost
from tests.simulator.pair import ALPHA, BETA, SimPair
from tests.unit.exporter.rig import collect, samples


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(SimPair("8.4"), tmp_path)


def _timed(found: Collected) -> dict[str, float]:
    """How often each part of a failover was timed."""
    body = render(tuple(found)).body.decode()
    start = f'{m.PART.name}_count{{part="'
    lines = [line.removeprefix(start) for line in body.splitlines() if line.startswith(start)]
    return {line.split('"')[0]: float(line.split()[-1]) for line in lines}


def _of(found: Collected, metric: Metric) -> dict[str, float]:
    return {host: value for (_, host), value in samples(found, metric).items()}


def test_zeros_before_anything_happened(tmp_path: Path) -> None:
    found = collect(OperationsCollector(tmp_path, lambda: [("lab", "alpha"), ("lab", "beta")]))
    zeros = {("lab", "alpha"): 0, ("lab", "beta"): 0}
    assert samples(found, m.FENCINGS) == samples(found, m.FENCINGS_FAILED) == zeros
    assert _timed(found) == {"look": 0, "fence": 0, "promote": 0, "start": 0}


def test_a_failover_by_the_device(manager: Manager) -> None:
    """The lost host is seen off once for all guests; each is promoted and started."""
    isolated(manager)
    guests = len(manager.failover(None, BETA).reports)
    found = collect(OperationsCollector(manager.state))
    assert (_of(found, m.FENCINGS), _of(found, m.FENCINGS_FAILED)) == ({ALPHA: 1}, {ALPHA: 0})
    assert guests > 1
    assert _timed(found) == {"look": 1, "fence": 1, "promote": guests, "start": guests}


def test_a_device_that_is_not_believed(manager: Manager) -> None:
    isolated(manager, "lies")
    manager.failover("web", BETA)
    found = collect(OperationsCollector(manager.state))
    assert (_of(found, m.FENCINGS), _of(found, m.FENCINGS_FAILED)) == ({ALPHA: 1}, {ALPHA: 1})
    assert _timed(found) == {"look": 1, "fence": 0, "promote": 0, "start": 0}


def test_a_persons_word_is_no_fencing(manager: Manager) -> None:
    lost(manager, "none")
    manager.failover("web", BETA, confirm_off=ALPHA)
    found = collect(OperationsCollector(manager.state))
    assert samples(found, m.FENCINGS) == {}
    assert _timed(found)["fence"] == 1


def test_the_device_is_told_from_a_person_by_the_steps_own_words() -> None:
    assert module._DEVICE in str(Fence(BETA, ALPHA))
    assert module._DEVICE not in str(ConfirmOff(BETA, ALPHA, "anna@desk"))


def test_a_survivor_that_falls_silent_over_it_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "operations").mkdir()
    lines: list[dict[str, object]] = [
        {"kind": "intent", "verb": "failover", "pair": "lab", "lost": "alpha", "look_s": "x"},
        {"kind": "step", "step": "fence", "do": [str(Fence(BETA, ALPHA))]},
        {"kind": "failed", "step": "fence", "seen": "silence"},
        {"kind": "guest", "guest": "web", "fence_s": None, "promote_s": -1, "start_s": [1]},
        {"kind": "end", "outcome": "needs_attention"},
    ]
    path = tmp_path / "operations" / "2026-11-22T120000Z-failover-1.jsonl"
    path.write_text("".join(json.dumps({"format": 1, **line}) + "\n" for line in lines))
    found = collect(OperationsCollector(tmp_path))
    assert (_of(found, m.FENCINGS), _of(found, m.FENCINGS_FAILED)) == ({ALPHA: 1}, {ALPHA: 1})
    assert sum(_timed(found).values()) == 0
