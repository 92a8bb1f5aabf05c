"""One scrape: every collector, each in a thread with a deadline. One that fails or hangs takes only its own metrics."""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from dualsrm import __version__
from dualsrm_exporter.collected import Collected, Family
from dualsrm_exporter.metrics import EXPORTER, Metric, exporter

DEADLINE_S: Final = 8.0
"""Prometheus gives a scrape 10 s unless told otherwise."""
_SHARED_S: Final = 0.5
"""Two servers that scrape at once get one look at the host."""

_log = logging.getLogger(__name__)


class Collector(Protocol):
    """Reads one thing."""

    @property
    def name(self) -> str:
        """Label `collector`."""

    @property
    def metrics(self) -> Sequence[Metric]:
        """All it may export."""

    @property
    def sources(self) -> Sequence[str]:
        """What it reads; `Collected.failures` names some of these."""

    def collect(self, collected: Collected) -> None:
        """Fill in what is so now."""


@dataclass(slots=True)
class _Job:
    collected: Collected
    started: float
    done: threading.Event = field(default_factory=threading.Event)
    seconds: float = 0.0
    error: str = ""


class Scraper:
    """All collectors."""

    def __init__(self, collectors: Sequence[Collector], *, deadline_s: float = DEADLINE_S) -> None:
        self._collectors = tuple(collectors)
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._jobs: dict[str, _Job] = {}
        self._said: dict[tuple[str, str], str] = {}
        self._last: tuple[Family, ...] = ()
        self._last_at = float("-inf")

    def scrape(self) -> tuple[Family, ...]:
        """Every family. Those who ask while one is made wait for it and share it."""
        with self._lock:
            if time.monotonic() - self._last_at > _SHARED_S:
                self._last = tuple(self._scrape())
                self._last_at = time.monotonic()
            return self._last

    def _scrape(self) -> list[Family]:
        about = Collected(EXPORTER)
        about.add_info(exporter.BUILD, {"version": __version__, "python": platform.python_version()})
        end = time.monotonic() + self._deadline_s
        jobs = [(collector, self._begin(collector)) for collector in self._collectors]
        families: list[Family] = []
        for collector, job in jobs:
            if job is not None and job.done.wait(max(0.0, end - time.monotonic())):
                failures = {**job.collected.failures, **({"": job.error} if job.error else {})}
                families += job.collected
                seconds = job.seconds
            else:
                failures = {"": "it is still at work on an earlier scrape" if job is None else "it took too long"}
                seconds = time.monotonic() - self._jobs[collector.name].started
            self._tell(about, collector, failures, seconds)
        return [*families, *about]

    def _begin(self, collector: Collector) -> _Job | None:
        """Begin, unless its last thread still hangs: a host that does not answer must not collect threads."""
        last = self._jobs.get(collector.name)
        if last is not None and not last.done.is_set():
            return None
        job = _Job(Collected(collector.metrics), time.monotonic())
        self._jobs[collector.name] = job
        try:
            threading.Thread(target=_run, args=(collector, job), name=f"collect-{collector.name}", daemon=True).start()
        except RuntimeError as error:  # no thread to be had
            job.error = str(error)
            job.done.set()
        return job

    def _tell(self, about: Collected, collector: Collector, failures: dict[str, str], seconds: float) -> None:
        name = collector.name
        about.add(exporter.SUCCESS, not failures, name)
        about.add(exporter.DURATION, seconds, name)
        for source in collector.sources:
            # A collector that broke down has read nothing for certain.
            about.add(exporter.SOURCE_SUCCESS, source not in failures and "" not in failures, name, source)
        for source in ("", *collector.sources):
            why = failures.get(source, "")
            # Said when it changes, not at every scrape.
            if self._said.get((name, source), "") != why:
                self._said[name, source] = why
                what = f"collector {name}" + (f", {source}" if source else "")
                _log.warning("%s: %s", what, why) if why else _log.info("%s: works again", what)


def _run(collector: Collector, job: _Job) -> None:
    try:
        collector.collect(job.collected)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this collector's alone
        job.error = f"{type(error).__name__}: {error}"
        _log.debug("collector %s", collector.name, exc_info=True)
    finally:
        job.seconds = time.monotonic() - job.started
        job.done.set()
