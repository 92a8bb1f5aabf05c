"""One seeded run of each row of the fault table: `pytest tests/lab/one_of_each.py`. `tests/run faults` plays many."""

from __future__ import annotations

import pytest

from tests.lab.faults.play import measure_span, play
from tests.lab.faults.rows import ROWS, Row
from tests.lab.handle import LabHandle

SEED = 1


@pytest.fixture(scope="module")
def span_s(booted: LabHandle) -> float:
    """How long a move takes on this machine, today."""
    return measure_span(booted)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_fault_in_the_middle_of_a_move(lab: LabHandle, row: Row, span_s: float) -> None:
    run = play(lab, row, SEED, span_s)
    assert run.complaints == (), run
