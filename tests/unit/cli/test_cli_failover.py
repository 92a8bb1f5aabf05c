"""`dualsrm failover` from its arguments to its exit code."""

from __future__ import annotations

import pytest

from tests.simulator.pair import ALPHA, BETA, SimPair
from tests.unit.cli.running import Program


@pytest.fixture
def lost(pair: SimPair) -> SimPair:
    """alpha is off, and beta can see that."""
    pair.machines[BETA].fence = "works"
    pair.power_off(ALPHA)
    pair.clock.advance(30)
    return pair


def test_all_guests_and_what_it_took(lost: SimPair, program: Program) -> None:
    ran = program("failover", "--all", "--to", BETA)
    assert ran.code == 0
    assert "alpha is lost: alpha does not answer the manager over ssh" in ran.out
    assert "web: failed over (beta" in ran.out
    assert "its boot is not in it" in ran.out
    assert lost.running_on("web") == lost.running_on("db") == (BETA,)
    again = program("failover", "--all", "--to", BETA)
    assert again.code == 0
    assert "nothing to do" in again.out


def test_a_dry_run_prints_the_plan_and_touches_nothing(lost: SimPair, program: Program) -> None:
    ran = program("failover", "web", "--to", BETA, "--dry-run")
    assert ran.code == 0
    order = ["switch alpha off by the fence device of beta", "promote web on beta", "start web on beta"]
    places = [ran.out.index(words) for words in order]
    assert places == sorted(places)
    assert not [call for call in lost.calls if call.mutating]


def test_a_refusal_names_the_command_to_use(pair: SimPair, program: Program) -> None:
    ran = program("failover", "web", "--to", BETA)
    assert ran.code == 1
    assert "alpha answers the manager" in " ".join(ran.out.split())
    assert "dualsrm migrate --to beta -- web" in ran.out
    assert not pair.changed_anything()


def test_who_confirms_it_is_the_managers_user(lost: SimPair, program: Program) -> None:
    lost.machines[BETA].fence = "none"
    ran = program("failover", "web", "--to", BETA, "--confirm-off", ALPHA, "--json")
    assert ran.code == 0
    assert ran.document["guests"][0]["result"]["state"] == "failed over"
    assert "@" in lost.machines[BETA].off[ALPHA]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", BETA),
        ("web", "--all", "--to", BETA),
        ("web",),
        ("web", "--to", "gamma"),
        ("web", "--to", BETA, "--confirm-off", BETA),
    ],
)
def test_what_cannot_be_meant(pair: SimPair, program: Program, arguments: tuple[str, ...]) -> None:
    assert program("failover", *arguments).code == 2
    assert not pair.changed_anything()
