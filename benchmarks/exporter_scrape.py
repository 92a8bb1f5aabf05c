"""What a scrape of the exporter costs, against prometheus_client rendering the same samples in the same run.

    .venv/bin/python -m benchmarks.exporter_scrape [--dialect 8.4|9] [--resources N] [--rounds N]

Each resource has one peer and one volume; every counter has another value at each scrape. Processor time of this
process: the whole way from the words of DRBD's tools to the compressed page, without the tools themselves.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import click

from dualsrm.hosts.drbd import Dialect
from dualsrm.hostside.run import ENVIRONMENT
from dualsrm_exporter.garbage import collect_rarely
from dualsrm_exporter.operations.collector import OperationsCollector
from dualsrm_exporter.render import render, render_by_client
from dualsrm_exporter.scraper import Scraper
from tests.unit.drbd.captures import capture
from tests.unit.exporter.rig import IN_SYNC, FakeHost
from tests.unit.hostside.host import Tools

LIMIT_MS = 250
_NOT_SHARED_S = 0.55
"""Scrapes within half a second share one look."""
_TIMESTAMP = re.compile(r"^\d{4}-\d\d-\d\dT\S+ ", re.MULTILINE)
_COUNTERS = re.compile(r"\b(read|written|sent|received|al-writes|bm-writes|out-of-sync|pending):\d+")


def repeated(dialect: Dialect, suffix: str, count: int, turn: int) -> str:
    """A capture of one resource, as if there were that many."""
    # Captured with --timestamps, which the exporter does not ask for.
    text = _TIMESTAMP.sub("", capture(dialect, f"{IN_SYNC[dialect]}.{suffix}"))
    one, end, _ = text.partition("exists -\n")
    parts = []
    for number in range(count):
        text = re.sub(r"\bvm1\b", f"guest-{number:04}", one)
        text = re.sub(r"minor:\d+", f"minor:{number}", text)
        parts.append(_COUNTERS.sub(lambda found, add=number * 7 + turn * 4096: f"{found[1]}:{add}", text))  # type: ignore[misc]  # mypy infers no default of a lambda
    return "".join([*parts, end])


@click.command()
@click.option("--dialect", default="8.4", show_default=True, type=click.Choice([one.value for one in Dialect]))
@click.option("--resources", default=1000, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--rounds", default=20, show_default=True, type=click.IntRange(2, 10_000))
def main(dialect: str, resources: int, rounds: int) -> int:
    """Print both costs and their ratio; 1 when the 95th percentile of a scrape is above the limit."""
    scrapes, client_s, lines = [], [], 0
    with tempfile.TemporaryDirectory() as name:
        tools = Tools(Path(name) / "bin")
        tools.directory.mkdir()
        ENVIRONMENT["PATH"] = tools.path
        host = FakeHost(tools, Path(name), Dialect(dialect))
        host.files(*(f"guest-{number:04}" for number in range(resources)))
        show = repeated(host.dialect, "show", resources, 0)
        collect_rarely()
        scraper = Scraper((host.collector(), OperationsCollector(Path(name) / "journal")))
        for turn in range(rounds + 1):
            host.prints(repeated(host.dialect, "events2-now", resources, turn), show)
            time.sleep(_NOT_SHARED_S)
            began = time.process_time()
            families = scraper.scrape()
            page = render(families, accept_encoding="gzip")
            ended = time.process_time()
            text = render(families).body
            lines = text.count(b"\n")
            if b"source_success{" not in text or re.search(rb"success\{.*\} 0", text):
                raise click.ClickException("the exporter could not read everything: what it took means nothing")
            if text.count(b'_disk_state{dualsrm_drbd_disk_state="UpToDate"') != resources:
                raise click.ClickException("not every resource is on the page")
            middle = time.process_time()
            render_by_client(families)
            if turn:  # the first fills what is kept from scrape to scrape
                scrapes.append(1000 * (ended - began))
                client_s.append(1000 * (time.process_time() - middle))
        host.stop()
    p95 = statistics.quantiles(scrapes, n=20)[-1]
    median, plain = statistics.median(scrapes), statistics.median(client_s)
    click.echo(
        f"DRBD {dialect}, {resources} resources, {lines} lines, {len(page.body)} bytes compressed, {rounds} scrapes"
    )
    click.echo(f"a whole scrape        {median:7.1f} ms, p95 {p95:.1f} ms, limit at 1000 resources {LIMIT_MS} ms")
    click.echo(f"prometheus_client     {plain:7.1f} ms, rendering alone, without compression")
    click.echo(f"ratio                 {median / plain:7.2f}")
    return int(resources == 1000 and p95 > LIMIT_MS)  # noqa: PLR2004 - the size the limit is for


if __name__ == "__main__":
    sys.exit(main(standalone_mode=False))
