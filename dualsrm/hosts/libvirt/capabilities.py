"""What QEMU on a host can run, from virConnectGetCapabilities."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from dualsrm.model import Maybe, Unknown


def machine_types(text: str) -> Maybe[frozenset[str]]:
    """Machine types, aliases among them, of every architecture QEMU here emulates."""
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        return Unknown("libvirt's capabilities have a document type, which libvirt never writes")
    try:
        root = ET.fromstring(text)  # noqa: S314 - no document type, hence no entities: checked above
    except (ET.ParseError, ValueError) as error:
        return Unknown(f"libvirt's capabilities cannot be parsed: {error}")
    found = frozenset(
        name for element in root.iterfind("guest/arch//machine") if (name := (element.text or "").strip())
    )
    return found or Unknown("libvirt's capabilities name no machine type: is QEMU installed?")
