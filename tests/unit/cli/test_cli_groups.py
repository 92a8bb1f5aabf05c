"""Groups and evacuation from their arguments to their exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulator.pair import ALPHA, BETA, Fault, SimPair
from tests.unit.cli.running import Program, write_config

GROUPS = """
[groups.shop]
pair = "lab"
guests = ["web"]
after = ["base"]
[groups.base]
pair = "lab"
guests = ["db"]
[groups.base.shutdown.db]
deadline_s = 9
"""


@pytest.fixture
def grouped(tmp_path: Path, pair: SimPair) -> Path:
    (tmp_path / "grouped").mkdir()
    return write_config(tmp_path / "grouped", pair, GROUPS)


def test_emptying_a_host_and_the_schedule_before_it(grouped: Path, pair: SimPair, program: Program) -> None:
    shown = program("evacuate", ALPHA, "--dry-run", path=grouped)
    assert shown.code == 0
    assert shown.out.index("db") < shown.out.index("web")
    assert "unknown" in shown.out, "nobody knows yet how long it takes"
    assert not pair.changed_anything()
    ran = program("evacuate", ALPHA, path=grouped)
    assert ran.code == 0
    assert "db: moved (live" in ran.out
    assert "every guest from alpha to beta: 2 of 2 done in" in ran.out
    assert "web: [4/9] migrate" in ran.err
    assert pair.running_on("web") == pair.running_on("db") == (BETA,)
    again = program("evacuate", ALPHA, path=grouped)
    assert (again.code, "nothing to do" in again.out) == (0, True)
    back = program("evacuate", BETA, "--dry-run", "--jobs", "1", path=grouped)
    assert "done after about" in " ".join(back.out.split())


def test_a_failure_is_named_with_what_was_not_begun(grouped: Path, pair: SimPair, program: Program) -> None:
    pair.faults.append(Fault("error", "start_migration"))
    ran = program("evacuate", ALPHA, path=grouped)
    assert ran.code == 3
    assert "db: rolled back" in ran.out
    assert "web: not begun: db: rolled back" in ran.out


def test_a_group_is_stopped_and_started_by_its_name(grouped: Path, pair: SimPair, program: Program) -> None:
    refused = program("stop", "base", path=grouped)
    assert (refused.code, "shop comes after base" in refused.out) == (1, True)
    assert "dualsrm stop -- shop" in refused.out
    assert program("stop", "shop", path=grouped).code == 0
    assert program("stop", "base", path=grouped).code == 0
    refused = program("start", "shop", "--on", BETA, path=grouped)
    assert (refused.code, "dualsrm start -- base" in refused.out) == (1, True)
    assert program("start", "base", "--on", BETA, path=grouped).code == 0
    assert program("start", "shop", "--on", BETA, path=grouped).code == 0
    assert pair.running_on("web") == pair.running_on("db") == (BETA,)


def test_a_guest_is_stopped_as_its_group_says(grouped: Path, pair: SimPair, program: Program) -> None:
    pair.libvirt.guests["db"].manners.acpi = False
    begun = pair.clock.monotonic()
    assert program("stop", "db", path=grouped).code == 4
    assert 9 <= pair.clock.monotonic() - begun < 20


def test_a_group_is_moved_and_brought_up_elsewhere_by_its_name(grouped: Path, pair: SimPair, program: Program) -> None:
    assert program("migrate", "shop", path=grouped).code == 0
    assert (pair.running_on("web"), pair.running_on("db")) == ((BETA,), (ALPHA,))
    stays = program("migrate", "shop", "--to", BETA, path=grouped)
    assert (stays.code, "web stays: it is on beta already" in stays.out) == (0, True)
    pair.machines[BETA].fence = "works"
    pair.power_off(ALPHA)
    pair.clock.advance(30)
    ran = program("failover", "base", "--to", BETA, path=grouped)
    assert (ran.code, "db: failed over" in ran.out) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("evacuate", "gamma"),
        ("evacuate", ALPHA, "--jobs", "0"),
        ("evacuate", ALPHA, "--jobs", "9"),
        ("migrate", "shop", "--cold"),
        ("migrate", "shop", "--to", "gamma"),
        ("migrate", "web", "--keep-going"),
        ("start", "shop", "--on", "gamma"),
        ("stop", "nobody"),
    ],
)
def test_what_cannot_be_meant(grouped: Path, pair: SimPair, program: Program, arguments: tuple[str, ...]) -> None:
    assert program(*arguments, path=grouped).code == 2
    assert not pair.changed_anything()
