"""Groups on real nodes (`tests/run groups`): emptied and failed over in order, told by the guests' own announcements.

`web` comes after `db`, and `db` is ready when it writes; `mail` belongs to nobody.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from score.wire import Kind
from tests.lab.handle import HOSTS, REPOSITORY, RESOURCES, Answer, LabHandle, wait_for
from tests.lab.told import announced, started_at

NEEDS_ATTENTION = 4
_WRITES = "import sys; sys.path.insert(0, sys.argv[1]); from tests.lab.handle import LabHandle as L; "
_WRITES += "sys.exit(not L(sys.argv[2]).write(sys.argv[3:]))"


def _groups(lab: LabHandle) -> str:
    python = str(REPOSITORY / ".venv" / "bin" / "python")
    writes = json.dumps([python, "-c", _WRITES, str(REPOSITORY), lab.name, "db"])
    return f"""
[groups.data]
pair = "lab"
guests = ["db"]
priority = 1
[[groups.data.ready]]
command = {writes}
deadline_s = 240
[groups.shop]
pair = "lab"
guests = ["web"]
after = ["data"]
"""


class Estate:
    """The lab with groups."""

    def __init__(self, lab: LabHandle, config: Path) -> None:
        self.lab, self.config = lab, config

    def dualsrm(self, *words: str) -> Answer:
        """With the configuration that has them."""
        return self.lab.dualsrm("--config", str(self.config), *words)

    def with_more(self, name: str, more: str) -> Estate:
        """The same with further lines in the configuration, in a file of that name."""
        config = self.config.with_name(name)
        config.write_text(self.config.read_text() + more)
        config.chmod(0o600)
        return Estate(self.lab, config)


@pytest.fixture
def estate(lab: LabHandle, tmp_path: Path) -> Iterator[Estate]:
    """Every guest on alpha, none of whose writes is lost in the end."""
    lab.all_on("alpha")
    yield Estate(lab, lab.settings_with(tmp_path / "dualsrm.toml", _groups(lab)))
    lab.write_again(RESOURCES)
    score = lab.score()
    assert {guest: (score[guest]["lost"], score[guest]["runs_at_once"]) for guest in RESOURCES} == dict.fromkeys(
        RESOURCES, (0, 0)
    ), score


def test_a_host_is_emptied_in_order_and_filled_again(estate: Estate) -> None:
    """Live, all of them; what comes after another one is begun when that one has ended."""
    lab = estate.lab
    for source in HOSTS:
        plan = estate.dualsrm("evacuate", source, "--dry-run")
        assert [one["guest"] for one in plan.document["guests"]] == ["db", "web", "mail"], plan.document
        answer = estate.dualsrm("evacuate", source)
        result = answer.document["result"]
        ended = {one["guest"]: (one["state"], one["method"]) for one in result["guests"]}
        assert (answer.exit, ended) == (0, dict.fromkeys(RESOURCES, ("moved", "live"))), answer.document
        assert {lab.host_of(guest) for guest in RESOURCES} == {lab.other(source)}
        moves = {one["guest"]: one for one in result["guests"]}
        db, web = moves["db"], moves["web"]
        assert started_at(lab, web["operation"]) >= started_at(lab, db["operation"]) + db["total_s"] - 1


def test_guests_of_a_lost_host_come_up_in_order(estate: Estate) -> None:
    """web announces nothing before db has, because it is not started before."""
    lab = estate.lab
    lab.lab("power", "off", "alpha")
    try:
        wait_for("beta to notice", lambda: not lab.connected("beta"))
        began = time.time()
        answer = estate.dualsrm("failover", "--all", "--to", "beta")
        ended = {one["guest"]: one["result"]["state"] for one in answer.document["guests"]}
        assert (answer.exit, ended) == (0, dict.fromkeys(RESOURCES, "failed over")), answer.document
        lab.write_again(RESOURCES)
        assert min(announced(lab, "db", Kind.DURABLE, began)) < min(announced(lab, "web", Kind.BOOT, began))
    finally:
        lab.lab("power", "on", "alpha")
        wait_for("alpha to be resynced", lambda: lab.whole("alpha") and lab.whole("beta"), 300)
    assert estate.dualsrm("reprotect", "alpha").exit == 0
    home = estate.dualsrm("failback", "--all")
    assert home.exit == 0, home.document


def test_a_hook_that_hangs_stops_its_group_before_any_guest_is_touched(estate: Estate) -> None:
    more = """
[[groups.shop.hooks]]
when = "pre"
command = ["/bin/sleep", "600"]
deadline_s = 2
"""
    before = estate.lab.touched()
    answer = estate.with_more("hook.toml", more).dualsrm("migrate", "shop")
    assert answer.exit == NEEDS_ATTENTION, answer.document
    (group,) = answer.document["result"]["groups"]
    assert "sleep" in group["failed"], answer.document
    assert estate.lab.touched() == before


def test_a_circle_is_refused_before_any_host_is_asked(estate: Estate) -> None:
    more = """
[groups.office]
pair = "lab"
guests = ["mail"]
after = ["office"]
"""
    answer = estate.with_more("circle.toml", more).dualsrm("evacuate", "alpha")
    assert (answer.exit, "office" in answer.document["error"]["seen"]) == (2, True), answer.document
