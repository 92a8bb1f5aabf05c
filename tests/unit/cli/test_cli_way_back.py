"""`dualsrm reprotect` and `dualsrm failback` from their arguments to their exit codes."""

from __future__ import annotations

import json

import pytest

from tests.simulator.pair import ALPHA, BETA, SimPair
from tests.unit.cli.running import Program


@pytest.fixture
def back(pair: SimPair, program: Program) -> SimPair:
    """alpha lost power, its guests were failed over to beta, and it is on again."""
    pair.clock.advance(20)
    pair.machines[BETA].fence = "works"
    pair.power_off(ALPHA)
    pair.clock.advance(30)
    assert program("failover", "--all", "--to", BETA).code == 0
    pair.clock.advance(30)
    pair.power_on(ALPHA)
    pair.clock.advance(60)
    pair.timeline[:] = pair.events
    return pair


def test_the_whole_way(back: SimPair, program: Program) -> None:
    refused = program("failback", "--all")
    assert refused.code == 1
    assert "alpha is in quarantine" in " ".join(refused.out.split())
    assert "dualsrm reprotect -- alpha" in refused.out
    ran = program("reprotect", ALPHA)
    assert (ran.code, "alpha: protected" in ran.out) == (0, True), ran.out
    ran = program("failback", "--all", "--json")
    document = json.loads(ran.out)
    assert (ran.code, [one["result"]["state"] for one in document["guests"]]) == (0, ["moved", "moved"])
    assert {guest: back.running_on(guest) for guest in ("web", "db")} == {"web": (ALPHA,), "db": (ALPHA,)}
    again = program("failback", "--all")
    assert (again.code, "nothing to do" in again.out) == (0, True)
    assert "web stays: it is active on alpha" in again.out


def test_the_first_that_fails_is_the_last(back: SimPair, program: Program) -> None:
    assert program("reprotect", ALPHA).code == 0
    back.machines[ALPHA].interfaces = frozenset()
    ran = program("failback", "--all", "--json")
    document = json.loads(ran.out)
    assert (ran.code, len(document["guests"]), len(document["left"])) == (1, 1, 1)
    assert document["guests"][0]["refused"]
    assert back.running_on("web") == back.running_on("db") == (BETA,)


def test_dry_runs_touch_nothing(back: SimPair, program: Program) -> None:
    ran = program("reprotect", ALPHA, "--dry-run")
    assert (ran.code, "lift the quarantine of alpha" in ran.out) == (0, True), ran.out
    assert program("failback", "web", "--dry-run").code == 1, "alpha is in quarantine"
    assert not back.changed_anything()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("failback",), 2, "name one GUEST"),
        (("failback", "web", "--all"), 2, "name one GUEST"),
        (("failback", "web"), 2, "no failover of this manager has moved web"),
        (("reprotect", "gamma"), 2, "gamma is no configured host"),
        (("reprotect", ALPHA), 0, "alpha: nothing to do"),  # and nobody is told to end the guests that run there
    ],
)
def test_where_nothing_was_lost(program: Program, arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = program(*arguments)
    assert (ran.code, said in " ".join((ran.out + ran.err).split())) == (code, True), ran.out + ran.err


def test_a_healthy_host_beside_a_lost_link_is_not_told_to_end_its_guests(pair: SimPair, program: Program) -> None:
    pair.clock.advance(20)
    pair.cut_link("web")
    pair.clock.advance(60)
    ran = program("reprotect", ALPHA)
    assert (ran.code, "alpha is not in quarantine" in " ".join(ran.out.split())) == (1, True)
    assert "destroy" not in ran.out
    assert not pair.changed_anything()
