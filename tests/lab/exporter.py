"""The exporter on real kernels, under its own unit: `tests/run exporter`.

Some minutes, because a host is switched off; so its name is not one that pytest collects by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.handle import HOSTS, RESOURCES, LabHandle, wait_for
from tests.lab.scrapes import Page, promtool, scrape, start_exporters, wait_for_page

ALL = tuple(resource for resources in RESOURCES.values() for resource in resources)
READS_EVERYTHING = 1 << 2
"""CAP_DAC_READ_SEARCH."""
_CONNECTION = "dualsrm_drbd_connection_state"
_OUT_OF_SYNC = "dualsrm_drbd_out_of_sync_bytes"


@pytest.fixture(autouse=True)
def _running(lab: LabHandle) -> Iterator[None]:
    start_exporters(lab)
    yield
    start_exporters(lab)


def _in_sync(page: Page) -> bool:
    return all(
        page.state(_CONNECTION, resource=name) == "Connected"
        and page.state("dualsrm_drbd_replication_state", resource=name) == "Established"
        and page.state("dualsrm_drbd_disk_state", resource=name) == "UpToDate"
        and page.state("dualsrm_drbd_peer_disk_state", resource=name) == "UpToDate"
        for name in ALL
    )


def _wait_until_in_sync(lab: LabHandle) -> None:
    for host in HOSTS:
        wait_for_page(lab, host, "all is in sync", _in_sync)


@pytest.mark.parametrize("host", HOSTS)
def test_at_rest_it_says_what_the_kernel_says(lab: LabHandle, host: str) -> None:
    page = wait_for_page(lab, host, "all is in sync", _in_sync)
    assert promtool(page) == ""
    assert page.total("dualsrm_scrape_source_success") == 10, "all that is read could be read"
    for name, role in lab.roles(host).items():
        assert page.state("dualsrm_drbd_role", resource=name) == role
        assert page.value(_OUT_OF_SYNC, resource=name, peer=lab.other(host)) == 0
        for zero in ("window_open", "alarm_active", "drbd_split_brain", "drbd_two_primaries_allowed_at_rest"):
            assert page.value(f"dualsrm_{zero}", resource=name) == 0
        assert page.value("dualsrm_drbd_resource_up", resource=name) == 1
        assert page.state("dualsrm_drbd_io_suspended", resource=name) is None


def test_it_has_one_capability_and_no_more(lab: LabHandle) -> None:
    pid = lab.node("alpha", "systemctl", "show", "--property", "MainPID", "--value", "dualsrm-exporter").strip()
    lines = lab.node("alpha", "cat", f"/proc/{pid}/status").splitlines()
    status = {key: rest.split() for key, _, rest in (line.partition(":") for line in lines)}
    assert "0" not in status["Uid"]
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind][0], 16) == READS_EVERYTHING
    assert (status["NoNewPrivs"], status["Seccomp"]) == (["1"], ["2"])


def test_a_window_is_seen_while_a_guest_moves(lab: LabHandle) -> None:
    """The manager is alpha: its journal is there, and the exporter reads it though it is root's alone."""
    before = scrape(lab, "alpha")
    windows: dict[str, set[str]] = {host: set() for host in HOSTS}
    operations: set[str] = set()
    with ThreadPoolExecutor(1) as pool:
        move = pool.submit(lab.lab, "ssh", "alpha", "--", "dualsrm", "migrate", "web")
        while not move.done():
            for host in HOSTS:
                page = scrape(lab, host)
                assert page.value("dualsrm_drbd_two_primaries_allowed_at_rest", resource="web") in (0, None)
                if page.value("dualsrm_window_open", resource="web") == 1:
                    assert page.value("dualsrm_window_opened_timestamp_seconds", resource="web") is not None
                    windows[host] |= page.fact("dualsrm_window_info", "operation", resource="web")
                operations |= page.fact("dualsrm_operation_step_info", "operation")
        move.result()
    assert len(operations) == 1
    assert windows == dict.fromkeys(HOSTS, operations)
    after = scrape(lab, "alpha")
    assert after.value("dualsrm_journal_present") == 1
    for name, labels in (
        ("dualsrm_operations_total", {"verb": "migrate", "outcome": "moved"}),
        ("dualsrm_operation_outage_seconds_count", {"verb": "migrate", "method": "live"}),
        ("dualsrm_operation_window_seconds_count", {"verb": "migrate"}),
    ):
        assert after.total(name, **labels) == before.total(name, **labels) + 1
    for host in HOSTS:
        page = scrape(lab, host)
        assert page.value("dualsrm_window_open", resource="web") == 0
        assert page.value("dualsrm_drbd_two_primaries_allowed", resource="web") == 0


