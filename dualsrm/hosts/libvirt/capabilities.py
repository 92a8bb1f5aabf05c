"""What QEMU on a host can run, from virConnectGetCapabilities."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from dualsrm.model import Maybe, Unknown


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a move needs to know of them."""

    machines: frozenset[str]
    """Machine types, aliases among them, of every architecture QEMU here emulates."""
    host_cpu_xml: str | None
    """The host's own `<cpu>`; None when libvirt does not describe it."""


def parse_capabilities(text: str) -> Maybe[Capabilities]:
    """Read them off libvirt's XML."""
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        return Unknown("libvirt's capabilities have a document type, which libvirt never writes")
    try:
        root = ET.fromstring(text)  # noqa: S314 - no document type, hence no entities: checked above
    except (ET.ParseError, ValueError) as error:
        return Unknown(f"libvirt's capabilities cannot be parsed: {error}")
    found = frozenset(
        name for element in root.iterfind("guest/arch//machine") if (name := (element.text or "").strip())
    )
    if not found:
        return Unknown("libvirt's capabilities name no machine type: is QEMU installed?")
    cpu = root.find("host/cpu")
    named = cpu is not None and cpu.find("model") is not None
    return Capabilities(found, ET.tostring(cpu, encoding="unicode") if cpu is not None and named else None)
