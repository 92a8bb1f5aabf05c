"""A host for the exporter: files, small programs in place of DRBD's tools, and ways to read what it exports."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dualsrm.hosts.drbd import Dialect
from dualsrm.hostside.files import Files
from dualsrm_exporter.client import to_client
from dualsrm_exporter.collected import Collected, Family
from dualsrm_exporter.drbd.collector import DrbdCollector
from dualsrm_exporter.metrics import Metric
from dualsrm_exporter.scraper import Collector
from tests.unit.drbd.captures import FIXTURES
from tests.unit.hostside.host import Tools

PROC = {
    Dialect.V84: "version: 8.4.11 (api:1/proto:86-101)\nsrcversion: 059B1B470318F053F5077D5\n",
    Dialect.V9: "version: 9.2.18 (api:2/proto:118-124)\nGIT-hash: drbd-9.2.18\nTransports (api:21): tcp (9.2.18)\n",
}
IN_SYNC = {
    Dialect.V84: "08-connected-uptodate-primary-secondary.node1",
    Dialect.V9: "08-connected-uptodate-primary-secondary.nine1",
}
PEER = {Dialect.V84: "node2", Dialect.V9: "nine2"}
HERE = {Dialect.V84: "node1", Dialect.V9: "nine1"}
SILENT = "exec sleep 60"


def samples(families: Iterable[Family], metric: Metric) -> dict[tuple[str, ...], float]:
    """A metric's samples by the values of its labels, those of a stateset or info behind the metric's own."""
    found = {}
    for family in families:
        for one in to_client(family).samples if family.metric is metric else ():
            if one.name == metric.name:
                rest = [value for name, value in one.labels.items() if name not in metric.labels]
                found[(*(one.labels[name] for name in metric.labels), *rest)] = one.value
    return found


def true_states(families: Iterable[Family], metric: Metric) -> set[tuple[str, ...]]:
    """The states of a stateset that hold."""
    return {labels for labels, value in samples(families, metric).items() if value == 1}


def collect(collector: Collector) -> Collected:
    """One collector's work."""
    collected = Collected(collector.metrics)
    collector.collect(collected)
    return collected


def dump_of(*names: str, here: str = "here", peer: str = "the-peer", body: str = "") -> str:
    """What `drbdadm -v dump all` prints of resources between two hosts."""
    parts = ["# /etc/drbd.conf\nglobal {\n}\n\n"]
    for name in names:
        parts.append(
            f"# resource {name} on {here}: not ignored, not stacked\n# defined at /etc/drbd.d/x.res:1\n"
            f"resource {name} {{\n    on {here} {{\n    }}\n    on {peer} {{\n    }}\n{body}}}\n\n"
        )
    return "".join(parts)


@dataclass
class FakeHost:
    """DRBD's tools, the files they print, and the directories the collector reads."""

    tools: Tools
    directory: Path
    dialect: Dialect = Dialect.V84
    _collectors: list[DrbdCollector] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run.mkdir()
        self.lasting = self.run.with_name("lasting")
        self.state.mkdir()
        self.says(PROC[self.dialect])
        self.shows(IN_SYNC[self.dialect])
        self.files("vm1")
        self.follows(SILENT)

    @property
    def run(self) -> Path:
        return self.directory / "run"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def proc(self) -> Path:
        return self.directory / "proc-drbd"

    @property
    def host_files(self) -> Files:
        return Files(self.run, self.lasting)

    def says(self, proc_drbd: str) -> None:
        self.proc.write_text(proc_drbd)

    def shows(self, capture: str) -> None:
        """The kernel is as in this capture."""
        directory = FIXTURES / self.dialect.value
        show = directory / f"{capture}.show"
        self.prints((directory / f"{capture}.events2-now").read_text(), show.read_text() if show.exists() else "")

    def prints(self, dump: str, show: str = "") -> None:
        (self.directory / "dump").write_text(dump)
        (self.directory / "show").write_text(show)
        self.drbdsetup(f"cat {shlex.quote(str(self.directory / 'dump'))}")

    def drbdsetup(self, now: str, show: str = "") -> None:
        """What the program does for a dump."""
        show = show or f"cat {shlex.quote(str(self.directory / 'show'))}"
        self.tools.put(
            "drbdsetup",
            f'case "$*" in\n"events2 --now --statistics") {now} ;;\nshow) {show} ;;\n'
            f"events2) . {shlex.quote(str(self.directory / 'stream'))} ;;\n*) exit 20 ;;\nesac",
        )

    def follows(self, script: str) -> None:
        """What the program does as a stream."""
        (self.directory / "stream").write_text(script + "\n")

    def streams(self, text: str, then: str = SILENT) -> None:
        """The stream prints this."""
        (self.directory / "events").write_text(text)
        self.follows(f"cat {shlex.quote(str(self.directory / 'events'))}\n{then}")

    def files(self, *names: str, script: str = "") -> None:
        """The files name these resources."""
        (self.directory / "files").write_text(dump_of(*names, here=HERE[self.dialect], peer=PEER[self.dialect]))
        self.tools.put("drbdadm", script or f"cat {shlex.quote(str(self.directory / 'files'))}")

    def collector(self, *, follow: bool = True) -> DrbdCollector:
        """A new exporter on this host; its stream is not started."""
        made = DrbdCollector(self.state, run=self.run, lasting=self.lasting, proc=self.proc, follow=follow)
        self._collectors.append(made)
        return made

    def stop(self) -> None:
        for one in self._collectors:
            one.stop()


def names_with_samples(families: Iterable[Family], metrics: Sequence[Metric]) -> set[str]:
    """Of these metrics, those that have a sample."""
    return {family.metric.name for family in families if family.rows and family.metric in metrics}
