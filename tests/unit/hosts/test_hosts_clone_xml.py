"""A guest's definition made into its clone's: nothing is shared with it, and what cannot be copied is refused."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dualsrm.hosts.libvirt.clone_xml import NotCloned, clone_definition, obstacle
from dualsrm.hosts.libvirt.domain_xml import DomainXmlError, parse_domain, parse_root
from dualsrm.model import Clone, CloneDisk, CloneNic, is_clone

LAB = Path(__file__).parents[3] / "vagrant" / "provision" / "guests"
OPERATION = "2026-01-01T000000Z-test-failover-0a1b2c"
SNAPSHOTS = ("/dev/guests/data-rehearsal-0a1b2c", "/dev/guests/log-rehearsal-0a1b2c")
FULL = """
<domain type='kvm' id='7'>
  <name>web</name><uuid>5b1cdd3e-0c1f-4a77-9d5e-7a1f00000021</uuid><genid>43dc0cf8-809b-4adb-9bea-a9abb5f3d90e</genid>
  <title>shop</title>
  <metadata><own xmlns='urn:x'>secret</own></metadata>
  <memory unit='MiB'>96</memory><vcpu>1</vcpu>
  <sysinfo type='smbios'><system><entry name='uuid'>5b1cdd3e-0c1f-4a77-9d5e-7a1f00000021</entry>
    <entry name='serial'>4711</entry></system></sysinfo>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <on_crash>restart</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='block' device='disk' snapshot='external'>
      <driver name='qemu' type='raw' cache='none'/><source dev='/dev/drbd2'/>
      <backingStore/><target dev='vda' bus='virtio'/><serial>D1</serial><shareable/>
    </disk>
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw'/><source dev='/dev/drbd3'/><target dev='vdb' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'><source file='/srv/install.iso'/><target dev='sda' bus='sata'/><readonly/></disk>
    <interface type='bridge'>
      <mac address='52:54:00:79:00:21'/><source bridge='br0'/><target dev='vnet7'/><model type='virtio'/>
      <filterref filter='clean'/><bandwidth/><address type='pci' slot='0x03'/>
    </interface>
    <serial type='file'><source path='/var/log/web.console'/><log file='/var/log/web.log'/><target port='0'/></serial>
    <console type='tcp'>
      <source mode='bind' host='192.0.2.7' service='4555'/><protocol type='raw'/><target port='0'/>
    </console>
    <channel type='unix'><source mode='bind' path='/run/web.agent'/>
      <target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel>
    <channel type='unix'><source mode='bind' path='/run/own.sock'/><target type='virtio' name='own'/></channel>
    <graphics type='spice' port='5901' autoport='no' listen='192.0.2.7' passwd='hunter2'/>
    <sound model='ich9'/><audio id='1' type='file'><output file='/tmp/x'/></audio>
    <controller type='usb' model='qemu-xhci'/><redirdev bus='usb' type='spicevmc'/>
    <input type='tablet' bus='usb'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <vsock><cid auto='no' address='3'/></vsock>
    <lease><lockspace>a</lockspace><key>b</key><target path='/srv/lease'/></lease>
    <pstore backend='acpi-erst'><path>/var/lib/pstore</path></pstore>
    <video><model type='qxl'/></video>
    <memballoon model='virtio'/>
  </devices>
  <seclabel type='static' model='dac'><label>+0:+0</label></seclabel>
