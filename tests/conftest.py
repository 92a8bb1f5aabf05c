"""How tests are shared out between two workers."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class OneWorkerHasTheLab(LoadScopeScheduling):  # type: ignore[misc]  # xdist publishes no types
    """Lab tests stay together, because there is one lab, and begin first, because they take longest.

    xdist's own groups (`--dist loadgroup`) do nothing with pytest 9: it no longer reads what xdist writes.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "lab" if nodeid.startswith("tests/lab/") else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneWorkerHasTheLab:
    """xdist's hook."""
    return OneWorkerHasTheLab(config, log)
