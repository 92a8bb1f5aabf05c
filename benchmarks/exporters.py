"""The exporter beside others that show DRBD, on the same made hosts: what a scrape costs, and what ten faults change.

    .venv/bin/python -m benchmarks.exporters --hacluster PROGRAM --node PROGRAM [--rounds N] [--page FILE]

The programs are those of Debian's packages prometheus-hacluster-exporter (DRBD 9, by `drbdsetup status --json`) and
prometheus-node-exporter (DRBD 8.4, by `/proc/drbd`); `apt-get download` and `dpkg -x` get them and start nothing.
All read what real kernels said (tests/fixtures/drbd), the same state at the same time. Processor time is that of the
exporter and of the programs it started; in place of DRBD's tools there is `cat`.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import click
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from benchmarks.exporter_scrape import repeated
from benchmarks.measured import Measured, Series, as_markdown, machine, on_terminal
from dualsrm.hosts.drbd import Dialect
from tests.unit.drbd.captures import FIXTURES, capture
from tests.unit.exporter.rig import HERE, IN_SYNC, PEER, SILENT, FakeHost
from tests.unit.hostside.host import Tools

SIZES = (10, 100, 1000)
DEADLINE_S = 10.0
"""What Prometheus waits for a scrape unless told otherwise."""
_PAUSE_S = 0.6
"""Scrapes within half a second would share one look."""
_NAMES = 3
_INTRODUCTION = """\
# The exporter beside others

