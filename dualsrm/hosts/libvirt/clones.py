"""Clones and the networks they are on: made, seen and taken away, all of it transient."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from xml.etree import ElementTree as ET

import libvirt

from dualsrm.errors import CommandFailed
from dualsrm.hosts.deadlines import LIBVIRT_DESTROY_S, LIBVIRT_READ_S, LIBVIRT_START_S
from dualsrm.hosts.libvirt.clone_xml import NotCloned, clone_definition, obstacle
from dualsrm.hosts.libvirt.connection import LibvirtConnection, Virt, error_code
from dualsrm.hosts.libvirt.domain_xml import DomainXmlError, parse_domain
from dualsrm.hosts.libvirt.domains import definition, is_active
from dualsrm.hosts.libvirt.reasons import words
from dualsrm.hosts.text import clean
from dualsrm.model import Clone, CloneSeen, is_clone, named_as_clone
from dualsrm.model.rehearsal import NETWORK_PREFIX

_NETWORK: Final = re.compile(rf"{NETWORK_PREFIX}([0-9a-z]{{1,8}})-([0-9]{{1,3}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class LibvirtSide:
    """What libvirt has of rehearsals."""

    clones: tuple[CloneSeen, ...]
    networks: tuple[str, ...]


def look(connection: LibvirtConnection) -> LibvirtSide:
    """Clones and networks that are there. Only the clones' own QEMUs are asked for anything."""
    return connection.call(_look, deadline_s=LIBVIRT_READ_S, what="looking for rehearsals")


def why_not(connection: LibvirtConnection, guest: str) -> str:
    """Why the guest as defined here cannot be cloned; empty when it can."""
    try:
        obstacle(definition(connection, guest))
    except (NotCloned, DomainXmlError) as error:
        return clean(str(error))
    return ""


def start(connection: LibvirtConnection, clone: Clone) -> None:
    """Start it from the guest's definition as it is now; a no-op when it is active."""
    try:
        xml = clone_definition(definition(connection, clone.guest), clone)
    except (NotCloned, DomainXmlError) as error:
        raise CommandFailed(
            f"{clone.guest} cannot be cloned: {clean(str(error))}",
            why="a clone may share nothing with the guest",
            fix=f"on {connection.host}: virsh dumpxml --inactive {clone.guest}",
        ) from error
    try:
        connection.call(lambda virt: virt.createXML(xml, 0), deadline_s=LIBVIRT_START_S, what=f"starting {clone.name}")
    except CommandFailed:
        if not is_active(connection, clone.name):
            raise


def make_network(connection: LibvirtConnection, name: str) -> None:
    """Make it; a no-op when it is active."""
    xml = network_xml(name)
    try:
        connection.call(
            lambda virt: virt.networkCreateXML(xml), deadline_s=LIBVIRT_START_S, what=f"making the network {name}"
        )
    except CommandFailed:
        if name not in look(connection).networks:
            raise


def remove_network(connection: LibvirtConnection, name: str) -> None:
    """Take it away; a no-op when it is not there."""
    network_xml(name)  # raises for one that is not ours
    try:
        connection.call(
            lambda virt: virt.networkLookupByName(name).destroy(),
            deadline_s=LIBVIRT_DESTROY_S,
            what=f"removing the network {name}",
        )
    except CommandFailed as error:
        if error_code(error) != libvirt.VIR_ERR_NO_NETWORK:
            raise


def network_xml(name: str) -> str:
    """A bridge without an uplink, an address, DHCP or DNS. Raises for a name that is no rehearsal's."""
    known = _NETWORK.fullmatch(name)
    if known is None:
        raise CommandFailed(
            f"{clean(name, 80)!r} is no network of a rehearsal", why="nothing was done to it", fix="virsh net-list"
        )
    root = ET.Element("network")
    ET.SubElement(root, "name").text = name
    ET.SubElement(root, "bridge", name=f"dsr{known[1]}{known[2]}", stp="off", delay="0")  # 15 characters at most
    ET.SubElement(root, "dns", enable="no")
    return ET.tostring(root, encoding="unicode")


def _look(virt: Virt) -> LibvirtSide:
    # By name first: a guest whose I/O stands still is not to be asked for anything.
    named = [
        one for one in virt.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_TRANSIENT) if named_as_clone(one.name())
    ]
    found = [(domain, clone) for domain in named if (clone := _clone(domain)) is not None]
    networks = virt.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)
    return LibvirtSide(
        tuple(_with_reads(virt, domain, clone) for domain, clone in found),
        tuple(sorted(name for network in networks if _NETWORK.fullmatch(name := network.name()))),
    )


def _clone(domain: Virt) -> CloneSeen | None:
    """None for a guest, and for what has gone since it was listed."""
    try:
        parts = parse_domain(str(domain.XMLDesc(0)))
        operation, guest = parts.rehearsal
        if not is_clone(parts.name, operation, persistent=False, disks=parts.disks):
            return None
        return CloneSeen(parts.name, parts.uuid, clean(guest, 200), operation, words(*domain.state())[0])
    except DomainXmlError:
        return None  # what cannot be understood is no clone of ours
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _with_reads(virt: Virt, domain: Virt, clone: CloneSeen) -> CloneSeen:
    try:
        flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        answers = virt.domainListGetStats([domain], libvirt.VIR_DOMAIN_STATS_BLOCK, flags)
    except libvirt.libvirtError:
        return clone
    said = answers[0][1] if answers else {}
    counts = [said.get(f"block.{number}.rd.bytes") for number in range(said.get("block.count", 0))]
    known = [count for count in counts if isinstance(count, int)]
    return replace(clone, read_bytes=sum(known) if known else None)
