"""Groups started, stopped and failed over: in order, when ready, with their hooks; and what holds what back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dualsrm.engine.failover import Wanted
from dualsrm.engine.failover_report import FailoverState
from dualsrm.engine.failover_run import Outcome, run_failover
from dualsrm.engine.group_look import Estate, PreparedGroup, look_before_start, look_before_stop
from dualsrm.engine.group_report import SeveralReport
from dualsrm.engine.group_run import Frame, carry_out_several, starting, stopping
from dualsrm.engine.several import Work
from dualsrm.errors import ExitCode, UsageError
from dualsrm.model import AgentAnswers, Group, GroupVerb, Hook, Moment, Pings, Readiness, Role, Shutdown
from dualsrm.plan.dispatch import Rules
from tests.simulator.driving import Manager
from tests.simulator.lost import lost, states
from tests.simulator.pair import ALPHA, BETA, Fault, ManagerCrash, Reported, SimPair, assert_promises, assert_quiet
from tests.simulator.several import NAMES, chain, estate, policy, worlds

READY = (Readiness(Pings("db"), 30),)


def managed(state: Path, *, runs_on: str | None = ALPHA, names: Sequence[str] = NAMES) -> Manager:
    pair = estate("8.4", names, runs_on)
    pair.clock.advance(20)
    return Manager(pair, state)


def configured(manager: Manager, groups: Sequence[Group]) -> Estate:
    return Estate({manager.pair.pair.name: manager.pair.pair}, {group.name: group for group in groups})


def group_of(manager: Manager, name: str, *guests: str, **more: object) -> Group:
    return replace(Group(name, manager.pair.pair.name, guests), **more)  # type: ignore[arg-type]  # fields of a Group


def start(
    manager: Manager, groups: Sequence[Group], name: str, *, host: str | None = None, jobs: int = 1, seed: int = 1
) -> tuple[PreparedGroup, SeveralReport | None]:
    """`dualsrm start GROUP`."""
    outer, lanes = worlds(manager, jobs, seed)
    estate_of = configured(manager, groups)
    frame = Frame(outer, lanes, manager.pair.pair, manager.state, "start-group", {"group": name})
    look = partial(look_before_start, manager.environment, estate_of, estate_of.groups[name], under_lock=True)

    def work(prepared: PreparedGroup, operation: str) -> Work:
        act = starting(frame, host, operation)
        rules = Rules(delays=True)
        return Work(estate_of.pairs, GroupVerb.START, prepared.order, rules, act, host=host, await_ready=True)

    return manager.ending(lambda: carry_out_several(frame, look, work))


def stop(manager: Manager, groups: Sequence[Group], name: str) -> tuple[PreparedGroup, SeveralReport | None]:
    """`dualsrm stop GROUP`."""
    outer, lanes = worlds(manager, 1)
    estate_of = configured(manager, groups)
    frame = Frame(outer, lanes, manager.pair.pair, manager.state, "stop-group", {"group": name})
    look = partial(look_before_stop, manager.environment, estate_of, estate_of.groups[name], under_lock=True)

    def work(prepared: PreparedGroup, operation: str) -> Work:
        act = stopping(frame, policy(manager), operation)
        return Work(estate_of.pairs, GroupVerb.STOP, prepared.order, Rules(), act)

    return manager.ending(lambda: carry_out_several(frame, look, work))


def failover(manager: Manager, groups: Sequence[Group], *, group: Group | None = None) -> Outcome:
    """`dualsrm failover --all`, or of one group."""
    wanted = Wanted(group.name if group else None, BETA, None, "anna@desk", members=group.guests if group else ())
    environment, pair = manager.environment, manager.pair.pair
    return manager.ending(lambda: run_failover(environment, pair, wanted, state_directory=manager.state, groups=groups))


def began(pair: SimPair) -> list[str]:
    return [call.subject for call in pair.calls if call.method == "start"]


def ended(report: SeveralReport | None) -> Mapping[str, str]:
    assert report is not None
    return {one.guest: one.state for one in report.guests}


# --- start and stop -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_group_is_started_where_it_prefers_and_stopped(jobs: int, tmp_path: Path) -> None:
    manager = managed(tmp_path, runs_on=None)
    groups = [group_of(manager, "g", "db", "web", prefer=BETA, ready=READY)]
    _, report = start(manager, groups, "g", jobs=jobs)
    assert report is not None
    assert (report.exit_code, ended(report)) == (ExitCode.OK, {"db": "started", "web": "started"})
    assert (report.groups[0].ready, report.groups[0].failed) == (True, "")
    assert manager.pair.running_on("db") == manager.pair.running_on("web") == (BETA,)
    assert_promises(manager.pair, Reported(runs_on={"db": BETA, "web": BETA}, in_doubt=frozenset({"app"})))
    for name in ("db", "web"):
        manager.pair.libvirt.guests[name].stopped_by_owner = True
    _, report = stop(manager, groups, "g")
    assert set(ended(report).values()) == {"stopped"}
    assert not any(node.role is Role.PRIMARY for node in manager.pair.drbd.nodes.values())
    assert not manager.pair.machines[ALPHA].locks


def test_what_it_comes_after_has_to_run(tmp_path: Path) -> None:
    manager = managed(tmp_path, runs_on=None)
    groups = chain(manager.pair, "db", "web")
    prepared, report = start(manager, groups, "g-web", host=BETA)
    assert report is None
    assert prepared.against == "g-web comes after g-db, and db of it does not run"
    assert prepared.fix == "dualsrm start -- g-db"
    assert not manager.pair.changed_anything()


@pytest.mark.parametrize("never", [False, True])
def test_what_it_comes_after_has_to_be_ready(never: bool, tmp_path: Path) -> None:
    manager = managed(tmp_path)
    pair = manager.pair
    db = group_of(manager, "g-db", "db", ready=READY)
    web = group_of(manager, "g-web", "web", after=("g-db",))
    pair.libvirt.guests["web"].stopped_by_owner = True
    manager.stop_guest("web")
    pair.libvirt.guests["web"].stopped_by_owner = False
    if never:
        pair.manager.silent.add("db")
    begun = pair.clock.monotonic()
    _, report = start(manager, [db, web], "g-web", host=BETA)
    assert report is not None
    waited = pair.clock.monotonic() - begun
    if never:
        assert (report.guests, [one.guest for one in report.left]) == ((), ["web"])
        assert "not seen within 30 s: db answers a ping" in report.left[0].why
        assert 30 <= waited < 40, "bounded"
        assert report.exit_code is ExitCode.NEEDS_ATTENTION
    else:
        assert ended(report) == {"web": "started"}
        assert pair.manager.answers_after_s <= waited < 20
    assert not pair.manager.hooks


def test_what_comes_after_it_is_not_left_behind(tmp_path: Path) -> None:
    manager = managed(tmp_path)
    groups = chain(manager.pair, "db", "web")
    prepared, report = stop(manager, groups, "g-db")
    assert report is None
    assert prepared.against == "g-web comes after g-db, and web of it runs"
    assert prepared.fix == "dualsrm stop -- g-web"
    assert not manager.pair.changed_anything()


def test_each_guest_is_stopped_as_its_group_says(tmp_path: Path) -> None:
    manager = managed(tmp_path)
    pair = manager.pair
    for name in NAMES:
        pair.libvirt.guests[name].manners.acpi = False
        pair.libvirt.guests[name].stopped_by_owner = True
    impatient = {"db": Shutdown(5, True), "web": Shutdown(7)}
    _, report = stop(manager, [group_of(manager, "g", *NAMES, shutdown=impatient)], "g")
    assert ended(report) == {"db": "stopped", "app": "still running", "web": "still running"}
    took = {one.guest: one.total_s or 0 for one in report.guests} if report else {}
    assert took["db"] < 15
    assert 7 <= took["web"] < 15
    assert took["app"] >= 60


@pytest.mark.parametrize("name", ["ghost", "web"])
def test_a_name_that_is_not_what_the_file_says(name: str, tmp_path: Path) -> None:
    """A guest nobody knows, and a guest called like the group."""
    manager = managed(tmp_path)
    group = group_of(manager, "web", "db") if name == "web" else group_of(manager, "g", "ghost")
    with pytest.raises(UsageError):
        start(manager, [group], group.name)
    assert not manager.pair.changed_anything()


@pytest.mark.parametrize("moment", [Moment.PRE, Moment.POST])
@pytest.mark.parametrize("program", ["/fails", "/hangs"])
@pytest.mark.parametrize("may_fail", [False, True])
def test_a_hook_that_fails_or_hangs(moment: Moment, program: str, may_fail: bool, tmp_path: Path) -> None:
    manager = managed(tmp_path, runs_on=None)
    manager.pair.manager.failing.add("/fails")
    hook = Hook(moment, (GroupVerb.START,), (program,), 25, {"A": "b"}, may_fail)
    other = Hook(moment, (GroupVerb.STOP,), ("/other",), 25)
    _, report = start(manager, [group_of(manager, "g", "db", hooks=(hook, other))], "g", host=BETA)
    assert report is not None
    started = may_fail or moment is Moment.POST
    assert ended(report) == ({"db": "started"} if started else {})
    assert [one.guest for one in report.left] == ([] if started else ["db"])
    assert report.exit_code is (ExitCode.OK if may_fail else ExitCode.NEEDS_ATTENTION)
    ((ran, variables),) = manager.pair.manager.hooks
    assert (ran, variables["A"], variables["DUALSRM_GROUP"], variables["DUALSRM_HOST"]) == (program, "b", "g", BETA)
    assert (variables["DUALSRM_VERB"], variables["DUALSRM_WHEN"]) == ("start", moment.value)


# --- failover -----------------------------------------------------------------------------------------------------


def test_a_failover_starts_groups_in_their_order_when_ready(tmp_path: Path) -> None:
    manager = managed(tmp_path)
    pair = lost(manager)
    db = group_of(manager, "g-db", "db", ready=READY, start_delay_s=7)
    web = group_of(manager, "g-web", "web", after=("g-db",))
    outcome = failover(manager, [web, db])
    assert set(states(outcome).values()) == {FailoverState.FAILED_OVER}
    assert began(pair) == ["app", "db", "web"]
    starts = {call.subject: call.at for call in pair.calls if call.method == "start"}
    assert starts["db"] - starts["app"] >= 6
    assert starts["web"] - starts["db"] >= pair.manager.answers_after_s
    assert [(one.group, one.ready) for one in outcome.groups] == [("g-db", True), ("g-web", None)]
    assert outcome.exit_code is ExitCode.OK
    assert_promises(pair, Reported(runs_on=dict.fromkeys(NAMES, BETA)))


@pytest.mark.parametrize("hold", [False, True])
def test_one_that_is_never_ready_holds_back_what_comes_after_it_and_nobody_else(hold: bool, tmp_path: Path) -> None:
    manager = managed(tmp_path)
    pair = lost(manager)
    pair.manager.silent.add("db")
    db = group_of(manager, "g-db", "db", ready=READY, hold=hold)
    web = group_of(manager, "g-web", "web", after=("g-db",))
    outcome = failover(manager, [db, web])
    expected = FailoverState.NOT_BEGUN if hold else FailoverState.FAILED_OVER
    assert states(outcome) == {
        "db": FailoverState.FAILED_OVER,
        "app": FailoverState.FAILED_OVER,
        "web": expected,
    }
    assert outcome.exit_code is ExitCode.NEEDS_ATTENTION
    if hold:
        (held,) = (one for one in outcome.reports if one.guest == "web")
        assert "it comes after g-db" in held.seen
        assert "dualsrm failover" in held.fix
        pair.manager.silent.clear()
        again = failover(manager, [db, web])
        assert states(again)["web"] is FailoverState.FAILED_OVER
    assert_promises(pair, Reported(runs_on=dict.fromkeys(NAMES, BETA)))


def test_a_guest_that_does_not_start_holds_back_what_comes_after_it(tmp_path: Path) -> None:
    manager = managed(tmp_path)
    pair = lost(manager)
    pair.libvirt.guests["db"].broken_on = BETA
    outcome = failover(manager, chain(pair, "db", "web"))
    assert states(outcome) == {
        "db": FailoverState.ROLLED_BACK,
        "app": FailoverState.FAILED_OVER,
        "web": FailoverState.NOT_BEGUN,
    }


def test_a_guest_that_is_refused_holds_back_what_comes_after_it(tmp_path: Path) -> None:
    """Its disk is outdated: nothing that needs it is started beside it."""
    manager = managed(tmp_path)
    pair = manager.pair
    pair.cut_link("db")
    pair.clock.advance(60)
    lost(manager)
    outcome = failover(manager, chain(pair, "db", "web"))
    assert states(outcome) == {"app": FailoverState.FAILED_OVER, "web": FailoverState.NOT_BEGUN}
    (held,) = (one for one in outcome.reports if one.guest == "web")
    assert held.seen == "it comes after g-db, and db: refused"
    assert not any(pair.running_on(name) for name in ("db", "web"))


def test_a_failover_of_one_group_leaves_the_others(tmp_path: Path) -> None:
    manager = managed(tmp_path)
    pair = lost(manager)
    group = group_of(manager, "g", "db", "app", ready=(Readiness(AgentAnswers("db"), 20),))
    pair.libvirt.guests["db"].manners.agent = True
    outcome = failover(manager, [group], group=group)
    assert set(states(outcome)) == {"db", "app"}
    assert outcome.exit_code is ExitCode.OK
    assert pair.running_on("web") == ()


def test_a_manager_that_dies_while_it_waits_for_a_group(tmp_path: Path) -> None:
    """Run again, it skips what is done and goes on."""
    manager = managed(tmp_path)
    pair = lost(manager)
    groups = [
        group_of(manager, "g-db", "db", ready=READY),
        group_of(manager, "g-web", "web", after=("g-db",)),
    ]
    pair.faults.append(Fault("crash_before", "promote", subject="web"))
    with pytest.raises(ManagerCrash):
        failover(manager, groups)
    pair.faults.clear()
    pair.restart_manager()
    outcome = failover(manager, groups)
    assert states(outcome) == {"web": FailoverState.FAILED_OVER}
    assert_promises(pair, Reported(runs_on=dict.fromkeys(NAMES, BETA)))


def test_a_manager_that_dies_in_a_start(tmp_path: Path) -> None:
    manager = managed(tmp_path, runs_on=None)
    pair = manager.pair
    groups = [group_of(manager, "g", *NAMES)]
    pair.faults.append(Fault("crash_after", "start", nth=2))
    with pytest.raises(ManagerCrash):
        start(manager, groups, "g", host=BETA)
    pair.faults.clear()
    pair.restart_manager()
    recovered = manager.recover()
    assert set(recovered.down) == {"web"}, "the one that was not begun"
    _, report = start(manager, groups, "g", host=BETA)
    assert ended(report) == {"db": "nothing to do", "app": "nothing to do", "web": "started"}
    assert_promises(pair, Reported(runs_on=dict.fromkeys(NAMES, BETA)))
    pair.clock.advance(60)
    assert_quiet(pair)
