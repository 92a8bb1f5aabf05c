"""Questions and orders about one domain."""

from __future__ import annotations

import libvirt
import libvirt_qemu

from dualsrm.engine.ports import DomainStatus, StopWay
from dualsrm.errors import CommandFailed, DeadlineExceeded
from dualsrm.hosts.deadlines import (
    LIBVIRT_AGENT_S,
    LIBVIRT_ASK_S,
    LIBVIRT_DESTROY_S,
    LIBVIRT_JOB_S,
    LIBVIRT_READ_S,
    LIBVIRT_START_S,
)
from dualsrm.hosts.libvirt.connection import LibvirtConnection, error_code
from dualsrm.hosts.libvirt.reasons import words
from dualsrm.hosts.libvirt.view import job_active
from dualsrm.model import DomainState

_STOP_FLAGS = {
    StopWay.AGENT: libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
    StopWay.ACPI: libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
}

_PING = '{"execute": "guest-ping"}'
_AGENT_WAITS_S = 5


def domain_status(connection: LibvirtConnection, guest: str) -> DomainStatus:
    """State, reason and job. A job that cannot be asked about in time counts as active: that is what makes it hang."""
    try:
        state, reason = _state(connection, guest)
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
        if is_active(connection, guest):
            raise


def ask_to_stop(connection: LibvirtConnection, guest: str, way: StopWay) -> None:
    """Ask through the agent or by ACPI. Without an agent, or when the guest is off, libvirt refuses."""
    connection.call(
        lambda virt: virt.lookupByName(guest).shutdownFlags(_STOP_FLAGS[way]),
        deadline_s=LIBVIRT_ASK_S,
        what=f"asking {guest} to shut down ({way.value})",
    )


def agent_answers(connection: LibvirtConnection, guest: str) -> str:
    """Empty when the agent in the guest answers, else libvirt's words."""
    try:
        connection.call(
            lambda virt: libvirt_qemu.qemuAgentCommand(virt.lookupByName(guest), _PING, _AGENT_WAITS_S, 0),
            deadline_s=LIBVIRT_AGENT_S,
            what=f"the agent in {guest}",
        )
    except CommandFailed as error:
        return error.seen
    return ""


def definition(connection: LibvirtConnection, guest: str) -> str:
    """The inactive definition with its secrets (a console's password), fit for another host. Never logged."""
    xml: str = connection.call(
        lambda virt: virt.lookupByName(guest).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE),
        deadline_s=LIBVIRT_READ_S,
        what=f"the definition of {guest}",
    )
    return xml


def define(connection: LibvirtConnection, xml: str) -> None:
    """Define a guest, or define it anew."""
    connection.call(lambda virt: virt.defineXML(xml), deadline_s=LIBVIRT_READ_S, what="defining a guest")


def start(connection: LibvirtConnection, guest: str) -> None:
    """Start it. A no-op when it is active here.

    Its state is asked only after a refusal: on a host that starts many guests the question may go unanswered, and then
    nobody would have given the order.
    """
    try:
        connection.call(
            lambda virt: virt.lookupByName(guest).create(), deadline_s=LIBVIRT_START_S, what=f"starting {guest}"
        )
    except CommandFailed:
        if not is_active(connection, guest):
            raise


def is_active(connection: LibvirtConnection, guest: str) -> bool:
    """Whether it has a QEMU here, by libvirt's word."""
    try:
        return _state(connection, guest)[0].active
    except CommandFailed as error:
        if error_code(error) == libvirt.VIR_ERR_NO_DOMAIN:
            return False
        raise


def _state(connection: LibvirtConnection, guest: str) -> tuple[DomainState, str]:
    return connection.call(
        lambda virt: words(*virt.lookupByName(guest).state()),
        deadline_s=LIBVIRT_READ_S,
        what=f"the state of {guest}",
    )


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
