"""What the engine asks of the outside world.

`dualsrm.hosts` answers with the real thing, the tests' simulator with the kernels' rules. Every method takes as long as
its own deadline at most and then raises `DeadlineExceeded`; a refusal by DRBD or libvirt is `CommandFailed` (or
`DeviceHeldOpen`); a host that cannot be asked at all is `HostUnreachable`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from dualsrm.model import (
    Backing,
    Clone,
    CpuVerdict,
    Domain,
    DomainState,
    DrbdView,
    Fenced,
    Filesystem,
    Generation,
    Host,
    HostSurvey,
    HostView,
    LockHolder,
    Maybe,
    MountView,
    Noted,
    PeerSeen,
    Probe,
    RehearsalView,
    Window,
)


@dataclass(frozen=True, slots=True)
class JobProgress:
    """libvirt's job statistics while memory is copied. Bytes, seconds; None where libvirt does not say yet."""

    memory_total: int | None = None
    memory_processed: int | None = None
    memory_remaining: int | None = None
    dirty_rate_bytes_per_second: int | None = None
    iteration: int | None = None
    downtime_s: float | None = None
    """Expected while running, measured by QEMU once completed."""


@dataclass(frozen=True, slots=True)
class JobEnded:
    """The migration call came back. `error` is libvirt's text: it informs a person, it decides nothing."""

    error: str | None
    statistics: JobProgress | None
    fix: str = ""
    """Where the reason is to be found, when the text does not say it."""


class MigrationJob(Protocol):
    """A live migration under way. P2P: it goes on under libvirt even when the manager is gone."""

    def poll(self) -> JobProgress | JobEnded | None:
        """The end, progress if there is news since the last time, or None. Waits for nothing."""

    def abort(self) -> None:
        """Ask libvirt to abort; the end still arrives through `poll`."""

    def set_downtime(self, seconds: float) -> None:
        """Let QEMU hand over as soon as the rest can be sent within that time."""

    def start_post_copy(self) -> None:
        """Let the guest run on at the target, the rest of its memory follows. Nothing can be aborted after it."""

    def suspend(self) -> None:
        """Make the guest stand still until it is at the target; libvirt resumes it there, or here when that fails."""


@dataclass(frozen=True, slots=True)
class DomainStatus:
    """State of one domain on one host; `state` None when this libvirtd does not know the domain."""

    state: DomainState | None
    reason: str = "unknown"
    job_active: bool = False


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What a guard sees go wrong around its window, now."""

    seen: str
    link: bool
    """The replication link is lost or I/O is frozen: the hosts settle that between themselves."""


class StopWay(Enum):
    """How a guest is asked to shut itself down."""

    AGENT = "agent"
    """The agent in the guest: it says at once when there is none."""
    ACPI = "acpi"
    """The power button, which a guest may ignore, above all while it boots."""


class SplitPort(Protocol):
    """What settling a split brain asks of one host."""

    def generations(self, resource: str, volumes: tuple[int, ...]) -> tuple[Generation, ...]:
        """`drbdadm get-gi` of each volume. Raises when it cannot be read."""

    def disconnect(self, resource: str) -> None:
        """`drbdadm disconnect`; a no-op where it stands alone."""

    def connect(self, resource: str, *, discard: bool) -> None:
        """`drbdadm connect`; with `discard` its own writes give way (`--discard-my-data`), which no Primary may do."""

    def backing(self, resource: str, volumes: tuple[int, ...]) -> tuple[Backing, ...]:
        """The logical volume below each volume. Raises where there is none."""

    def take_snapshot(self, group: str, origin: str, name: str, size_bytes: int, tags: tuple[str, ...] = ()) -> None:
        """`lvcreate --snapshot`; a no-op when it is there."""

    def snapshot_origin(self, group: str, name: str) -> str | None:
        """The origin of a snapshot that can be read; None when there is none."""


class RehearsalPort(Protocol):
    """What a rehearsal asks of one host, besides the snapshots themselves."""

    def look(self, *, snapshots: bool = True) -> RehearsalView:
        """All that is marked as a rehearsal's; LVM is asked for `snapshots` only. Raises what cannot be asked."""

    def obstacle(self, guest: str) -> str:
        """Why the guest as defined here cannot be cloned; empty when it can."""

    def make_network(self, name: str) -> None:
        """A transient libvirt network without an uplink; a no-op when it is there."""

    def remove_network(self, name: str) -> None:
        """Take it away; a no-op when it is not there. Raises for one that is no rehearsal's."""

    def remove_snapshot(self, group: str, name: str) -> None:
        """`lvremove`; a no-op when it is not there. Raises for a volume that is not marked, or is in use."""

    def start_clone(self, clone: Clone) -> None:
        """Start it from the guest's definition here, transient; a no-op when it is active."""


