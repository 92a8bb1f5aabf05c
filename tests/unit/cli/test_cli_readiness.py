"""`status --json --output`: what the exporter's collector reads is what the command writes."""

from __future__ import annotations

from pathlib import Path

from dualsrm_exporter.metrics import readiness as m
from dualsrm_exporter.readiness import document as module
from dualsrm_exporter.readiness.collector import ReadinessCollector
from tests.simulator.pair import SimPair
from tests.unit.cli.running import Program
from tests.unit.exporter.rig import collect, samples


def test_what_status_writes_is_read(program: Program, pair: SimPair, tmp_path: Path) -> None:
    path = tmp_path / "readiness.json"
    pair.cut_link("web")
    assert program("status", "--json", "--output", str(path)).code == 1
    assert path.stat().st_mode & 0o777 in (0o640, 0o600)
    assert [one.name for one in tmp_path.glob("*readiness*")] == [path.name], "nothing is left beside it"
    looked = module.read(path)
    assert looked is not None
    found = collect(ReadinessCollector(path, lambda: looked.at))
    assert not found.failures
    (name,) = samples(found, m.LOOKED)
    assert samples(found, m.FAILOVER) == {(*name, "db"): 1, (*name, "web"): 0}
    assert {labels[3] for labels in samples(found, m.BLOCKER) if labels[2] == "failover"} >= {"replication-connected"}


def test_a_stopped_guest_is_not_wanted_until_it_is_started(program: Program, tmp_path: Path) -> None:
    path, wanted = tmp_path / "readiness.json", []
    for words in (("stop", "web"), ("start", "--on", "alpha", "web")):
        assert program(*words).code == 0
        program("status", "--json", "--output", str(path))
        looked = module.read(path)
        assert looked is not None
        wanted.append({guest.guest: guest.wanted_running for pair in looked.pairs for guest in pair.guests})
    assert wanted == [{"db": True, "web": False}, {"db": True, "web": True}]


def test_status_writes_only_documents_and_only_where_it_can(program: Program, tmp_path: Path) -> None:
    assert program("status", "--output", str(tmp_path / "x")).code == 2
    assert program("status", "--json", "--output", str(tmp_path / "none" / "x")).code == 2
    assert list(tmp_path.glob("x*")) == []
