"""What each host says of itself: ground truth as the values of `dualsrm.model`, one viewpoint at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualsrm import model
from dualsrm.model import ConnectionState, ReplicationState
from tests.simulator.pair.rules import Dialect
from tests.simulator.pair.state import Guest, Machine, Node

if TYPE_CHECKING:
    from tests.simulator.pair.pair import SimPair

VOLUME_BYTES = 256 << 20
CPU_XML = '<cpu mode="custom" match="exact"><model>qemu64</model></cpu>'
REPLICATION_ADDRESS = {"alpha": "203.0.113.11", "beta": "203.0.113.12"}
HANDLER = "/usr/sbin/dualsrm-host fence-peer"
KERNEL_VERSION = {Dialect.EIGHT: "8.4.11", Dialect.NINE: "9.2.18"}


def host_view(pair: SimPair, host: str) -> model.HostView:
    """Everything one host says."""
    machine = pair.machines[host]
    system = model.SystemView(
        machine.interfaces,
        machine.clock_offset_seconds,
        machine.other_managers,
        model.Certificates("/etc/pki/qemu", machine.certificates_missing),
        tuple(machine.quarantined.values()),
    )
    libvirt = libvirt_view(pair, host) if machine.libvirtd else model.Unknown("libvirtd does not answer")
    drbd = drbd_view(pair, host) if machine.drbd else model.Unknown("drbdsetup does not answer")
    return model.HostView(host, drbd, libvirt, system, mounts=mount_view(pair, host))


def mount_view(pair: SimPair, host: str) -> model.MountView:
    """What is mounted on one host."""
    machine = pair.machines[host]
    mounted = []
    for resource, one in machine.mounts.items():
        minor = pair.drbd.nodes[host, resource].minors[one.volume]
        mounted.append(model.Mounted(f"/dev/drbd{minor}", one.mount, one.kind, minor))
    return model.MountView(tuple(mounted), machine.at_boot)


def survey(pair: SimPair, host: str) -> model.HostSurvey:
    """What one host says of itself before it is configured: an address on each network of the pair."""
    configured = pair.configured[host]
    networks = {"eth0": configured.address, "eth1": REPLICATION_ADDRESS[host], "eth2": configured.migration_address}
    return model.HostSurvey(
        name=host,
        reached_at=configured.address,
        addresses=tuple(model.HostAddress(name, f"{address}/24") for name, address in networks.items()),
        bridges=("br0",),
    )


def silent_view(host: str, why: str) -> model.HostView:
    """A host that does not answer."""
    unknown = model.Unknown(why)
    return model.HostView(host, unknown, unknown, unknown)


def drbd_view(pair: SimPair, host: str) -> model.DrbdView:
    """All of DRBD on one host."""
    nodes = list(pair.drbd.of_host(host))
    links = {f"/dev/drbd/by-res/{n.resource}/{i}": minor for n in nodes for i, minor in enumerate(n.minors)}
    return model.DrbdView(
        version=KERNEL_VERSION[pair.dialect],
        resources=tuple(resource_view(pair, node) for node in nodes if node.up),
        configured=tuple(node.resource for node in nodes),
        drift=tuple(line for node in nodes if node.up for line in _drift(pair.dialect, node)),
        device_links=links,
        handlers={n.resource: model.FenceHandler(HANDLER, runnable=True) for n in nodes if pair.machines[host].handler},
        helper="/sbin/drbdadm",
    )


def _drift(dialect: Dialect, node: Node) -> tuple[str, ...]:
    """The files never allow two primaries nor freeze: in a window `adjust` would take both back (drbdadm_adjust.c)."""
    verb = "disk-options" if dialect is Dialect.EIGHT else "net-options"
    two = [f"drbdsetup net-options {node.resource} --allow-two-primaries=no"] if node.two_primaries else []
    fencing = node.fencing != model.AT_REST
    return (*two, *([f"drbdsetup {verb} {node.resource} --fencing={model.AT_REST}"] if fencing else []))


def resource_view(pair: SimPair, node: Node) -> model.Resource:
    """One resource as that side sees it."""
    nine = pair.dialect is Dialect.NINE
    held = bool(pair.drbd.holders(node.host, node.resource))
    volumes = tuple(
        model.Volume(number, minor, node.disk, VOLUME_BYTES, True if nine else None, held if nine else None)
        for number, minor in enumerate(node.minors)
    )
    options = model.RuntimeOptions(
        allow_two_primaries=node.two_primaries,
        protocol=node.protocol,
        fencing=node.fencing,
        after_sb_0pri=node.after_sb,
        after_sb_1pri=node.after_sb,
        after_sb_2pri=node.after_sb,
        auto_promote=node.auto_promote if nine else None,
    )
    return model.Resource(
        node.resource, node.role, tuple(sorted(node.suspended)), volumes, _connection(pair, node), options
    )


def _connection(pair: SimPair, node: Node) -> model.Connection | None:
    """8.4 drops a StandAlone connection from its dumps altogether (30-split-brain-standalone.node1.status-txt)."""
    nine = pair.dialect is Dialect.NINE
    if not nine and node.connection is ConnectionState.STANDALONE:
        return None
    peer_disk = pair.drbd.peer_disk(node)
    in_sync = node.replication is ReplicationState.ESTABLISHED
    volumes = tuple(
        model.PeerVolume(number, node.replication, peer_disk, (), 0 if in_sync else VOLUME_BYTES // 16)
        for number in range(len(node.minors))
    )
    peer = pair.drbd.other(node.host) if nine else None
    here, there = (REPLICATION_ADDRESS[host] for host in (node.host, pair.drbd.other(node.host)))
    return model.Connection(peer, node.connection, pair.drbd.peer_role(node), volumes, here, there)


def libvirt_view(pair: SimPair, host: str) -> model.LibvirtView:
    """All of libvirt on one host."""
    machine = pair.machines[host]
    guests = [guest for guest in pair.libvirt.guests.values() if (host, guest.name) in pair.libvirt.records]
    return model.LibvirtView(
        libvirt_version=machine.libvirt_version,
        hypervisor_version=machine.hypervisor_version,
        domains=tuple(_domain(pair, machine, guest) for guest in guests),
        networks=machine.networks,
        machines=machine.machines,
        free_memory_bytes=machine.free_memory_bytes,
        clones=tuple(machine.clones),
    )


def _disk(pair: SimPair, guest: Guest, target: str, resource: str, volume: int) -> model.Disk:
    filesystem = pair.filesystems.on(resource)
    if filesystem is not None:
        return model.Disk(target, "disk", "file", f"{filesystem.mount}/{guest.name}.img", guest.cache)
    return model.Disk(target, "disk", "block", f"/dev/drbd/by-res/{resource}/{volume}", guest.cache)


def _domain(pair: SimPair, machine: Machine, guest: Guest) -> model.Domain:
    record = pair.libvirt.records[machine.name, guest.name]
    disks = tuple(
        _disk(pair, guest, f"vd{chr(ord('a') + i)}", resource, volume)
        for i, (resource, volume) in enumerate(guest.other_disks.get(machine.name, guest.disks))
    )
    return model.Domain(
        name=guest.name,
        uuid=guest.uuid,
        state=record.state,
        reason=record.reason,
        autostart=guest.name in machine.autostart,
        persistent=guest.persistent,
        job_active=record.job_active,
        disks=disks,
        nics=(model.Nic("bridge", "br0", "52:54:00:00:00:01"),),
        host_devices=(),
        memory_bytes=guest.memory_bytes,
        vcpus=guest.vcpus,
        machine="pc-q35-7.2",
        hugepages=False,
        cpu_xml=CPU_XML,
    )
