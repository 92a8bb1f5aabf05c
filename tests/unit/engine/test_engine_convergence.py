"""The schedule of a copy: the pure decision at every turn, and the pacer that keeps a job to it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.convergence import (
    GIB,
    Abort,
    Action,
    AtDeadline,
    Convergence,
    Progress,
    Rung,
    SetDowntime,
    StartPostCopy,
    Suspend,
    Taken,
    next_action,
)
from dualsrm.engine.pacing import RETRY_S, Pacer
from dualsrm.engine.ports import JobEnded, JobProgress
from dualsrm.errors import CommandFailed

HALF, ONE = SetDowntime(0.5), SetDowntime(1.0)
BY_TIME = Convergence(ladder=(Rung(HALF, after_s=30), Rung(ONE, after_s=60)))
BY_PASS = Convergence(ladder=(Rung(HALF, after_passes=5), Rung(StartPostCopy(), after_passes=10)))
PAUSING = Convergence(at_deadline=AtDeadline.PAUSE, pause_s=20)
DEADLINE = 100.0


def at(elapsed_s: float, *, passes: int = 0, startup_s: float = 10) -> Progress:
    """So long after the start; memory is copied from `startup_s` on."""
    copying_s = elapsed_s - startup_s
    return Progress(elapsed_s, copying_s if copying_s >= 0 else None, passes)


def due(
    convergence: Convergence, progress: Progress, *done: Action, done_at: float = 50, deadline_s: float = DEADLINE
) -> Action | None:
    return next_action(convergence, deadline_s, progress, [Taken(action, done_at) for action in done])


# --- the ladder -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elapsed_s", "done", "action"),
    [
        (39, (), None),
        (40, (), HALF),
        (40, (HALF,), None),
        (69, (HALF,), None),
        (70, (HALF,), ONE),
        # The watch could not look for a while: one rung after the other, none left out.
        (95, (), HALF),
        (95, (HALF,), ONE),
        (95, (HALF, ONE), None),
    ],
)
def test_rungs_by_time_are_climbed_in_order_each_once(
    elapsed_s: float, done: tuple[Action, ...], action: Action
) -> None:
    assert due(BY_TIME, at(elapsed_s), *done) == action


def test_the_start_of_the_target_is_no_time_of_copying() -> None:
    assert due(BY_TIME, at(69, startup_s=40)) is None
    assert due(BY_TIME, at(70, startup_s=40)) == HALF


def test_nothing_is_set_before_memory_is_copied() -> None:
    impatient = Convergence(ladder=(Rung(HALF, after_s=0), Rung(ONE, after_passes=0)))
    assert due(impatient, Progress(99, None, 7)) is None
    assert due(impatient, Progress(99, 0.0)) == HALF


def test_rungs_by_pass_do_not_look_at_the_clock() -> None:
    assert due(BY_PASS, at(99, passes=4)) is None
    assert due(BY_PASS, at(11, passes=5)) == HALF


def test_post_copy_waits_for_one_whole_pass() -> None:
    impatient = Convergence(ladder=(Rung(StartPostCopy(), after_s=1),))
    assert due(impatient, at(99, passes=0)) is None
    assert due(impatient, at(12, passes=1)) == StartPostCopy()


# --- the deadline ---------------------------------------------------------------------------------


def test_the_deadline_grows_with_memory() -> None:
    convergence = Convergence(deadline_s=300, deadline_s_per_gib=60)
    assert convergence.deadline_for(0) == 300
    assert convergence.deadline_for(96 * 1024**2) == pytest.approx(305.6, abs=0.1)
    assert convergence.deadline_for(64 * GIB) == 300 + 64 * 60


def test_at_the_deadline_it_is_aborted_whatever_was_left_to_do() -> None:
    assert due(BY_TIME, at(99.9), HALF, ONE) is None
    assert due(BY_TIME, at(100)) == Abort()


def test_at_the_deadline_the_guest_is_paused_once_and_aborted_after_that_wait() -> None:
    assert due(PAUSING, at(99.9)) is None
    assert due(PAUSING, at(100)) == Suspend()
    assert due(PAUSING, at(119), Suspend(), done_at=100) is None
    assert due(PAUSING, at(120), Suspend(), done_at=100) == Abort()


def test_a_pause_that_is_not_to_be_had_does_not_move_the_end() -> None:
    assert due(PAUSING, at(119)) == Suspend()
    assert due(PAUSING, at(120)) == Abort()


def test_pausing_does_not_help_a_copy_that_never_began() -> None:
    assert due(PAUSING, Progress(100, None)) == Abort()


def test_after_post_copy_only_its_own_deadline_counts() -> None:
    """The guest runs at the target: the move's deadline must not stop what brings it the rest of its memory."""
    pausing = Convergence(ladder=BY_PASS.ladder, at_deadline=AtDeadline.PAUSE)
    for convergence in (BY_PASS, pausing):
        assert due(convergence, at(100, passes=20), HALF, StartPostCopy(), done_at=60) is None
        assert due(convergence, at(159, passes=20), HALF, StartPostCopy(), done_at=60) is None
        assert due(convergence, at(160, passes=20), HALF, StartPostCopy(), done_at=60) == Abort()


