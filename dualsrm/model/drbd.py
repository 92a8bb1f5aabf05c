"""DRBD as one host sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dualsrm.model.facts import Maybe, OpenStrEnum, Unknown
from dualsrm.model.filesystem import Filesystem

_DEVICE: Final = re.compile(r"/dev/drbd([0-9]{1,7})")
"""A minor has 20 bits. Guests' definitions may name any path, and int() refuses thousands of digits."""
_NOT_READ: Final = Unknown("it was not read")


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
    endpoints: tuple[str, str] | None = None
    """Both addresses with port, ours first."""


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
class FenceHandler:
    """What is run on the observing host for a resource that loses its peer: `fence-peer` in the `handlers` section."""

    command: str
    """As `/bin/sh -c` gets it."""
    runnable: bool
    """Whether the command begins with the absolute path of an executable file that is there."""


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
    handlers: Maybe[Mapping[str, FenceHandler]] = _NOT_READ
    """By resource, from the configuration files; a resource that is not in it has none."""
    helper: Maybe[str] = _NOT_READ
    """The program the kernel calls for every handler (module parameter `usermode_helper`); drbdadm reads the files."""

    def resource(self, name: str) -> Resource | None:
        """The resource of that name in the kernel, or None when it is down or absent."""
        return next((resource for resource in self.resources if resource.name == name), None)

    def minor_of(self, path: str) -> int | None:
        """The DRBD minor a device path leads to, or None when it is not a DRBD device path."""
        if path in self.device_links:
            return self.device_links[path]
        device = _DEVICE.fullmatch(path)
        return int(device[1]) if device else None

    def minor_below(self, filesystem: Filesystem) -> int | None:
        """The minor a file system lies on, or None while its resource is down."""
        resource = self.resource(filesystem.resource)
        volumes = resource.volumes if resource is not None else ()
        return next((one.minor for one in volumes if one.number == filesystem.volume), None)

    def volume_at(self, minor: int) -> tuple[Resource, Volume] | None:
        """The resource and volume behind a minor."""
        for resource in self.resources:
            for volume in resource.volumes:
                if volume.minor == minor:
                    return resource, volume
        return None
