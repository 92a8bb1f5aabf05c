"""The control of the fault table: the usual procedure, met by the same fault, has to lose writes.

A harness that does not see that hole proves nothing by finding none elsewhere.
"""

from __future__ import annotations

from tests.lab.faults.judge import Journey
from tests.lab.faults.look import look_at_both, not_quiet
from tests.lab.faults.usual import cut_in_the_middle, make_whole
from tests.lab.handle import RESOURCES, LabHandle


def test_the_usual_procedure_loses_writes_and_calls_it_success(lab: LabHandle) -> None:
    guest = "web"
    source = lab.host_of(guest)
    assert source is not None
    journey = Journey(guest, source, lab.other(source))
    loss = cut_in_the_middle(lab, journey)
    make_whole(lab, journey)
    assert not_quiet(look_at_both(lab)) == []
    assert loss.host == journey.target, loss
    assert loss.exit == 0, loss
    assert loss.lost, "nobody saw a loss: the fault came at the wrong moment, or the judge is blind"
    assert set(loss.split) == set(RESOURCES[guest])
