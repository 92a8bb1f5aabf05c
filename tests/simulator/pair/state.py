"""Ground truth: what is, whatever anyone was told."""

from __future__ import annotations

from dataclasses import dataclass, field

from dualsrm.model import ConnectionState, CpuVerdict, DiskState, DomainState, LockHolder, Maybe, ReplicationState, Role

FIRST_GENERATION = 1


@dataclass
class Node:
    """One resource on one host: role, disk, connection as this side sees it, options in force."""

    host: str
    resource: str
    minors: tuple[int, ...]
    role: Role = Role.SECONDARY
    disk: DiskState = DiskState.UP_TO_DATE
    connection: ConnectionState = ConnectionState.CONNECTED
    replication: ReplicationState = ReplicationState.ESTABLISHED
    suspended: set[str] = field(default_factory=set)
    current_uuid: int = FIRST_GENERATION
    bitmap_uuid: int = 0
    peer_outdated: bool = False
    """Whether this side knows its unreachable peer to be Outdated (fence-peer answered 4)."""
    two_primaries: bool = False
    protocol: str = "C"
    fencing: str = "dont-care"
    after_sb: str = "disconnect"
    auto_promote: bool = False
    auto_promoted: bool = False
    up: bool = True
    data: set[int] = field(default_factory=set)
    """The writes this disk holds."""

    @property
    def connected(self) -> bool:
        """Whether writes here reach the peer."""
        return self.connection is ConnectionState.CONNECTED


@dataclass
class Opener:
    """Something other than QEMU that holds a device open: a udev probe, an LVM scan, a backup."""

    host: str
    resource: str
    command: str
    pid: int


@dataclass
class Qemu:
    """A QEMU process. `incoming` until its guest first runs here."""

    guest: str
    host: str
    pid: int
    vcpus_run: bool
    incoming: bool = False


@dataclass
class Record:
    """What one libvirtd says of one domain: state and reason, and whether a job runs."""

    state: DomainState = DomainState.SHUTOFF
    reason: str = "unknown"
    job_active: bool = False


@dataclass
class Guest:
    """A guest: its disks' resources and volumes, its memory, its appetite for writing."""

    name: str
    uuid: str
    disks: tuple[tuple[str, int], ...]
    memory_bytes: int = 1 << 30
    vcpus: int = 2
    writes_per_second: float = 10.0
    cache: str = "none"
    stopped_by_owner: bool = False
    acknowledged: dict[str, set[int]] = field(default_factory=dict)
    """By resource: the writes the guest was told are safe."""
    due: float = 0.0
    """Fraction of a write not yet made."""

    @property
    def resources(self) -> tuple[str, ...]:
        """The resources its disks lie on, each once."""
        return tuple(dict.fromkeys(resource for resource, _ in self.disks))


@dataclass
class Machine:
    """A host: power, whether the manager reaches it, what it can offer a guest."""

    name: str
    powered: bool = True
    reachable: bool = True
    libvirt_version: int = 9_000_000
    hypervisor_version: int = 7_002_000
    interfaces: frozenset[str] = frozenset({"lo", "eth0", "eth1", "br0"})
    networks: tuple[str, ...] = ("default",)
    machines: frozenset[str] = frozenset({"pc-q35-7.2", "pc-i440fx-7.2"})
    free_memory_bytes: int = 8 << 30
    clock_offset_seconds: float = 0.0
    other_managers: tuple[str, ...] = ()
    autostart: set[str] = field(default_factory=set)
    cpu: Maybe[CpuVerdict] = CpuVerdict.COMPATIBLE
    peer_link: Maybe[str] | None = None
    """What reach_peer answers; None: the peer's name, if the peer is up."""
    locks: dict[str, LockHolder] = field(default_factory=dict)
