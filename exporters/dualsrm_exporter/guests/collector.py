"""The collector: every guest of this host, and of those it sends to another one how far that is.

Two clocks, neither of which a guest can stop: libvirtd has `LIBVIRTD_S` to list them, and all questions about jobs
together have `JOBS_S`. A guest that is too busy to be asked about its job is asked again when it has answered.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from dualsrm_exporter.collected import Collected
from dualsrm_exporter.guests.libvirtd import Guest, Job, Libvirtd, LibvirtError, job_of
from dualsrm_exporter.guests.worker import LateError, Worker
from dualsrm_exporter.metrics import GUESTS, OTHER, Metric
from dualsrm_exporter.metrics import guests as m

LIBVIRTD_S: Final = 5.0
"""A healthy one takes milliseconds; Prometheus waits 10 s for the whole page."""
JOBS_S: Final = 1.5
_ONE_JOB_S: Final = 0.3
_HANGING: Final = 4
"""Questions about jobs that may hang at once. libvirtd answers five of one client at a time."""


class GuestsCollector:
    """Guests of this host."""

    name: Final = "guests"
    metrics: Sequence[Metric] = GUESTS
    sources: Sequence[str] = ("libvirt",)

    def __init__(
        self, guests: Callable[[], tuple[Guest, ...]] | None = None, job: Callable[[Guest], Job | None] = job_of
    ) -> None:
        self._guests = guests or Libvirtd().guests
        self._job = job
        self._libvirtd = Worker[tuple[Guest, ...]]("libvirtd")
        self._jobs = Worker[Job | None]("libvirtd, about a job", _HANGING)

    def collect(self, collected: Collected) -> None:
        """One look."""
        try:
            guests = self._libvirtd.ask(self._guests, time.monotonic() + LIBVIRTD_S)
        except (LibvirtError, LateError) as error:
            collected.failures["libvirt"] = f"libvirtd of this host: {error}"
            return
        for guest in guests:
            _report(collected, guest)
        self._report_jobs(collected, (guest for guest in guests if guest.active))

    def _report_jobs(self, collected: Collected, guests: Iterable[Guest]) -> None:
        end = time.monotonic() + JOBS_S
        for guest in guests:
            until = min(end, time.monotonic() + _ONE_JOB_S)
            with contextlib.suppress(LateError):  # too busy to say: nothing is said
                if (job := self._jobs.ask(partial(self._job, guest), until, guest.uuid)) is not None:
                    _report_job(collected, guest.name, job)


def _report(collected: Collected, guest: Guest) -> None:
    collected.add_info(m.INFO, {"uuid": guest.uuid}, guest.name)
    known = 0 <= guest.state < len(m.STATES)
    collected.add_states(m.STATE, (m.STATES[guest.state] if known else OTHER,), guest.name)
    collected.add(m.AUTOSTART, guest.autostart, guest.name)
    collected.add(m.IO_ERROR, guest.io_error, guest.name)


def _report_job(collected: Collected, guest: str, job: Job) -> None:
    collected.add(m.MEMORY, job.total, guest)
    collected.add(m.PROCESSED, job.processed, guest)
    collected.add(m.REMAINING, job.remaining, guest)
    collected.add(m.DIRTY_RATE, job.dirty_rate, guest)
    collected.add(m.ITERATIONS, job.iterations, guest)