seconds = st.floats(0, 1000)
rungs = st.builds(Rung, st.builds(SetDowntime, seconds), after_s=seconds) | st.builds(
    Rung, st.builds(SetDowntime, seconds), after_s=st.none(), after_passes=st.integers(0, 50)
)
ladders = st.tuples(st.lists(rungs, max_size=4), st.booleans()).map(
    lambda made: (*made[0], *((Rung(StartPostCopy(), after_passes=1),) if made[1] else ()))
)
schedules = st.builds(Convergence, ladder=ladders, at_deadline=st.sampled_from(AtDeadline), pause_s=st.floats(1, 100))


@given(schedules, st.floats(1, 500), st.floats(0, 600), st.floats(0.3, 20), st.floats(0.01, 5))
def test_every_copy_that_never_ends_comes_to_an_end(
    convergence: Convergence, deadline_s: float, startup_s: float, look_s: float, pass_s: float
) -> None:
    """Whatever the schedule: an abort in bounded time, each action at most once, none after post-copy or the abort."""
    taken: list[Taken] = []
    limit = 2 * deadline_s + convergence.pause_s + 10 * look_s
    now = 0.0
    while now <= limit:
        copying_s = now - startup_s if now >= startup_s else None
        action = next_action(convergence, deadline_s, Progress(now, copying_s, int((copying_s or 0) / pass_s)), taken)
        if isinstance(action, Abort):
            break
        if action is not None:
            assert not any(isinstance(one.action, StartPostCopy | Suspend) for one in taken)
            taken.append(Taken(action, now))
        now += look_s
    else:
        pytest.fail(f"no end after {now:.0f} s: {taken}")
    assert now >= deadline_s
    assert [one.action for one in taken if not isinstance(one.action, Suspend)] == [
        rung.action for rung in convergence.ladder[: sum(not isinstance(one.action, Suspend) for one in taken)]
    ]
    if convergence.at_deadline is AtDeadline.ABORT:
        assert not any(isinstance(one.action, Suspend) for one in taken)


# --- the pacer ------------------------------------------------------------------------------------


@dataclass
class Job:
    """A job that takes orders, or refuses them."""

    orders: list[str] = field(default_factory=list)
    refuses: bool = False

    def poll(self) -> JobProgress | JobEnded | None:
        return None

    def abort(self) -> None:
        self._order("abort")

    def set_downtime(self, seconds: float) -> None:
        self._order(f"downtime {seconds}")

    def start_post_copy(self) -> None:
        self._order("post-copy")

    def suspend(self) -> None:
        self._order("suspend")

    def _order(self, words: str) -> None:
        self.orders.append(words)
        if self.refuses:
            raise CommandFailed("libvirt says no")


@dataclass
class Bench:
    """A pacer and its job."""

    convergence: Convergence
    job: Job = field(default_factory=Job)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pacer = Pacer(self.convergence, DEADLINE, self.job, self.told.append)

    def look(self, elapsed_s: float, progress: JobProgress | None = None) -> bool:
        if progress is not None:
            self.pacer.saw(progress, elapsed_s)
        return self.pacer.late(elapsed_s)


def copying(iteration: int | None = 1) -> JobProgress:
    return JobProgress(memory_total=96 * 1024**2, iteration=iteration)


def test_the_schedule_is_carried_out_and_said() -> None:
    bench = Bench(BY_PASS)
    for second, passes in enumerate((1, 3, 6, 8, 11, 12)):
        assert not bench.look(second, copying(passes))
        assert bench.pacer.post_copy is (passes >= 11)
    assert bench.job.orders == ["downtime 0.5", "post-copy"]
    assert bench.told == [str(HALF), str(StartPostCopy())]


def test_the_deadline_is_left_to_the_watch() -> None:
    bench = Bench(PAUSING)
    assert not bench.look(99, copying())
    assert not bench.look(100)
    assert not bench.look(119)
    assert bench.look(120)
    assert bench.job.orders == ["suspend"]


def test_an_order_that_is_refused_is_tried_again_and_complained_of_once() -> None:
    """libvirt has not begun the job, or QEMU hangs for a moment: the rung is not lost."""
    bench = Bench(Convergence(ladder=(Rung(HALF, after_s=1),)), Job(refuses=True))
    bench.look(0, copying())
    for tenth in range(10, 10 + int(RETRY_S * 10) + 1):
        bench.look(tenth / 10)
    assert bench.job.orders == ["downtime 0.5"] * 2
    assert len(bench.told) == 1
    assert "libvirt says no" in bench.told[0]
    bench.job.refuses = False
    bench.look(1 + 2 * RETRY_S)
    bench.look(2 + 2 * RETRY_S)
    assert bench.job.orders == ["downtime 0.5"] * 3
    assert bench.told[1:] == [str(HALF)]


def test_passes_of_an_earlier_job_do_not_count() -> None:
    """QEMU keeps the counters of a cancelled migration until the next one has begun."""
    bench = Bench(BY_PASS)
    bench.look(0, copying(7))
    bench.look(1, copying(8))
    assert not bench.job.orders
    bench.look(2, copying(1))
    bench.look(3, copying(5))
    assert not bench.job.orders
    bench.look(4, copying(6))
    assert bench.job.orders == ["downtime 0.5"]


def test_statistics_without_memory_are_no_copy() -> None:
    bench = Bench(Convergence(ladder=(Rung(HALF, after_s=0),)))
    for progress in (JobProgress(), JobProgress(memory_total=0, iteration=3)):
        bench.look(1, progress)
    assert not bench.job.orders
    bench.look(2, copying(None))
    assert bench.job.orders
