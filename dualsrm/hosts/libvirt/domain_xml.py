"""The parts of a domain's XML a move depends on.

The text comes from libvirtd, which wrote it anew from its own memory, but names and paths in it were typed by anybody
who may define a guest. It needs no document type, so one is refused: entities are where XML parsers get hurt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from dualsrm.model import Disk, HostDevice, Nic
from dualsrm.model.rehearsal import NAMESPACE

_UNITS: Final = {
    "b": 1,
    "bytes": 1,
    "kb": 1000,
    "k": 1024,
    "kib": 1024,
    "mb": 1000**2,
    "m": 1024**2,
    "mib": 1024**2,
    "gb": 1000**3,
    "g": 1024**3,
    "gib": 1024**3,
    "tb": 1000**4,
    "t": 1024**4,
    "tib": 1024**4,
}
"""virScaleInteger's suffixes; without one memory is in KiB."""

_DISK_SOURCES: Final = ("dev", "file", "dir", "volume", "name", "path")


class DomainXmlError(ValueError):
    """This is no domain XML that can be understood; the message says why."""


@dataclass(frozen=True, slots=True)
class DomainParts:
    """What a domain's XML says; the fields are those of `model.Domain`."""

    name: str
    uuid: str
    disks: tuple[Disk, ...]
    nics: tuple[Nic, ...]
    host_devices: tuple[HostDevice, ...]
    memory_bytes: int
    vcpus: int
    machine: str
    hugepages: bool
    cpu_xml: str | None
    arch: str
    virt_type: str
    rehearsal: tuple[str, str] = ("", "")
    """The operation and the guest it says it is a clone of, in its metadata; empty for all others."""


def parse_domain(text: str) -> DomainParts:
    """Read a domain's XML; raises `DomainXmlError`."""
    root = parse_root(text)
    machine = root.find("os/type")
    cpu = root.find("cpu")
    devices = root.find("devices")
    devices = ET.Element("devices") if devices is None else devices
    return DomainParts(
        name=_required(root, "name"),
        uuid=_required(root, "uuid").lower(),
        disks=tuple(_disk(element) for element in devices.findall("disk")),
        nics=tuple(_nic(element) for element in devices.findall("interface")),
        host_devices=_host_devices(devices),
        memory_bytes=_memory(root),
        vcpus=_count(_required(root, "vcpu"), "vcpu"),
        machine=machine.get("machine", "") if machine is not None else "",
        hugepages=root.find("memoryBacking/hugepages") is not None,
        cpu_xml=None if cpu is None else ET.tostring(cpu, encoding="unicode").strip(),
        arch=machine.get("arch", "") if machine is not None else "",
        virt_type=root.get("type", ""),
        rehearsal=_rehearsal(root),
    )


def _rehearsal(root: ET.Element) -> tuple[str, str]:
    element = root.find(f"metadata/{{{NAMESPACE}}}rehearsal")
    return ("", "") if element is None else (element.get("operation", ""), element.get("guest", ""))


def parse_root(text: str) -> ET.Element:
    """The element `<domain>`; raises `DomainXmlError`."""
    # The parser is not asked: this must hold whatever it would do with them.
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise DomainXmlError("the domain XML has a document type, which libvirt never writes")
    try:
        root = ET.fromstring(text)  # noqa: S314 - no document type, hence no entities: checked above
    except (ET.ParseError, ValueError, RecursionError) as error:
        raise DomainXmlError(f"the domain XML cannot be parsed: {error}") from error
    if root.tag != "domain":
        raise DomainXmlError(f"<{root.tag}> is no domain")
    return root


def _required(root: ET.Element, tag: str) -> str:
    value = root.findtext(tag, "").strip()
    if not value:
        raise DomainXmlError(f"the domain XML has no <{tag}>")
    return value


def _count(text: str, what: str) -> int:
    # isdigit knows more digits than int() does; 15 of them are more memory than there is.
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise DomainXmlError(f"<{what}> is no number: {text[:40]!r}")
    return int(text)


def _memory(root: ET.Element) -> int:
    element = root.find("memory")
    unit = "KiB" if element is None else element.get("unit", "KiB")
    factor = _UNITS.get(unit.lower())
    if factor is None:
        raise DomainXmlError(f"<memory> has the unknown unit {unit[:40]!r}")
    return _count(_required(root, "memory"), "memory") * factor


def _disk(element: ET.Element) -> Disk:
    driver, target = element.find("driver"), element.find("target")
    return Disk(
        target="" if target is None else target.get("dev", ""),
        kind=element.get("device", "disk"),
        source_type=element.get("type", "file"),
        source=_source(element.find("source"), element.get("type", "file")),
        cache="default" if driver is None else driver.get("cache", "default"),
        read_only=element.find("readonly") is not None,
    )


