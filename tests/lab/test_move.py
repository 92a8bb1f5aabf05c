"""The main job on real nodes: guests move there and back, nothing is lost, nothing stays open."""

from __future__ import annotations

import pytest

from tests.lab.handle import HOSTS, RESOURCES, LabHandle


def test_status_and_check_of_a_healthy_pair(lab: LabHandle) -> None:
    status = lab.dualsrm("status")
    assert status.exit == 0, status.document
    (pair,) = status.document["pairs"]
    assert {guest["guest"] for guest in pair["guests"]} >= set(RESOURCES)
    for guest in RESOURCES:
        check = lab.dualsrm("check", guest)
        assert check.exit == 0, check.document
        assert all(finding["severity"] in ("passed", "warning") for finding in check.document["findings"])


def test_a_dry_run_prints_the_plan_and_touches_nothing(lab: LabHandle) -> None:
    before = lab.touched()
    answer = lab.migrate("db", "--dry-run")
    assert answer.exit == 0
    steps = {step["name"]: step["do"] for step in answer.document["plan"]}
    assert list(steps)[:4] == ["arm", "open window", "promote", "migrate"]
    assert "promote db-log on beta" in steps["promote"]
    assert lab.touched() == before


def test_there_and_back_without_losing_a_write(lab: LabHandle) -> None:
    """With two disks; the faults' table and the soak move the others."""
    guest = "db"
    changes = {host: lab.connection_changes(host) for host in HOSTS}
    for _ in range(2):
        source = lab.host_of(guest)
        answer = lab.migrate(guest)
        result = answer.document["result"]
        assert answer.exit == 0, answer.document
        assert result["state"] == "moved"
        assert lab.host_of(guest) == result["target"] == lab.other(source)
        assert not any(lab.window_open(host) for host in HOSTS)
        assert result["window_s"] > 0
        assert result["memory_bytes"] > 0
    assert {host: lab.connection_changes(host) for host in HOSTS} == changes, "replication left Connected"
    assert lab.score()[guest]["lost"] == 0


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_can_be_the_manager(lab: LabHandle, host: str) -> None:
    lab.node(host, "dualsrm", "check", "mail")
    source = lab.host_of("mail")
    lab.node(host, "dualsrm", "migrate", "mail")
    assert lab.host_of("mail") == lab.other(source)
    assert lab.score()["mail"]["lost"] == 0
