"""libvirt as one host sees it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from dualsrm.model.facts import Maybe, OpenStrEnum


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
    clones: tuple[str, ...] = ()
    """Domains that a rehearsal started, by name. They are no guests: nobody moves, counts or misses them."""

    def domain(self, name: str) -> Domain | None:
        """The domain of that name, or None when this libvirtd does not know it."""
        return next((domain for domain in self.domains if domain.name == name), None)


class CpuVerdict(Enum):
    """Whether the target's CPU can run the guest, by libvirt's own comparison."""

    COMPATIBLE = "compatible"
    INCOMPATIBLE = "incompatible"
