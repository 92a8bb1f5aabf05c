"""A guest's definition made into that of its clone. Pure: text in, text out.

Of the devices only what is named here is taken over, and what names something of the host is replaced: a clone writes
to its snapshots and to nothing else, and is on no network, socket, port or file of the guest's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final
from xml.etree import ElementTree as ET

from dualsrm.hosts.libvirt.domain_xml import parse_domain, parse_root
from dualsrm.model import Clone, CloneDisk, CloneNic
from dualsrm.model.rehearsal import NAMESPACE

_QEMU: Final = "http://libvirt.org/schemas/domain/qemu/1.0"
_DROPPED: Final = ("title", "description", "metadata", "seclabel", "iothreadids")
"""Of the domain; iothreads themselves stay."""
_HARMLESS: Final = frozenset(("emulator", "controller", "video", "memballoon", "watchdog", "panic", "iommu", "hub"))
"""Devices that name nothing of the host."""
_NIC_PARTS: Final = frozenset(("model", "rom", "boot", "address", "mtu"))
_DISK_PARTS: Final = frozenset(("driver", "target", "iotune", "serial", "wwn", "vendor", "product", "boot", "address"))
_REMOVABLE: Final = ("cdrom", "floppy")
_REASONED: Final = ("-machine", "-m", "-cpu", "-global", "-accel", "-overcommit")
"""QEMU's own arguments that set something up and open nothing, unless they name a path."""
_OBJECTS: Final = ("memory-backend-ram", "iothread", "rng-builtin", "throttle-group")


class NotCloned(ValueError):
    """This guest cannot be cloned; the message says why."""


def clone_definition(xml: str, clone: Clone) -> str:
    """The clone's definition. Raises `NotCloned`, or `DomainXmlError` for what is no definition."""
    obstacle(xml)
    root = parse_root(xml)
    for tag in _DROPPED:
        for element in root.findall(tag):
            root.remove(element)
    for tag, text in (("name", clone.name), ("uuid", clone.uuid), ("on_crash", "destroy"), ("on_poweroff", "destroy")):
        _set(root, tag, text)
    root.attrib.pop("id", None)
    for element in root.findall("genid"):
        element.text = None  # libvirt makes a new one: what watches it knows that this is a copy
    _sysinfo(root)
    metadata = ET.SubElement(root, "metadata")
    ET.SubElement(metadata, f"{{{NAMESPACE}}}rehearsal", operation=clone.operation, guest=clone.guest)
    devices = root.find("devices")
    if devices is None:
        raise NotCloned("it has no devices")
    _devices(devices, clone)
    ET.register_namespace("dualsrm", NAMESPACE)
    ET.register_namespace("qemu", _QEMU)
    return ET.tostring(root, encoding="unicode")


def obstacle(xml: str) -> None:
    """Raises `NotCloned` for what a copy would share with the guest, or could not run without."""
    parts = parse_domain(xml)
    tied = [one for one in parts.host_devices if one.kind not in (*_REMOVABLE, "redirdev", "smartcard")]
    if tied:
        raise NotCloned(f"it has something of the host that there is once only: {tied[0].kind}: {tied[0].detail}")
    root = parse_root(xml)
    firmware = root.find("os")
    if firmware is not None and (
        firmware.get("firmware") == "efi"
        or firmware.find("nvram") is not None
        or any(loader.get("type") == "pflash" for loader in firmware.findall("loader"))
    ):
        raise NotCloned("its UEFI variables lie in a file of their own, which this version does not copy")
    words = [one.get("value", "") for one in root.iterfind(f"{{{_QEMU}}}commandline/{{{_QEMU}}}arg")]
    for option, value in zip(words[::2], [*words[1::2], ""], strict=False):
        harmless = option in _REASONED or (option == "-object" and value.partition(",")[0] in _OBJECTS)
        if not harmless or "/" in value:
            raise NotCloned(f"it has an argument for QEMU that a copy might share with it: {option} {value}".strip())
    if root.find(f"{{{_QEMU}}}commandline/{{{_QEMU}}}env") is not None:
        raise NotCloned("it has variables for QEMU that a copy might share with it")


