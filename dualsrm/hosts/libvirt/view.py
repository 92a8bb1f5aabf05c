"""A `LibvirtView` in few round trips: three lists, then one or two questions for each domain."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass

import libvirt

from dualsrm.errors import DualsrmError
from dualsrm.hosts.calls import begin, finish
from dualsrm.hosts.deadlines import LIBVIRT_CAPABILITIES_S, LIBVIRT_JOB_S, LIBVIRT_READ_S
from dualsrm.hosts.libvirt.capabilities import Capabilities, parse_capabilities
from dualsrm.hosts.libvirt.connection import LibvirtConnection, Virt
from dualsrm.hosts.libvirt.domain_xml import DomainParts, parse_domain
from dualsrm.hosts.libvirt.reasons import words
from dualsrm.hosts.text import clean
from dualsrm.model import Domain, DomainState, LibvirtView, Maybe, Unknown, is_clone


@dataclass(frozen=True, slots=True)
class _Seen:
    """One domain as the lists and its description had it."""

    domain: Virt
    state: DomainState
    reason: str
    autostart: bool
    persistent: bool
    xml: str


@dataclass(frozen=True, slots=True)
class _Listed:
    libvirt_version: int
    hypervisor_version: int
    domains: tuple[_Seen, ...]
    networks: tuple[str, ...]


class LibvirtReader:
    """Reads one host's libvirt. Capabilities are asked for once: they are large and do not change."""

    def __init__(self, connection: LibvirtConnection) -> None:
        self._connection = connection
        self._known: Maybe[Capabilities] = Unknown("libvirt was not asked for its capabilities")

    def view(self) -> LibvirtView:
        """Everything. Raises what `LibvirtConnection.call` raises; `free_memory_bytes` is left to the caller.

        Raises `DomainXmlError` when a domain cannot be understood: leaving it out would call it absent.
        """
        listed = self._connection.call(_list, deadline_s=LIBVIRT_READ_S, what="listing domains")
        parsed = [(seen, parse_domain(seen.xml)) for seen in listed.domains]
        clones = [parts.name for seen, parts in parsed if _is_clone(seen, parts)]
        guests = [(seen, parts) for seen, parts in parsed if parts.name not in clones]
        jobs = [self._begin_job(seen) for seen, _ in guests]
        capabilities = self._capabilities()
        return LibvirtView(
            libvirt_version=listed.libvirt_version,
            hypervisor_version=listed.hypervisor_version,
            domains=tuple(
                _domain(seen, parts, _job(job, self._connection.host))
                for (seen, parts), job in zip(guests, jobs, strict=True)
            ),
            networks=listed.networks,
            machines=capabilities if isinstance(capabilities, Unknown) else capabilities.machines,
            host_cpu_xml=None if isinstance(capabilities, Unknown) else capabilities.host_cpu_xml,
            free_memory_bytes=Unknown("not asked of libvirt, which counts caches as used"),
            clones=tuple(clones),
        )

    def _begin_job(self, seen: _Seen) -> Future[bool] | None:
        """All at once: each of several frozen guests would else cost a deadline of its own."""
        if not seen.state.active:
            return None
        return begin(lambda: job_active(seen.domain), "job")

    def _capabilities(self) -> Maybe[Capabilities]:
        if isinstance(self._known, Unknown):
            try:
                text = self._connection.call(
                    lambda virt: str(virt.getCapabilities()), deadline_s=LIBVIRT_CAPABILITIES_S, what="capabilities"
                )
            except DualsrmError as error:
                return Unknown(error.seen, error.fix)
            self._known = parse_capabilities(text)
        return self._known


def job_active(domain: Virt) -> bool:
    """Whether a job (a migration, a dump) works on the domain. May hang while the guest's I/O is frozen."""
    try:
        return bool(domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE)
    except libvirt.libvirtError as error:
        # "migration statistics are available only on the source host": this one is the target of a migration.
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_UNSUPPORTED:
            return True
        raise


def _list(virt: Virt) -> _Listed:
    persistent = _names(virt.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_PERSISTENT))
    autostart = _names(virt.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART))
    seen: list[_Seen] = []
    for domain, statistics in virt.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE):
        state, reason = words(statistics.get("state.state", -1), statistics.get("state.reason", 0))
        xml = _description(domain)
        if xml is not None:
            name = domain.name()
            seen.append(_Seen(domain, state, reason, name in autostart, name in persistent, xml))
    return _Listed(
        libvirt_version=virt.getLibVersion(),
        hypervisor_version=virt.getVersion(),
        domains=tuple(seen),
        networks=tuple(sorted(_names(virt.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)))),
    )


def _names(things: Iterable[Virt]) -> frozenset[str]:
    return frozenset(thing.name() for thing in things)


def _description(domain: Virt) -> str | None:
    """The domain's XML, live if it is active; None when it has gone since it was listed."""
    try:
        return str(domain.XMLDesc(0))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _job(future: Future[bool] | None, host: str) -> Maybe[bool]:
    if future is None:
        return False
    try:
        return finish(future, LIBVIRT_JOB_S, f"job information on {host}")
    except DualsrmError as error:
        return Unknown(error.seen)
    except libvirt.libvirtError as error:
        # Gone since it was listed, or stopped: there is no job on what does not run.
        if error.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
            return False
        return Unknown(clean(str(error)))


def _is_clone(seen: _Seen, parts: DomainParts) -> bool:
    """Whether a rehearsal started it."""
    return is_clone(parts.name, parts.rehearsal[0], persistent=seen.persistent, disks=parts.disks)


def _domain(seen: _Seen, parts: DomainParts, job: Maybe[bool]) -> Domain:
    return Domain(
        name=parts.name,
        uuid=parts.uuid,
        state=seen.state,
        reason=seen.reason,
        autostart=seen.autostart,
        persistent=seen.persistent,
        job_active=job,
        disks=parts.disks,
        nics=parts.nics,
        host_devices=parts.host_devices,
        memory_bytes=parts.memory_bytes,
        vcpus=parts.vcpus,
        machine=parts.machine,
        hugepages=parts.hugepages,
        cpu_xml=parts.cpu_xml,
        arch=parts.arch,
        virt_type=parts.virt_type,
    )
