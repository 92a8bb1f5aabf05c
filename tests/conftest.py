"""How tests are shared out between two workers, and how long an example of Hypothesis may take: any time."""

from __future__ import annotations

import os
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

# How long an example takes says how busy the machine is, not whether the example holds.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")
# For `tests/run mutation`, thousands of times: the same few examples each time, and no search for a smaller one.
hypothesis.settings.register_profile(
    "mutants",
    max_examples=20,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)


class OneWorkerHasTheLab(LoadScopeScheduling):  # type: ignore[misc]  # xdist publishes no types
    """Lab tests stay together, because there is one lab, and begin first, because they take longest.

    xdist's own groups (`--dist loadgroup`) do nothing with pytest 9: it no longer reads what xdist writes.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "lab" if nodeid.startswith("tests/lab/") else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneWorkerHasTheLab:
    """xdist's hook."""
    return OneWorkerHasTheLab(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A worker that has other tests than the lab's gives way to the lab: in the end everything waits for its nodes."""
    if "PYTEST_XDIST_WORKER" in os.environ and not item.nodeid.startswith("tests/lab/") and os.nice(0) == 0:
        os.nice(5)
