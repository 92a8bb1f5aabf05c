"""Emptying a host: in order, several at once, a guest that fails, a manager that dies; the promises hold throughout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dualsrm.engine.group_report import SeveralReport
from dualsrm.errors import ExitCode, Refused
from dualsrm.model import ColdMove, Group
from tests.simulator.driving import Manager
from tests.simulator.pair import ALPHA, BETA, Fault, ManagerCrash, Reported, SimPair, assert_promises, assert_quiet
from tests.simulator.several import NAMES, chain, estate, evacuate


def managed(pair: SimPair, state: Path) -> Manager:
    pair.clock.advance(20)
    return Manager(pair, state)


def done(pair: tuple[object, SeveralReport | None]) -> SeveralReport:
    report = pair[1]
    assert report is not None
    return report


def began(pair: SimPair) -> list[str]:
    """Guests in the order in which their migrations were started."""
    return [call.subject for call in pair.calls if call.method == "start_migration"]


def at_once(pair: SimPair) -> int:
    """How many windows were open at one moment."""
    opened: dict[str, bool] = {}
    most = 0
    for call in pair.calls:
        if call.method in ("arm", "disarm") and call.host == ALPHA:
            opened[call.subject or "?"] = call.method == "arm"
        if call.method == "set_two_primaries" and call.host == ALPHA:
            opened[call.subject] = call.detail == "yes"
        most = max(most, sum(opened[name] for name in opened if name in NAMES))
    return most


ALL_ON_BETA = Reported(runs_on=dict.fromkeys(NAMES, BETA))


def test_one_after_the_other_in_order(manager: Manager, tmp_path: Path) -> None:
    pair = estate(manager.pair.dialect.value)
    manager = managed(pair, tmp_path)
    report = done(evacuate(manager, BETA, chain(pair, "web", "app", "db")))
    assert report.exit_code is ExitCode.OK
    assert [one.guest for one in report.guests] == began(pair) == ["web", "app", "db"]
    assert {one.state for one in report.guests} == {"moved"}
    assert at_once(pair) == 1
    assert_promises(pair, ALL_ON_BETA)
    pair.clock.advance(120)
    assert_quiet(pair)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("dialect", ["8.4", "9"])
def test_several_at_once(dialect: str, seed: int, tmp_path: Path) -> None:
    pair = estate(dialect)
    manager = managed(pair, tmp_path)
    report = done(evacuate(manager, BETA, jobs=3, seed=seed))
    assert report.exit_code is ExitCode.OK, report
    assert at_once(pair) == 3
    assert_promises(pair, ALL_ON_BETA)
    pair.clock.advance(120)
    assert_quiet(pair)
    assert not pair.machines[ALPHA].locks


@pytest.mark.parametrize("seed", range(6))
def test_what_waits_for_nothing_goes_beside_and_what_waits_goes_after(seed: int, tmp_path: Path) -> None:
    pair = estate()
    manager = managed(pair, tmp_path)
    done(evacuate(manager, BETA, chain(pair, "web", "db"), jobs=3, seed=seed))
    first = began(pair)
    assert first.index("web") < first.index("db")
    assert at_once(pair) == 2
    assert_promises(pair, ALL_ON_BETA)


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_first_failure_is_the_last_and_a_second_run_goes_on(jobs: int, tmp_path: Path) -> None:
    pair = estate()
    manager = managed(pair, tmp_path)
    groups = chain(pair, "db", "app", "web")
    fault = Fault("error", "start_migration", subject="app")
    pair.faults.append(fault)
    report = done(evacuate(manager, BETA, groups, jobs=jobs))
    assert (report.exit_code, fault.hit) == (ExitCode.ROLLED_BACK, 1)
    assert {one.guest: one.state for one in report.guests} == {"db": "moved", "app": "rolled back"}
    assert [(one.guest, one.why) for one in report.left] == [("web", "app: rolled back")]
    assert_promises(pair, Reported(runs_on={"db": BETA, "app": ALPHA, "web": ALPHA}))
    again = done(evacuate(manager, BETA, groups, jobs=jobs))
    assert [one.guest for one in again.guests] == ["app", "web"]
    assert again.exit_code is ExitCode.OK
    assert_promises(pair, ALL_ON_BETA)
    prepared, nothing = evacuate(manager, BETA, groups)
    assert (prepared.guests, nothing) == ((), None)


def test_going_on_after_a_failure(tmp_path: Path) -> None:
    pair = estate()
    manager = managed(pair, tmp_path)
    pair.faults.append(Fault("error", "start_migration", subject="app"))
    report = done(evacuate(manager, BETA, chain(pair, "db", "app", "web"), keep_going=True))
    assert {one.guest: one.state for one in report.guests} == {"db": "moved", "app": "rolled back", "web": "moved"}
    assert (report.exit_code, report.left) == (ExitCode.ROLLED_BACK, ())
    assert_promises(pair, Reported(runs_on={"db": BETA, "app": ALPHA, "web": BETA}))


def test_refused_as_a_whole_while_one_cannot_move(tmp_path: Path) -> None:
    pair = estate()
    manager = managed(pair, tmp_path)
    pair.disconnect(BETA, "app")
    pair.clock.advance(60)
    prepared, report = evacuate(manager, BETA)
    assert report is None
    assert "app: replication-connected" in prepared.against
    assert "--keep-going" in prepared.fix
    assert not pair.changed_anything()
    went = done(evacuate(manager, BETA, keep_going=True))
    assert {one.guest: one.state for one in went.guests} == {"db": "moved", "app": "refused", "web": "moved"}
    assert went.exit_code is ExitCode.NEEDS_ATTENTION


def test_too_little_memory_for_all_of_them(tmp_path: Path) -> None:
    """Each fits alone: two that are looked at side by side would both be let go."""
    pair = estate()
    manager = managed(pair, tmp_path)
    for name in NAMES:
        pair.libvirt.guests[name].memory_bytes = 3 << 30
    prepared, report = evacuate(manager, BETA, jobs=3)
    assert report is None
    assert "all of them need" in prepared.against
    report = done(evacuate(manager, BETA, jobs=3, keep_going=True))
    assert at_once(pair) == 1


@pytest.mark.parametrize("policy", [ColdMove.ALWAYS, ColdMove.IF_NOT_LIVE])
def test_cold_where_configured(policy: ColdMove, tmp_path: Path) -> None:
    pair = estate()
    manager = managed(pair, tmp_path)
    pair.libvirt.guests["app"].cache = "writeback"  # live it is refused
    cold = Group("cold", pair.pair.name, ("app",), cold=policy)
    report = done(evacuate(manager, BETA, [cold]))
    assert {one.guest: one.method for one in report.guests} == {"db": "live", "app": "cold", "web": "live"}
    assert report.exit_code is ExitCode.OK
    assert_promises(pair, ALL_ON_BETA)


def test_cold_after_a_live_move_that_was_rolled_back(tmp_path: Path) -> None:
    pair = estate()
    manager = managed(pair, tmp_path)
    pair.faults.append(Fault("error", "start_migration", subject="app"))
    cold = Group("cold", pair.pair.name, ("app",), cold=ColdMove.IF_NOT_LIVE)
    report = done(evacuate(manager, BETA, [cold]))
    assert {one.guest: one.method for one in report.guests}["app"] == "cold"
    assert_promises(pair, ALL_ON_BETA)


@pytest.mark.parametrize("moment", ["arm", "promote", "start_migration", "demote", "disarm"])
@pytest.mark.parametrize("kind", ["crash_before", "crash_after"])
@pytest.mark.parametrize("jobs", [1, 3])
def test_the_manager_dies_in_the_middle(jobs: int, kind: str, moment: str, tmp_path: Path) -> None:
    """Then `recover`, and a second run that takes those that are still there."""
    pair = estate()
    manager = managed(pair, tmp_path)
    pair.faults.append(Fault(kind, moment, nth=3))  # type: ignore[arg-type]  # words of the parameters above
    with pytest.raises(ManagerCrash):
        evacuate(manager, BETA, jobs=jobs)
    pair.faults.clear()
    pair.restart_manager()
    with pytest.raises(Refused, match="is locked on"):
        evacuate(manager, BETA)
    pair.clock.advance(240)
    recovered = manager.recover()
    assert recovered.exit_code is ExitCode.OK, recovered
    assert len(recovered.closed_operations) >= 2, "the evacuation's, and those of its moves"
    assert_promises(pair)
    prepared, report = evacuate(manager, BETA, jobs=jobs)
    assert report is None or report.exit_code is ExitCode.OK
    if moment in ("arm", "promote"):
        assert prepared.guests, "nobody had crossed over for certain"
    assert_promises(pair, ALL_ON_BETA)
    pair.clock.advance(120)
    assert_quiet(pair)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_the_replication_link_of_one_is_lost_while_others_move(share: float, seed: int, tmp_path: Path) -> None:
    """The hosts settle that one; the others do not notice."""
    pair = estate()
    manager = managed(pair, tmp_path)
    pair.during_copy(share, lambda: pair.cut_link("app"))
    report = done(evacuate(manager, BETA, jobs=3, seed=seed))
    states = {one.guest: one.state for one in report.guests}
    assert (states["db"], states["web"]) == ("moved", "moved")
    assert states["app"] != "moved"
    assert report.exit_code is not ExitCode.OK
    pair.heal_link("app")
    pair.clock.advance(240)
    manager.recover()
    assert_promises(pair, Reported(runs_on={"db": BETA, "web": BETA}))
    pair.clock.advance(240)
    assert_quiet(pair)


@pytest.mark.parametrize(("times", "state"), [(1, "moved"), (2, "moved"), (3, "refused")])
def test_a_host_that_is_too_busy_to_answer_is_looked_at_again(times: int, state: str, tmp_path: Path) -> None:
    pair = estate(names=("web",))
    manager = managed(pair, tmp_path)
    pair.faults.append(Fault("timeout", "observe", host=BETA, nth=2, times=times))
    report = done(evacuate(manager, BETA))
    assert [one.state for one in report.guests] == [state]
    assert_promises(pair)


def test_the_operator_stops_it(tmp_path: Path) -> None:
    pair = estate()
    manager = managed(pair, tmp_path)

    def stop() -> None:
        manager.stop = True

    pair.during_copy(0.5, stop)
    report = done(evacuate(manager, BETA, chain(pair, "db", "app", "web")))
    assert [one.state for one in report.guests] == ["rolled back"]
    assert len(report.left) == 2
    assert_promises(pair, Reported(runs_on=dict.fromkeys(NAMES, ALPHA)))


def test_another_operation_is_kept_out(tmp_path: Path) -> None:
    """The lock is the evacuation's from its first move to its last, also between two."""
    pair = estate()
    manager = managed(pair, tmp_path)
    other = Manager(pair, tmp_path / "other")
    refusals: list[str] = []

    def intrude() -> None:
        try:
            other.try_to_migrate("web", BETA)
        except Refused as error:
            refusals.append(error.seen)

    pair.after_call("disarm", intrude, host=BETA)
    report = done(evacuate(manager, BETA, chain(pair, "db", "app", "web")))
    assert report.exit_code is ExitCode.OK
    assert len(refusals) == 1
    assert "locked" in refusals[0]
    assert replace(report, total_s=0).operation in refusals[0]
