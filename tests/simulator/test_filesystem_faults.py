"""A group's cold move with every call failing: what was said is so, and what is left can be mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dualsrm.engine.report import MoveReport, MoveState
from dualsrm.errors import ExitCode, HostUnreachable, Refused
from dualsrm.model import GroupVerb
from tests.simulator.driving import Manager
from tests.simulator.files import MEMBERS, in_one, migrate, mounted_on, office
from tests.simulator.matrix import FaultAt, faults_at
from tests.simulator.pair import (
    ALPHA,
    BETA,
    Fault,
    ManagerCrash,
    Method,
    Reported,
    SimPair,
    assert_promises,
    assert_quiet,
)

AT_SOURCE = (MoveState.ROLLED_BACK, MoveState.UNTOUCHED)
IN_DOUBT = Reported(in_doubt=frozenset(MEMBERS))


@dataclass(frozen=True, slots=True)
class Journey:
    """A move, and what the target lacks."""

    name: str

    def begin(self, manager: Manager) -> None:
        """Make the world so."""
        pair = manager.pair
        if self.name == "no-mount":
            pair.machines[BETA].broken.add("files")
        if self.name == "no-second":
            pair.libvirt.guests["wiki"].broken_on = BETA
        pair.timeline.clear()


JOURNEYS = (Journey("move"), Journey("no-mount"), Journey("no-second"))


@cache
def calls(journey: Journey, dialect: str) -> Counter[tuple[Method, str | None]]:
    """How often each call is made without a fault."""
    with TemporaryDirectory() as directory:
        manager = Manager(office(dialect), Path(directory))
        journey.begin(manager)
        never = Fault("crash_before", "sleep", nth=1_000_000)
        manager.pair.faults.append(never)
        migrate(manager)
        found: Counter[tuple[Method, str | None]] = Counter((call.method, call.host) for call in manager.pair.calls)
        found["sleep", None] = never.seen
        return found


def does(manager: Manager) -> MoveReport | None:
    """The move, held against what it said; None when it did not live to say, or refused."""
    pair = manager.pair
    try:
        report = migrate(manager)
    except ManagerCrash:
        return None
    except (Refused, HostUnreachable):
        assert not pair.changed_anything(), "\n".join(pair.log())
        return None
    assert_promises(pair, IN_DOUBT)
    if report.state is MoveState.MOVED:
        assert_promises(pair, Reported(runs_on=dict.fromkeys(MEMBERS, BETA)))
    if report.state in AT_SOURCE:
        assert_promises(pair, Reported(runs_on=dict.fromkeys(MEMBERS, ALPHA)))
        assert mounted_on(pair) == [ALPHA]
    assert (report.exit_code is ExitCode.OK) == (report.state is MoveState.MOVED)
    assert bool(report.seen) == bool(report.fix) == (report.exit_code is not ExitCode.OK), report
    return report


def finishes(manager: Manager) -> None:
    """With all mended: recovery says what is down, and starting the group brings up what does not run."""
    pair = manager.pair
    if pair.dead:
        pair.restart_manager()
    pair.machines[BETA].broken.clear()
    for guest in MEMBERS:
        pair.libvirt.guests[guest].broken_on = None
    recovered = manager.recover(take_over=True)
    assert (recovered.refused, recovered.failed) == ((), ()), recovered
    down = {guest for guest in MEMBERS if not pair.running_on(guest)}
    assert set(recovered.down) == (down if recovered.closed_operations else set())
    where = None if mounted_on(pair) else BETA
    started = in_one(manager, GroupVerb.START, where)
    assert started is not None
    assert started.exit_code is ExitCode.OK, started
    assert len(mounted_on(pair)) == 1
    assert {pair.running_on(guest) for guest in MEMBERS} == {tuple(mounted_on(pair))}
    assert_promises(pair)
    pair.clock.advance(120)
    assert_quiet(pair)


@dataclass(frozen=True, slots=True)
class Case:
    """One fault in one move."""

    journey: Journey
    dialect: str
    at: FaultAt

    def __str__(self) -> str:
        return f"{self.dialect}-{self.journey.name}-{self.at}"


def _cases() -> Iterator[Case]:
    for journey in JOURNEYS:
        for dialect in ("8.4", "9") if journey.name == "move" else ("8.4",):
            for (method, host), number in calls(journey, dialect).items():
                for one in faults_at(method, host, sorted({1, number})):
                    yield Case(journey, dialect, one)


@pytest.mark.parametrize("case", list(_cases()), ids=str)
def test_every_fault_at_every_call(case: Case, tmp_path: Path) -> None:
    manager = Manager(office(case.dialect), tmp_path)
    case.journey.begin(manager)
    fault = case.at.fault
    manager.pair.faults.append(fault)
    does(manager)
    assert fault.hit
    manager.pair.faults.clear()
    manager.pair.clock.advance(120)
    finishes(manager)


# --- a host that loses power at any moment ------------------------------------------------------------------------


@pytest.mark.parametrize("share", [number / 20 for number in range(1, 20)])
@pytest.mark.parametrize("host", [ALPHA, BETA])
def test_a_host_that_loses_power_at_any_moment(host: str, share: float, tmp_path: Path) -> None:
    def seconds() -> float:
        with TemporaryDirectory() as directory:
            manager = Manager(office("8.4"), Path(directory))
            migrate(manager)
            return manager.pair.clock.monotonic()

    pair: SimPair = office("8.4")
    manager = Manager(pair, tmp_path)
    pair.clock.after(share * seconds(), lambda: pair.power_off(host))
    does(manager)
    pair.clock.advance(60)
    pair.power_on(host)
    pair.clock.advance(60)
    finishes(manager)
