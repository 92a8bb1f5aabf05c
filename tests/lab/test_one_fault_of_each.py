"""One seeded run of each row of the fault table; `tests/run faults` plays many of every variant."""

from __future__ import annotations

import pytest

from tests.lab.faults.play import play
from tests.lab.faults.rows import BY_NAME
from tests.lab.handle import LabHandle

SINCE, SPAN_S = "arm", 9.0
"""With the seed they fix guest, direction and moment: all of these strike between arming and the hand-over."""
ONE_OF_EACH = {
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
    run = play(lab, BY_NAME[name], ONE_OF_EACH[name], SPAN_S, SINCE)
    assert run.complaints == (), run
