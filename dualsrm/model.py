"""The words of the field, as frozen values: hosts, resources, domains, and what was seen of them.

Nothing here does anything. A fact that could not be observed is an `Unknown` with its reason, never a default:
code that reads a fact has to say what it does when nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Self, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact nobody could observe, and why not (a sentence for a person)."""

    why: str
    fix: str = ""
    """The command that makes it observable, when the fault itself named one (a changed host key does)."""


Maybe: TypeAlias = T | Unknown


class OpenStrEnum(StrEnum):
    """A string enum that keeps words it does not know.

    A new kernel may print a state this release has never heard of. Dropping the line would freeze the old value
    (as drbd-reactor does); raising would take the whole view down. The word is kept as it is and `known` is False, so
    that no check can mistake it for a good state.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = "OTHER"
        member._value_ = value
        return member

    @property
    def known(self) -> bool:
        """Whether this release knows the word."""
        return self._name_ != "OTHER"


class Role(OpenStrEnum):
    """Role of a resource on one host."""

    UNKNOWN = "Unknown"
    PRIMARY = "Primary"
    SECONDARY = "Secondary"


class DiskState(OpenStrEnum):
    """State of a volume's backing disk (`enum drbd_disk_state`)."""

    DISKLESS = "Diskless"
    ATTACHING = "Attaching"
    DETACHING = "Detaching"
    FAILED = "Failed"
    NEGOTIATING = "Negotiating"
    INCONSISTENT = "Inconsistent"
    OUTDATED = "Outdated"
    UNKNOWN = "DUnknown"
    CONSISTENT = "Consistent"
    UP_TO_DATE = "UpToDate"


class ConnectionState(OpenStrEnum):
    """State of the connection to the peer, in DRBD 9's words (8.4's are translated by drbdsetup)."""

    STANDALONE = "StandAlone"
    DISCONNECTING = "Disconnecting"
    UNCONNECTED = "Unconnected"
    TIMEOUT = "Timeout"
    BROKEN_PIPE = "BrokenPipe"
    NETWORK_FAILURE = "NetworkFailure"
    PROTOCOL_ERROR = "ProtocolError"
    TEAR_DOWN = "TearDown"
    CONNECTING = "Connecting"
    CONNECTED = "Connected"


class ReplicationState(OpenStrEnum):
    """State of replication of one volume to the peer."""

    OFF = "Off"
    ESTABLISHED = "Established"
    STARTING_SYNC_S = "StartingSyncS"
    STARTING_SYNC_T = "StartingSyncT"
    WF_BITMAP_S = "WFBitMapS"
    WF_BITMAP_T = "WFBitMapT"
    WF_SYNC_UUID = "WFSyncUUID"
    SYNC_SOURCE = "SyncSource"
    SYNC_TARGET = "SyncTarget"
    VERIFY_S = "VerifyS"
    VERIFY_T = "VerifyT"
    PAUSED_SYNC_S = "PausedSyncS"
    PAUSED_SYNC_T = "PausedSyncT"
    AHEAD = "Ahead"
    BEHIND = "Behind"


# --- DRBD as one host sees it ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of a resource on the observing host."""

    number: int
    minor: int
    disk: DiskState
    size_bytes: int | None = None
    """None when the dump was made without statistics."""
    quorum: bool | None = None
    """DRBD 9 only."""
    held_open: bool | None = None
    """DRBD 9 (utils 9.29 and later) only."""