</domain>
"""


def clone(*disks: CloneDisk, nics: int = 1) -> Clone:
    return Clone(
        "web",
        "web-rehearsal-0a1b2c",
        "11111111-2222-5333-8444-555555555555",
        OPERATION,
        disks or (CloneDisk("vda", SNAPSHOTS[0], 4096), CloneDisk("vdb", SNAPSHOTS[1], None)),
        tuple(CloneNic(f"52:54:00:aa:bb:0{number}", "dualsrm-rehearsal-0a1b2c-1") for number in range(nics)),
    )


def made(xml: str = FULL) -> ET.Element:
    return parse_root(clone_definition(xml, clone()))


def test_it_is_told_from_a_guest_by_all_it_says() -> None:
    parts = parse_domain(clone_definition(FULL, clone()))
    assert (parts.name, parts.uuid) == ("web-rehearsal-0a1b2c", "11111111-2222-5333-8444-555555555555")
    assert parts.rehearsal == (OPERATION, "web")
    assert is_clone(parts.name, OPERATION, persistent=False, disks=parts.disks)


def test_nothing_that_the_guest_has_is_in_it() -> None:
    text = clone_definition(FULL, clone())
    for shared in (
        *("5b1cdd3e", "43dc0cf8", "drbd", "52:54:00:79", "br0", "vnet7", "/srv/", "/var/log", "/run/", "/tmp", "lease"),
        *("4555", "5901", "192.0.2.7", "hunter2", "secret", "clean", "label", "pstore", "spice"),
        *("shareable", 'address="3"', "shop", "id="),
    ):
        assert shared not in text.replace("genid", "").replace('<audio id="', ""), shared
    assert "4711" in text, "what the guest may know its machine by stays"


def test_its_disks_are_the_snapshots_as_large_as_the_device_was() -> None:
    vda, vdb, drive = made().findall("devices/disk")
    source = vda.find("source")
    assert source is not None
    assert source.get("dev") == SNAPSHOTS[0]
    slice_ = source.find("slices/slice")
    assert slice_ is not None
    assert slice_.attrib == {"type": "storage", "offset": "0", "size": "4096"}
    assert vda.findtext("serial") == "D1"
    assert [one.get("dev") for one in vdb.findall("source")] == [SNAPSHOTS[1]]
    assert vdb.find("source/slices") is None
    assert drive.find("source") is None
    assert drive.find("target") is not None


def test_its_network_leads_nowhere_and_has_another_address() -> None:
    (nic,) = made().findall("devices/interface")
    assert nic.attrib == {"type": "network"}
    assert [(one.tag, dict(one.attrib)) for one in nic] == [
        ("mac", {"address": "52:54:00:aa:bb:00"}),
        ("source", {"network": "dualsrm-rehearsal-0a1b2c-1"}),
        ("model", {"type": "virtio"}),
        ("address", {"type": "pci", "slot": "0x03"}),
    ]


def test_ports_sockets_and_files_are_its_own() -> None:
    root = made()
    devices = root.find("devices")
    assert devices is not None
    for tag in ("serial", "console"):
        assert [dict(one.attrib) for one in devices.findall(tag)] == [{"type": "pty"}]
        assert devices.find(f"{tag}/source") is None
    (channel,) = devices.findall("channel")
    assert [one.tag for one in channel] == ["target"]
    (screen,) = devices.findall("graphics")
    assert screen.attrib == {"type": "vnc", "autoport": "yes", "listen": "127.0.0.1"}
    assert [one.attrib for one in devices.findall("vsock/cid")] == [{"auto": "yes"}]
    assert root.findtext("on_crash") == "destroy"
    assert [one.get("name") for one in root.findall("sysinfo/system/entry")] == ["serial"]
    genid = root.find("genid")
    assert genid is not None
    assert genid.text is None


@pytest.mark.parametrize("guest", ["web", "db", "mail"])
def test_the_labs_guests_can_be_cloned(guest: str) -> None:
    xml = (LAB / f"{guest}.xml").read_text()
    domain = parse_domain(xml)
    disks = tuple(CloneDisk(disk.target, f"/dev/guests/{disk.target}-rehearsal-0a1b2c", 4096) for disk in domain.disks)
    text = clone_definition(xml, clone(*disks))
    assert "memory-backend-ram,id=guest.ram" in text
    assert "cpu-unavailable-features" in text
    assert "drbd" not in text


def _with(extra: str, where: str = "</devices>") -> str:
    return FULL.replace(where, f"{extra}{where}")


QEMU = "<c:commandline xmlns:c='http://libvirt.org/schemas/domain/qemu/1.0'>{}</c:commandline>"


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        (_with("<hostdev type='pci'><source><address bus='0x1'/></source></hostdev>"), "hostdev"),
        (_with("<filesystem type='mount'><source dir='/srv'/><target dir='x'/></filesystem>"), "filesystem"),
        (_with("<tpm model='tpm-crb'><backend type='emulator'/></tpm>"), "tpm"),
        (_with("<shmem name='x'/>"), "shmem"),
        (_with("<interface type='hostdev'/>"), "interface"),
        (_with("<nvram>/var/lib/nvram/web.fd</nvram>", "</os>"), "UEFI"),
        (_with("<loader type='pflash'>/usr/share/OVMF.fd</loader>", "</os>"), "UEFI"),
        (FULL.replace("<os>", "<os firmware='efi'>"), "UEFI"),
        (_with(QEMU.format("<c:arg value='-drive'/><c:arg value='file=/dev/drbd2'/>"), "</domain>"), "-drive"),
        (_with(QEMU.format("<c:arg value='-monitor'/><c:arg value='tcp::4444,server'/>"), "</domain>"), "-monitor"),
        (_with(QEMU.format("<c:arg value='-object'/><c:arg value='memory-backend-file,id=a'/>"), "</domain>"), "file"),
        (_with(QEMU.format("<c:arg value='-machine'/><c:arg value='dumpdtb=/x'/>"), "</domain>"), "-machine"),
        (_with(QEMU.format("<c:arg value='-S'/>"), "</domain>"), "-S"),
        (_with(QEMU.format("<c:env name='X' value='1'/>"), "</domain>"), "variables"),
    ],
)
def test_what_there_is_once_only_is_refused(xml: str, said: str) -> None:
    with pytest.raises(NotCloned, match=said):
        obstacle(xml)
    with pytest.raises(NotCloned, match=said):
        clone_definition(xml, clone())


def test_a_disk_without_a_snapshot_is_refused() -> None:
    with pytest.raises(NotCloned, match="vdb"):
        clone_definition(FULL, clone(CloneDisk("vda", SNAPSHOTS[0], None)))


def test_a_network_card_that_was_added_meanwhile_is_refused() -> None:
    with pytest.raises(NotCloned, match="interfaces"):
        clone_definition(_with("<interface type='network'><source network='x'/></interface>"), clone())


def test_what_is_no_definition_is_refused() -> None:
    for text in ("", "<network/>", "<!DOCTYPE domain><domain/>"):
        with pytest.raises(DomainXmlError):
            clone_definition(text, clone())


@pytest.mark.parametrize(
    ("name", "operation", "persistent", "source"),
    [
        ("web", OPERATION, False, SNAPSHOTS[0]),
        ("web-rehearsal-ffffff", OPERATION, False, SNAPSHOTS[0]),
        ("web-rehearsal-0a1b2c", OPERATION, True, SNAPSHOTS[0]),
        ("web-rehearsal-0a1b2c", OPERATION, False, "/dev/drbd0"),
        ("web-rehearsal-0a1b2c", "no operation", False, SNAPSHOTS[0]),
        ("web-rehearsal-", "", False, "/dev/x-rehearsal-"),
    ],
)
def test_a_guest_that_only_says_so_is_a_guest(name: str, operation: str, persistent: bool, source: str) -> None:
    """Left out of what is seen, it could write to a device that is thought free."""
    text = clone_definition(FULL, clone()).replace(SNAPSHOTS[0], source)
    assert not is_clone(name, operation, persistent=persistent, disks=parse_domain(text).disks)
