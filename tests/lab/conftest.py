"""One lab for the whole run, with every guest writing, taken down whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab.faults.look import look_at_both, not_quiet
from tests.lab.handle import LabHandle, lab_of_our_own


@pytest.fixture(scope="session")
def booted() -> Iterator[LabHandle]:
    """A lab of this run's own, or one that is up already and named in DUALSRM_TEST_LAB, which is left up; at rest."""
    if kept := os.environ.get("DUALSRM_TEST_LAB"):
        lab = LabHandle(kept)
        _assert_quiet(lab)
        yield lab
        return
    with lab_of_our_own("t") as lab:
        _assert_quiet(lab)
        yield lab


@pytest.fixture
def lab(booted: LabHandle) -> Iterator[LabHandle]:
    """The lab, left as the next test expects it: all windows closed, one Primary each, both sides whole."""
    yield booted
    _assert_quiet(booted)


def _assert_quiet(lab: LabHandle) -> None:
    assert not_quiet(look_at_both(lab)) == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real nodes under emulation take minutes where a unit test takes milliseconds."""
    for item in items:
        if "tests/lab" in str(item.path) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(900))