What a scrape costs, and what ten faults change on the page, for dualsrm's exporter and for two that show DRBD among
other things: Debian's [ha_cluster_exporter](https://github.com/ClusterLabs/ha_cluster_exporter), which reads
`drbdsetup status --json` (DRBD 9), and [node_exporter](https://github.com/prometheus/node_exporter)'s collector `drbd`,
which reads `/proc/drbd` (DRBD 8.4). All read the same recordings of real kernels. Written by
`python -m benchmarks.exporters`; nothing here is edited by hand.

Both are programs in Go that show a few numbers of each resource; dualsrm's is in Python and shows every state, so it
has more to say and takes longer. *processor time* is that of the exporter and the programs it started (`cat` in place
of DRBD's), in steps of 10 ms; *prometheus_client* is what that library alone takes to render dualsrm's samples.
"""
_FAULTS = """\
## What ten faults change

Metrics that say something else than of the healthy host; counters and what an exporter says of itself are left out.
*The same as*: no sample tells one of the two faults from the other. Not in the table: the split brain that
ha_cluster_exporter shows where a handler of one's own leaves a file for it.
"""
_MOVING = re.compile(
    r"^(go|process|promhttp|python|net|node_scrape|ha_cluster_scrape|ha_cluster_exporter|dualsrm_exporter)_"
    r"|_total$|_seconds$|pending|unacknowledged|_drbd_(read|written|al_writes|bm_writes|connections_(received|sent))"
)
"""What is another number at any two looks, or says how the exporter itself does."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """A program that serves what it reads of a made host, at the port it is given."""

    name: str
    dialect: Dialect
    argv: Callable[[Path, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One and the same on both versions: the captures of it."""

    what: str
    captures: Mapping[Dialect, str]
    heard: str = ""
    """The helper that the kernel called, to be heard by whoever listens."""
    hangs: bool = False
    """DRBD's tools do not come back."""
    before: Mapping[Dialect, str] = field(default_factory=lambda: IN_SYNC)
    """The same host, healthy."""


def _on(v84: str, v9: str, node: Mapping[Dialect, str] = HERE) -> dict[Dialect, str]:
    return {Dialect.V84: f"{v84}.{node[Dialect.V84]}", Dialect.V9: f"{v9}.{node[Dialect.V9]}"}


FAULTS = (
    Fault("the replication link is cut", _on("28-netcut-primary-wfconnection", "28-netcut-primary-connecting")),
    Fault("StandAlone", _on("10-primary-standalone-peer-wfconnection", "10-primary-standalone-peer-connecting")),
    Fault("split brain", _on("30-split-brain-standalone", "30-split-brain-standalone"), heard="split-brain"),
    Fault("this host's disk failed", _on("58-io-error-detached-primary", "09c-primary-diskless-open")),
    Fault("the peer's disk failed", _on("24-peer-diskless", "24-peer-diskless")),
    Fault("a resync is paused", _on("05-pausedsync", "51b-pausedsync")),
    Fault("dual-primary left open", _on("12-dual-primary", "12-dual-primary")),
    Fault(
        "I/O suspended by hand",
        _on("14-suspended-io-user", "14-suspended-io-user", PEER),
        before=_on("13-secondary-primary-swapped", "13-secondary-primary-swapped", PEER),
    ),
    Fault("configured, but down", _on("00-module-loaded-unconfigured", "42-all-down")),
    Fault("drbdsetup hangs", IN_SYNC, hangs=True),
)


# --- made hosts ------------------------------------------------------------------------------------------


@contextmanager
def made(
    dialect: Dialect, name: str, count: int = 1, fault: Fault | None = None, *, hangs: bool = False
) -> Iterator[Path]:
    """A host's directory: the same state for whoever reads it, in whichever way; so many resources, all alike.

    DRBD's options were not recorded with each state. Where they were not, they are those of the other one of a fault.
    """
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        tools = Tools(directory / "bin")
        tools.directory.mkdir()
        host = FakeHost(tools, directory, dialect)
        others = (fault.captures[dialect], fault.before[dialect]) if fault else ()
        shows = [path for one in (name, *others) if (path := FIXTURES / dialect.value / f"{one}.show").exists()]
        host.prints(capture(dialect, f"{name}.events2-now"), shows[0].read_text())
        if count > 1:
            host.prints(repeated(dialect, "events2-now", count, 0), repeated(dialect, "show", count, 0))
            host.files(*(f"guest-{number:04}" for number in range(count)))
        if fault and fault.heard and name == fault.captures[dialect]:
            call = f"call helper name:vm1 peer-node-id:0 conn-name:peer helper:{fault.heard}\n"
            host.streams(capture(dialect, f"{IN_SYNC[dialect]}.events2-now") + call)
        if hangs:
            host.drbdsetup(SILENT, SILENT)
        _for_the_others(directory, dialect, name, count, hangs=hangs)
        yield directory


def _for_the_others(directory: Path, dialect: Dialect, name: str, count: int, *, hangs: bool) -> None:
    others = Tools(directory / "others")
    others.directory.mkdir()
    if dialect is Dialect.V9:
        (resources,) = [json.loads((FIXTURES / "9" / f"{name}.status-json").read_text())]
        many = [{**one, "name": f"guest-{number:04}"} for one in resources for number in range(count)]
        (directory / "status-json").write_text(json.dumps(many if count > 1 else resources, indent=2))
        others.put("drbdsetup", SILENT if hangs else f"cat {directory}/status-json")
        return
    head, minor, one = (FIXTURES / "8.4" / f"{name}.proc-drbd").read_text().partition(" 0: ")
    text = head + "".join(f"{number:2d}: {one}" for number in range(count)) if minor else head
    (directory / "procfs").mkdir()
    (directory / "procfs" / "drbd").write_text(text)


# --- the exporters ---------------------------------------------------------------------------------------


def _dualsrm(directory: Path, port: int) -> Sequence[str]:
    return [sys.executable, "-m", "benchmarks.exporter_host", str(directory), str(port)]


def exporters(hacluster: Path, node: Path) -> tuple[Exporter, ...]:
    """dualsrm's on both versions, and each of the others where it can read DRBD at all."""

    def ha(directory: Path, port: int) -> Sequence[str]:
        tool, split = directory / "others" / "drbdsetup", directory / "none"
        return [
            *(str(hacluster), f"--web.listen-address=127.0.0.1:{port}"),
            *(f"--drbdsetup-path={tool}", f"--drbdsplitbrain-path={split}"),
        ]

    def nodes(directory: Path, port: int) -> Sequence[str]:
        return [
            *(str(node), f"--web.listen-address=127.0.0.1:{port}", f"--path.procfs={directory / 'procfs'}"),
            *("--collector.disable-defaults", "--collector.drbd", "--web.disable-exporter-metrics"),
        ]

    return (
        Exporter("dualsrm, 8.4", Dialect.V84, _dualsrm),
        Exporter("node_exporter, 8.4", Dialect.V84, nodes),
        Exporter("dualsrm, 9", Dialect.V9, _dualsrm),
        Exporter("ha_cluster_exporter, 9", Dialect.V9, ha),
    )


@contextmanager
def running(exporter: Exporter, directory: Path) -> Iterator[tuple[int, int]]:
    """Its pid and port; ended by its pid."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(exporter.argv(directory, port), stdout=log, stderr=log)
        try:
            end = time.monotonic() + 30
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > end:
                    raise click.ClickException(f"{exporter.name}: {(directory / 'log').read_text()}")
                time.sleep(0.1)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait(30)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def scrape(port: int) -> tuple[str, float]:
    """The page, as Prometheus asks for it, and the seconds. Raises `TimeoutError` where it would give up."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    try:
        connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    seconds = time.monotonic() - began
    return (gzip.decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body).decode(), seconds


# --- cost ------------------------------------------------------------------------------------------------


def _cpu_s(pid: int) -> float:
    """Of the process and of its children that have ended: proc(5), stat, fields 14 to 17."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


def costs(all_of_them: Sequence[Exporter], count: int, rounds: int) -> Measured:
    """What a scrape of so many resources costs each."""
    series: list[Series] = []
    for exporter in all_of_them:
        with (
            made(exporter.dialect, IN_SYNC[exporter.dialect], count) as directory,
            running(exporter, directory) as (pid, port),
        ):
            text, _ = scrape(port)  # what is kept from scrape to scrape is filled
            if len(re.findall(r"guest-\d{4}|device=\"drbd\d+\"", text)) < count:
                raise click.ClickException(f"{exporter.name} does not show {count} resources")
            waits, cpu = [], []
            for _ in range(rounds):
                time.sleep(_PAUSE_S)
                before = _cpu_s(pid)
                _, seconds = scrape(port)
                waits.append(1000 * seconds)
                cpu.append(1000 * (_cpu_s(pid) - before))
            series += [
                Series(exporter.name, "processor time", tuple(cpu), "ms"),
                Series(exporter.name, "answer", tuple(waits), "ms"),
                Series(exporter.name, "memory", (_resident_mib(pid),), "MiB"),
                Series(exporter.name, "samples", (float(len(samples(text))),), ""),
            ]
            if exporter.argv is _dualsrm:
                series.append(_by_client(exporter, text, rounds))
        click.echo(f"{count} {exporter.name}: {statistics.median(cpu):.0f} ms", err=True)
    order = ("processor time", "answer", "memory", "samples")
    return Measured(f"{count} resources", "", tuple(sorted(series, key=lambda one: order.index(one.what))))


def _by_client(exporter: Exporter, text: str, rounds: int) -> Series:
    """The same samples rendered by prometheus_client, and nothing else: not read, not compressed."""
    families = list(text_string_to_metric_families(text))

    class Fixed(Collector):
        def collect(self) -> Iterable[Metric]:
            return families

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Fixed())
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        generate_latest(registry)
        taken.append(1000 * (time.process_time() - began))
    return Series(f"prometheus_client, {exporter.dialect.value}", "processor time", tuple(taken), "ms")


# --- what is seen ----------------------------------------------------------------------------------------


Samples: TypeAlias = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    """Every sample of a page."""
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def _look(exporter: Exporter, name: str, fault: Fault, *, hangs: bool = False) -> Samples | None:
    """What it says in that state; None when it gives no answer."""
    with made(exporter.dialect, name, 1, fault, hangs=hangs) as directory, running(exporter, directory) as (_, port):
        try:
            scrape(port)
            time.sleep(_PAUSE_S * 2)  # for what comes by events
            return samples(scrape(port)[0])
        except TimeoutError:
            return None


Change: TypeAlias = frozenset[tuple[str, frozenset[tuple[str, str]], bool | None]]
"""Samples that say something else than before: whether they are more than zero now, or None when they are gone."""


def _change(exporter: Exporter, fault: Fault) -> Change | None:
    """What an exporter says else; None when it says nothing at all."""
    before = _look(exporter, fault.before[exporter.dialect], fault)
    now = _look(exporter, fault.captures[exporter.dialect], fault, hangs=fault.hangs)
    if before is None:
        raise click.ClickException(f"{exporter.name} does not answer of a healthy host")
    if now is None:
        return None
    return frozenset(
        (*key, now[key] > 0 if key in now else None)
        for key in before.keys() | now.keys()
        if before.get(key) != now.get(key) and not _MOVING.search(key[0])
    )


def seen_by(exporter: Exporter) -> list[str]:
    """For each fault, what changes: a cell of the table."""
    changes = {fault.what: _change(exporter, fault) for fault in FAULTS}
    return [_cell(what, change, changes) for what, change in changes.items()]


def _cell(what: str, change: Change | None, changes: Mapping[str, Change | None]) -> str:
    if change is None:
        return f"no answer within {DEADLINE_S:.0f} s"
    if not change:
        return "**nothing**"
    names = sorted({name for name, *_ in change})
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    alike = [other for other, found in changes.items() if other != what and found == change]
    same = f"; the same as: {', '.join(alike)}" if alike else ""
    return ", ".join(f"`{name}`" for name in names[:_NAMES]) + more + same


# --- the page --------------------------------------------------------------------------------------------


def page(all_of_them: Sequence[Exporter], measured: Sequence[Measured], seen: Mapping[str, Sequence[str]]) -> str:
    """Costs and faults, with where it was measured."""
    names = [exporter.name for exporter in all_of_them]
    table = [f"| fault | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    table += [f"| {what} | {' | '.join(cells)} |" for what, cells in seen.items()]
    return "\n".join([_INTRODUCTION, machine(), "", *map(as_markdown, measured), _FAULTS, *table]) + "\n"


@click.command()
@click.option("--hacluster", required=True, type=click.Path(path_type=Path, exists=True), help="ha_cluster_exporter.")
@click.option("--node", required=True, type=click.Path(path_type=Path, exists=True), help="prometheus-node-exporter.")
@click.option("--rounds", default=20, show_default=True, type=click.IntRange(2, 1000))
@click.option("--page", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write the page there.")
def main(hacluster: Path, node: Path, rounds: int, file: Path | None) -> None:
    """Print all of it."""
    all_of_them = exporters(hacluster, node)
    columns = [seen_by(exporter) for exporter in all_of_them]
    seen = {fault.what: cells for fault, cells in zip(FAULTS, zip(*columns, strict=True), strict=True)}
    for what, cells in seen.items():
        click.echo(
            "\n  ".join([what, *(f"{one.name:24} {cell}" for one, cell in zip(all_of_them, cells, strict=True))])
        )
    measured = [costs(all_of_them, count, rounds) for count in SIZES]
    for one in measured:
        click.echo(f"\n{one.title}\n{on_terminal(one)}")
    if file is not None:
        file.write_text(page(all_of_them, measured, seen))


if __name__ == "__main__":
    sys.exit(main())
