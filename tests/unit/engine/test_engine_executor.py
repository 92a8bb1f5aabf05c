"""The executor on small plans: what is tried again, what is undone, and what is on paper before the act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from dualsrm.engine.environment import Environment
from dualsrm.engine.executor import Executor
from dualsrm.engine.performer import together
from dualsrm.engine.progress import Event, Notice, StepDone, StepFailed, StepStarted, Undoing
from dualsrm.engine.run import Run
from dualsrm.errors import Refused
from dualsrm.model import IN_WINDOW
from dualsrm.plan.move import MoveGoal, plan_move
from dualsrm.plan.steps import (
    Demote,
    DestroyDomain,
    Plan,
    Promote,
    RoleIs,
    SetFencing,
    SetTwoPrimaries,
    Step,
    TwoPrimariesIs,
)
from tests.simulator.driving import one_by_one
from tests.simulator.pair import WEB, Call, Fault, Phase, Script, SimPair


@dataclass
class Written:
    """A journal in memory that knows what the hosts had been told when each line was written."""

    pair: SimPair
    operation: str = "op"
    lines: list[tuple[str, dict[str, object], int]] = field(default_factory=list)
    full: bool = False

    def write(self, kind: str, **facts: object) -> None:
        """Keep it, or be full."""
        if self.full:
            raise Refused("the journal is full")
        self.lines.append((kind, facts, len(acts(self.pair))))

    def jot(self, kind: str, **facts: object) -> None:
        """What only informs is none of these tests'."""

    @property
    def kinds(self) -> list[tuple[str, object]]:
        """Kind and step of each line."""
        return [(kind, facts.get("step", facts.get("outcome"))) for kind, facts, _ in self.lines]


def acts(pair: SimPair) -> list[Call]:
    return pair.changed_anything()


@pytest.fixture
def pair() -> SimPair:
    return SimPair("9", [WEB])


@dataclass
class Bench:
    """A pair, a journal, and what was told."""

    pair: SimPair
    journal: Written
    told: list[Event] = field(default_factory=list)
    cancelled: Callable[[], bool] = lambda: False

    def run(self, plan: Plan) -> Run:
        """With a fresh executor."""
        environment = Environment(self.pair.ports, self.pair.clock, one_by_one, self.told.append, self.cancelled)
        return Executor(environment, self.journal).run(plan)

    def did(self) -> list[str]:
        """Acts so far, in short."""
        return [" ".join(filter(None, (call.method, call.host, call.detail))) for call in acts(self.pair)]


@pytest.fixture
def bench(pair: SimPair) -> Bench:
    return Bench(pair, Written(pair))


def opening(**fields: object) -> Step:
    return Step(
        name="open",
        do=(SetTwoPrimaries("beta", "web", allowed=True),),
        verify=(TwoPrimariesIs("beta", "web", allowed=True),),
        undo=(SetTwoPrimaries("beta", "web", allowed=False),),
        undo_verify=(TwoPrimariesIs("beta", "web", allowed=False),),
        **fields,  # type: ignore[arg-type]  # a parametrized value
    )


PROMOTE = Step(
    name="promote",
    do=(Promote("beta", "web"),),
    verify=(RoleIs("beta", "web", primary=True),),
    undo=(Demote("beta", "web"),),
    undo_verify=(RoleIs("beta", "web", primary=False),),
)
IMPOSSIBLE = Step(name="impossible", do=(), verify=(RoleIs("alpha", "nothing", primary=True),), deadline_s=2.0)


def test_neighbours_that_differ_in_their_resource_only_are_one_call() -> None:
    """Each call is a process on the host, most of them inside the window. The order of what is done stays."""
    fencing = tuple(SetFencing("beta", name, IN_WINDOW) for name in ("db-data", "db-log"))
    opened = tuple(SetTwoPrimaries("beta", name, allowed=True) for name in ("db-data", "db-log"))
    both = ("db-data", "db-log")
    assert list(together((*fencing, *opened))) == [(fencing[0], both), (opened[0], both)]
    apart = (fencing[0], opened[0], fencing[1])
    assert list(together(apart)) == [(one, (one.resource,)) for one in apart]
    leftover = DestroyDomain("beta", "db")
    assert list(together((leftover, *opened))) == [(leftover, ()), (opened[0], both)]


