"""A failover rehearsed on real nodes while the guests write (`tests/run rehearsal`): they lose nothing by it.

Some minutes, so its name is not one that pytest collects by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.faults.command import Command
from tests.lab.handle import HOSTS, RESOURCES, Answer, LabHandle, wait_for

NEEDS_ATTENTION = 4


def _rehearsals(lab: LabHandle, *words: str) -> Answer:
    return lab.dualsrm("test-failover", *words)


def _left(lab: LabHandle, host: str) -> str:
    """Volumes, domains and networks of rehearsals, asked of the node itself."""
    look = (
        "lvs --noheadings -o lv_name @dualsrm.rehearsal 2>/dev/null; virsh list --all --name | grep -e -rehearsal-; "
        "virsh net-list --all --name | grep rehearsal; ls /sys/class/net | grep dsr; "
        "pgrep -f [g]uest=.*-rehearsal-; true"
    )
    return lab.node(host, "sh", "-c", look).strip()


def _standing(lab: LabHandle, host: str) -> dict[str, Any]:
    (found,) = [one for one in _rehearsals(lab, "status").document["hosts"] if one["host"] == host]
    return dict(found)


@pytest.fixture(autouse=True)
def _unaware(lab: LabHandle) -> Iterator[None]:
    """No guest lost a write or ran twice, no connection left Connected, roles are as they were, nothing is left."""
    lab.lab("score", "--reset")
    before = {host: (lab.connection_changes(host), lab.roles(host)) for host in HOSTS}
    yield
    assert {host: (lab.connection_changes(host), lab.roles(host)) for host in HOSTS} == before
    lab.write_again(RESOURCES)
    for guest, score in lab.score().items():
        assert (score["lost"], score["runs_at_once"], score["duplicates"]) == (0, 0, 0), (guest, score)
        print(guest, "longest gap", score["longest_gap_ms"], "ms")
    assert {host: _left(lab, host) for host in HOSTS} == dict.fromkeys(HOSTS, "")


def test_all_guests_of_a_host_while_they_write(lab: LabHandle) -> None:
    host = lab.host_of("web")
    here = lab.other(host)
    guests = {guest for guest in RESOURCES if lab.host_of(guest) == host}
    answer = _rehearsals(lab, "start", "--all", "--to", here)
    assert (answer.exit, answer.document["result"]["state"]) == (0, "rehearsed"), answer.document
    assert {one["guest"] for one in answer.document["clones"]} == guests
    standing = _standing(lab, here)
    assert {clone["state"] for clone in standing["clones"]} == {"running"}
    assert all(clone["read_bytes"] >= 1 << 20 for clone in standing["clones"])
    for clone in standing["clones"]:
        xml = lab.node(here, "virsh", "dumpxml", clone["name"])
        guest = lab.node(here, "virsh", "dumpxml", clone["guest"])
        assert "drbd" not in xml
        assert "br0" not in xml
        assert clone["uuid"] not in guest
    for line in lab.node(here, "sh", "-c", "ls -d /sys/class/net/dsr*/brif/*").split():
        assert "/vnet" in line, "a port that is no clone's leads somewhere"
    wait_for("the clones to write", lambda: all(one["fill_percent"] > 1 for one in _standing(lab, here)["snapshots"]))
    assert lab.write(RESOURCES)
    assert lab.dualsrm("status").exit == 0, "a rehearsal is no reason against a move"
    cleaned = _rehearsals(lab, "cleanup")
    assert (cleaned.exit, cleaned.document["pairs"][0]["state"]) == (0, "clean"), cleaned.document
    assert _rehearsals(lab, "cleanup").document["pairs"][0]["state"] == "nothing to do"


def test_a_snapshot_that_runs_full(lab: LabHandle) -> None:
    here = lab.other(lab.host_of("web"))
    answer = _rehearsals(lab, "start", "web", "--snapshot-size", "4")
    assert answer.exit == 0, answer.document
    (snapshot,) = _standing(lab, here)["snapshots"]
    device = f"/dev/{snapshot['group']}/{snapshot['name']}"
    lab.node(here, "dd", "if=/dev/urandom", f"of={device}", "bs=1M", "count=8", "oflag=direct", check=False)
    wait_for("the snapshot to be called lost", lambda: _rehearsals(lab, "status").exit == NEEDS_ATTENTION)
    assert not _standing(lab, here)["snapshots"][0]["valid"]
    assert lab.write(RESOURCES)
    assert _rehearsals(lab, "cleanup").exit == 0


SNAPSHOT = ("sh", "-c", "lvs --noheadings -o lv_name | grep -e -rehearsal-")
CLONE = ("pgrep", "-f", "[g]uest=web-rehearsal-")


@pytest.mark.parametrize("look", [SNAPSHOT, CLONE], ids=["snapshot", "clone"])
def test_a_manager_that_is_killed(lab: LabHandle, look: tuple[str, ...]) -> None:
    """When the snapshot is there, and when the clone's QEMU is."""
    here = lab.other(lab.host_of("web"))
    command = Command(lab, "dualsrm", "test-failover", "start", "web")
    try:
        wait_for(look[-1], lambda: bool(lab.node(here, *look, check=False).strip()))
    finally:
        command.process.kill()
        command.join(60)
    assert _left(lab, here)
    cleaned = _rehearsals(lab, "cleanup")
    assert (cleaned.exit, cleaned.document["pairs"][0]["state"]) == (0, "clean"), cleaned.document
    assert not lab.migrate("mail", "--dry-run").document["refused"], "nothing has to wait for it"
