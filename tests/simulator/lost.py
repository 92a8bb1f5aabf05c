"""A pair that has lost a host, in one way or another, and what a failover said."""

from __future__ import annotations

import json

from dualsrm.checks import blocking
from dualsrm.engine.failover_report import FailoverState
from dualsrm.engine.failover_run import Outcome
from dualsrm.errors import ExitCode
from dualsrm.model import DiskState
from tests.simulator.driving import Manager
from tests.simulator.pair import (
    ALPHA,
    BETA,
    Reported,
    SimPair,
)
from tests.simulator.pair.state import FenceDevice


def lost(manager: Manager, device: FenceDevice = "works") -> SimPair:
    """alpha has lost power; beta's kernel has noticed."""
    pair = manager.pair
    pair.machines[BETA].fence = device
    pair.power_off(ALPHA)
    pair.clock.advance(30)
    pair.timeline[:] = pair.events
    return pair


def isolated(manager: Manager, device: FenceDevice = "works") -> SimPair:
    """alpha runs and writes, and nobody reaches it."""
    pair = manager.pair
    pair.machines[BETA].fence = device
    pair.cut_off(ALPHA)
    pair.clock.advance(120)
    pair.timeline[:] = pair.events
    return pair


def states(outcome: Outcome) -> dict[str, FailoverState]:
    return {report.guest: report.state for report in outcome.reports}


def words(outcome: Outcome) -> str:
    """All that is against it."""
    prepared = outcome.prepared
    found = (*prepared.findings, *(one for guest in prepared.guests for one in guest.findings))
    return " | ".join(f"{one.subject}: {one.seen}; {one.fix}" for one in blocking(found))


def refused(outcome: Outcome, pair: SimPair) -> str:
    """Refused, and nothing was touched; why."""
    assert outcome.exit_code is ExitCode.REFUSED
    assert not outcome.reports
    assert not pair.changed_anything(), "\n".join(pair.log())
    return words(outcome)


def journal(manager: Manager) -> list[dict[str, object]]:
    """The lines of the newest operation; by name as in the product, a file system's clock may tick too slowly."""
    newest = max((manager.state / "operations").iterdir())
    return [json.loads(line) for line in newest.read_text().splitlines()]


def outdated(manager: Manager, disk: DiskState = DiskState.OUTDATED) -> SimPair:
    """The link of web is away for a minute, in which beta is outdated; then alpha dies."""
    pair = manager.pair
    pair.cut_link("web")
    pair.clock.advance(60)
    assert pair.drbd.nodes[BETA, "web"].disk is DiskState.OUTDATED
    pair.drbd.nodes[BETA, "web"].disk = disk
    return lost(manager)


ON_BETA = Reported(runs_on={"web": BETA, "db": BETA})
