"""Domain XML, hostile or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from xml.sax.saxutils import escape, quoteattr

import libvirt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.hosts.libvirt.capabilities import Capabilities, parse_capabilities
from dualsrm.hosts.libvirt.connection import LibvirtConnection
from dualsrm.hosts.libvirt.cpu import cpu_verdict, without_comparison
from dualsrm.hosts.libvirt.domain_xml import DomainXmlError, parse_domain
from dualsrm.hosts.libvirt.reasons import REASONS, STATES, words
from dualsrm.model import CpuVerdict, Disk, DomainState, HostDevice, Nic, Unknown
from tests import builders

UUID = "5b1cdd3e-0c1f-4a77-9d5e-7a1f00000021"
LAB_GUESTS = Path(__file__).parents[3] / "vagrant" / "provision" / "guests"
XML_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="￾￿"), min_size=1)


def domain(devices: str = "", rest: str = "", name: str = "web") -> str:
    return (
        f"<domain type='kvm' id='1'><name>{escape(name)}</name><uuid>{UUID}</uuid><memory unit='KiB'>98304</memory>"
        f"<vcpu placement='static'>2</vcpu><os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>{rest}"
        f"<devices>{devices}</devices></domain>"
    )


def tied(devices: str) -> tuple[HostDevice, ...]:
    return parse_domain(domain(devices)).host_devices


@pytest.mark.parametrize("path", sorted(LAB_GUESTS.glob("*.xml")), ids=lambda path: path.stem)
def test_the_labs_own_guests(path: Path) -> None:
    parts = parse_domain(path.read_text())
    assert parts.name == path.stem
    assert parts.virt_type == "qemu"
    assert parts.disks
    assert all(disk.cache == "none" and str(disk.source).startswith("/dev/drbd") for disk in parts.disks)
    assert parts.nics[0].source == "br0"
    assert parts.host_devices == ()
    assert "qemu64" in str(parts.cpu_xml)


def test_plain_facts() -> None:
    parts = parse_domain(domain(rest="<memoryBacking><hugepages/></memoryBacking>"))
    assert (parts.name, parts.uuid, parts.memory_bytes, parts.vcpus) == ("web", UUID, 96 * 1024**2, 2)
    assert (parts.machine, parts.arch, parts.virt_type, parts.hugepages) == ("pc-i440fx-7.2", "x86_64", "kvm", True)
    assert parts.cpu_xml is None


@given(XML_TEXT.filter(str.strip), XML_TEXT)
def test_any_name_and_path(name: str, path: str) -> None:
    parts = parse_domain(
        domain(f"<disk type='block'><source dev={quoteattr(path)}/><target dev='vda'/></disk>", name=name)
    )
    assert parts.name == name.strip()
    assert parts.disks == (Disk("vda", "disk", "block", path, "default"),)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(DomainXmlError):
        parse_domain(text)


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
        '<!DOCTYPE domain SYSTEM "file:///etc/passwd">',
        "<!doctype domain>",
    ],
)
def test_document_types_are_refused(head: str) -> None:
    with pytest.raises(DomainXmlError, match="document type"):
        parse_domain(head + domain())


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        (f"<uuid>{UUID}</uuid>", ""),
        ("98304", "-1"),
        ("98304", "٣"),
        ("98304", "9" * 40),
        ("unit='KiB'", "unit='furlong'"),
        (">2<", ">two<"),
        ("<domain ", "<network "),
    ],
)
def test_what_makes_no_sense_is_refused(found: str, instead: str) -> None:
    text = (
        domain().replace(found, instead, 1).replace("</domain>", "</network>" if "network" in instead else "</domain>")
    )
    with pytest.raises(DomainXmlError):
        parse_domain(text)


@pytest.mark.parametrize(
    ("xml", "disk"),
    [
        (
            "<disk type='block' device='disk'><driver cache='none'/>"
            "<source dev='/dev/drbd0'/><target dev='vda'/></disk>",
            Disk("vda", "disk", "block", "/dev/drbd0", "none"),
        ),
        (
            "<disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>",
            Disk("sda", "cdrom", "file", None, "default", read_only=True),
        ),
        (
            "<disk type='network' device='disk'><source protocol='rbd' name='pool/img'/><target dev='vdb'/></disk>",
            Disk("vdb", "disk", "network", "pool/img", "default"),
        ),
        (
            "<disk type='volume'><source pool='p' volume='v'/><target dev='vdc'/></disk>",
            Disk("vdc", "disk", "volume", "p/v", "default"),
        ),
        (
            "<disk type='nvme'><source type='pci'><address bus='1'/></source><target dev='vdd'/></disk>",
            Disk("vdd", "disk", "nvme", "nvme", "default"),
        ),
    ],
)
def test_disks(xml: str, disk: Disk) -> None:
    assert parse_domain(domain(xml)).disks == (disk,)


def test_interfaces() -> None:
    parts = parse_domain(
        domain(
            "<interface type='bridge'><mac address='52:54:00:79:00:21'/><source bridge='br0'/></interface>"
            "<interface type='network'><source network='default' bridge='virbr0' portid='x'/></interface>"
            "<interface type='direct'><source dev='eth0' mode='bridge'/></interface><interface type='user'/>"
        )
    )
    assert [(nic.kind, nic.source) for nic in parts.nics] == [
        ("bridge", "br0"),
        ("network", "default"),
        ("direct", "eth0"),
        ("user", None),
    ]
    assert parts.nics[0] == Nic("bridge", "br0", "52:54:00:79:00:21")


@pytest.mark.parametrize(
    ("xml", "kind", "detail"),
    [
        (
            "<hostdev mode='subsystem' type='pci'><source><address domain='0x0' bus='0x3'/></source></hostdev>",
            "hostdev",
            "pci bus=0x3 domain=0x0",
        ),
        ("<hostdev type='mdev'><source><address uuid='u'/></source></hostdev>", "mdev", "mdev uuid=u"),
        (
            "<hostdev mode='capabilities' type='net'><source><interface>eth0</interface></source></hostdev>",
            "hostdev",
            "net eth0",
        ),
        ("<filesystem type='mount'><source dir='/srv'/></filesystem>", "filesystem", "/srv shared into the guest"),
        ("<tpm><backend type='emulator'/></tpm>", "tpm", "its state lies in files on this host"),
        ("<tpm><backend type='passthrough'/></tpm>", "tpm", "this host's own chip"),
        (
            "<disk type='file' device='cdrom'><source file='/iso/a.iso'/><target dev='sda'/></disk>",
            "cdrom",
            "sda: /iso/a.iso",
        ),
        ("<disk type='file' device='floppy'><source file='/f'/><target dev='fda'/></disk>", "floppy", "fda: /f"),
        (
            "<interface type='vhostuser'><source path='/s'/></interface>",
            "interface",
            "network interface of type vhostuser",
        ),
        ("<shmem name='s'/>", "shmem", "shared memory s"),
        ("<redirdev bus='usb' type='tcp'/>", "redirdev", "usb over tcp"),
        ("<memory model='nvdimm'><source><path>/pmem</path></source></memory>", "memory", "nvdimm backed by /pmem"),
    ],
)
def test_what_ties_a_guest_to_its_host(xml: str, kind: str, detail: str) -> None:
    assert tied(xml) == (HostDevice(kind, detail),)


@pytest.mark.parametrize(
    "xml",
    [
        "<disk type='file' device='cdrom'><target dev='sda'/></disk>",
        "<disk type='block' device='cdrom'><source dev='/dev/drbd9'/><target dev='sda'/></disk>",
        "<redirdev bus='usb' type='spicevmc'/>",
        "<memory model='dimm'/>",
        "<rng><backend model='random'>/dev/urandom</backend></rng>",
        "<memballoon model='virtio'/><controller type='usb'/><console type='pty'/>",
    ],
)
def test_what_does_not(xml: str) -> None:
    assert tied(xml) == ()


def _constants(state: str) -> dict[int, str]:
    """libvirt's reasons for one state; names that are something else are told apart by the table's length."""
    prefix = f"VIR_DOMAIN_{state}_"
    flags = {
        f"VIR_DOMAIN_SHUTDOWN_{name}"
        for name in ("DEFAULT", "ACPI_POWER_BTN", "GUEST_AGENT", "INITCTL", "SIGNAL", "PARAVIRT")
    }
    names = [name for name in dir(libvirt) if name.startswith(prefix) and name not in flags and "_DISK_" not in name]
    return {getattr(libvirt, name): name.removeprefix(prefix).lower().replace("_", "-") for name in names}


@pytest.mark.parametrize("number", range(len(STATES)))
def test_the_reason_table_is_libvirts(number: int) -> None:
    constant = ["NOSTATE", "RUNNING", "BLOCKED", "PAUSED", "SHUTDOWN", "SHUTOFF", "CRASHED", "PMSUSPENDED"][number]
    assert getattr(libvirt, f"VIR_DOMAIN_{constant}") == number
    for reason, word in _constants(constant).items():
        assert words(number, reason) == (STATES[number], word)


def test_the_table_is_complete() -> None:
    assert set(REASONS) == set(STATES) == set(DomainState)


@given(st.integers(), st.integers())
def test_unknown_numbers_never_look_stopped(state: int, reason: int) -> None:
    name, word = words(state, reason)
    assert word
    assert name.active or state in (5, 6)


def test_capabilities() -> None:
    text = (
        "<capabilities><guest><arch name='x86_64'><machine canonical='q-9'>q35</machine><domain>"
        "<machine>x</machine></domain></arch></guest></capabilities>"
    )
    assert parse_capabilities(text) == Capabilities(frozenset({"q35", "x"}), None)
    described = text.replace("<guest>", "<host><cpu><arch>x86_64</arch><model>EPYC</model></cpu></host><guest>")
    seen = parse_capabilities(described)
    assert isinstance(seen, Capabilities)
    assert seen.host_cpu_xml == "<cpu><arch>x86_64</arch><model>EPYC</model></cpu>"
    assert isinstance(parse_capabilities("<capabilities/>"), Unknown)
    assert isinstance(parse_capabilities("no xml"), Unknown)


class _Comparing:
    """A connection that remembers which CPU it was asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def call(self, work: Callable[[Any], int], *, deadline_s: float, what: str) -> int:
        return work(self)

    def compareHypervisorCPU(self, *arguments: Any) -> int:  # noqa: N802 - libvirt's name
        self.asked.append(arguments[4])
        return int(libvirt.VIR_CPU_COMPARE_SUPERSET)


def test_host_passthrough_is_compared_by_the_sources_own_cpu() -> None:
    """Most KVM guests are configured so: unknown for all of them would make the tool useless."""
    connection = _Comparing()
    guest = replace(builders.domain("web"), cpu_xml="<cpu mode='host-passthrough'/>")
    own = "<cpu><arch>x86_64</arch><model>EPYC</model></cpu>"
    verdict = cpu_verdict(cast(LibvirtConnection, connection), guest, own)
    assert (verdict, connection.asked) == (CpuVerdict.COMPATIBLE, [own])
    assert isinstance(cpu_verdict(cast(LibvirtConnection, connection), guest, None), Unknown)


def test_cpus_nobody_can_compare() -> None:
    assert isinstance(without_comparison("<cpu mode='host-passthrough'/>"), Unknown)
    assert isinstance(without_comparison("<!DOCTYPE cpu><cpu/>"), Unknown)
    assert without_comparison("<cpu><topology sockets='1'/></cpu>") is CpuVerdict.COMPATIBLE
    assert without_comparison("<cpu mode='custom'><model>qemu64</model></cpu>") is None
