"""The crossing: figures that were measured, an abort that is waited for, a leftover that is really one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dualsrm.convergence import AtDeadline, Convergence, Rung, SetDowntime, StartPostCopy
from dualsrm.engine.crossing import ABORT_DEADLINE_S, Crossing, cross
from dualsrm.engine.environment import Environment, never
from dualsrm.engine.ports import Disturbance, JobProgress
from dualsrm.engine.progress import Copying, Event, Notice
from dualsrm.outcome import Leftover, Outcome
from dualsrm.plan.steps import MigrateLive
from tests.simulator.driving import one_by_one
from tests.simulator.pair import WEB, Fault, Phase, Script, SimPair
from tests.simulator.pair.migration import Migration
from tests.simulator.pair.port import SimHostPort


@pytest.fixture
def pair() -> SimPair:
    """Ready for a crossing: window open, both sides Primary."""
    pair = SimPair("9", [WEB])
    pair.drbd.set_two_primaries("alpha", "web", allowed=True)
    pair.drbd.promote("beta", "web")
    return pair


def crossed(
    pair: SimPair,
    told: list[Event] | None = None,
    deadline_s: float = 60,
    convergence: Convergence | None = None,
    cancelled: Callable[[], bool] = never,
) -> Crossing:
    command = MigrateLive("web", pair.libvirt.guests["web"].uuid, "alpha", "beta", convergence or Convergence())
    observer = (told if told is not None else []).append
    return cross(Environment(pair.ports, pair.clock, one_by_one, observer, cancelled), command, deadline_s)


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


def test_figures_that_libvirt_wipes_are_kept(pair: SimPair, monkeypatch: pytest.MonkeyPatch) -> None:
    """libvirt 9.0 in the lab: between the abort and the end of the job its statistics are zeros."""
    pair.script = Script(never_converges=True)
    pair.faults.append(Fault("lie", "job_abort"))
    real = Migration.progress

    def progress(self: Migration) -> JobProgress:
        return real(self) if pair.clock.monotonic() < 20 else JobProgress(memory_total=0, memory_processed=0)

    monkeypatch.setattr(Migration, "progress", progress)
    found = crossed(pair, deadline_s=20)
    assert found.statistics is not None
    assert found.statistics.memory_processed


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


def test_a_link_that_is_back_before_the_hosts_decided_leaves_no_job_behind(
    pair: SimPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither side gives way then, and a long copy would outlive the wait for a verdict."""
    pair.script = Script(never_converges=True)
    lost = Disturbance("web is Connecting", link=True)
    monkeypatch.setattr(SimHostPort, "disturbance", lambda _: lost if 8 <= pair.clock.monotonic() < 11 else None)
    found = crossed(pair, deadline_s=600)
    assert found.verdict.outcome is Outcome.NOT_MOVED
    assert "replication was lost" in (found.error or "")
    assert [call.method for call in pair.calls].count("job_abort") == 1
    assert 11 <= found.seconds < 20


# --- the schedule ---------------------------------------------------------------------------------


def orders(pair: SimPair) -> list[tuple[float, str]]:
    """What the job was told, and when: seconds since it began."""
    began = next(call.at for call in pair.calls if call.method == "start_migration")
    told = [call for call in pair.calls if call.method.startswith("job_") and call.method != "job_poll"]
    return [(call.at - began, f"{call.method} {call.detail}".strip()) for call in told]


def words(pair: SimPair) -> list[str]:
    return [word for _, word in orders(pair)]


LADDER = (Rung(SetDowntime(0.5), after_s=10), Rung(SetDowntime(2), after_passes=4))
ENDLESS = Script(startup_s=2, copy_s=5, never_converges=True)
"""A pass every five seconds."""


def test_a_longer_pause_lets_it_come_over(pair: SimPair) -> None:
    pair.script = replace(ENDLESS, converges_at_downtime_s=2)
    found = crossed(pair, deadline_s=40, convergence=Convergence(ladder=LADDER))
    assert found.verdict.outcome is Outcome.MOVED
    assert words(pair) == ["job_downtime 0.5", "job_downtime 2"]
    first, second = (at for at, _ in orders(pair))
    assert 10 <= first < 14
    assert 20 <= second < 24


def test_a_guest_that_stands_still_comes_over(pair: SimPair) -> None:
    pair.script = ENDLESS
    told: list[Event] = []
    found = crossed(pair, told, deadline_s=30, convergence=Convergence(at_deadline=AtDeadline.PAUSE, pause_s=15))
    assert found.verdict.outcome is Outcome.MOVED
    assert words(pair) == ["job_suspend"]
    assert pair.running_on("web") == ("beta",)
    assert any(isinstance(event, Notice) and "stands still" in event.text for event in told)


def test_a_pause_that_does_not_help_ends_at_the_source(pair: SimPair) -> None:
    pair.script = replace(ENDLESS, copy_s=100)
    convergence = Convergence(ladder=LADDER, at_deadline=AtDeadline.PAUSE, pause_s=15)
    found = crossed(pair, deadline_s=30, convergence=convergence)
    assert found.verdict.outcome is Outcome.NOT_MOVED
    assert "within the deadline" in (found.error or "")
    assert words(pair) == ["job_downtime 0.5", "job_suspend", "job_abort"]
    assert 45 <= found.seconds < 48
    assert pair.running_on("web") == ("alpha",)


def test_nothing_is_tried_any_more_once_it_is_called_off(pair: SimPair) -> None:
    pair.script = ENDLESS
    pair.faults.append(Fault("lie", "job_abort"))
    hurried = Convergence(ladder=tuple(Rung(SetDowntime(n), after_s=8 + n) for n in range(1, 9)))
    crossed(pair, convergence=hurried, cancelled=lambda: pair.clock.monotonic() > 8)
    assert words(pair) == ["job_abort"]


def test_after_post_copy_nobody_calls_it_off(pair: SimPair) -> None:
    """The guest runs at the target: to stop now would be to lose it."""
    pair.script = replace(ENDLESS, copy_s=15)
    convergence = Convergence(ladder=(Rung(StartPostCopy(), after_passes=1),))
    found = crossed(pair, deadline_s=20, convergence=convergence, cancelled=lambda: "job_post_copy" in words(pair))
    assert words(pair) == ["job_post_copy"]
    assert found.verdict.outcome is Outcome.MOVED
    assert found.seconds > 20
