"""A healthy pair to change one fact of: guest `web` runs on alpha, its disk on DRBD resource `web`, beta stands by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dualsrm.checks import Move
from dualsrm.model import (
    AT_REST,
    Certificates,
    Connection,
    ConnectionState,
    CpuVerdict,
    Disk,
    DiskState,
    Domain,
    DomainState,
    DrbdView,
    FenceHandler,
    Host,
    HostView,
    LibvirtView,
    MoveFacts,
    Nic,
    Pair,
    PeerVolume,
    ReplicationState,
    Resource,
    Role,
    RuntimeOptions,
    Snapshot,
    SystemView,
    Unknown,
    Volume,
)

ALPHA = "alpha"
BETA = "beta"
HOSTS = (ALPHA, BETA)
PAIR = Pair("lab", HOSTS, encrypted=True)
GUEST = "web"
UUID = "5b1cdd3e-0c1f-4a77-9d5e-7a1f00000021"
MIB = 1024 * 1024
MOVE = Move(GUEST, ALPHA, BETA)
HANDLER = FenceHandler("/usr/sbin/dualsrm-host fence-peer", runnable=True)
FACTS = MoveFacts(cpu=CpuVerdict.COMPATIBLE, peer_link=BETA)


def host(name: str) -> Host:
    number = 11 + HOSTS.index(name)
    return Host(name, f"10.79.0.{number}", f"10.79.2.{number}", f"qemu+ssh://{name}/system")


def resource(name: str = "web", *, minor: int = 0, primary: bool, at: str = ALPHA) -> Resource:
    """One volume, in step with the peer."""
    own, peer = (Role.PRIMARY, Role.SECONDARY) if primary else (Role.SECONDARY, Role.PRIMARY)
    ours, theirs = f"10.79.1.{11 + HOSTS.index(at)}", f"10.79.1.{12 - HOSTS.index(at)}"
    ends = (f"{ours}:{7789 + minor}", f"{theirs}:{7789 + minor}")
    copy = PeerVolume(0, ReplicationState.ESTABLISHED, DiskState.UP_TO_DATE, out_of_sync_bytes=0)
    return Resource(
        name=name,
        role=own,
        suspended=(),
        volumes=(Volume(0, minor, DiskState.UP_TO_DATE, size_bytes=64 * MIB),),
        connection=Connection(None, ConnectionState.CONNECTED, peer, (copy,), ours, theirs, ends),
        options=RuntimeOptions(fencing=AT_REST),
    )


def disk(target: str = "vda", source: str | None = "/dev/drbd0") -> Disk:
    return Disk(target, "disk", "block", source, "none")


def domain(name: str = GUEST, *, disks: tuple[Disk, ...] = (disk(),), uuid: str = UUID) -> Domain:
    return Domain(
        name=name,
        uuid=uuid,
        state=DomainState.RUNNING,
        reason="booted",
        autostart=False,
        persistent=True,
        job_active=False,
        disks=disks,
        nics=(Nic("bridge", "br0", "52:54:00:79:00:21"),),
        host_devices=(),
        memory_bytes=96 * MIB,
        vcpus=1,
        machine="pc-i440fx-7.2",
        hugepages=False,
        cpu_xml="<cpu mode='custom'><model>qemu64</model></cpu>",
    )


def host_view(name: str, *, domains: tuple[Domain, ...], resources: tuple[Resource, ...]) -> HostView:
    links = {
        f"/dev/drbd/by-res/{found.name}/{volume.number}": volume.minor
        for found in resources
        for volume in found.volumes
    }
    return HostView(
        name,
        drbd=DrbdView(
            version="8.4.11",
            resources=resources,
            configured=tuple(found.name for found in resources),
            drift=(),
            device_links=links,
            handlers={found.name: HANDLER for found in resources},
            helper="/sbin/drbdadm",
        ),
        libvirt=LibvirtView(9_000_000, 7_002_000, domains, ("default",), frozenset({"pc-i440fx-7.2"}), 1024 * MIB),
        system=SystemView(frozenset({"br0", "vec1"}), 0.1, (), Certificates("/etc/pki/qemu", ())),
    )


def snapshot(guest: str = GUEST) -> Snapshot:
    """The healthy pair; the guest may have any name."""
    return Snapshot(
        PAIR,
        {
            ALPHA: host_view(ALPHA, domains=(domain(guest),), resources=(resource(primary=True, at=ALPHA),)),
            BETA: host_view(BETA, domains=(), resources=(resource(primary=False, at=BETA),)),
        },
        {ALPHA: None, BETA: None},
        {name: host(name) for name in HOSTS},
    )


# --- changing one fact ----------------------------------------------------------------------------
# Each takes a snapshot, a host and the fields to change; every resource, volume or domain of that host is changed.


def change_view(seen: Snapshot, at: str, **fields: Any) -> Snapshot:
    return replace(seen, views={**seen.views, at: replace(seen.view(at), **fields)})


def change_libvirt(seen: Snapshot, at: str, **fields: Any) -> Snapshot:
    libvirt = seen.view(at).libvirt
    assert not isinstance(libvirt, Unknown)
    return change_view(seen, at, libvirt=replace(libvirt, **fields))


def change_system(seen: Snapshot, at: str, **fields: Any) -> Snapshot:
    system = seen.view(at).system
    assert not isinstance(system, Unknown)
    return change_view(seen, at, system=replace(system, **fields))


def change_drbd(seen: Snapshot, at: str, **fields: Any) -> Snapshot:
    drbd = seen.view(at).drbd
    assert not isinstance(drbd, Unknown)
    return change_view(seen, at, drbd=replace(drbd, **fields))


def change_domain(seen: Snapshot, at: str, **fields: Any) -> Snapshot:
    libvirt = seen.view(at).libvirt
    assert not isinstance(libvirt, Unknown)
    return change_libvirt(seen, at, domains=tuple(replace(found, **fields) for found in libvirt.domains))


def add_domain(seen: Snapshot, at: str, added: Domain) -> Snapshot:
    libvirt = seen.view(at).libvirt
    assert not isinstance(libvirt, Unknown)
    return change_libvirt(seen, at, domains=(*libvirt.domains, added))


def change_disk(seen: Snapshot, at: str, **fields: Any) -> Snapshot:
    return change_domain(seen, at, disks=(replace(disk(), **fields),))


def add_disk(seen: Snapshot, at: str, added: Disk) -> Snapshot:
    return change_domain(seen, at, disks=(disk(), added))


def _each_resource(seen: Snapshot, at: str, change: Callable[[Resource], Resource]) -> Snapshot:
    drbd = seen.view(at).drbd
    assert not isinstance(drbd, Unknown)
    return change_drbd(seen, at, resources=tuple(change(found) for found in drbd.resources))


def change_resource(seen: Snapshot, at: str, **fields: Any) -> Snapshot:
    return _each_resource(seen, at, lambda found: replace(found, **fields))


def change_volume(seen: Snapshot, at: str, **fields: Any) -> Snapshot:
    def change(found: Resource) -> Resource:
        return replace(found, volumes=tuple(replace(volume, **fields) for volume in found.volumes))

    return _each_resource(seen, at, change)


def change_options(seen: Snapshot, at: str, **fields: Any) -> Snapshot:
    def change(found: Resource) -> Resource:
        assert not isinstance(found.options, Unknown)
        return replace(found, options=replace(found.options, **fields))

    return _each_resource(seen, at, change)


def change_connection(seen: Snapshot, at: str, **fields: Any) -> Snapshot:
    def change(found: Resource) -> Resource:
        assert found.connection is not None
        return replace(found, connection=replace(found.connection, **fields))

    return _each_resource(seen, at, change)


def change_peer_volume(seen: Snapshot, at: str, **fields: Any) -> Snapshot:
    def change(found: Resource) -> Resource:
        assert found.connection is not None
        copies = tuple(replace(copy, **fields) for copy in found.connection.volumes)
        return replace(found, connection=replace(found.connection, volumes=copies))

    return _each_resource(seen, at, change)
