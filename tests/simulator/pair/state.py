"""Ground truth: what is, whatever anyone was told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from dualsrm.hostside.watching import Watch
from dualsrm.model import (
    AT_REST,
    BootMount,
    ConnectionState,
    CpuVerdict,
    DiskState,
    DomainState,
    Filesystem,
    LockHolder,
    Maybe,
    Quarantine,
    ReplicationState,
    Role,
    Window,
)

FIRST_GENERATION = 1


@dataclass
class Node:
    """One resource on one host: role, disk, connection as this side sees it, options in force.

    A side goes on calling itself Connected until it notices that the link is dead (`SimDrbd.joined` says whether it is
    not); what is written meanwhile is on its disk, pending, and acknowledged to nobody.
    """

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
    rotates_later: bool = False
    """A new generation is due when I/O goes on without the peer (NEW_CUR_UUID)."""
    crashed: bool = False
    """It lost power as Primary: writes may be on its disk that nobody was told are safe."""
    peer_known: DiskState = DiskState.UNKNOWN
    """The peer's disk while the connection is away, as the fence-peer handler said."""
    last_seen: tuple[Role, DiskState] = (Role.UNKNOWN, DiskState.UNKNOWN)
    """The peer's role and disk when something was last heard of it."""
    lost_at: str | None = None
    """When it lost its peer last, as its kernel's log has it; a boot begins another log."""
    connects: int = 0
    """How often a connection was established (connect_cnt): an older verdict is ignored."""
    handlers: int = 0
    """Calls of the fence-peer handler that have not answered yet."""
    pending: list[int] = field(default_factory=list)
    """Writes on this disk that neither reached the peer nor were acknowledged."""
    unsent: bool = False
    """An option was changed that the peer has not been told of."""
    discards: bool = False
    """Connecting with --discard-my-data."""
    two_primaries: bool = False
    protocol: str = "C"
    fencing: str = AT_REST
    after_sb: str = "disconnect"
    auto_promote: bool = False
    auto_promoted: bool = False
    up: bool = True
    data: set[int] = field(default_factory=set)
    """The writes this disk holds."""

    @property
    def connected(self) -> bool:
        """Whether this side believes that writes here reach the peer."""
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
    killed: bool = False
    """Ended, and yet there: the kernel lets it go when its writes are done."""


@dataclass
class Record:
    """What one libvirtd says of one domain: state and reason, and whether a job runs."""

    state: DomainState = DomainState.SHUTOFF
    reason: str = "unknown"
    job_active: bool = False


@dataclass
class Manners:
    """How a guest takes it to be asked to stop."""

    agent: bool = False
    acpi: bool = True
    stops_after_s: float = 3.0
    exits_after_s: float = 0.5
    """From libvirt's `shut off` to the end of its QEMU."""


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
    """Whoever may do that has stopped it: that it runs nowhere breaks no promise."""
    manners: Manners = field(default_factory=Manners)
    broken_on: str | None = None
    """A host that lacks something it needs: it does not start there."""
    persistent: bool = True
    """Whether it is defined; libvirt forgets one that is not when it stops."""
    other_disks: dict[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    """By host: what the definition there names instead."""
    acknowledged: dict[str, set[int]] = field(default_factory=dict)
    """By resource: the writes the guest was told are safe."""
    due: float = 0.0
    """Fraction of a write not yet made."""

    @property
    def resources(self) -> tuple[str, ...]:
        """The resources its disks lie on, each once."""
        return tuple(dict.fromkeys(resource for resource, _ in self.disks))


FenceDevice = Literal["none", "works", "refuses", "password", "lies"]
"""refuses: it cannot be reached. password: it wants another one. lies: it says done, and does nothing."""


@dataclass
class LvSnapshot:
    """A snapshot of a logical volume: whatever is first written above or below it takes room."""

    origin: str
    size_bytes: int
    tags: tuple[str, ...] = ()
    used_bytes: int = 0
    clone: str | None = None
    """Who has it open."""

    @property
    def valid(self) -> bool:
        """One that ran full has lost what was on it."""
        return self.used_bytes < self.size_bytes


@dataclass
class SimClone:
    """A guest's copy: its QEMU and libvirt's word about it."""

    guest: str
    uuid: str
    operation: str
    state: DomainState = DomainState.RUNNING
    reads_from: float = 0.0
    """When it has read from its disks."""


@dataclass
class Left:
    """What is below /run/dualsrm for one window."""

    window: Window
    owner: str | None = None
    asked: bool = False


@dataclass
class Guard:
    """`dualsrm-host guard` of one window: the lease lasts as long as it lives."""

    window: Window
    watch: Watch
    unheard_since: float | None = None
    """When the manager was last heard; None while it is heard."""


@dataclass
class Machine:
    """A host: power, whether the manager reaches it, what it can offer a guest, what its own programs keep there."""

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
    certificates_missing: tuple[str, ...] = ()
    snapshots: dict[str, LvSnapshot] = field(default_factory=dict)
    """LVM snapshots, by name. They outlive a boot."""
    clones: dict[str, SimClone] = field(default_factory=dict)
    """Domains of rehearsals, by name; they and their networks are gone with a boot."""
    rehearsal_networks: set[str] = field(default_factory=set)
    cannot_clone: dict[str, str] = field(default_factory=dict)
    """By guest: why its definition here cannot be cloned."""
    clones_do_not: Literal["start", "boot"] | None = None
    """What goes wrong with every clone here."""
    mounts: dict[str, Filesystem] = field(default_factory=dict)
    """By resource: what is mounted of it."""
    at_boot: tuple[BootMount, ...] = ()
    broken: set[str] = field(default_factory=set)
    """Resources whose file system does not mount here."""
    free_in_group: int | None = 1 << 30
    """Bytes left in the volume group; None: the disks are no logical volumes."""
    handler: bool = True
    """Whether DRBD's files name dualsrm's fence-peer handler."""
    boots: int = 0
    """Told apart: what was started before a power cut is not there after it."""
    libvirtd: bool = True
    drbd: bool = True
    """Whether its DRBD can be asked."""
    fence: FenceDevice = "none"
    """The peer's power switch, as this host is configured to use it."""
    left: dict[str, Left] = field(default_factory=dict)
    """By operation."""
    timers: set[str] = field(default_factory=set)
    guards: dict[str, Guard] = field(default_factory=dict)
    alarms: dict[str, str] = field(default_factory=dict)
    off: dict[str, str] = field(default_factory=dict)
    tested_off: dict[str, float] = field(default_factory=dict)
    silent: dict[str, float] = field(default_factory=dict)
    quarantined: dict[str, Quarantine] = field(default_factory=dict)
    """On its disk."""
    """Hosts confirmed to be off, and by whom."""

    def loses_power(self) -> None:
        """All that was in its memory is gone."""
        self.powered = False
        self.mounts = {}
        self.boots += 1
        self.libvirtd = self.drbd = True
        self.locks, self.left, self.timers, self.guards = {}, {}, set(), {}
        self.clones, self.rehearsal_networks = {}, set()
        self.alarms, self.off, self.tested_off, self.silent = {}, {}, {}, {}
