"""Four hosts' pages, by the exporter's collectors from captures: a pair on DRBD 8.4 with a lot going on, one on 9."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dualsrm.engine.environment import SystemClock
from dualsrm.engine.journal import FileJournal
from dualsrm.hosts.drbd import Dialect
from dualsrm.hostside.run import ENVIRONMENT
from dualsrm_exporter.collected import Collected, Histogram
from dualsrm_exporter.operations.collector import OperationsCollector
from dualsrm_exporter.render import render
from dualsrm_exporter.scraper import Scraper
from tests.unit.dashboards.boards import METRICS
from tests.unit.exporter.rig import IN_SYNC, PROC, FakeHost
from tests.unit.exporter.test_exporter_drbd import PROGRESS
from tests.unit.hostside.host import Tools, window


@dataclass(frozen=True)
class Target:
    """One host, as Prometheus is told of it, and its page at the first scrape and at all later ones."""

    instance: str
    pair: str
    first: bytes
    later: bytes


@contextmanager
def estate(directory: Path, patch: pytest.MonkeyPatch) -> Iterator[tuple[Target, ...]]:
    """All of them; the second page of the manager's host tells of operations that have ended since the first."""
    with ExitStack() as until_the_end:

        def target(pair: str, dialect: Dialect, instance: str, capture: str, *, manages: bool = False) -> Target:
            place = directory / instance
            place.mkdir()
            host = _host(place, patch, dialect, capture)
            until_the_end.callback(host.stop)
            journal = place / "journal"
            journal.mkdir()
            if manages:
                host.host_files.raise_alarm("vm1", "the fence device does not answer")
            if dialect is Dialect.V84:
                host.host_files.leave(window())
            scraper = Scraper([host.collector(), OperationsCollector(journal)])
            if manages:
                _end(journal, "migrate", "live", "moved", outage_s=0.08, window_s=1.7)
                for journal_of_a_running in _unfinished(journal):
                    until_the_end.callback(journal_of_a_running.close)
            first = _page(scraper, pair, instance, manages=manages, failovers=0)
            if manages:
                _end(journal, "migrate", "live", "moved", outage_s=0.11, window_s=2.5)
                _end(journal, "migrate", "live", "rolled back", window_s=9.0)
                _end(journal, "failover", "", "failed over")
            # Its look is shared for half a second, so a scraper of its own.
            later = Scraper([host.collector(), OperationsCollector(journal)])
            return Target(instance, pair, first, _page(later, pair, instance, manages=manages, failovers=1))

        yield (
            target("lab", Dialect.V84, "node1", "03-syncsource-synctarget.node1", manages=True),
            target("lab", Dialect.V84, "node2", "03-syncsource-synctarget.node2"),
            target("nine", Dialect.V9, "nine1", IN_SYNC[Dialect.V9]),
            target("nine", Dialect.V9, "nine2", "08-connected-uptodate-primary-secondary.nine2"),
        )


def _host(place: Path, patch: pytest.MonkeyPatch, dialect: Dialect, capture: str) -> FakeHost:
    programs = place / "bin"
    programs.mkdir()
    tools = Tools(programs)
    patch.setitem(ENVIRONMENT, "PATH", tools.path)
    host = FakeHost(tools, place, dialect)
    host.says(PROC[dialect] + (PROGRESS if dialect is Dialect.V84 else ""))
    host.shows(capture)
    return host


def _begin(journal: Path, verb: str, method: str) -> FileJournal:
    begun = FileJournal.begin(journal, verb, SystemClock())
    begun.write("intent", verb=verb, method=method, pair="lab", guest="web", source="node1", target="node2")
    return begun


def _end(journal: Path, verb: str, method: str, outcome: str, **numbers: float) -> None:
    begun = _begin(journal, verb, method)
    begun.write("end", outcome=outcome, total_s=42.0, **numbers)
    begun.close()


def _unfinished(journal: Path) -> Iterator[FileJournal]:
    """One that runs, one whose process died."""
    _begin(journal, "stop", "").close()
    runs = _begin(journal, "migrate", "live")
    runs.write("step", step="open window")
    yield runs


def _page(scraper: Scraper, pair: str, instance: str, *, manages: bool, failovers: int) -> bytes:
    sample = Collected(tuple(METRICS.values()))
    put = _Putter(sample)
    _guests(put, instance)
    put("dualsrm_peer_quarantined", 0.0, "the-other-host")
    if manages:
        _look(put, pair)
        put("dualsrm_fencing_attempts_total", 2.0, pair, "node2")
        put("dualsrm_fencing_failures_total", 1.0, pair, "node2")
        histogram = Histogram(METRICS["dualsrm_operation_part_seconds"].buckets)
        for _ in range(failovers):
            histogram.observe(3.0)
        sample.add_histogram(METRICS["dualsrm_operation_part_seconds"], histogram, "failover", "fence")
    made_up = {family.metric.name: family for family in sample if family.rows}
    collected = [family for family in scraper.scrape() if family.metric.name not in made_up]
    return render((*collected, *made_up.values())).body


@dataclass(frozen=True)
class _Putter:
    """Samples of what no capture has: guests by libvirt, a manager's look, fencing."""

    sample: Collected

    def __call__(self, name: str, value: float | str | Mapping[str, str], *labels: str) -> None:
        metric = METRICS[name]
        if isinstance(value, str):
            self.sample.add_states(metric, {value}, *labels)
        elif isinstance(value, Mapping):
            self.sample.add_info(metric, value, *labels)
        else:
            self.sample.add(metric, value, *labels)


def _guests(put: _Putter, instance: str) -> None:
    for guest in ("web", "mail"):
        put("dualsrm_guest_info", {"uuid": "5b1cdd3e-0c1f-4a77-9d5e-7a1f00000021"}, guest)
        put("dualsrm_guest_state", "running" if instance.endswith("1") else "shutoff", guest)
        put("dualsrm_guest_autostart", 0.0, guest)
        put("dualsrm_guest_paused_io_error", 0.0, guest)
    if instance == "node1":
        for name in (
            "memory_total_bytes",
            "memory_processed_bytes",
            "memory_remaining_bytes",
            "dirty_rate_bytes_per_second",
            "iterations",
        ):
            put(f"dualsrm_guest_migration_{name}", 1e6, "web")


def _look(put: _Putter, pair: str) -> None:
    put("dualsrm_readiness_timestamp_seconds", time.time(), pair)
    for host, seen in {"node1": 1.0, "node2": 1.0}.items():
        put("dualsrm_pair_host_seen", seen, pair, host)
    for guest, ready in {"web": 1.0, "mail": 0.0}.items():
        put("dualsrm_guest_wanted_running", 1.0, pair, guest)
        put("dualsrm_guest_active_hosts", 1.0, pair, guest)
        put("dualsrm_guest_migration_ready", ready, pair, guest)
        put("dualsrm_guest_failover_ready", ready, pair, guest)
    put("dualsrm_guest_blocker_info", {"severity": "failed"}, pair, "mail", "failover", "disks-up-to-date")