class FilesystemPort(Protocol):
    """What a group's file system asks of one host."""

    def mounts(self) -> MountView:
        """What is mounted here now, for verifying a step; not what would be at boot. Raises when it cannot be read."""

    def users(self, filesystem: Filesystem) -> tuple[str, ...]:
        """Who uses files below its mount point here, as `command (pid)`; for the error message only."""

    def check(self, filesystem: Filesystem) -> None:
        """fsck as configured, where it is not mounted. Raises when it found what it did not repair."""

    def mount(self, filesystem: Filesystem) -> None:
        """Mount it, unless it is. Raises where anything else is mounted there."""

    def unmount(self, filesystem: Filesystem) -> None:
        """Unmount it, unless it is not mounted; raises DeviceHeldOpen while something uses it."""


class HostPort(Protocol):
    """One host."""

    @property
    def split(self) -> SplitPort:
        """For a split brain."""

    @property
    def rehearsal(self) -> RehearsalPort:
        """For a rehearsal."""

    @property
    def filesystems(self) -> FilesystemPort:
        """For a group's file system."""

    @property
    def host(self) -> Host:
        """The host as configured."""

    def observe(self, *, guest: str | None = None, peer: Host | None = None) -> HostView:
        """Everything, for checks and status. A host that does not answer raises nothing: parts are Unknown.

        With a guest and a peer, the host on which that guest is active also asks the peer's libvirtd: from there it
        would move, and asking takes as long as all the rest.
        """

    def survey(self) -> HostSurvey:
        """What a configuration of this host is made of; raises when it cannot be asked."""

    def observe_disks(self) -> HostView:
        """The guests and what lies below their disks: in a failover the rest would be seconds for nothing.

        Raises nothing: parts are Unknown.
        """

    def drbd(self) -> DrbdView:
        """DRBD only, fresh, for verifying a step. Raises when it cannot be read."""

    def call_in_guard(self, peer: Host) -> None:
        """Have a guard started that `arm` will need; returns at once, raises nothing and changes nothing there.

        It asks its peer while the manager still looks; called in for nothing, it ends with the connection.
        """

    def arm(self, window: Window) -> None:
        """Leave the window record, start the guard and the dead-man timer.

        Raises when the host has no dualsrm-host, or cannot reach its peer's over the management network.
        """

    def disarm(self) -> None:
        """End the guard this manager has there, and have the host settle every window that no manager holds."""

    def disturbance(self) -> Disturbance | None:
        """What the guard said last, without asking: None when all is well, or when there is no guard to say."""

    def set_fencing(self, *resources: str, policy: str) -> None:
        """The option fencing, runtime only: a disk option on DRBD 8.4, a net option on 9."""

    def set_two_primaries(self, *resources: str, allowed: bool) -> None:
        """`drbdadm net-options --allow-two-primaries=...`: runtime only, the connection stays up."""

    def promote(self, *resources: str) -> None:
        """`drbdadm primary`, never with --force."""

    def promote_forced(self, *resources: str) -> None:
        """`drbdadm primary --force`: only where somebody accepted the loss of what this side's disk lacks."""

    def demote(self, *resources: str) -> None:
        """`drbdadm secondary`; raises DeviceHeldOpen when something has the device open."""

    def openers(self, minor: int) -> tuple[str, ...]:
        """Who holds /dev/drbdMINOR open here, as `command (pid)`; for the error message only."""

    def domain_status(self, guest: str) -> DomainStatus:
        """State, reason and job of one domain."""

    def qemu_alive(self, guest_uuid: str) -> bool:
        """Whether a QEMU process of that domain exists, by the process table."""

    def destroy(self, guest: str) -> None:
        """virDomainDestroy."""

    def ask_to_stop(self, guest: str, way: StopWay) -> None:
        """Ask the guest to shut itself down. Raises when it cannot be asked that way; it may take its time, or not."""

    def definition(self, guest: str) -> str:
        """The guest's inactive definition, as libvirt would give it to another host. Raises when it has none."""

    def define(self, xml: str) -> None:
        """Define a guest; a no-op for one that is defined the same."""

    def start(self, guest: str) -> None:
        """Start a guest that is defined here; a no-op when it is active. libvirt waits until its QEMU runs."""

    def agent_answers(self, guest: str) -> str:
        """Empty when the agent in the guest answers, else why not. Raises when libvirt cannot be asked."""

    def cpu_verdict(self, domain: Domain, source_cpu_xml: str | None) -> Maybe[CpuVerdict]:
        """Whether this host's hypervisor can run that domain's CPU (virConnectCompareHypervisorCPU).

        `source_cpu_xml` is the source host's own CPU, for a guest that has it passed through.
        """

    def reach_peer(self, peer: Host) -> Maybe[str]:
        """Ask the peer's libvirtd from here, with this host's credentials: its host name, or why not."""

    def heard(self) -> Maybe[bool]:
        """Whether anything at all answers at this host's address; a login that is refused is an answer. Never raises.

        Unknown where the manager's own network is in the way.
        """

    def peer_seen(self, peer: Host) -> Maybe[PeerSeen]:
        """The peer as this host sees it: whether it answers, and what its fence device says. Never raises."""

    def fence(self, peer: Host, operation: str) -> Fenced:
        """Switch the peer off by the fence device this host has for it, see it off, and note that here.

        It is put in quarantine for that operation, which outlives a boot of this host.

        That it is not off is in the answer; raises only when there is none.
        """

    def confirm_off(self, peer: Host, by: str, operation: str) -> None:
        """Note here that the peer is off, and who says so: then DRBD's handler lets this side be promoted.

        It is put in quarantine for that operation as well.
        """

    def noted(self, peer: Host) -> Noted:
        """What is written down here of the peer."""

    def lift_quarantine(self, peer: Host) -> None:
        """The peer has all data again: it may be promoted and started on."""

    def start_migration(self, guest: str, target: Host) -> MigrationJob:
        """Start a P2P live migration from this host; returns at once."""

    def lock(self, pair: str, holder: LockHolder) -> Maybe[LockHolder] | None:
        """Take the pair's lock on this host. None: taken; otherwise who holds it. In /run: a reboot frees it."""

    def unlock(self, pair: str, operation: str) -> None:
        """Release the pair's lock if this operation holds it; a no-op when it is free."""

    def lock_holder(self, pair: str) -> Maybe[LockHolder | None]:
        """Who holds the pair's lock here, if anyone."""


class ManagerPort(Protocol):
    """What is done on the manager itself, around a group."""

    def probe(self, probe: Probe) -> str:
        """Empty when it is seen, else what was seen instead. Takes some seconds at most and raises nothing."""

    def run_hook(self, argv: Sequence[str], environment: Mapping[str, str], deadline_s: float) -> str:
        """Run a program: empty when it ended with exit code 0 in time, else what became of it. Raises nothing."""


class Clock(Protocol):
    """Time. The simulator's is virtual."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def now_iso(self) -> str:
        """Wall clock, ISO 8601 with zone."""