# --- forward ------------------------------------------------------------------------------------------------------


def test_a_plan_that_works_is_done_once_and_undone_never(bench: Bench) -> None:
    run = bench.run((opening(), PROMOTE))
    assert (run.complete, run.touched, run.not_undone) == (True, True, ())
    assert bench.did() == ["set_two_primaries beta yes", "promote beta"]
    assert [type(event) for event in bench.told] == [StepStarted, StepDone] * 2


def test_without_persist_a_refused_command_is_not_repeated(bench: Bench) -> None:
    bench.pair.faults.append(Fault("error", "promote", times=None))
    run = bench.run((opening(), PROMOTE))
    assert run.failure is not None
    assert bench.did().count("promote beta") == 1


def test_without_persist_only_the_looking_is_repeated(bench: Bench) -> None:
    bench.pair.faults.append(Fault("lie", "promote"))
    bench.pair.clock.after(5.0, lambda: bench.pair.drbd.promote("beta", "web"))
    run = bench.run((opening(), PROMOTE))
    assert run.complete
    assert bench.did().count("promote beta") == 1
    assert bench.pair.clock.monotonic() > 5


def test_with_persist_the_command_is_repeated_until_it_is_verified(bench: Bench) -> None:
    bench.pair.faults.append(Fault("error", "set_two_primaries", times=3))
    run = bench.run((opening(persist=True),))
    assert run.complete
    assert bench.did().count("set_two_primaries beta yes") == 4


def test_a_command_that_reports_an_error_though_it_worked_counts_as_done_when_it_persists(bench: Bench) -> None:
    bench.pair.faults.append(Fault("timeout_done", "set_two_primaries"))
    assert bench.run((opening(persist=True),)).complete


@pytest.mark.parametrize("persist", [True, False])
@pytest.mark.parametrize("deadline", [3.0, 20.0])
def test_the_deadline_ends_it(bench: Bench, persist: bool, deadline: float) -> None:
    bench.pair.faults.append(Fault("lie", "set_two_primaries", detail="yes", times=None))
    started = bench.pair.clock.monotonic()
    run = bench.run((Step("open", opening().do, opening().verify, deadline_s=deadline, persist=persist),))
    assert run.failure is not None
    assert "allow-two-primaries of web is no" in run.failure.seen
    assert deadline <= bench.pair.clock.monotonic() - started < deadline + 2


def test_what_cannot_be_asked_does_not_hold(bench: Bench) -> None:
    bench.pair.isolate("beta")
    run = bench.run((Step("look", (), (RoleIs("beta", "web", primary=False),), deadline_s=1.0),))
    assert run.failure is not None
    assert "does not answer" in run.failure.seen


def test_a_plan_that_only_looks_touches_nothing(bench: Bench) -> None:
    run = bench.run((IMPOSSIBLE, opening()))
    assert not run.touched
    assert not bench.did()


def test_the_operator_stops_it_between_two_steps(bench: Bench) -> None:
    bench.cancelled = lambda: bool(bench.did())
    run = bench.run((opening(), PROMOTE))
    assert run.failure is not None
    assert "asked to stop" in run.failure.seen
    assert run.rolled_back
    assert bench.did() == ["set_two_primaries beta yes", "set_two_primaries beta no"]


def test_what_must_be_finished_is_not_stopped(bench: Bench) -> None:
    bench.cancelled = lambda: True
    assert bench.run((opening(persist=True),)).complete


# --- backward -----------------------------------------------------------------------------------------------------


