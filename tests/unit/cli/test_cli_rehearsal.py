"""`dualsrm test-failover` from its arguments to its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulator.pair import ALPHA, BETA, SimPair
from tests.unit.cli.running import Program, write_config

GROUPS = '[groups.back]\npair = "lab"\nguests = ["db"]\n[[groups.back.ready]]\nping = "db"\n' + (
    '[groups.shop]\npair = "lab"\nguests = ["web"]\nafter = ["back"]\n'
)


def test_from_the_first_to_the_last(pair: SimPair, program: Program, tmp_path: Path) -> None:
    path = write_config(tmp_path, pair, GROUPS)
    assert "alpha: no rehearsal" in program("test-failover", "status", path=path).out
    ran = program("test-failover", "start", "--all", "--to", BETA, path=path)
    assert ran.code == 0
    said = " ".join(ran.out.split())
    assert "rehearsal on beta: rehearsed" in said
    assert said.index("db: up, as db-rehearsal-") < said.index("web: up, as web-rehearsal-")
    assert "not asked, the live guest would answer: back: db answers a ping" in said
    assert "it stands until: dualsrm test-failover cleanup" in said
    status = program("status", path=path)
    assert status.code == 0
    assert "a rehearsal stands on beta: web-rehearsal-" in status.out or "db-rehearsal-" in status.out
    shown = program("test-failover", "status", "shop", path=path)
    assert (shown.code, "% full of 16.0 MiB" in shown.out, "read 1.0 MiB" in shown.out) == (0, True, True)
    ran = program("test-failover", "cleanup", path=path)
    assert (ran.code, "lab: clean" in ran.out) == (0, True)
    ran = program("test-failover", "cleanup", "lab", path=path)
    assert (ran.code, ran.out.strip()) == (0, "lab: nothing to do")
    assert "rehearsal" not in program("status", path=path).out


def test_a_dry_run_touches_nothing(pair: SimPair, program: Program) -> None:
    ran = program("test-failover", "start", "db", "--dry-run")
    assert ran.code == 0
    words = ["isolated", "lvcreate -s", "db-data0-rehearsal-000000", "start db-rehearsal-000000 on beta", "has read"]
    places = [ran.out.index(word) for word in words]
    assert places == sorted(places)
    assert not pair.changed_anything()


def test_a_snapshot_that_ran_full_is_named(pair: SimPair, program: Program) -> None:
    assert program("test-failover", "start", "web", "--snapshot-size", "4").code == 0
    pair.clock.advance(300)
    ran = program("test-failover", "status")
    assert (ran.code, "ran full: lost" in ran.out) == (4, True)
    assert program("test-failover", "cleanup", "web").code == 0


def test_hosts_that_do_not_answer(pair: SimPair, program: Program) -> None:
    assert program("test-failover", "start", "web").code == 0
    pair.isolate(BETA)
    assert program("test-failover", "status").code == 6
    ran = program("test-failover", "cleanup")
    assert (ran.code, "beta could not be asked" in ran.out) == (4, True)
    assert program("test-failover", "start", "web", "--to", BETA).code == 6


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "name one PLAN"),
        (("web", "--all", "--to", BETA), 2, "name one PLAN"),
        (("--all",), 2, "--to HOST"),
        (("web", "--to", "gamma"), 2, "gamma is no configured host"),
        (("nobody", "--to", BETA), 2, "knows a guest nobody"),
        (("web", "--to", ALPHA), 1, "it is running on alpha"),
        (("web", "--snapshot-size", "100000"), 1, "make room, or name less: --snapshot-size"),
    ],
)
def test_refused(pair: SimPair, program: Program, arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = program("test-failover", "start", *arguments)
    assert ran.code == code
    assert said in " ".join((ran.out + ran.err).split())
    assert not pair.changed_anything()


def test_one_at_a_time(pair: SimPair, program: Program, tmp_path: Path) -> None:
    path = write_config(tmp_path, pair, GROUPS)
    ran = program("test-failover", "start", "shop", "--to", BETA, path=path)
    assert ran.code == 0
    ran = program("test-failover", "start", "back", "--to", BETA, path=path)
    assert (ran.code, "there is a rehearsal" in ran.out) == (1, True)
