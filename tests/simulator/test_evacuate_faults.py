"""Three moves at once, and every fault at every call that changes something: the promises hold, and it can be mended.

Which lane a fault strikes, and what the others are doing then, is the dice's: each fault has its own.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from dualsrm.engine.group_report import SeveralReport
from dualsrm.engine.report import MoveState
from dualsrm.errors import DualsrmError, ExitCode
from tests.simulator.driving import Manager
from tests.simulator.pair import ALPHA, BETA, Fault, ManagerCrash, Reported, assert_promises, assert_quiet
from tests.simulator.pair.faults import MUTATING_KINDS, Kind, Method
from tests.simulator.several import NAMES, estate, evacuate

METHODS: tuple[Method, ...] = (
    "lock", "arm", "set_fencing", "set_two_primaries", "promote", "start_migration", "job_poll", "demote", "disarm",
    "unlock",
)  # fmt: skip
_THERE = (MoveState.MOVED, MoveState.MOVED_UNSETTLED, MoveState.REPLICATION_LOST)
_HERE = (MoveState.ROLLED_BACK, MoveState.NOT_ROLLED_BACK, MoveState.UNTOUCHED)
_SETTLED = (MoveState.MOVED, MoveState.ROLLED_BACK, MoveState.UNTOUCHED)


def told(report: SeveralReport) -> Reported:
    """What it promised, guest by guest; the resources are called like the guests."""
    runs_on = dict.fromkeys(NAMES, ALPHA)
    states = {one.guest: MoveState(one.state) for one in report.guests if one.state != "refused"}
    for guest, state in states.items():
        if state in _THERE:
            runs_on[guest] = BETA
        elif state not in _HERE:
            del runs_on[guest]
    unsettled = frozenset(guest for guest, state in states.items() if state not in _SETTLED)
    return Reported(runs_on, unsettled, frozenset(set(NAMES) - set(runs_on)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", MUTATING_KINDS)
@pytest.mark.parametrize("nth", [1, 2])
def test_every_fault_at_every_call(kind: Kind, method: Method, nth: int, tmp_path: Path) -> None:
    pair = estate("9" if nth == 1 else "8.4")
    pair.clock.advance(20)
    manager = Manager(pair, tmp_path)
    fault = Fault(kind, method, nth=nth)
    pair.faults.append(fault)
    seed = zlib.crc32(str(fault).encode())
    try:
        _, report = evacuate(manager, BETA, jobs=3, keep_going=True, seed=seed)
    except ManagerCrash:
        pair.restart_manager()
        pair.clock.advance(300)
    except DualsrmError:
        assert method in ("lock", "unlock"), "nothing else is raised"
        assert not pair.changed_anything()
    else:
        assert report is not None
        assert_promises(pair, told(report))
    assert fault.hit == 1
    pair.clock.advance(300)
    manager.recover(take_over=True)
    assert_promises(pair)
    _, again = evacuate(manager, BETA, jobs=3, seed=seed)
    assert again is None or again.exit_code is ExitCode.OK, again
    assert_promises(pair, Reported(runs_on=dict.fromkeys(NAMES, BETA)))
    pair.clock.advance(120)
    assert_quiet(pair)