@dataclass(frozen=True, slots=True)
class PeerVolume:
    """The peer's copy of a volume, as the observing host sees it."""

    number: int
    replication: ReplicationState
    peer_disk: DiskState
    resync_suspended: tuple[str, ...] = ()
    out_of_sync_bytes: int | None = None
    """None when unknown: a diskless node prints 0, which is not a measurement."""
    done_ratio: float | None = None
    """Resync or verify progress, 0 to 1; DRBD 9 prints it, 8.4 does not."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The connection to the one peer of a pair."""

    peer: str | None
    """Peer host name as DRBD knows it. None on 8.4, which prints `peer`, or nothing when StandAlone."""
    state: ConnectionState
    peer_role: Role
    volumes: tuple[PeerVolume, ...]
    local_address: str | None = None
    """IP address this side replicates from (`drbdsetup show`), without port; None when it was not read."""
    peer_address: str | None = None


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """Options in force in the kernel now (`drbdsetup show`), not those in the file; secrets are never read."""

    allow_two_primaries: bool = False
    protocol: str = "C"
    fencing: str = "dont-care"
    after_sb_0pri: str = "disconnect"
    after_sb_1pri: str = "disconnect"
    after_sb_2pri: str = "disconnect"
    rr_conflict: str = "disconnect"
    auto_promote: bool | None = None
    """DRBD 9 only; None on 8.4."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource on the observing host."""

    name: str
    role: Role
    suspended: tuple[str, ...]
    """Reasons why I/O is suspended (user, no-data, fencing, quorum); empty when it runs."""
    volumes: tuple[Volume, ...]
    connection: Connection | None
    """None when no connection is configured in the kernel."""
    options: Maybe[RuntimeOptions]


@dataclass(frozen=True, slots=True)
class DrbdView:
    """All of DRBD on one host."""

    version: str
    """Kernel module version, e.g. `8.4.11`."""
    resources: tuple[Resource, ...]
    configured: Maybe[tuple[str, ...]]
    """Names in the configuration files, also of resources that are down."""
    drift: Maybe[tuple[str, ...]]
    """What `drbdadm -d adjust` would run; empty when kernel and files agree."""
    device_links: Mapping[str, int] = field(default_factory=dict)
    """Symbolic links below /dev/drbd to the minor they lead to."""

    def resource(self, name: str) -> Resource | None:
        """The resource of that name in the kernel, or None when it is down or absent."""
        return next((resource for resource in self.resources if resource.name == name), None)

    def minor_of(self, path: str) -> int | None:
        """The DRBD minor a device path leads to, or None when it is not a DRBD device path."""
        if path in self.device_links:
            return self.device_links[path]
        digits = path.removeprefix("/dev/drbd")
        return int(digits) if digits != path and digits.isascii() and digits.isdigit() else None

    def volume_at(self, minor: int) -> tuple[Resource, Volume] | None:
        """The resource and volume behind a minor."""
        for resource in self.resources:
            for volume in resource.volumes:
                if volume.minor == minor:
                    return resource, volume
        return None


# --- libvirt as one host sees it ------------------------------------------------------------------


class DomainState(OpenStrEnum):
    """virDomainState in words."""

    NO_STATE = "nostate"
    RUNNING = "running"
    BLOCKED = "blocked"
    PAUSED = "paused"
    SHUTDOWN = "shutdown"
    SHUTOFF = "shutoff"
    CRASHED = "crashed"
    PM_SUSPENDED = "pmsuspended"

    @property
    def active(self) -> bool:
        """Whether a QEMU process exists. An unknown word counts as active: it is the careful reading."""
        return self not in (DomainState.SHUTOFF, DomainState.CRASHED)


@dataclass(frozen=True, slots=True)
class Disk:
    """One `<disk>` of a domain."""

    target: str
    """What the guest calls it, e.g. `vda`."""
    kind: str
    """`disk`, `cdrom`, `floppy`, `lun`."""
    source_type: str
    """`block`, `file`, `network`, `volume`, ..."""
    source: str | None
    """Path, or None for an empty drive."""
    cache: str
    """Cache mode as written; `default` when absent (QEMU's writeback, unsafe to migrate)."""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Nic:
    """One `<interface>` of a domain."""

    kind: str
    """`bridge`, `network`, `direct`, ..."""
    source: str | None
    """Name of the bridge, network or device on the host."""
    mac: str | None = None


