"""A live migration: one call that blocks until it is over, in a thread of its own, watched on the same connection.

Peer to peer: the source's libvirtd drives it with its own credentials. It goes on when the manager dies, and ends with
the error text the source's libvirtd saw; neither decides where the guest is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

import libvirt

from dualsrm.engine.ports import JobEnded, JobProgress
from dualsrm.errors import DualsrmError
from dualsrm.hosts.deadlines import LIBVIRT_ABORT_S, LIBVIRT_POLL_S
from dualsrm.hosts.libvirt.connection import LibvirtConnection, Virt
from dualsrm.model import Host

FLAGS: Final[int] = (
    libvirt.VIR_MIGRATE_LIVE
    | libvirt.VIR_MIGRATE_PEER2PEER
    | libvirt.VIR_MIGRATE_PERSIST_DEST
    | libvirt.VIR_MIGRATE_ABORT_ON_ERROR
)
"""Never UNSAFE (the cache mode would corrupt), UNDEFINE_SOURCE (nothing would be left to roll back to) or NON_SHARED_*
(DRBD has the disks there already); ABORT_ON_ERROR: an I/O error while copying ends it at the source."""


@dataclass(frozen=True, slots=True)
class MigrationSettings:
    """How memory is sent."""

    tls: bool = False
    """Encrypt it with libvirt's certificates, which both hosts then need."""
    bandwidth_mib_per_s: int | None = None
    """A limit; None leaves libvirt's own."""


class LibvirtMigration:
    """A `MigrationJob` on the source's libvirt."""

    def __init__(self, connection: LibvirtConnection, guest: str, target: Host, settings: MigrationSettings) -> None:
        self._connection = connection
        self._guest = guest
        parameters, flags = migration_arguments(target, settings)
        self._call: Future[Any] = connection.begin(
            lambda virt: virt.lookupByName(guest).migrateToURI3(target.peer_uri, parameters, flags),
            what=f"migrating {guest}",
        )
        self._look: Future[JobProgress] | None = None

    def poll(self) -> JobProgress | JobEnded | None:
        """Progress, the end, or None when libvirt could not be asked just now."""
        if self._call.done():
            return JobEnded(_error_text(self._call), self._completed())
        try:
            # A look that hangs (frozen I/O) is waited for again, not joined by another.
            look = self._look if self._look is not None and not self._look.done() else self._begin_look()
            self._look = look
            return look.result(timeout=LIBVIRT_POLL_S)
        except (DualsrmError, TimeoutError):
            return None

    def abort(self) -> None:
        """Ask libvirt to abort. Raises `DeadlineExceeded` when it hangs, which it does while the source is frozen."""
        self._connection.call(
            lambda virt: virt.lookupByName(self._guest).abortJob(),
            deadline_s=LIBVIRT_ABORT_S,
            what=f"aborting the migration of {self._guest}",
        )

    def _begin_look(self) -> Future[JobProgress]:
        return self._connection.begin(_statistics(self._guest, 0), what="job statistics")

    def _completed(self) -> JobProgress | None:
        look = _statistics(self._guest, libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
        try:
            return self._connection.call(look, deadline_s=LIBVIRT_POLL_S, what="job statistics")
        except DualsrmError:
            return None  # libvirt keeps none of a migration that failed


def migration_arguments(target: Host, settings: MigrationSettings) -> tuple[dict[str, Any], int]:
    """Parameters and flags of virDomainMigrateToURI3."""
    address = f"[{target.migration_address}]" if ":" in target.migration_address else target.migration_address
    parameters: dict[str, Any] = {libvirt.VIR_MIGRATE_PARAM_URI: f"tcp://{address}"}
    if settings.bandwidth_mib_per_s is not None:
        parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = settings.bandwidth_mib_per_s
    return parameters, FLAGS | libvirt.VIR_MIGRATE_TLS if settings.tls else FLAGS


def job_progress(statistics: Mapping[str, Any]) -> JobProgress:
    """libvirt's typed parameters as ours. libvirt says bytes, milliseconds, and the dirty rate in pages a second."""
    pages = _number(statistics, libvirt.VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE)
    page_size = _number(statistics, libvirt.VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE)
    downtime_ms = _number(statistics, libvirt.VIR_DOMAIN_JOB_DOWNTIME)
    return JobProgress(
        memory_total=_number(statistics, libvirt.VIR_DOMAIN_JOB_MEMORY_TOTAL),
        memory_processed=_number(statistics, libvirt.VIR_DOMAIN_JOB_MEMORY_PROCESSED),
        memory_remaining=_number(statistics, libvirt.VIR_DOMAIN_JOB_MEMORY_REMAINING),
        dirty_rate_bytes_per_second=None if pages is None else pages * (page_size or 4096),
        iteration=_number(statistics, libvirt.VIR_DOMAIN_JOB_MEMORY_ITERATION),
        downtime_s=None if downtime_ms is None else downtime_ms / 1000,
    )


def _statistics(guest: str, flags: int) -> Callable[[Virt], JobProgress]:
    return lambda virt: job_progress(virt.lookupByName(guest).jobStats(flags))


def _number(statistics: Mapping[str, Any], key: str) -> int | None:
    value = statistics.get(key)
    return value if isinstance(value, int) else None


def _error_text(call: Future[Any]) -> str | None:
    error = call.exception()
    if error is None:
        return None
    return error.seen if isinstance(error, DualsrmError) else str(error)