def _source(element: ET.Element | None, source_type: str) -> str | None:
    """The path or name in a `<source>`; None for an empty drive, the kind itself when nothing names it."""
    if element is None or (not element.attrib and not len(element)):
        return None
    if source_type == "volume" and element.get("pool"):
        return f"{element.get('pool')}/{element.get('volume', '')}"
    return _first(element, _DISK_SOURCES) or (None if source_type in ("file", "block") else source_type)


def _first(element: ET.Element, names: tuple[str, ...]) -> str | None:
    return next((element.attrib[name] for name in names if element.get(name)), None)


def _nic(element: ET.Element) -> Nic:
    source, mac = element.find("source"), element.find("mac")
    kind = element.get("type", "")
    # A live network interface names its bridge too: the type says which of them the guest asked for.
    names = (kind, "bridge", "network", "dev", "path", "name")
    return Nic(
        kind=kind,
        source=None if source is None else _first(source, names),
        mac=None if mac is None else mac.get("address"),
    )


# --- what ties a guest to one host ---------------------------------------------------------------------


def _host_devices(devices: ET.Element) -> tuple[HostDevice, ...]:
    # UEFI variables (<nvram>) are not among them: they move with the guest's memory.
    found: list[HostDevice] = []
    for element in devices:
        describe = _TIED.get(element.tag)
        detail = describe(element) if describe else None
        if detail is not None:
            found.append(HostDevice(_kind(element), detail))
    return tuple(found)


def _kind(element: ET.Element) -> str:
    if element.tag == "hostdev" and element.get("type") == "mdev":
        return "mdev"
    return str(element.get("device")) if element.tag == "disk" else element.tag


def _hostdev(element: ET.Element) -> str:
    address = element.find("source/address")
    if address is None:
        source = element.find("source")
        inner = "" if source is None else " ".join((child.text or "").strip() for child in source).strip()
        return f"{element.get('type', element.get('mode', '?'))} {inner}".strip()
    return f"{element.get('type', '?')} " + " ".join(f"{key}={value}" for key, value in sorted(address.attrib.items()))


def _filesystem(element: ET.Element) -> str:
    source = element.find("source")
    where = None if source is None else _first(source, ("dir", "file", "dev", "name", "socket"))
    return f"{where or element.get('type', '?')} shared into the guest"


def _tpm(element: ET.Element) -> str:
    backend = element.find("backend")
    kind = "?" if backend is None else backend.get("type", "?")
    return {"emulator": "its state lies in files on this host", "passthrough": "this host's own chip"}.get(kind, kind)


def _removable(element: ET.Element) -> str | None:
    """A CD or floppy image on a file system of this host; block devices are judged as disks are."""
    disk = _disk(element)
    local = disk.kind in ("cdrom", "floppy") and disk.source_type in ("file", "dir") and disk.source is not None
    return f"{disk.target}: {disk.source}" if local else None


def _interface(element: ET.Element) -> str | None:
    kind = element.get("type", "")
    return f"network interface of type {kind}" if kind in ("hostdev", "vdpa", "vhostuser") else None


def _redirection(element: ET.Element) -> str | None:
    """USB over SPICE moves along with the client; over a TCP or local character device it is a link to this host."""
    return None if element.get("type") == "spicevmc" else f"{element.get('bus', 'usb')} over {element.get('type', '?')}"


def _shared_memory(element: ET.Element) -> str:
    return f"shared memory {element.get('name', '?')}"


def _nvdimm(element: ET.Element) -> str | None:
    if element.get("model") not in ("nvdimm", "virtio-pmem"):
        return None
    return f"{element.get('model')} backed by {element.findtext('source/path', '?').strip()}"


def _random(element: ET.Element) -> str | None:
    backend = element.find("backend")
    model = "" if backend is None else backend.get("model", "")
    return None if model in ("random", "builtin", "") else f"randomness from {model}"


def _passed_input(element: ET.Element) -> str | None:
    return f"input device {element.get('type')}" if element.get("type") in ("passthrough", "evdev") else None


def _smartcard(element: ET.Element) -> str | None:
    return None if element.get("mode") == "passthrough" else f"smartcard of mode {element.get('mode', '?')}"


_TIED: Final = {
    "hostdev": _hostdev,
    "filesystem": _filesystem,
    "tpm": _tpm,
    "disk": _removable,
    "interface": _interface,
    "redirdev": _redirection,
    "shmem": _shared_memory,
    "memory": _nvdimm,
    "rng": _random,
    "input": _passed_input,
    "smartcard": _smartcard,
}
