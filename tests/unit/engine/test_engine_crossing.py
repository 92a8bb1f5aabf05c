"""The crossing: figures that were measured, an abort that is waited for, a leftover that is really one."""

from __future__ import annotations

import pytest

from dualsrm.engine.crossing import ABORT_DEADLINE_S, Crossing, cross
from dualsrm.engine.environment import Environment
from dualsrm.engine.progress import Copying, Event, Notice
from dualsrm.outcome import Leftover, Outcome
from dualsrm.plan.steps import MigrateLive
from tests.simulator.driving import one_by_one
from tests.simulator.pair import WEB, Fault, Phase, Script, SimPair


@pytest.fixture
def pair() -> SimPair:
    """Ready for a crossing: window open, both sides Primary."""
    pair = SimPair("9", [WEB])
    pair.drbd.set_two_primaries("alpha", "web", allowed=True)
    pair.drbd.promote("beta", "web")
    return pair


def crossed(pair: SimPair, told: list[Event] | None = None, deadline_s: float = 60) -> Crossing:
    command = MigrateLive("web", pair.libvirt.guests["web"].uuid, "alpha", "beta")
    observer = (told if told is not None else []).append
    return cross(Environment(pair.ports, pair.clock, one_by_one, observer), command, deadline_s)


def test_the_outage_is_what_qemu_measured(pair: SimPair) -> None:
    found = crossed(pair)
    assert found.verdict.outcome is Outcome.MOVED
    assert found.statistics is not None
    assert found.statistics.downtime_s == 0.3


@pytest.mark.parametrize("script", [Script(fail_at=Phase.COPYING), Script(error_although_moved=True)])
def test_an_outage_nobody_measured_is_not_reported(pair: SimPair, script: Script) -> None:
    """While memory is copied libvirt says what it expects: that is no figure of a pause that took place."""
    pair.script = script
    told: list[Event] = []
    found = crossed(pair, told)
    assert any(isinstance(event, Copying) and event.progress.downtime_s == 0.3 for event in told)
    assert found.statistics is not None
    assert found.statistics.memory_processed
    assert found.statistics.downtime_s is None


def test_past_the_deadline_it_is_aborted_once_and_the_abort_is_waited_for(pair: SimPair) -> None:
    pair.script = Script(never_converges=True)
    found = crossed(pair, deadline_s=20)
    assert found.verdict.outcome is Outcome.NOT_MOVED
    assert "within the deadline" in (found.error or "")
    assert [call.method for call in pair.calls].count("job_abort") == 1
    assert 20 <= found.seconds < 25


def test_an_abort_that_libvirt_ignores_ends_in_doubt(pair: SimPair) -> None:
    pair.script = Script(never_converges=True)
    pair.faults.append(Fault("lie", "job_abort"))
    found = crossed(pair, deadline_s=10)
    assert found.verdict.outcome is Outcome.IN_DOUBT
    assert found.seconds > 10 + ABORT_DEADLINE_S
    assert pair.running_on("web") == ("alpha",)


def test_a_job_that_cannot_be_polled_for_a_while_is_followed_on(pair: SimPair) -> None:
    pair.faults.append(Fault("timeout", "job_poll", nth=3, times=2))
    assert crossed(pair).verdict.outcome is Outcome.MOVED


def test_a_leftover_is_ended_and_the_outcome_read_again(pair: SimPair) -> None:
    pair.script = Script(fail_at=Phase.COPYING, leftover_on_target=True)
    told: list[Event] = []
    found = crossed(pair, told)
    assert (found.verdict.outcome, found.verdict.leftover) == (Outcome.NOT_MOVED, Leftover.NONE)
    assert [(call.method, call.host) for call in pair.calls if call.method == "destroy"] == [("destroy", "beta")]
    assert any(isinstance(event, Notice) and "leftover" in event.text for event in told)


def test_a_qemu_libvirt_lost_sight_of_is_not_gone(pair: SimPair) -> None:
    """Shut off by libvirt's word, in the process table all the same: it may still write."""
    pair.faults.append(Fault("error", "start_migration"))
    pair.libvirt.inactive("web", "alpha", "migrated", exits_after=3600)
    assert crossed(pair).verdict.outcome is not Outcome.DIED
    pair.libvirt.exit(pair.libvirt.qemus[0])
    assert crossed(pair).verdict.outcome is Outcome.DIED


def test_a_job_only_the_target_speaks_of_is_a_job(pair: SimPair) -> None:
    """The target's half may be given the guest at any moment: it is no leftover yet."""
    pair.script = Script(fail_at=Phase.COPYING, leftover_on_target=True)

    def target_still_busy() -> None:
        pair.libvirt.records["beta", "web"].job_active = True

    pair.after_call("start_migration", lambda: pair.clock.after(5.1, target_still_busy))
    assert crossed(pair).verdict.outcome is Outcome.IN_DOUBT
    assert not [call for call in pair.calls if call.method == "destroy"]


def test_the_leftover_is_the_side_that_does_not_run(pair: SimPair) -> None:
    pair.script = Script(source_left_paused=True)
    assert crossed(pair).verdict.outcome is Outcome.MOVED
    assert [call.host for call in pair.calls if call.method == "destroy"] == ["alpha"]
    assert pair.running_on("web") == ("beta",)
