"""The manager's last look: believed while it is young, and only if every field of it is what it must be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dualsrm_exporter.collected import Collected
from dualsrm_exporter.metrics import READINESS
from dualsrm_exporter.metrics import readiness as m
from dualsrm_exporter.readiness import document as module
from dualsrm_exporter.readiness.collector import TOO_OLD_S, ReadinessCollector
from dualsrm_exporter.render import render
from tests.unit.exporter.rig import collect, names_with_samples, samples

LOOKED = "2026-11-22T12:00:00+00:00"
AT = datetime.fromisoformat(LOOKED).timestamp()
FINDING = {"check": "networks", "severity": "failed", "subject": "web", "seen": "s", "why": "w", "fix": "f"}


def _guest(**fields: object) -> dict[str, object]:
    return {
        "guest": "web",
        "states": {"alpha": "running", "beta": "shutoff"},
        "wanted_running": True,
        "ready_to_migrate": True,
        "blockers": [],
        "ready_to_fail_over": True,
        "failover_blockers": [],
        **fields,
    }


def _document(*guests: dict[str, object], **fields: object) -> dict[str, Any]:
    hosts = [{"host": "alpha", "trouble": []}, {"host": "beta", "trouble": ["no answer"]}]
    pairs = [{"pair": "lab", "hosts": hosts, "guests": list(guests or (_guest(),))}]
    return {"format": 1, "kind": "status", "looked_at": LOOKED, "pairs": pairs, **fields}


def _collected(path: Path, document: object, age: float = 30) -> Collected:
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return collect(ReadinessCollector(path, lambda: AT + age))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "readiness.json"


def test_all_is_well(path: Path) -> None:
    found = _collected(path, _document())
    assert not found.failures
    assert samples(found, m.LOOKED) == {("lab",): AT}
    assert samples(found, m.HOST_SEEN) == {("lab", "alpha"): 1, ("lab", "beta"): 0}
    for metric in (m.WANTED, m.ACTIVE, m.MIGRATION, m.FAILOVER):
        assert samples(found, metric) == {("lab", "web"): 1}
    assert samples(found, m.BLOCKER) == {}


def test_blockers_of_each_kind(path: Path) -> None:
    lack = {**FINDING, "severity": "unknown", "check": "host-answers"}
    guest = _guest(
        ready_to_migrate=False, ready_to_fail_over=False, blockers=[FINDING, FINDING], failover_blockers=[lack]
    )
    found = _collected(path, _document(guest))
    assert samples(found, m.MIGRATION) == samples(found, m.FAILOVER) == {("lab", "web"): 0}
    assert set(samples(found, m.BLOCKER)) == {
        ("lab", "web", "migration", "networks", "failed"),
        ("lab", "web", "failover", "host-answers", "unknown"),
    }


@pytest.mark.parametrize(
    ("states", "hosts", "ready"),
    [
        ({"alpha": "shutoff", "beta": "absent"}, 0, None),
        ({"alpha": "running", "beta": "paused"}, 2, 0),
        ({"alpha": "running", "beta": "unknown"}, None, 0),
        ({"alpha": "unknown", "beta": "shutoff"}, None, None),
        ({"alpha": "a word of tomorrow", "beta": "crashed"}, 1, 0),
    ],
)
def test_where_it_is_active(path: Path, states: dict[str, str], hosts: int | None, ready: int | None) -> None:
    """A guest that somebody shut off is not one that could not fail over."""
    found = _collected(path, _document(_guest(states=states, ready_to_fail_over=False, wanted_running=False)))
    assert samples(found, m.ACTIVE) == ({} if hosts is None else {("lab", "web"): hosts})
    assert samples(found, m.FAILOVER) == ({} if ready is None else {("lab", "web"): ready})
    assert samples(found, m.WANTED) == {("lab", "web"): 0}


@pytest.mark.parametrize("age", [TOO_OLD_S + 1, -3600])
def test_an_old_look_and_one_from_the_future_say_only_when(path: Path, age: float) -> None:
    found = _collected(path, _document(), age)
    assert not found.failures
    assert names_with_samples(found, READINESS) == {m.LOOKED.name}


@pytest.mark.parametrize("age", [TOO_OLD_S, 0, -30])
def test_a_young_one_says_all(path: Path, age: float) -> None:
    assert m.FAILOVER.name in names_with_samples(_collected(path, _document(), age), READINESS)


def test_no_manager_here_is_no_failure(path: Path) -> None:
    found = collect(ReadinessCollector(path))
    assert not found.failures
    assert not names_with_samples(found, READINESS)


def _without(key: str) -> dict[str, object]:
    guest = _guest()
    del guest[key]
    return _document(guest)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        [],
        {},
        _document(kind="error"),
        _document(format=2),
        _document(looked_at="yesterday"),
        _document(looked_at="2026-11-22T12:00:00"),
        _document(looked_at=5),
        _document(pairs={}),
        _document(pairs=[7]),
        _document(_guest(guest=None)),
        _document(_guest(states=[])),
        _document(_guest(states={"alpha": 1})),
        _document(_guest(wanted_running=1)),
        _document(_guest(blockers=["x"])),
        *map(_without, _guest()),
    ],
)
def test_anything_else_is_a_failure_and_says_nothing(path: Path, document: object) -> None:
    found = _collected(path, document)
    assert str(path) in found.failures["readiness"]
    assert not names_with_samples(found, READINESS)


def test_a_file_without_an_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIMIT", 100)
    assert "more than 100 bytes" in _collected(path, _document()).failures["readiness"]


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_what_is_no_file(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    assert "readiness" in collect(ReadinessCollector(path)).failures


def test_hostile_names(path: Path) -> None:
    body = render(tuple(_collected(path, _document(_guest(guest='a"\n{}\ud800'))))).body.decode()
    assert 'dualsrm_guest_failover_ready{guest="a\\"\\n{}?",pair="lab"} 1.0' in body
