"""Can this host's CPU run that guest? libvirt's own comparison, and where it has none to give."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

import libvirt

from dualsrm.errors import CommandFailed
from dualsrm.hosts.deadlines import LIBVIRT_CAPABILITIES_S
from dualsrm.hosts.libvirt.connection import LibvirtConnection
from dualsrm.model import CpuVerdict, Domain, Maybe, Unknown

_VERDICTS: Final = {
    libvirt.VIR_CPU_COMPARE_INCOMPATIBLE: CpuVerdict.INCOMPATIBLE,
    libvirt.VIR_CPU_COMPARE_IDENTICAL: CpuVerdict.COMPATIBLE,
    libvirt.VIR_CPU_COMPARE_SUPERSET: CpuVerdict.COMPATIBLE,
}


HOST_PASSTHROUGH: Final = Unknown(
    "the guest has its host's own CPU (host-passthrough), which libvirt does not describe"
)


def cpu_verdict(connection: LibvirtConnection, domain: Domain, source_cpu_xml: str | None) -> Maybe[CpuVerdict]:
    """Ask this host's hypervisor. The domain's type counts: emulation (`qemu`) can do what the silicon cannot.

    A guest with host-passthrough has the source's own CPU, so that one is compared: the target must have all of it.
    """
    cpu_xml = domain.cpu_xml
    if cpu_xml is None:
        return CpuVerdict.COMPATIBLE  # QEMU's default model, which every host runs
    without = without_comparison(cpu_xml)
    if without is HOST_PASSTHROUGH:
        if source_cpu_xml is None:
            return HOST_PASSTHROUGH
        cpu_xml = source_cpu_xml
    elif without is not None:
        return without
    try:
        number = connection.call(
            lambda virt: virt.compareHypervisorCPU(None, domain.arch, None, domain.virt_type, cpu_xml, 0),
            deadline_s=LIBVIRT_CAPABILITIES_S,  # the first question of this kind may start QEMU
            what="comparing CPUs",
        )
    except CommandFailed as error:
        return Unknown(error.seen)
    return _VERDICTS.get(number, Unknown("libvirt could not compare the CPUs"))


def without_comparison(cpu_xml: str) -> Maybe[CpuVerdict] | None:
    """The verdict on a `<cpu>` libvirt cannot compare: one that names no model."""
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", cpu_xml, re.IGNORECASE):
        return Unknown("the guest's <cpu> has a document type")
    try:
        cpu = ET.fromstring(cpu_xml)  # noqa: S314 - no document type, hence no entities: checked above
    except ET.ParseError as error:
        return Unknown(f"the guest's <cpu> cannot be parsed: {error}")
    mode = cpu.get("mode", "custom")
    if mode == "host-passthrough":
        return HOST_PASSTHROUGH
    if mode == "maximum":
        return Unknown("the guest has all its host's QEMU can do (maximum): libvirt cannot compare that across hosts")
    if cpu.find("model") is None and mode == "custom":
        return CpuVerdict.COMPATIBLE  # topology only: QEMU's default model, which every host runs
    return None
