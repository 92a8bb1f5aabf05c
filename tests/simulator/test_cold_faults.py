"""Stop, start and cold move with every call failing, and with everything cut at any moment.

Each journey is made once without a fault, to count its calls and its seconds: so every fault meets a call, and every
cut falls into the command. Both are asserted.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dualsrm.engine.cold import ColdReport, ColdState
from dualsrm.engine.journal import interrupted
from dualsrm.engine.report import MoveReport, MoveState
from dualsrm.errors import ExitCode, HostUnreachable, Refused
from dualsrm.model import Role
from tests.simulator import cuts
from tests.simulator.driving import Manager
from tests.simulator.matrix import FaultAt, faults_at
from tests.simulator.pair import (
    ALPHA,
    BETA,
    DB,
    WEB,
    Fault,
    ManagerCrash,
    Method,
    Reported,
    SimPair,
    assert_promises,
    assert_quiet,
)
from tests.simulator.pair.state import Manners

GUESTS = {"web": WEB, "db": DB}
DIALECTS = ("8.4", "9")
SEED = 20261122
AFTERWARDS_S = 240.0

Report = ColdReport | MoveReport


# --- journeys -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Journey:
    """A command, and what the world is like before it."""

    name: str
    act: Callable[[Manager, str], Report]
    down: bool = False
    """The guest is stopped before."""
    broken: bool = False
    """The target lacks something the guest needs."""
    deaf: bool = False
    """The guest hears no power button."""

    def begin(self, manager: Manager, guest: str) -> None:
        """Make the world so."""
        pair = manager.pair
        known = pair.libvirt.guests[guest]
        if self.down:
            manager.stop_guest(guest)
        if self.down or self.act is _move:
            pair.libvirt.records.pop((BETA, guest), None)
        known.broken_on = BETA if self.broken else None
        if self.deaf:
            known.manners = Manners(acpi=False)
            pair.before_call("destroy", lambda: setattr(known, "stopped_by_owner", True))
        pair.timeline.clear()


def _stop(manager: Manager, guest: str) -> Report:
    return manager.stop_guest(guest)


def _destroy(manager: Manager, guest: str) -> Report:
    return manager.stop_guest(guest, destroy=True, deadline_s=15.0)


def _start(manager: Manager, guest: str) -> Report:
    return manager.start_guest(guest, on=BETA)


def _move(manager: Manager, guest: str) -> Report:
    return manager.migrate_cold(guest)


JOURNEYS = (
    Journey("stop", _stop),
    Journey("destroy", _destroy, deaf=True),
    Journey("start", _start, down=True),
    Journey("start-broken", _start, down=True, broken=True),
    Journey("move", _move),
    Journey("move-broken", _move, broken=True),
)


@dataclass(frozen=True, slots=True)
class Control:
    """A journey without a fault: how often each call is made, and how long it takes."""

    calls: Counter[tuple[Method, str | None]]
    seconds: float


@cache
def control(journey: Journey, dialect: str, guest: str) -> Control:
    """Make it once."""
    with TemporaryDirectory() as directory:
        pair = SimPair(dialect, GUESTS.values())
        manager = Manager(pair, Path(directory))
        journey.begin(manager, guest)
        never = Fault("crash_before", "sleep", nth=1_000_000)
        pair.faults.append(never)
        began = pair.clock.monotonic()
        journey.act(manager, guest)
        calls: Counter[tuple[Method, str | None]] = Counter((call.method, call.host) for call in pair.calls)
        calls["sleep", None] = never.seen
        return Control(calls, pair.clock.monotonic() - began)


# --- what was said is so, and what is left can be mended ----------------------------------------------------------

AT_TARGET = (MoveState.MOVED, MoveState.MOVED_UNSETTLED, MoveState.REPLICATION_LOST)
AT_SOURCE = (MoveState.ROLLED_BACK, MoveState.UNTOUCHED)
NOWHERE = (ColdState.STOPPED, ColdState.STOPPED_UNSETTLED, ColdState.ROLLED_BACK, ColdState.NOT_ROLLED_BACK)


def said(report: Report) -> tuple[str, ...] | None:
    """Where it said that the guest runs; None when it did not say."""
    if isinstance(report, MoveReport):
        return (
            (report.target,) if report.state in AT_TARGET else (report.source,) if report.state in AT_SOURCE else None
        )
    return (report.host,) if report.state is ColdState.STARTED else () if report.state in NOWHERE else None


def does(manager: Manager, journey: Journey, guest: str) -> Report | None:
    """The command, held against what it said; None when it did not live to say, or refused."""
    pair = manager.pair
    try:
        report = journey.act(manager, guest)
    except ManagerCrash:
        return None
    except (Refused, HostUnreachable):
        assert not pair.changed_anything(), "\n".join(pair.log())
        return None
    assert_promises(pair, Reported(in_doubt=frozenset({guest})))
    where = said(report)
    # A host may lose power after it was last looked at; that it had the guest then is no lie.
    if where is not None and not any(pair.machines[host].boots for host in where):
        assert pair.running_on(guest) == where, "\n".join([str(report), *pair.log()])
    good = (MoveState.MOVED, ColdState.STARTED, ColdState.STOPPED)
    assert (report.exit_code is ExitCode.OK) == (report.state in good)
    assert bool(report.seen) == bool(report.fix) == (report.exit_code is not ExitCode.OK), report
    if report.state is ColdState.STOPPED:
        assert {pair.drbd.nodes[report.host, name].role for name in _resources(pair, guest)} == {Role.SECONDARY}
    return report


def _resources(pair: SimPair, guest: str) -> tuple[str, ...]:
    return pair.libvirt.guests[guest].resources


def finishes(manager: Manager, journey: Journey, guest: str) -> None:
    """With all mended: a recovery says what is down, and the command can be given again."""
    pair = manager.pair
    if pair.dead:
        pair.restart_manager()
    pair.libvirt.guests[guest].broken_on = None
    pair.libvirt.guests[guest].manners = Manners()
    unfinished = [one.intent.get("verb") for one in interrupted(manager.state, pair.pair.name)]
    recovered = manager.recover(take_over=True)
    wanted = not pair.running_on(guest) and any(verb in ("migrate", "start") for verb in unfinished)
    assert recovered.down == ((guest,) if wanted else ())
    assert recovered.exit_code is (ExitCode.NEEDS_ATTENTION if wanted else ExitCode.OK), recovered
    if journey.act in (_stop, _destroy):
        assert manager.stop_guest(guest).exit_code is ExitCode.OK
        assert not pair.running_on(guest)
        assert {pair.drbd.nodes[host, name].role for host in (ALPHA, BETA) for name in _resources(pair, guest)} == {
            Role.SECONDARY
        }
    elif not pair.running_on(guest):
        assert manager.start_guest(guest, on=BETA).state is ColdState.STARTED
    assert_promises(pair)
    assert_quiet(pair)


# --- every call x every fault -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """One fault in one journey."""

    journey: Journey
    dialect: str
    guest: str
    at: FaultAt

    def __str__(self) -> str:
        return f"{self.dialect}-{self.guest}-{self.journey.name}-{self.at}"


def _cases() -> Iterator[Case]:
    for journey in JOURNEYS:
        for dialect in DIALECTS:
            for guest in GUESTS:
                for (method, host), number in control(journey, dialect, guest).calls.items():
                    for one in faults_at(method, host, sorted({1, 2, number} & set(range(1, number + 1)))):
                        yield Case(journey, dialect, guest, one)


@pytest.mark.parametrize("case", list(_cases()), ids=str)
def test_every_fault_at_every_call(case: Case, tmp_path: Path) -> None:
    pair = SimPair(case.dialect, GUESTS.values())
    manager = Manager(pair, tmp_path)
    case.journey.begin(manager, case.guest)
    fault = case.at.fault
    pair.faults.append(fault)
    report = does(manager, case.journey, case.guest)
    assert fault.hit
    pair.faults.clear()
    pair.clock.advance(120)
    if isinstance(report, MoveReport) and (where := said(report)) is not None:
        assert pair.running_on(case.guest) == where, "and it stays so"
    finishes(manager, case.journey, case.guest)


# --- everything cut at any moment ---------------------------------------------------------------------------------


def _power(host: str) -> cuts.Fault:
    return cuts.Fault(f"power-{host}", lambda pair: pair.power_off(host), lambda pair: pair.power_on(host))


POWER = (_power(ALPHA), _power(BETA))
SHARES = tuple((number + 0.5) / 12 for number in range(12))
NOTICES = ((0.0, 0.0), (2.6, 4.0), (9.0, 0.3))


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut in one journey, when that share of it is over."""

    journey: Journey
    dialect: str
    guest: str
    fault: cuts.Fault
    share: float
    mended_after: float | None
    """None: only when the command is long over."""
    notices: tuple[float, float]

    def __str__(self) -> str:
        mended = "late" if self.mended_after is None else f"{self.mended_after:g}s"
        seconds = "/".join(f"{one:g}" for one in self.notices)
        return (
            f"{self.dialect}-{self.guest}-{self.journey.name}-{self.fault.name}-at-{self.share:.2f}-for-{mended}"
            f"-noticed-{seconds}"
        )