def test_undone_in_reverse_order(bench: Bench) -> None:
    run = bench.run((opening(), PROMOTE, IMPOSSIBLE))
    assert run.rolled_back
    assert bench.did() == ["set_two_primaries beta yes", "promote beta", "demote beta", "set_two_primaries beta no"]
    assert [event.name for event in bench.told if isinstance(event, Undoing)] == ["promote", "open"]


@pytest.mark.parametrize("kind", ["error", "timeout", "timeout_done"])
def test_a_step_that_failed_half_way_is_undone_like_one_that_worked(bench: Bench, kind: str) -> None:
    bench.pair.faults.append(Fault(kind, "promote"))  # type: ignore[arg-type]  # a parametrized value
    run = bench.run((opening(), PROMOTE))
    assert run.rolled_back
    assert bench.did()[-2:] == ["demote beta", "set_two_primaries beta no"]


def test_a_step_that_was_never_begun_is_not_undone(bench: Bench) -> None:
    bench.pair.faults.append(Fault("error", "set_two_primaries", detail="yes"))
    bench.run((opening(), PROMOTE))
    assert "demote beta" not in bench.did()


def test_an_undo_that_fails_does_not_spare_the_others_and_is_said(bench: Bench) -> None:
    bench.pair.faults.append(Fault("lie", "demote", times=None))
    run = bench.run((opening(), PROMOTE, IMPOSSIBLE))
    assert not run.rolled_back
    # DRBD refuses to close while both are Primary: the second undo was tried all the same.
    assert [failure.step for failure in run.not_undone] == ["undo promote", "undo open"]
    assert "set_two_primaries beta no" in bench.did()
    failed = [event.name for event in bench.told if isinstance(event, StepFailed)]
    assert failed == ["impossible", "undo promote", "undo open"]


def test_a_host_that_kept_silent_is_not_waited_for_again(bench: Bench) -> None:
    """Seen on the lab: three undos waited two minutes each for a host that was off."""
    bench.pair.after_call("promote", lambda: bench.pair.power_off("beta"))
    run = bench.run((opening(), PROMOTE, IMPOSSIBLE))
    assert [failure.step for failure in run.not_undone] == ["undo promote", "undo open"]
    assert bench.did().count("set_two_primaries beta no") == 1


def test_beside_a_silent_host_the_other_is_insisted_on(bench: Bench) -> None:
    """DRBD there may refuse for a moment; with one try the window would have stayed open."""
    both = tuple(SetTwoPrimaries(host, "web", allowed=True) for host in ("alpha", "beta"))
    undo = tuple(SetTwoPrimaries(host, "web", allowed=False) for host in ("alpha", "beta"))
    closed = tuple(TwoPrimariesIs(host, "web", allowed=False) for host in ("alpha", "beta"))
    bench.pair.after_call("promote", lambda: bench.pair.power_off("beta"))
    bench.pair.faults.append(Fault("error", "set_two_primaries", host="alpha", detail="no", times=2))
    run = bench.run((Step("open", both, (), undo, closed), PROMOTE, IMPOSSIBLE))
    assert [failure.step for failure in run.not_undone] == ["undo promote", "undo open"]
    assert bench.did().count("set_two_primaries alpha no") == 3
    assert not bench.pair.drbd.nodes["alpha", "web"].two_primaries


def test_an_undo_is_tried_until_its_deadline(bench: Bench) -> None:
    bench.pair.faults.append(Fault("error", "demote", times=4))
    run = bench.run((opening(), PROMOTE, IMPOSSIBLE))
    assert run.rolled_back
    assert bench.did().count("demote beta") == 5


def test_a_failed_step_that_persists_is_never_called_rolled_back(bench: Bench) -> None:
    bench.pair.faults.append(Fault("lie", "set_two_primaries", times=None))
    run = bench.run((Step("close", opening().do, opening().verify, deadline_s=1.0, persist=True),))
    assert run.failure is not None
    assert not run.rolled_back


def test_after_the_guest_moved_nothing_is_undone(bench: Bench) -> None:
    bench.pair.after_call("start_migration", lambda: bench.pair.open_device("alpha", "web"))
    run = bench.run(whole_move(bench.pair))
    assert run.failure is not None
    assert not [event for event in bench.told if isinstance(event, Undoing)]
    assert "demote beta" not in bench.did()


