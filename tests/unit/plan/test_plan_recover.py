"""Recovery over the whole product of what can be seen: nothing that runs is ended, nothing in doubt is touched."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.model import AT_REST
from dualsrm.outcome import Leftover, Outcome, Presence, decide
from dualsrm.plan.move import DEMOTE_DEADLINE_S, plan_settle
from dualsrm.plan.recover import Idle, Recovery, Seen, plan_idle, plan_recovery
from dualsrm.plan.steps import (
    Arm,
    Command,
    Demote,
    DestroyDomain,
    Disarm,
    FencingIs,
    GuestGone,
    MigrateLive,
    Promote,
    RoleIs,
    SetFencing,
    SetTwoPrimaries,
    Step,
    TwoPrimariesIs,
)

HOSTS = ("alpha", "beta")
RESOURCES = ("data", "log")
DISTURBED = [subset for size in range(3) for subset in combinations(RESOURCES, size)]
EVERYTHING = list(product(Presence, Presence, (False, True), DISTURBED))


def see(first: Presence, second: Presence, job: bool, disturbed: tuple[str, ...]) -> Seen:
    return Seen("web", "uuid", RESOURCES, HOSTS, (first, second), job, disturbed)


def recovery(seen: Seen) -> Recovery | None:
    return plan_recovery(seen)


def closed(resource: str) -> set[Command]:
    """All that closes a window."""
    return {
        *(SetTwoPrimaries(host, resource, allowed=False) for host in HOSTS),
        *(SetFencing(host, resource, AT_REST) for host in HOSTS),
    }


seen_anything = st.builds(
    see, st.sampled_from(Presence), st.sampled_from(Presence), st.booleans(), st.sampled_from(DISTURBED)
)


@given(seen_anything)
def test_never_ends_what_runs_or_what_nobody_could_see(seen: Seen) -> None:
    found = recovery(seen)
    for command in (c for step in found.plan for c in step.do) if found else ():
        if isinstance(command, DestroyDomain):
            assert seen.presence[HOSTS.index(command.host)] is Presence.PAUSED
            assert seen.presence[1 - HOSTS.index(command.host)] is Presence.RUNNING
            assert not seen.job_active


@given(seen_anything)
def test_never_demotes_where_the_guest_is(seen: Seen) -> None:
    found = recovery(seen)
    commands = [c for step in found.plan for c in step.do] if found else []
    destroyed = {c.host for c in commands if isinstance(c, DestroyDomain)}
    for command in commands:
        if isinstance(command, Demote):
            there = seen.presence[HOSTS.index(command.host)]
            assert there not in (Presence.RUNNING, Presence.PAUSED) or command.host in destroyed


@pytest.mark.parametrize(("first", "second", "job", "disturbed"), EVERYTHING)
def test_hands_off_what_is_in_doubt_or_split(
    first: Presence, second: Presence, job: bool, disturbed: tuple[str, ...]
) -> None:
    outcome = decide(first, second, job_active=job).outcome
    found = recovery(see(first, second, job, disturbed))
    if outcome in (Outcome.IN_DOUBT, Outcome.SPLIT, Outcome.WAIT):
        assert found is None or (not found.plan and found.refusal)
    if outcome is Outcome.SPLIT or (disturbed and outcome in (Outcome.IN_DOUBT, Outcome.WAIT)):
        assert found is not None


@given(seen_anything)
def test_a_plan_or_a_reason_never_both_never_neither(seen: Seen) -> None:
    found = recovery(seen)
    if found is None:
        assert not seen.disturbed
    else:
        assert bool(found.plan) != bool(found.refusal)


@given(seen_anything)
def test_only_closes_never_opens_promotes_or_migrates(seen: Seen) -> None:
    found = recovery(seen)
    for command in (c for step in found.plan for c in step.do) if found else ():
        assert not isinstance(command, Arm | Promote | MigrateLive)
        assert not (isinstance(command, SetTwoPrimaries) and command.allowed)
        assert not (isinstance(command, SetFencing) and command.policy != AT_REST)


@given(seen_anything)
def test_demotes_before_closing_and_verifies_every_step(seen: Seen) -> None:
    found = recovery(seen)
    if not found or not found.plan:
        return
    names = [step.name for step in found.plan]
    assert names.index("demote") < names.index("close window")
    assert all(step.verify or {type(command) for command in step.do} == {Disarm} for step in found.plan)
    for kind in (SetTwoPrimaries, SetFencing):
        closed = {(c.host, c.resource) for step in found.plan for c in step.do if isinstance(c, kind)}
        assert closed >= {(host, resource) for host in HOSTS for resource in seen.disturbed}


@given(seen_anything)
def test_the_leftover_goes_first_and_is_seen_gone(seen: Seen) -> None:
    found = recovery(seen)
    verdict = decide(*seen.presence, job_active=seen.job_active)
    if found and found.plan and verdict.leftover is not Leftover.NONE:
        host = HOSTS[0] if verdict.leftover is Leftover.AT_SOURCE else HOSTS[1]
        assert found.plan[0].do == (DestroyDomain(host, "web"),)
        assert found.plan[0].verify == (GuestGone(host, "web", "uuid"),)


@given(seen_anything)
def test_what_is_told_is_told_of_the_guest(seen: Seen) -> None:
    found = recovery(seen)
    assert found is None or found.subject == "web"


@pytest.mark.parametrize("first_runs", [True, False])
def test_settling_is_the_tail_of_a_move(first_runs: bool) -> None:
    """Also behind the end of a leftover."""
    here, other = HOSTS if first_runs else HOSTS[::-1]
    settle = plan_settle("web", "uuid", RESOURCES, runs_on=here, other=other)
    end = Step(
        name="end leftover",
        do=(DestroyDomain(other, "web"),),
        verify=(GuestGone(other, "web", "uuid"),),
    )
    for left, first in ((Presence.GONE, ()), (Presence.PAUSED, (end,))):
        both = (Presence.RUNNING, left) if first_runs else (left, Presence.RUNNING)
        found = recovery(see(*both, False, RESOURCES))
        assert found is not None
        assert found.plan == (*first, *settle)


def test_while_libvirt_migrates_it_nothing_is_done_and_said_to_wait() -> None:
    found = recovery(see(Presence.RUNNING, Presence.PAUSED, True, RESOURCES))
    assert found == Recovery(
        "web",
        (),
        "libvirt is still migrating it",
        "wait until `virsh domjobinfo` shows no job on alpha and beta, then run it again",
    )


def test_what_is_in_doubt_is_a_persons_to_decide() -> None:
    found = recovery(see(Presence.RUNNING, Presence.RUNNING, False, RESOURCES))
    assert found == Recovery(
        "web",
        (),
        "it runs on both hosts",
        "decide on which of alpha and beta the guest lives, `virsh destroy` it on the other, "
        "then run `dualsrm recover` again",
    )


def test_a_quiet_pair_is_left_alone() -> None:
    for first, second in ((Presence.RUNNING, Presence.GONE), (Presence.GONE, Presence.RUNNING)):
        assert recovery(see(first, second, False, ())) is None


def test_a_guest_that_runs_nowhere_leaves_both_sides_secondary() -> None:
    found = recovery(see(Presence.STOPPED, Presence.GONE, False, ("data",)))
    assert found is not None
    demote = found.plan[0]
    assert set(demote.do) == {Demote(host, "data") for host in HOSTS}
    assert set(demote.verify) == {RoleIs(host, "data", primary=False) for host in HOSTS}
    assert demote.deadline_s == DEMOTE_DEADLINE_S
    assert demote.persist, "there is no other way to a quiet pair"
    assert set(found.plan[1].do) == closed("data")


@pytest.mark.parametrize("first_runs", [True, False])
def test_settles_on_the_side_where_it_runs(first_runs: bool) -> None:
    runs = (Presence.RUNNING, Presence.GONE) if first_runs else (Presence.GONE, Presence.RUNNING)
    found = recovery(see(*runs, False, RESOURCES))
    assert found is not None
    demoted = {c.host for step in found.plan for c in step.do if isinstance(c, Demote)}
    assert demoted == {HOSTS[1] if first_runs else HOSTS[0]}


@pytest.mark.parametrize("first_runs", [True, False])
def test_a_leftover_beside_a_running_guest_goes_although_nothing_else_is_wrong(first_runs: bool) -> None:
    both = (Presence.RUNNING, Presence.PAUSED) if first_runs else (Presence.PAUSED, Presence.RUNNING)
    found = recovery(see(*both, False, ()))
    assert found is not None
    assert found.plan[0].do == (DestroyDomain(HOSTS[1] if first_runs else HOSTS[0], "web"),)


# --- resources below no guest -------------------------------------------------------------------------------------


def test_an_idle_resource_with_a_closed_window_is_left_alone() -> None:
    for primary in ((), ("alpha",), HOSTS):
        assert plan_idle(HOSTS, Idle("nfs", primary, window_open=False)) is None


@pytest.mark.parametrize("primary", [(), ("alpha",), ("beta",)])
def test_an_idle_resources_window_is_closed_on_both_hosts_and_nobody_is_demoted(primary: tuple[str, ...]) -> None:
    found = plan_idle(HOSTS, Idle("nfs", primary, window_open=True))
    assert found is not None
    assert found.subject == "nfs"
    step = found.plan[0]
    assert set(step.do) == closed("nfs")
    assert set(step.verify) == {
        *(TwoPrimariesIs(host, "nfs", allowed=False) for host in HOSTS),
        *(FencingIs(host, "nfs", AT_REST) for host in HOSTS),
    }
    assert not any(isinstance(command, Demote) for one in found.plan for command in one.do)


def test_which_of_two_idle_primaries_is_demoted_is_not_guessed() -> None:
    found = plan_idle(HOSTS, Idle("nfs", HOSTS, window_open=True))
    assert found is not None
    assert found == Recovery(
        "nfs",
        (),
        "it is Primary on both hosts and below no guest that either knows",
        "run `drbdadm secondary nfs` on the side that does not use it, then `dualsrm recover`",
    )


def test_what_is_in_doubt_is_said_even_when_nothing_is_disturbed() -> None:
    """(paused, paused) without a job: a hand-over that stuck. `nothing to do` would be a lie."""
    found = recovery(see(Presence.PAUSED, Presence.PAUSED, False, ()))
    assert found is not None
    assert found.refusal
    assert "virsh destroy" in found.fix
