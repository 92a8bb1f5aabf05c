"""A pair of each dialect, and a manager of it: for the tests that need no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulator.driving import Manager
from tests.simulator.pair import SimPair


@pytest.fixture(params=["8.4", "9"])
def pair(request: pytest.FixtureRequest) -> SimPair:
    return SimPair(request.param)


@pytest.fixture
def manager(pair: SimPair, tmp_path: Path) -> Manager:
    pair.clock.advance(20)
    return Manager(pair, tmp_path)
