"""Failover with every call failing: the promises hold, and the same command again finishes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dualsrm.engine.failover_report import FailoverState
from dualsrm.engine.failover_run import Outcome
from dualsrm.errors import ExitCode, HostUnreachable, Refused
from dualsrm.hostside import fencing
from dualsrm.hostside.port import Local
from dualsrm.model import Fenced, Power, Role
from tests.simulator.driving import Manager
from tests.simulator.matrix import FaultAt, faults_at
from tests.simulator.pair import (
    ALPHA,
    BETA,
    DB,
    READING_KINDS,
    WEB,
    Fault,
    Kind,
    ManagerCrash,
    Method,
    Reported,
    SimPair,
    assert_promises,
)
from tests.simulator.pair.state import FenceDevice

GUESTS = {"web": WEB, "db": DB}
GOOD = (FailoverState.FAILED_OVER, FailoverState.ALREADY)


@dataclass(frozen=True, slots=True)
class Journey:
    """A failover, and what the world is like before it."""

    name: str
    guest: str | None = None
    device: FenceDevice = "works"
    alive: bool = False
    """The lost host is cut off and runs; its guests have not written since."""
    broken: bool = False
    """web does not start."""

    def begin(self, dialect: str) -> SimPair:
        """Make the world so."""
        pair = SimPair(dialect, GUESTS.values())
        pair.machines[BETA].fence = self.device
        pair.clock.advance(20)
        if self.alive:
            for guest in pair.libvirt.guests.values():
                guest.writes_per_second = 0.0
            pair.cut_off(ALPHA)
        else:
            pair.power_off(ALPHA)
        pair.clock.advance(120)
        pair.libvirt.guests["web"].broken_on = BETA if self.broken else None
        pair.timeline[:] = pair.events
        return pair

    def act(self, manager: Manager) -> Outcome:
        """The command."""
        return manager.failover(self.guest, BETA, confirm_off=ALPHA if self.device == "none" else None)


JOURNEYS = (
    Journey("device"),
    Journey("person", device="none"),
    Journey("alive", alive=True),
    Journey("one", guest="db"),
    Journey("broken", broken=True),
)


@cache
def control(journey: Journey, dialect: str) -> Counter[tuple[Method, str | None]]:
    """How often each call is made without a fault."""
    with TemporaryDirectory() as directory:
        pair = journey.begin(dialect)
        never = Fault("crash_before", "sleep", nth=1_000_000)
        pair.faults.append(never)
        journey.act(Manager(pair, Path(directory)))
        calls: Counter[tuple[Method, str | None]] = Counter((call.method, call.host) for call in pair.calls)
        if never.seen:
            calls["sleep", None] = never.seen
        return calls


@dataclass(frozen=True, slots=True)
class Case:
    """One fault in one journey."""

    journey: Journey
    dialect: str
    at: FaultAt

    def __str__(self) -> str:
        return f"{self.dialect}-{self.journey.name}-{self.at}"


READING: tuple[Kind, ...] = (*READING_KINDS, "crash_before", "crash_after")


def _cases() -> Iterator[Case]:
    for journey in JOURNEYS:
        for dialect in ("8.4", "9"):
            for (method, host), number in control(journey, dialect).items():
                for one in faults_at(method, host, range(1, number + 1), READING):
                    if not (host == ALPHA and one.kind == "crash_after"):  # it does not get that far
                        yield Case(journey, dialect, one)


@pytest.mark.parametrize("case", list(_cases()), ids=str)
def test_every_fault_at_every_call(case: Case, tmp_path: Path) -> None:
    pair = case.journey.begin(case.dialect)
    manager = Manager(pair, tmp_path)
    _sees_it_off_first(pair)
    fault = case.at.fault
    pair.faults.append(fault)
    outcome = _does(manager, case.journey)
    assert fault.hit
    pair.faults.clear()
    pair.clock.advance(120)
    if outcome is not None:
        _is_as_said(pair, outcome)
    _finishes(manager, case.journey)


def _sees_it_off_first(pair: SimPair) -> None:
    """Nothing is promoted beside a host that is on, whatever fails."""

    def look() -> None:
        if pair.machines[ALPHA].powered:
            pair.violations.append("promoted beside a host that is on")

    for nth in range(1, 9):
        pair.before_call("promote", look, nth=nth)


def _does(manager: Manager, journey: Journey) -> Outcome | None:
    """The command, held against what it said; None when it did not live to say, or refused."""
    pair = manager.pair
    try:
        outcome = journey.act(manager)
    except ManagerCrash:
        assert not pair.violations
        return None
    except (Refused, HostUnreachable):
        assert not pair.changed_anything(), "\n".join(pair.log())
        return None
    _is_as_said(pair, outcome)
    for report in outcome.reports:
        assert bool(report.seen) == bool(report.fix) == (report.exit_code is not ExitCode.OK), report
    if outcome.exit_code is ExitCode.REFUSED:
        assert {call.method for call in pair.changed_anything()} <= {"fence", "confirm_off"}
        assert pair.machines[ALPHA].powered is journey.alive
    return outcome


def _is_as_said(pair: SimPair, outcome: Outcome) -> None:
    said = {report.guest: report.host for report in outcome.reports if report.state in GOOD}
    assert_promises(pair, Reported(runs_on=said, in_doubt=frozenset(GUESTS)))
    for report in outcome.reports:
        where = pair.running_on(report.guest)
        nodes = [pair.drbd.nodes[BETA, name] for name in pair.libvirt.guests[report.guest].resources]
        if report.state in (FailoverState.ROLLED_BACK, FailoverState.NOT_FENCED, FailoverState.REFUSED):
            assert BETA not in where, report
            assert {node.role for node in nodes} == {Role.SECONDARY}, report
        if report.state in (FailoverState.ROLLED_BACK, FailoverState.FAILED_OVER):
            assert not pair.machines[ALPHA].powered


def _finishes(manager: Manager, journey: Journey) -> None:
    """The same command again."""
    pair = manager.pair
    if pair.dead:
        pair.restart_manager()
    pair.libvirt.guests["web"].broken_on = None
    if pair.machines[BETA].locks:  # only a call that was to release it can have left it, and the next run does
        pair.note("a lock was left")
    again = journey.act(manager)
    assert again.exit_code is ExitCode.OK, "\n".join([str(again), *pair.log()])
    for guest in GUESTS if journey.guest is None else (journey.guest,):
        assert pair.running_on(guest) == (BETA,), "\n".join(pair.log())
    assert_promises(pair, Reported(in_doubt=frozenset(GUESTS)))
    assert not pair.machines[BETA].locks
    pair.power_on(ALPHA)
    pair.clock.advance(120)
    assert_promises(pair, Reported(in_doubt=frozenset(GUESTS)))


def test_this_harness_sees_a_device_that_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: said to be off is off, says this survivor, and a guest runs twice."""
    journey = JOURNEYS[2]
    pair = journey.begin("9")

    def believes(local: Local, peer: str, _now: Callable[[], float], operation: str) -> Fenced:
        local.quarantine(peer, operation)
        local.confirm_off(peer, "hearsay")
        return Fenced(off=True, was=Power.ON, agent="fence_sim", seconds=0.0, asked=True)

    monkeypatch.setattr(fencing, "fence", believes)
    _sees_it_off_first(pair)
    with pytest.raises(AssertionError, match="promoted beside a host that is on"):
        _does(Manager(pair, tmp_path), journey)
    assert any(words.startswith("P1:") for words in pair.violations)
