"""A pair of each dialect, and a manager of it: for the tests that need no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.simulator.driving import Manager
from tests.simulator.pair import SimPair


@pytest.fixture(autouse=True)
def _the_disk_never_loses_power(monkeypatch: pytest.MonkeyPatch) -> None:
    """The manager's crashes are played; that of the machine it runs on is not, and fsync was a tenth of the time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(params=["8.4", "9"])
def pair(request: pytest.FixtureRequest) -> SimPair:
    return SimPair(request.param)


@pytest.fixture
def manager(pair: SimPair, tmp_path: Path) -> Manager:
    pair.clock.advance(20)
    return Manager(pair, tmp_path)