def _set(root: ET.Element, tag: str, text: str) -> None:
    found = root.find(tag)
    element = ET.SubElement(root, tag) if found is None else found
    element.text = text


def _sysinfo(root: ET.Element) -> None:
    """libvirt wants the UUID in it to be the domain's."""
    for system in root.iterfind("sysinfo/system"):
        for entry in [one for one in system.findall("entry") if one.get("name") == "uuid"]:
            system.remove(entry)


# --- devices ------------------------------------------------------------------------------------------------------


def _devices(devices: ET.Element, clone: Clone) -> None:
    disks = {disk.target: disk for disk in clone.disks}
    nics = iter(clone.nics)
    screens = 0
    for element in list(devices):
        match element.tag:
            case "disk":
                _disk(element, disks)
            case "interface":
                _interface(element, next(nics, None))
            case "graphics":
                screens += 1
                devices.remove(element)
            case _ if not _REST.get(element.tag, _left_out)(element):
                devices.remove(element)
    if screens:
        screen = ET.SubElement(devices, "graphics", type="vnc", autoport="yes", listen="127.0.0.1")
        ET.SubElement(screen, "listen", type="address", address="127.0.0.1")


def _disk(element: ET.Element, disks: Mapping[str, CloneDisk]) -> None:
    target = element.find("target")
    name = "" if target is None else target.get("dev", "")
    disk = disks.get(name)
    if element.get("device") in _REMOVABLE:
        _keep(element, _DISK_PARTS | {"readonly"})  # without a source: an empty drive
        return
    if disk is None:
        if element.find("readonly") is None:
            raise NotCloned(f"its disk {name} lies on no volume of which there is a snapshot")
        return
    _keep(element, _DISK_PARTS | {"readonly"})
    element.set("type", "block")
    element.attrib.pop("snapshot", None)
    source = ET.Element("source", dev=disk.path)
    if disk.size_bytes is not None:
        slices = ET.SubElement(source, "slices")
        ET.SubElement(slices, "slice", type="storage", offset="0", size=str(disk.size_bytes))
    element.insert(0, source)


def _interface(element: ET.Element, nic: CloneNic | None) -> None:
    if nic is None:
        raise NotCloned("it has more network interfaces than it had a moment ago")
    _keep(element, _NIC_PARTS)
    element.attrib.clear()
    element.set("type", "network")
    element.insert(0, ET.Element("mac", address=nic.mac))
    element.insert(1, ET.Element("source", network=nic.network))


def _keep(element: ET.Element, tags: frozenset[str]) -> None:
    for child in list(element):
        if child.tag not in tags:
            element.remove(child)


def _harmless(_element: ET.Element) -> bool:
    return True


def _left_out(_element: ET.Element) -> bool:
    return False


def _terminal(element: ET.Element) -> bool:
    """A serial port that wrote to a file or a socket goes to a terminal nobody has to look at."""
    _keep(element, frozenset(("target", "address")))
    element.attrib.clear()
    element.set("type", "pty")
    return True


def _channel(element: ET.Element) -> bool:
    """The agent's, at a path that libvirt makes from the clone's own name."""
    target = element.find("target")
    if target is None or target.get("name") != "org.qemu.guest_agent.0":
        return False
    _keep(element, frozenset(("target", "address")))
    target.attrib.pop("state", None)
    element.attrib.clear()
    element.set("type", "unix")
    return True


def _random(element: ET.Element) -> bool:
    """What would be asked of the host by network was refused before."""
    backend = element.find("backend")
    return backend is not None and re.fullmatch(r"random|builtin", backend.get("model", "")) is not None


def _vsock(element: ET.Element) -> bool:
    """A number of its own."""
    _keep(element, frozenset(("address",)))
    ET.SubElement(element, "cid", auto="yes")
    return True


def _input(element: ET.Element) -> bool:
    return element.get("type") in ("mouse", "tablet", "keyboard")


_REST: Final[Mapping[str, Callable[[ET.Element], bool]]] = {
    **dict.fromkeys(_HARMLESS, _harmless),
    **dict.fromkeys(("serial", "console", "parallel"), _terminal),
    "channel": _channel,
    "rng": _random,
    "vsock": _vsock,
    "input": _input,
}
"""By tag: change it so that it is the clone's own; False: the clone goes without it."""
