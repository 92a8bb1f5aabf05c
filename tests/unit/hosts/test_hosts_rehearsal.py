"""What a rehearsal asks of LVM and libvirt: the command lines, what their answers mean, and what is never removed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import cast

import pytest

from dualsrm.errors import CommandFailed
from dualsrm.hosts.libvirt import clones
from dualsrm.hosts.libvirt.clones import LibvirtSide, network_xml
from dualsrm.hosts.libvirt.connection import LibvirtConnection
from dualsrm.hosts.libvirt.domain_xml import parse_root
from dualsrm.hosts.rehearsal import RehearsalCommands
from dualsrm.hosts.ssh import Completed, SshConnection
from dualsrm.model import Host, RehearsalView, SnapshotSeen

OPERATION = "2026-01-01T000000Z-test-failover-0a1b2c"
MARKED = {
    "vg_name": "guests",
    "lv_name": "web-rehearsal-0a1b2c",
    "origin": "web",
    "lv_size": "16777216",
    "data_percent": "3.52",
    "lv_attr": "swi-aos---",
    "lv_tags": f"dualsrm.rehearsal,dualsrm.rehearsal.{OPERATION}",
}


class Answers:
    """A connection that says what the test wants, and keeps what was asked."""

    host = Host("beta", "", "", "")

    def __init__(self, answer: Callable[[Sequence[str]], Completed]) -> None:
        self.asked: list[list[str]] = []
        self._answer = answer

    def run(self, argv: Sequence[str], *, deadline_s: float) -> Completed:
        assert deadline_s > 0
        self.asked.append(list(argv))
        return self._answer(argv)


def report(*rows: dict[str, str]) -> str:
    return json.dumps({"report": [{"lv": list(rows)}]})


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[RehearsalCommands, Answers]]:
    monkeypatch.setattr(clones, "look", lambda _connection: LibvirtSide((), ("dualsrm-rehearsal-0a1b2c-1",)))

    def make(stdout: str, status: int = 0, removing: int = 0) -> tuple[RehearsalCommands, Answers]:
        def answer(argv: Sequence[str]) -> Completed:
            return Completed(status, stdout, "") if argv[0] == "lvs" else Completed(removing, "", "in use.")

        answers = Answers(answer)
        return RehearsalCommands(cast("SshConnection", answers), cast("LibvirtConnection", None), "beta"), answers

    return make


Make = Callable[..., tuple[RehearsalCommands, Answers]]


def test_what_is_marked_is_seen_and_nothing_else(commands: Make) -> None:
    others = [
        MARKED | {"lv_tags": ""},
        MARKED | {"lv_tags": "dualsrm.rehearsal"},
        MARKED | {"lv_tags": f"dualsrm.rehearsal.{OPERATION}"},
        MARKED | {"lv_tags": "dualsrm.rehearsal,dualsrm.rehearsal.?"},
        MARKED | {"lv_attr": "-wi-ao----"},
        MARKED | {"lv_name": "--force"},
        {},
    ]
    asked, answers = commands(report(*others, MARKED))
    snapshot = SnapshotSeen("guests", "web-rehearsal-0a1b2c", "web", OPERATION, 16777216, 3.52, valid=True)
    assert asked.look() == RehearsalView("beta", (snapshot,), (), ("dualsrm-rehearsal-0a1b2c-1",))
    assert answers.asked[0][:3] == ["lvs", "--reportformat", "json"]


@pytest.mark.parametrize(("attributes", "valid"), [("swi-a-s---", True), ("Swi-I-s---", False), ("swi-Ios---", False)])
def test_one_that_ran_full_is_not_whole(commands: Make, attributes: str, valid: bool) -> None:
    (seen,) = commands(report(MARKED | {"lv_attr": attributes, "data_percent": ""}))[0].look().snapshots
    assert (seen.valid, seen.fill_percent) == (valid, None)


@pytest.mark.parametrize("said", ["", "[]", "{}", '{"report": []}', '{"report": [{"lv": [1]}]}', "[" * 100_000])
def test_what_is_no_report_is_not_taken_for_nothing(commands: Make, said: str) -> None:
    with pytest.raises(CommandFailed, match="lvs"):
        commands(said)[0].look()


def test_lvs_that_fails_is_not_taken_for_nothing(commands: Make) -> None:
    with pytest.raises(CommandFailed, match="ended with 5"):
        commands(report(), 5)[0].look()


def test_only_a_marked_volume_is_removed(commands: Make) -> None:
    asked, answers = commands(report(MARKED))
    asked.remove_snapshot("guests", "web-rehearsal-0a1b2c")
    assert answers.asked[-1] == ["lvremove", "--yes", "--", "guests/web-rehearsal-0a1b2c"]
    for row in ({**MARKED, "lv_tags": ""}, {**MARKED, "vg_name": "other"}):
        asked, answers = commands(report(row))
        asked.remove_snapshot("guests", "web-rehearsal-0a1b2c")
        assert [argv[0] for argv in answers.asked] == ["lvs"]


def test_one_in_use_is_said_to_be(commands: Make) -> None:
    with pytest.raises(CommandFailed, match="in use"):
        commands(report(MARKED), removing=5)[0].remove_snapshot("guests", "web-rehearsal-0a1b2c")


def test_a_network_without_an_uplink_an_address_or_a_server() -> None:
    text = network_xml("dualsrm-rehearsal-0a1b2c-1")
    for word in ("forward", "<ip", "dhcp", "<route"):
        assert word not in text
    assert '<dns enable="no" />' in text
    bridge = text.partition('bridge name="')[2].partition('"')[0]
    assert (bridge, len(bridge) <= 15) == ("dsr0a1b2c1", True)
    with pytest.raises(Exception, match="no domain"):
        parse_root(text)


@pytest.mark.parametrize(
    "name", ["default", "dualsrm-rehearsal-", "dualsrm-rehearsal-../x-1", "dualsrm-rehearsal-a-1 "]
)
def test_no_other_network_is_made_or_removed(name: str) -> None:
    with pytest.raises(CommandFailed, match="no network of a rehearsal"):
        network_xml(name)