CUTS = [
    Cut(journey, dialect, guest, fault, share, mended_after, notices)
    for journey in JOURNEYS
    for dialect in DIALECTS
    for guest in GUESTS
    for fault in (*cuts.CUTS, *POWER)
    for share in SHARES
    for mended_after in (5.0, 60.0, None)
    for notices in NOTICES
]


@pytest.mark.parametrize("cut", random.Random(SEED).sample(CUTS, 1000), ids=str)  # noqa: S311 - a sample, no secret
def test_a_cut_at_any_moment(cut: Cut, tmp_path: Path) -> None:
    pair = SimPair(cut.dialect, GUESTS.values())
    pair.drbd.notice_s = dict(zip((ALPHA, BETA), cut.notices, strict=True))
    manager = Manager(pair, tmp_path)
    cut.journey.begin(manager, cut.guest)
    struck: list[str] = []

    def strike() -> None:
        struck.append(cut.fault.name)
        cut.fault.strike(pair)
        if cut.mended_after is not None:
            pair.clock.after(cut.mended_after, lambda: cut.fault.mend(pair))

    pair.clock.after(cut.share * control(cut.journey, cut.dialect, cut.guest).seconds, strike)
    does(manager, cut.journey, cut.guest)
    assert struck
    pair.clock.advance(200)
    if cut.mended_after is None:
        cut.fault.mend(pair)
    pair.clock.advance(AFTERWARDS_S)
    finishes(manager, cut.journey, cut.guest)
