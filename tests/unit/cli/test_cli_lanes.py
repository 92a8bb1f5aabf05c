"""Several guests at once on a terminal, and the connections their lanes have."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from dualsrm.cli import progress, session
from dualsrm.cli.progress import LiveProgress, LogProgress
from dualsrm.cli.session import Session
from dualsrm.engine.environment import unwatched
from dualsrm.engine.ports import JobProgress
from dualsrm.engine.progress import Copying, GuestEnded, OfGuest, StepDone, StepStarted
from dualsrm.hosts.libvirt.migration import MigrationSettings
from dualsrm.model import Host
from tests.simulator.pair import ALPHA, BETA, SimPair
from tests.unit.cli.running import write_config


def test_a_bar_for_each_guest_that_is_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    wide = Console(file=said, force_terminal=True, width=120)
    monkeypatch.setattr(progress, "console", lambda **_: wide)
    copying = Copying(JobProgress(memory_total=1 << 30, memory_processed=1 << 29, memory_remaining=1 << 29), 7.0)
    with LiveProgress() as view:
        view(OfGuest("web", StepStarted("migrate", 4, 9)))
        view(OfGuest("db", StepStarted("arm", 1, 9)))
        view(OfGuest("mail", StepStarted("arm", 1, 9)))
        view(OfGuest("mail", GuestEnded("moved", ok=True)))
        view(OfGuest("web", copying))
        said.truncate(0)
        said.seek(0)
    last = said.getvalue()
    assert "web: migrate: 512.0 MiB copied, 512.0 MiB left" in last
    assert "db: [1/9] arm" in last
    assert "mail" not in last, "it is done"


def test_a_log_says_whose_line_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """And of two copies at once each has its own pace."""
    log = LogProgress()
    for guest in ("web", "db"):
        for seconds in (1.0, 2.0, 7.0):
            log(OfGuest(guest, Copying(JobProgress(memory_total=1, memory_processed=1), seconds)))
        log(OfGuest(guest, StepDone("migrate", 8.0)))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[:2] for line in lines] == [
        *([["web:", "1"], ["web:", "7"], ["web:", "migrate:"]]),
        *([["db:", "1"], ["db:", "7"], ["db:", "migrate:"]]),
    ]


@pytest.mark.parametrize(("limit", "jobs", "each"), [(100, 1, 100), (100, 3, 33), (2, 3, 1), (0, 3, None)])
def test_lanes_share_the_link_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: int, jobs: int, each: int | None
) -> None:
    made: list[tuple[str, int | None]] = []
    closed: list[str] = []

    class Recorded:
        def __init__(self, host: Host, _: object, *, migration: MigrationSettings) -> None:
            self.host = host
            made.append((host.name, migration.bandwidth_mib_per_s))

        def close(self) -> None:
            closed.append(self.host.name)

    monkeypatch.setattr(session, "RealHost", Recorded)
    pair = SimPair("9", name="lab")
    config = write_config(tmp_path, pair, f"[migration]\nbandwidth_mib_s = {limit}\n")
    with Session(config) as opened:
        lanes = opened.lanes(jobs, pair.pair, unwatched)
        assert made == [(ALPHA, each), (BETA, each)] * jobs
        assert len({id(lane.ports[ALPHA]) for lane in lanes}) == jobs
    assert closed == [ALPHA, BETA] * jobs
