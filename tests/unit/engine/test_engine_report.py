"""Every way a run can end has one state, one exit code, and words that lead on."""

from __future__ import annotations

from itertools import product

import pytest

from dualsrm.engine.conditions import Unmet
from dualsrm.engine.crossing import Crossing
from dualsrm.engine.ports import JobProgress
from dualsrm.engine.recover import RecoveryReport
from dualsrm.engine.report import EXIT_CODES, MoveReport, MoveState, report_move
from dualsrm.engine.run import Failure, Run
from dualsrm.errors import ExitCode
from dualsrm.outcome import Outcome, Verdict
from dualsrm.plan.move import MoveGoal
from dualsrm.plan.recover import Recovery
from dualsrm.plan.steps import Replicating, RoleIs, SafeToPart

GOAL = MoveGoal("lab", "web", "uuid", ("web",), "alpha", "beta", 600)
FAILURE = Failure("demote", "held open", "")


def report(run: Run) -> MoveReport:
    return report_move("op", GOAL, run, 12.0)


def crossed(outcome: Outcome, statistics: JobProgress | None = None) -> Crossing:
    return Crossing(Verdict(outcome, "so it is"), None, statistics, 9.0)


def test_every_state_has_an_exit_code() -> None:
    assert set(EXIT_CODES) == set(MoveState)


def test_only_a_clean_move_is_zero() -> None:
    assert [state for state, code in EXIT_CODES.items() if code is ExitCode.OK] == [MoveState.MOVED]
    assert [state for state, code in EXIT_CODES.items() if code is ExitCode.ROLLED_BACK] == [MoveState.ROLLED_BACK]
    refused = [state for state, code in EXIT_CODES.items() if code is ExitCode.REFUSED]
    assert refused == [MoveState.UNTOUCHED], "1 promises that nothing was touched"
    assert {state for state, code in EXIT_CODES.items() if code is ExitCode.IN_DOUBT} == {
        MoveState.IN_DOUBT,
        MoveState.SPLIT,
    }


@pytest.mark.parametrize(
    ("run", "state"),
    [
        (Run(crossing=crossed(Outcome.MOVED), touched=True), MoveState.MOVED),
        (Run(failure=FAILURE, crossing=crossed(Outcome.MOVED), touched=True), MoveState.MOVED_UNSETTLED),
        (
            Run(failure=FAILURE, crossing=crossed(Outcome.NOT_MOVED), touched=True, rolled_back=True),
            MoveState.ROLLED_BACK,
        ),
        (Run(failure=FAILURE, crossing=crossed(Outcome.NOT_MOVED), touched=True), MoveState.NOT_ROLLED_BACK),
        (Run(failure=FAILURE, touched=True, rolled_back=True), MoveState.ROLLED_BACK),
        (Run(failure=FAILURE, touched=True), MoveState.NOT_ROLLED_BACK),
        (Run(failure=FAILURE, rolled_back=True), MoveState.UNTOUCHED),
        (Run(failure=FAILURE, crossing=crossed(Outcome.STOPPED), touched=True, rolled_back=True), MoveState.STOPPED),
        (Run(failure=FAILURE, crossing=crossed(Outcome.DIED), touched=True, rolled_back=True), MoveState.DIED),
        (Run(failure=FAILURE, crossing=crossed(Outcome.WAIT), touched=True), MoveState.IN_DOUBT),
        (Run(failure=FAILURE, crossing=crossed(Outcome.IN_DOUBT), touched=True), MoveState.IN_DOUBT),
        (Run(failure=FAILURE, crossing=crossed(Outcome.SPLIT), touched=True), MoveState.SPLIT),
    ],
)
def test_the_state_of_each_run(run: Run, state: MoveState) -> None:
    found = report(run)
    assert found.state is state
    assert found.exit_code is EXIT_CODES[state]
    assert bool(found.fix) == (state is not MoveState.MOVED), "whoever is not done is told what to do"


def test_no_end_of_a_touched_run_claims_that_nothing_was_touched() -> None:
    for outcome, undone in product(Outcome, (False, True)):
        found = report(Run(failure=FAILURE, crossing=crossed(outcome), touched=True, rolled_back=undone))
        assert found.exit_code not in (ExitCode.OK, ExitCode.REFUSED)


def test_all_that_was_seen_is_said() -> None:
    found = report(Run(failure=FAILURE, touched=True, not_undone=(Failure("undo promote", "gone"),)))
    assert found.seen == "demote: held open; undo promote: gone"


def test_a_fix_that_the_failure_knows_is_passed_on() -> None:
    assert report(Run(failure=Failure("promote", "no", "do this"), touched=True, rolled_back=True)).fix == "do this"


def test_measured_figures_are_passed_on_and_none_is_invented() -> None:
    statistics = JobProgress(memory_processed=5, downtime_s=0.3)
    measured = report(Run(crossing=crossed(Outcome.MOVED, statistics), touched=True))
    assert (measured.outage_s, measured.memory_bytes) == (0.3, 5)
    unknown = report(Run(crossing=crossed(Outcome.MOVED), touched=True))
    assert (unknown.outage_s, unknown.memory_bytes, unknown.window_s) == (None, None, None)


@pytest.mark.parametrize(
    ("refused", "failed", "code"),
    [
        ((), (), ExitCode.OK),
        ((), (("web", "x"),), ExitCode.NEEDS_ATTENTION),
        ((Recovery("db", (), "x"),), (), ExitCode.IN_DOUBT),
        ((Recovery("db", (), "x"),), (("web", "x"),), ExitCode.IN_DOUBT),
    ],
)
def test_a_recovery_is_as_bad_as_its_worst_guest(
    refused: tuple[Recovery, ...], failed: tuple[tuple[str, str], ...], code: ExitCode
) -> None:
    assert RecoveryReport("lab", ("web",), refused, failed, ()).exit_code is code


def test_only_replication_seen_broken_after_a_move_is_called_lost() -> None:
    role = Failure("demote", "held open", unmet=(Unmet(RoleIs("alpha", "web", primary=False), "web is Primary"),))
    link = Failure("verify", "cut", unmet=(Unmet(Replicating("beta", "web"), "web is Connecting"),))
    undecided = Unmet(SafeToPart("beta", "web"), "web is Connecting")
    moved = crossed(Outcome.MOVED)
    assert report(Run(failure=role, crossing=moved, touched=True)).state is MoveState.MOVED_UNSETTLED
    silent = Unmet(Replicating("beta", "web"), "beta does not answer", asked=False)
    unseen = Failure("verify", "no answer", unmet=(silent,))
    assert report(Run(failure=unseen, crossing=moved, touched=True)).state is MoveState.MOVED_UNSETTLED
    apart = Failure("leave source", "cut", unmet=(undecided,))
    assert report(Run(failure=apart, crossing=moved, touched=True)).state is MoveState.MOVED_UNSETTLED
    lost = report(Run(failure=link, crossing=moved, touched=True))
    assert lost.state is MoveState.REPLICATION_LOST
    assert "resync by themselves" in lost.fix


def test_in_doubt_says_how_to_go_on_when_the_source_is_lost_for_good() -> None:
    """In the order that works: confirmed off, then Primary, then the guest."""
    fix = report(Run(failure=Failure("migrate", "x"), crossing=crossed(Outcome.IN_DOUBT), touched=True)).fix
    off, promote, start = (
        fix.index(words) for words in ("dualsrm-host peer-is-off alpha", "drbdadm primary web", "virsh start web")
    )
    assert fix.index("on beta") < off < promote < start
