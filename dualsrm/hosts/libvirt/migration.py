"""A live migration: one call that blocks until it is over, in a thread of its own, watched on the same connection.

Peer to peer: the source's libvirtd drives it with its own credentials. It goes on when the manager dies, and ends with
the error text the source's libvirtd saw; neither decides where the guest is.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import libvirt

from dualsrm.engine.ports import JobEnded, JobProgress
from dualsrm.errors import DualsrmError
from dualsrm.hosts.deadlines import LIBVIRT_ABORT_S, LIBVIRT_POLL_S, LIBVIRT_STEER_S
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

LOOK_EVERY_S: Final = 2.0
"""Between two looks at the statistics. Each one interrupts libvirtd and QEMU on the source: twice a second, they made
the lab's copy a second longer."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """QEMU's auto-converge: it takes so much from the guest's CPUs when memory is dirtied too fast, in percent."""

    initial_percent: int
    increment_percent: int


@dataclass(frozen=True, slots=True)
class MigrationSettings:
    """How memory is sent."""

    tls: bool = False
    """Encrypt it with libvirt's certificates, which both hosts then need."""
    bandwidth_mib_per_s: int | None = None
    """A limit; None leaves libvirt's own."""
    throttle: Throttle | None = None
    """None: the guest is never slowed down."""
    post_copy: bool = False
    """Whether post-copy may be asked for later: both QEMUs must know from the start."""


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
        self._next_look = time.monotonic()

    def poll(self) -> JobProgress | JobEnded | None:
        """The end as soon as it is known, else progress if there is news, else None. Waits for nothing."""
        if self._call.done():
            error = _error_text(self._call)
            return JobEnded(error, self._completed(), self._where_to_look() if error else "")
        if self._look is None:
            if time.monotonic() >= self._next_look:
                self._begin_look()
            return None
        if not self._look.done():
            return None  # a look that hangs (a busy host, frozen I/O) is not joined by another
        look, self._look = self._look, None
        return None if look.exception() else look.result()

    def abort(self) -> None:
        """Ask libvirt to abort. Raises `DeadlineExceeded` when it hangs, which it does while the source is frozen."""
        self._connection.call(
            lambda virt: virt.lookupByName(self._guest).abortJob(),
            deadline_s=LIBVIRT_ABORT_S,
            what=f"aborting the migration of {self._guest}",
        )

    def set_downtime(self, seconds: float) -> None:
        """Allow a pause of so many seconds at the hand-over.

        Only while the job is active: libvirt restores the old value when a job ends, but not one set before it began.
        """
        self._steer(lambda domain: domain.migrateSetMaxDowntime(round(seconds * 1000), 0), "allowing a longer pause")

    def start_post_copy(self) -> None:
        """Let the guest run at the target now. Refused unless `MigrationSettings.post_copy` was set."""
        self._steer(lambda domain: domain.migrateStartPostCopy(0), "switching to post-copy")

    def suspend(self) -> None:
        """Make the guest stand still until it is at the target; libvirt resumes it there, or here when that fails."""
        self._steer(stand_still, "pausing the guest")

    def _steer(self, order: Callable[[Virt], object], what: str) -> None:
        """Raises `CommandFailed` with libvirt's words, `DeadlineExceeded` when it hangs: then it may yet happen."""
        self._connection.call(
            lambda virt: order(virt.lookupByName(self._guest)),
            deadline_s=LIBVIRT_STEER_S,
            what=f"{what}, {self._guest}",
        )

    def _begin_look(self) -> None:
        self._next_look = time.monotonic() + LOOK_EVERY_S
        with suppress(DualsrmError):
            self._look = self._connection.begin(_statistics(self._guest, 0), what="job statistics")

    def _where_to_look(self) -> str:
        """libvirt's last error hides the first: of a refused certificate its caller hears "Input/output error"."""
        guest = shlex.quote(self._guest)
        return (
            "see why, on both hosts: journalctl -u libvirtd -u virtqemud -n 50; "
            f"tail /var/log/libvirt/qemu/{guest}.log; then `dualsrm check {guest}`, and try again"
        )

    def _completed(self) -> JobProgress | None:
        look = _statistics(self._guest, libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
        try:
            found = self._connection.call(look, deadline_s=LIBVIRT_POLL_S, what="job statistics")
        except DualsrmError:
            return None  # libvirt keeps none of a migration that failed
        return None if found == JobProgress() else found


def migration_arguments(target: Host, settings: MigrationSettings) -> tuple[dict[str, Any], int]:
    """Parameters and flags of virDomainMigrateToURI3."""
    address = f"[{target.migration_address}]" if ":" in target.migration_address else target.migration_address
    parameters: dict[str, Any] = {libvirt.VIR_MIGRATE_PARAM_URI: f"tcp://{address}"}
    if settings.bandwidth_mib_per_s is not None:
        parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = settings.bandwidth_mib_per_s
    flags = FLAGS | libvirt.VIR_MIGRATE_TLS if settings.tls else FLAGS
    if settings.throttle is not None:
        flags |= libvirt.VIR_MIGRATE_AUTO_CONVERGE
        parameters[libvirt.VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL] = settings.throttle.initial_percent
        parameters[libvirt.VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT] = settings.throttle.increment_percent
    if settings.post_copy:
        flags |= libvirt.VIR_MIGRATE_POSTCOPY
        if settings.bandwidth_mib_per_s is not None:
            # Post-copy has a limit of its own, none by default: it would flood a link that replication shares.
            parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY] = settings.bandwidth_mib_per_s
    return parameters, flags


def job_progress(statistics: Mapping[str, Any]) -> JobProgress:
    """libvirt's typed parameters as ours. libvirt says bytes, milliseconds, and the dirty rate in pages a second.

    What belongs to another job says nothing: one our migration still waits for, or the one that brought the guest here.
    """
    operation = statistics.get(libvirt.VIR_DOMAIN_JOB_OPERATION, libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT)
    if operation != libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT:
        return JobProgress()
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


def stand_still(domain: Virt) -> None:
    """Pause a guest whose migration is under way, and undo it when the migration turns out to be over.

    libvirt resumes a guest that was paused during its migration, and by its reason tells that from any other pause. A
    guest that stands still already is left as it is: whoever paused it wants it so.
    """
    if domain.state()[0] != libvirt.VIR_DOMAIN_RUNNING:
        return
    domain.suspend()
    if tuple(domain.state()) == (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER):
        domain.resume()


def _number(statistics: Mapping[str, Any], key: str) -> int | None:
    value = statistics.get(key)
    return value if isinstance(value, int) else None


def _error_text(call: Future[Any]) -> str | None:
    error = call.exception()
    if error is None:
        return None
    return error.seen if isinstance(error, DualsrmError) else str(error)
