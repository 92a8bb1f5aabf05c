"""One lab for the whole run, with every guest writing, taken down whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab.handle import HOSTS, RESOURCES, LabHandle, lab_of_our_own


@pytest.fixture(scope="session")
def booted() -> Iterator[LabHandle]:
    """A lab of this run's own, or one that is up already and named in DUALSRM_TEST_LAB, which is left up."""
    if kept := os.environ.get("DUALSRM_TEST_LAB"):
        yield LabHandle(kept)
        return
    with lab_of_our_own("t") as lab:
        yield lab


@pytest.fixture
def lab(booted: LabHandle) -> Iterator[LabHandle]:
    """The lab, found and left as every test may expect it: all windows closed, one Primary each."""
    _assert_quiet(booted)
    yield booted
    _assert_quiet(booted)


def _assert_quiet(lab: LabHandle) -> None:
    roles = {}
    for host in HOSTS:
        assert not lab.window_open(host), f"a window is open on {host}"
        assert not lab.would_freeze(host), f"a lost link would freeze guests on {host}"
        roles[host] = lab.roles(host)
    for resources in RESOURCES.values():
        for resource in resources:
            assert sorted(roles[host][resource] for host in HOSTS) == ["Primary", "Secondary"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real nodes under emulation take minutes where a unit test takes milliseconds."""
    for item in items:
        if "tests/lab" in str(item.path) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(900))
