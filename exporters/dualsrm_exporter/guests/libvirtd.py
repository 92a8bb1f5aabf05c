"""libvirtd of this host, asked read-only. The one place of the exporter that knows libvirt-python.

Nothing asked here needs a guest's QEMU: states and autostart are libvirtd's own memory. Only job statistics wait for a
guest that is busy, up to libvirt's own 30 s; the collector lives with that.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from dualsrm.model import named_as_clone

URI: Final = "qemu:///system"
Virt: TypeAlias = Any
"""The module libvirt and its objects: libvirt-python publishes no types."""


class LibvirtError(Exception):
    """libvirtd of this host could not be asked; says why."""


@dataclass(frozen=True, slots=True)
class Guest:
    """One domain, as libvirtd has it in memory."""

    name: str
    uuid: str
    state: int
    """libvirt's virDomainState."""
    io_error: bool
    autostart: bool
    handle: Virt
    """For `job_of`."""

    @property
    def active(self) -> bool:
        """Whether it has a QEMU here; a crashed one may."""
        return self.state not in (_SHUTOFF, _CRASHED)


_PAUSED: Final = 3
_SHUTOFF: Final = 5
_CRASHED: Final = 6


@dataclass(frozen=True, slots=True)
class Job:
    """How far a migration is that this host sends; None is what libvirt did not say."""

    total: int | None
    processed: int | None
    remaining: int | None
    dirty_rate: int | None
    """Bytes in a second."""
    iterations: int | None


class Libvirtd:
    """One kept connection, made anew when it was lost. Its calls may hang: they are for a thread of their own."""

    def __init__(self, uri: str = URI) -> None:
        self._uri = uri
        self._lock = threading.Lock()
        self._connection: Virt = None

    def guests(self) -> tuple[Guest, ...]:
        """Every domain, running or not. Raises `LibvirtError`."""
        libvirt = _binding()
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = libvirt.openReadOnly(self._uri)
                return _guests(libvirt, self._connection)
            except libvirt.libvirtError as error:
                self._drop()
                raise LibvirtError(str(error)) from error

    def _drop(self) -> None:
        """A broken connection is not mended; the next look opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(_binding().libvirtError):
                connection.close()


def job_of(guest: Guest) -> Job | None:
    """The guest's migration, if this host sends it. May hang for as long as the guest is busy."""
    libvirt = _binding()
    try:
        said = guest.handle.jobStats()
    except libvirt.libvirtError:
        return None  # it has ended, or is too busy to say
    if said.get("operation") != libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT or not said.get("type"):
        return None
    pages, size = _count(said, "memory_dirty_rate"), _count(said, "memory_page_size")
    return Job(
        _count(said, libvirt.VIR_DOMAIN_JOB_MEMORY_TOTAL),
        _count(said, libvirt.VIR_DOMAIN_JOB_MEMORY_PROCESSED),
        _count(said, libvirt.VIR_DOMAIN_JOB_MEMORY_REMAINING),
        None if pages is None or size is None else pages * size,
        _count(said, libvirt.VIR_DOMAIN_JOB_MEMORY_ITERATION),
    )


def _guests(libvirt: Virt, connection: Virt) -> tuple[Guest, ...]:
    starts = {one.UUIDString() for one in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)}
    found = []
    for domain, said in _states(libvirt, connection):
        uuid, state = domain.UUIDString(), said.get("state.state")
        if isinstance(state, int) and not _is_clone(domain):
            io_error = state == _PAUSED and said.get("state.reason") == libvirt.VIR_DOMAIN_PAUSED_IOERROR
            found.append(Guest(domain.name(), uuid, state, io_error, uuid in starts, domain))
    return tuple(found)


def _is_clone(domain: Virt) -> bool:
    """Of a rehearsal: nobody is woken when its snapshot is full."""
    return named_as_clone(domain.name()) and not domain.isPersistent()


def _states(libvirt: Virt, connection: Virt) -> Virt:
    """No-wait is libvirt's since 4.5; an older one has only the state to tell here, for which it waits for nobody."""
    no_wait = getattr(libvirt, "VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT", 0)
    try:
        return connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, no_wait)
    except libvirt.libvirtError as error:
        if not no_wait or error.get_error_code() != libvirt.VIR_ERR_INVALID_ARG:
            raise
        return connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0)


def _count(said: Virt, key: str) -> int | None:
    value = said.get(key)
    return value if isinstance(value, int) and value >= 0 else None


def _binding() -> Virt:
    """Imported when it is first needed: an exporter without it serves all else."""
    try:
        import libvirt  # noqa: PLC0415 - it may be missing, and that is this collector's failure alone
    except ImportError as error:
        raise LibvirtError(f"libvirt-python is missing ({error}): apt-get install python3-libvirt") from error
    # Without this libvirt prints every error to standard error, at every scrape.
    libvirt.registerErrorHandler(_say_nothing, None)
    return libvirt


def _say_nothing(_context: object, _error: object) -> None:
    """The error is raised as well."""