def test_in_doubt_nothing_is_undone(bench: Bench) -> None:
    bench.pair.script = Script(stuck_in_handover=True)
    run = bench.run(whole_move(bench.pair))
    assert run.failure is not None
    assert not run.rolled_back
    assert bench.did()[-1].startswith("start_migration")


# --- the window's length ------------------------------------------------------------------------------------------


def test_the_window_is_measured_from_asking_to_having_seen_it_closed(bench: Bench) -> None:
    run = bench.run(whole_move(bench.pair))
    (first, *_), closing = (
        [call for call in acts(bench.pair) if call.method == "set_two_primaries" and call.detail == word]
        for word in ("yes", "no")
    )
    assert run.window_s is not None
    assert run.window_s > closing[-1].at - first.at


def test_a_window_not_seen_closed_has_no_length(bench: Bench) -> None:
    bench.pair.faults.append(Fault("lie", "set_two_primaries", detail="no", times=None))
    assert bench.run(whole_move(bench.pair)).window_s is None


def test_a_window_never_opened_has_no_length(bench: Bench) -> None:
    assert bench.run((IMPOSSIBLE,)).window_s is None


def test_a_window_closed_by_undoing_has_a_length(bench: Bench) -> None:
    assert bench.run((opening(), IMPOSSIBLE)).window_s is not None


# --- the journal --------------------------------------------------------------------------------------------------


def whole_move(pair: SimPair) -> Plan:
    goal = MoveGoal("lab", "web", pair.libvirt.guests["web"].uuid, ("web",), "alpha", "beta", 60)
    return plan_move(goal)


def test_each_act_is_on_paper_before_it_is_done(bench: Bench) -> None:
    bench.pair.script = Script(fail_at=Phase.COPYING)
    bench.run(whole_move(bench.pair))
    done_before = 0
    announced: list[str] = []
    for kind, facts, acts_so_far in bench.journal.lines:
        if acts_so_far > done_before:
            assert announced, "an act nobody announced"
        done_before = acts_so_far
        announced = [*announced, *facts.get("do", [])] if kind in ("step", "undo") else announced  # type: ignore[misc]  # journal facts are objects
    for call in acts(bench.pair):
        lines = [facts for kind, facts, so_far in bench.journal.lines if kind in ("step", "undo")]
        assert any(call.host in word for facts in lines for word in facts["do"])  # type: ignore[attr-defined]  # journal facts are objects


def test_the_line_is_written_when_nothing_of_its_step_was_done_yet(bench: Bench) -> None:
    bench.run((opening(), PROMOTE))
    assert [(kind, facts["step"], so_far) for kind, facts, so_far in bench.journal.lines] == [
        ("step", "open", 0),
        ("done", "open", 1),
        ("step", "promote", 1),
        ("done", "promote", 2),
    ]


def test_a_failure_and_its_undoing_are_written(bench: Bench) -> None:
    bench.pair.faults.append(Fault("lie", "demote", times=None))
    bench.run((opening(), PROMOTE, IMPOSSIBLE))
    assert bench.journal.kinds == [
        ("step", "open"),
        ("done", "open"),
        ("step", "promote"),
        ("done", "promote"),
        ("step", "impossible"),
        ("failed", "impossible"),
        ("undo", "promote"),
        ("undo-failed", "promote"),
        ("undo", "open"),
        ("undo-failed", "open"),
    ]


def test_the_crossing_is_written_with_its_outcome(bench: Bench) -> None:
    bench.run(whole_move(bench.pair))
    assert ("crossed", "moved") in bench.journal.kinds


def test_a_journal_that_fills_up_does_not_stop_the_move(bench: Bench) -> None:
    bench.journal.full = True
    assert bench.run(whole_move(bench.pair)).complete
    assert any(isinstance(event, Notice) and "full" in event.text for event in bench.told)