def test_a_cut_and_its_healing(lab: LabHandle) -> None:
    primary = lab.host_of("web")
    assert primary is not None
    secondary = lab.other(primary)
    losses = {host: scrape(lab, host).total("dualsrm_drbd_connection_losses_total", resource="web") for host in HOSTS}
    resyncs = {"resource": "web", "helper": "before-resync-source"}
    before = scrape(lab, primary).total("dualsrm_drbd_helper_calls_total", **resyncs)
    lab.lab("cut", "replication", "alpha")
    try:
        writes = wait_for_page(lab, primary, "the peer is outdated, and writes are owed to it", _owes_web)
        hears = wait_for_page(
            lab,
            secondary,
            "its own disk is outdated",
            lambda page: page.state("dualsrm_drbd_disk_state", resource="web") == "Outdated",
        )
    finally:
        lab.lab("heal")
    assert hears.state(_CONNECTION, resource="web") == writes.state(_CONNECTION, resource="web") == "Connecting"
    assert hears.value(_OUT_OF_SYNC, resource="web") is None, "it hears of no writes"
    seen = writes.value("dualsrm_drbd_peer_uptodate_timestamp_seconds", resource="web")
    now = writes.value("dualsrm_drbd_snapshot_timestamp_seconds")
    assert seen is not None
    assert now is not None
    assert 1 < now - seen < 600, "the recovery point stands still"
    _wait_until_in_sync(lab)
    for host in HOSTS:
        page = scrape(lab, host)
        assert page.total("dualsrm_drbd_connection_losses_total", resource="web") == losses[host] + 1
        assert page.value(_OUT_OF_SYNC, resource="web") == 0
        assert page.value("dualsrm_drbd_resync_done_ratio", resource="web") is None
    assert scrape(lab, primary).total("dualsrm_drbd_helper_calls_total", **resyncs) == before + 1


def _owes_web(page: Page) -> bool:
    owed = page.value(_OUT_OF_SYNC, resource="web") or 0
    return page.state("dualsrm_drbd_peer_disk_state", resource="web") == "Outdated" and owed > 0


def test_the_peer_is_switched_off_and_comes_back(lab: LabHandle) -> None:
    guests = [guest for guest in RESOURCES if lab.host_of(guest) == "beta"]
    lab.lab("power", "off", "beta")
    try:
        page = wait_for_page(
            lab,
            "alpha",
            "the peer is gone",
            lambda page: all(page.state(_CONNECTION, resource=name) == "Connecting" for name in ALL),
        )
        assert page.value("dualsrm_scrape_collector_success", collector="drbd") == 1
        for name in ALL:
            assert page.state("dualsrm_drbd_peer_role", resource=name) == "Unknown"
            assert page.state("dualsrm_drbd_peer_disk_state", resource=name) != "UpToDate"
            assert page.value("dualsrm_drbd_peer_uptodate_timestamp_seconds", resource=name, peer="beta") is not None
            hears_nothing = page.state("dualsrm_drbd_role", resource=name) != "Primary"
            assert (page.value(_OUT_OF_SYNC, resource=name) is None) is hears_nothing
    finally:
        lab.lab("power", "on", "beta")
    wait_for("beta to answer", lambda: lab.lab("ssh", "beta", "--", "true", check=False).returncode == 0, 180)
    start_exporters(lab, "beta")
    _wait_until_in_sync(lab)
    for guest in guests:
        started = lab.dualsrm("start", guest, "--on", "beta")
        assert started.exit == 0, started.document
