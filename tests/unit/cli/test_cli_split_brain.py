"""`dualsrm split-brain` from its arguments to its exit code."""

from __future__ import annotations

import pytest

from tests.simulator.pair import ALPHA, BETA, SimPair
from tests.unit.cli.running import Program


@pytest.fixture
def split(pair: SimPair, program: Program) -> SimPair:
    """web was failed over to beta while alpha wrote on; alpha is back."""
    pair.clock.advance(20)
    pair.machines[BETA].fence = "works"
    pair.cut_off(ALPHA)
    pair.clock.advance(60)
    assert program("failover", "web", "--to", BETA).code == 0
    pair.clock.advance(30)
    pair.power_on(ALPHA)
    pair.reach_again(ALPHA)
    pair.heal_management_between_hosts()
    pair.heal_link("web")
    pair.clock.advance(30)
    pair.timeline[:] = pair.events
    return pair


def test_a_healthy_pair(program: Program) -> None:
    ran = program("split-brain", "show")
    assert (ran.code, ran.out.strip()) == (0, "no split brain")


def test_status_names_the_command(split: SimPair, program: Program) -> None:
    ran = program("status")
    assert ran.code == 1
    assert "web: split brain" in ran.out
    assert "fix: dualsrm split-brain show -- web" in ran.out
    assert "web: web is in split brain" in ran.out
    assert not split.changed_anything()


def test_show_ends_with_the_command_of_each_choice(split: SimPair, program: Program) -> None:
    ran = program("split-brain", "show", "web")
    assert ran.code == 1
    for words in (
        "web: split brain",
        "web is active on beta",
        "web was failed over from alpha to beta by",
        "dualsrm split-brain resolve --victim alpha -- web",
        "dualsrm split-brain resolve --victim beta -- web",
    ):
        assert words in ran.out
    assert not split.changed_anything()


def test_a_dry_run_touches_nothing(split: SimPair, program: Program) -> None:
    ran = program("split-brain", "resolve", "--victim", ALPHA, "web", "--snapshot", "--dry-run")
    assert ran.code == 0
    order = ["lvcreate -s", "disconnect web on alpha", "connect web on alpha, discarding", "do     connect web on beta"]
    places = [ran.out.index(words) for words in order]
    assert places == sorted(places)
    assert not split.changed_anything()


def test_resolved_and_kept(split: SimPair, program: Program) -> None:
    ran = program("split-brain", "resolve", "--victim", ALPHA, "web", "--snapshot")
    assert ran.code == 0
    assert "web: resolved" in ran.out
    assert "kept on alpha: guests/web0-split-2026" in ran.out
    assert split.running_on("web") == (BETA,)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--victim", BETA, "web"), 1, "web is Primary on beta"),
        (("--victim", "gamma", "web"), 2, "gamma is no configured host"),
        (("--victim", ALPHA), 2, "RESOURCE"),
        (("web",), 2, "--victim"),
        (("--victim", ALPHA, "no-such"), 1, "drbdadm get-gi no-such"),
    ],
)
def test_refused(split: SimPair, program: Program, arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = program("split-brain", "resolve", *arguments)
    assert ran.code == code
    assert said in " ".join((ran.out + ran.err).split())
    assert not [call for call in split.calls if call.method in ("connect", "disconnect", "take_snapshot")]
