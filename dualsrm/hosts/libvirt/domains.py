"""Questions and orders about one domain."""

from __future__ import annotations

import libvirt

from dualsrm.engine.ports import DomainStatus
from dualsrm.errors import CommandFailed, DeadlineExceeded
from dualsrm.hosts.deadlines import LIBVIRT_DESTROY_S, LIBVIRT_JOB_S, LIBVIRT_READ_S
from dualsrm.hosts.libvirt.connection import LibvirtConnection, error_code
from dualsrm.hosts.libvirt.reasons import words
from dualsrm.hosts.libvirt.view import job_active


def domain_status(connection: LibvirtConnection, guest: str) -> DomainStatus:
    """State, reason and job. A job that cannot be asked about in time counts as active: that is what makes it hang."""
    try:
        state, reason = connection.call(
            lambda virt: words(*virt.lookupByName(guest).state()),
            deadline_s=LIBVIRT_READ_S,
            what=f"the state of {guest}",
        )
        active = state.active and _has_job(connection, guest)
    except CommandFailed as error:
        if error_code(error) == libvirt.VIR_ERR_NO_DOMAIN:
            return DomainStatus(None)
        raise
    return DomainStatus(state, reason, active)


def destroy(connection: LibvirtConnection, guest: str) -> None:
    """End the domain's QEMU and wait until it is gone. A no-op when it does not run here."""
    try:
        connection.call(
            lambda virt: virt.lookupByName(guest).destroy(), deadline_s=LIBVIRT_DESTROY_S, what=f"destroying {guest}"
        )
    except CommandFailed as error:
        if error_code(error) not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
            raise
        state = domain_status(connection, guest).state
        if state is not None and state.active:
            raise


def _has_job(connection: LibvirtConnection, guest: str) -> bool:
    try:
        return connection.call(
            lambda virt: job_active(virt.lookupByName(guest)), deadline_s=LIBVIRT_JOB_S, what=f"the job of {guest}"
        )
    except DeadlineExceeded:
        return True
    except CommandFailed as error:
        if error_code(error) == libvirt.VIR_ERR_OPERATION_INVALID:  # it stopped between the two questions
            return False
        raise