@dataclass(frozen=True, slots=True)
class HostDevice:
    """Something in a domain that ties it to one host (passthrough, host file system, TPM state, local image)."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Domain:
    """A guest as one libvirtd knows it."""

    name: str
    uuid: str
    state: DomainState
    reason: str
    """virDomain*Reason in words, e.g. `booted`, `migrated`, `destroyed`, `ioerror`; `unknown` otherwise."""
    autostart: bool
    persistent: bool
    job_active: Maybe[bool]
    disks: tuple[Disk, ...]
    nics: tuple[Nic, ...]
    host_devices: tuple[HostDevice, ...]
    memory_bytes: int
    vcpus: int
    machine: str
    hugepages: bool
    cpu_xml: str | None
    """The live, expanded `<cpu>` element; None when the domain names none."""
    arch: str = "x86_64"
    virt_type: str = "kvm"
    """`kvm`, or `qemu` for emulation."""


@dataclass(frozen=True, slots=True)
class LibvirtView:
    """All of libvirt on one host that a move depends on.

    Versions are packed as libvirt does: major * 1000000 + minor * 1000 + release.
    """

    libvirt_version: int
    hypervisor_version: int
    domains: tuple[Domain, ...]
    networks: tuple[str, ...]
    """Active virtual networks."""
    machines: Maybe[frozenset[str]]
    """Machine types QEMU here can run."""
    free_memory_bytes: Maybe[int]
    host_cpu_xml: str | None = None
    """The host's own `<cpu>`, which a guest with host-passthrough has; None when libvirt does not describe it."""

    def domain(self, name: str) -> Domain | None:
        """The domain of that name, or None when this libvirtd does not know it."""
        return next((domain for domain in self.domains if domain.name == name), None)


@dataclass(frozen=True, slots=True)
class SystemView:
    """What the host itself says."""

    interfaces: frozenset[str]
    """Network interfaces, bridges among them."""
    clock_offset_seconds: float
    """Host clock minus manager clock; the error is at most the round trip."""
    other_managers: tuple[str, ...]
    """Other owners of DRBD resources or domains found running here: pacemaker, drbd-reactor, a libvirt qemu hook."""


class CpuVerdict(Enum):
    """Whether the target's CPU can run the guest, by libvirt's own comparison."""

    COMPATIBLE = "compatible"
    INCOMPATIBLE = "incompatible"


@dataclass(frozen=True, slots=True)
class HostView:
    """Everything one host said at one moment."""

    name: str
    drbd: Maybe[DrbdView]
    libvirt: Maybe[LibvirtView]
    system: Maybe[SystemView]


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds the pair's lock, as written in it."""

    operation: str
    manager: str
    since: str
    """ISO 8601 with zone, by the manager's clock."""


@dataclass(frozen=True, slots=True)
class MoveFacts:
    """What only makes sense to ask about one guest moving one way."""

    cpu: Maybe[CpuVerdict]
    peer_link: Maybe[str]
    """The target's libvirtd, asked by the source with its own credentials: its host name, or why it did not answer."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host as configured."""

    name: str
    address: str
    migration_address: str
    peer_uri: str
    """How the *other* host's libvirtd reaches this one."""
    user: str = "root"
    port: int = 22


@dataclass(frozen=True, slots=True)
class Pair:
    """Two hosts that replicate to each other."""

    name: str
    hosts: tuple[str, str]

    def other(self, host: str) -> str:
        """The other host of the pair."""
        first, second = self.hosts
        return second if host == first else first


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Both hosts of a pair, each seen from itself, at about one moment."""

    pair: Pair
    views: Mapping[str, HostView]
    locks: Mapping[str, Maybe[LockHolder | None]] = field(default_factory=dict)
    """By host: who holds the pair's lock there; None when it is free."""
    hosts: Mapping[str, Host] = field(default_factory=dict)
    """The hosts as configured, for the addresses that a check compares or a command names; may be left out."""
    peer_links: Mapping[str, Maybe[str]] = field(default_factory=dict)
    """By source: the other host's libvirtd, asked with the source's credentials: its name. Empty: nobody asked."""

    def view(self, host: str) -> HostView:
        """The view of one host of the pair."""
        return self.views[host]


class Severity(Enum):
    """How a check ended. `UNKNOWN` blocks as much as `FAILED` does: unknown is never reported as fine."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def blocks(self) -> bool:
        """Whether a move must not start."""
        return self in (Severity.FAILED, Severity.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: seen, why it matters, the exact command that fixes it."""

    check: str
    """Stable identifier, e.g. `replication-established`."""
    severity: Severity
    subject: str
    """What it is about: a host, a resource, a guest."""
    seen: str
    why: str = ""
    fix: str = ""
