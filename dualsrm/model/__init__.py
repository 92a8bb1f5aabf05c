"""The words of the field, as frozen values: hosts, resources, domains, and what was seen of them.

Nothing here does anything. A fact that could not be observed is an `Unknown` with its reason, never a default:
code that reads a fact has to say what it does when nobody knows.
"""

from __future__ import annotations

from dualsrm.model.drbd import (
    Connection,
    ConnectionState,
    DiskState,
    DrbdView,
    FenceHandler,
    PeerVolume,
    ReplicationState,
    Resource,
    Role,
    RuntimeOptions,
    Volume,
)
from dualsrm.model.estate import Host, HostView, LockHolder, MoveFacts, Pair, Snapshot, SystemView
from dualsrm.model.facts import Maybe, OpenStrEnum, Unknown
from dualsrm.model.filesystem import BootMount, Filesystem, Fsck, Mounted, MountView
from dualsrm.model.findings import Finding, Severity
from dualsrm.model.generations import Backing, Generation
from dualsrm.model.groups import (
    AgentAnswers,
    ColdMove,
    CommandSucceeds,
    Group,
    GroupVerb,
    Hook,
    HttpAnswers,
    Moment,
    Pings,
    Probe,
    Readiness,
    Shutdown,
    TcpAccepts,
)
from dualsrm.model.libvirt import CpuVerdict, Disk, Domain, DomainState, HostDevice, LibvirtView, Nic
from dualsrm.model.peer import (
    Fenced,
    Noted,
    PeerError,
    PeerSeen,
    Power,
    Quarantine,
    parse_fenced,
    parse_noted,
    parse_peer_seen,
    parse_quarantine,
)
from dualsrm.model.window import AT_REST, IN_WINDOW, Window, WindowError, parse_window

__all__ = [
    "AT_REST",
    "IN_WINDOW",
    "AgentAnswers",
    "Backing",
    "BootMount",
    "ColdMove",
    "CommandSucceeds",
    "Connection",
    "ConnectionState",
    "CpuVerdict",
    "Disk",
    "DiskState",
    "Domain",
    "DomainState",
    "DrbdView",
    "FenceHandler",
    "Fenced",
    "Filesystem",
    "Finding",
    "Fsck",
    "Generation",
    "Group",
    "GroupVerb",
    "Hook",
    "Host",
    "HostDevice",
    "HostView",
    "HttpAnswers",
    "LibvirtView",
    "LockHolder",
    "Maybe",
    "Moment",
    "MountView",
    "Mounted",
    "MoveFacts",
    "Nic",
    "Noted",
    "OpenStrEnum",
    "Pair",
    "PeerError",
    "PeerSeen",
    "PeerVolume",
    "Pings",
    "Power",
    "Probe",
    "Quarantine",
    "Readiness",
    "ReplicationState",
    "Resource",
    "Role",
    "RuntimeOptions",
    "Severity",
    "Shutdown",
    "Snapshot",
    "SystemView",
    "TcpAccepts",
    "Unknown",
    "Volume",
    "Window",
    "WindowError",
    "parse_fenced",
    "parse_noted",
    "parse_peer_seen",
    "parse_quarantine",
    "parse_window",
]
