"""One seeded run of each row of the fault table; `tests/run faults` plays many of every variant."""

from __future__ import annotations

from itertools import count

import pytest

from tests.lab.faults.play import choose, play
from tests.lab.faults.rows import BY_NAME, Row
from tests.lab.handle import LabHandle

SINCE, SPAN_S = "arm", 9.0
"""With the seed they fix guest, direction and moment: all of these strike between arming and the hand-over."""
ONE_OF_EACH = {  # where the search for a seed begins
    "replication": 7,
    "replication-memory": 3,
    "manager-source-target": 9,
    "power-source": 2,
    "power-target": 9,
    "manager-killed": 7,
    "libvirtd-source": 6,
    "adjust-target": 4,
    "dirty-pause": 1,
}


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_fault_in_the_middle_of_a_move(lab: LabHandle, name: str) -> None:
    row = BY_NAME[name]
    run = play(lab, row, _seed(lab, row, ONE_OF_EACH[name]), SPAN_S, SINCE)
    assert run.complaints == (), run


def _seed(lab: LabHandle, row: Row, first: int) -> int:
    """The first whose guest is where its move begins, so that none has to be moved there: most of a minute each."""
    for seed in count(first):
        journey = choose(row, seed, SPAN_S).journey
        if lab.host_of(journey.guest) == journey.source:
            return seed
    raise AssertionError("every other seed is such a one")
