"""The real `HostPort`: one host behind one SSH connection."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Final, TypeVar

from dualsrm.engine.ports import Disturbance, DomainStatus, MigrationJob, StopWay
from dualsrm.errors import CommandFailed, DualsrmError, HostUnreachable
from dualsrm.hosts import processes
from dualsrm.hosts.calls import begin
from dualsrm.hosts.deadlines import PEER_S
from dualsrm.hosts.drbd import Dialect, parse_version
from dualsrm.hosts.drbd_commands import DrbdCommands
from dualsrm.hosts.fencing import HostFencing
from dualsrm.hosts.filesystems import Filesystems
from dualsrm.hosts.guard import HostGuards
from dualsrm.hosts.libvirt import domains
from dualsrm.hosts.libvirt.connection import SYSTEM_URI, LibvirtConnection
from dualsrm.hosts.libvirt.cpu import cpu_verdict
from dualsrm.hosts.libvirt.domain_xml import DomainXmlError
from dualsrm.hosts.libvirt.migration import LibvirtMigration, MigrationSettings
from dualsrm.hosts.libvirt.view import LibvirtReader
from dualsrm.hosts.locks import HostLocks
from dualsrm.hosts.probe import Scope, available_memory_of, drbd_of, mounts_of, probe, system_of
from dualsrm.hosts.rehearsal import RehearsalCommands
from dualsrm.hosts.scripts import script_argv
from dualsrm.hosts.split import SplitCommands
from dualsrm.hosts.ssh import SshConnection, SshSettings
from dualsrm.hosts.ssh.failures import is_silence
from dualsrm.hosts.survey import survey_of
from dualsrm.hosts.text import clean
from dualsrm.model import (
    CpuVerdict,
    Domain,
    DrbdView,
    Fenced,
    Host,
    HostSurvey,
    HostView,
    LibvirtView,
    LockHolder,
    Maybe,
    Noted,
    PeerSeen,
    Unknown,
    Window,
)

T = TypeVar("T")

_NOT_HERE: Final = 97
"""reach.sh: the guest is not here."""
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})", re.ASCII)


class RealHost:
    """One host. Nothing is connected until it is asked something; `close` ends what was opened."""

    def __init__(
        self,
        host: Host,
        ssh: SshSettings,
        *,
        migration: MigrationSettings | None = None,
        libvirt_uri: str = SYSTEM_URI,
    ) -> None:
        self._host = host
        self._migration = migration or MigrationSettings()
        self._ssh = SshConnection(host, ssh)
        self._libvirt = LibvirtConnection(self._ssh, libvirt_uri)
        self._reader = LibvirtReader(self._libvirt)
        self._drbd = DrbdCommands(self._ssh)
        self.split = SplitCommands(self._ssh)
        self.rehearsal = RehearsalCommands(self._ssh, self._libvirt, host.name)
        self.filesystems = Filesystems(self._ssh)
        self._locks = HostLocks(self._ssh)
        self._guards = HostGuards(self._ssh)
        self._fencing = HostFencing(self._ssh)
        self._dialect: Dialect | None = None

    @property
    def host(self) -> Host:
        """The host as configured."""
        return self._host

    def close(self) -> None:
        """Close both connections; calls under way end with an error."""
        self._guards.close()
        self._libvirt.close()
        self._ssh.close()

    # --- seeing ---------------------------------------------------------------------------------------

    def observe(self, *, guest: str | None = None, peer: Host | None = None) -> HostView:
        """Everything, the host itself and libvirt asked at the same time. What cannot be seen is Unknown."""
        probing = begin(lambda: probe(self._ssh), f"probe of {self._host.name}")
        reaching = None
        if guest is not None and peer is not None:
            reaching = begin(lambda: self._reach_peer_for(guest, peer), f"libvirt of {peer.name} from here")
        virt = _settled(begin(self._reader.view, f"libvirt of {self._host.name}"))
        link = reaching.result() if reaching is not None else None
        if link is None and peer is not None and isinstance(virt, LibvirtView) and _is_active(virt, guest):
            link = self.reach_peer(peer)
        answer = _settled(probing)
        if isinstance(answer, Unknown):
            return HostView(self._host.name, drbd=answer, libvirt=virt, system=answer, peer_link=link, mounts=answer)
        if isinstance(virt, LibvirtView):
            virt = replace(virt, free_memory_bytes=available_memory_of(answer))
        drbd = drbd_of(answer)
        if isinstance(drbd, DrbdView):
            self._dialect = _dialect_of(drbd)
        return HostView(
            self._host.name,
            drbd=drbd,
            libvirt=virt,
            system=system_of(answer),
            peer_link=link,
            mounts=mounts_of(answer),
        )

    def survey(self) -> HostSurvey:
        """What a configuration of this host is made of."""
        return survey_of(probe(self._ssh, Scope.SURVEY), self._host.name)

    def observe_disks(self) -> HostView:
        """The guests and what lies below their disks, asked at the same time; the host itself is not asked."""
        probing = begin(lambda: probe(self._ssh, Scope.DISKS), f"probe of {self._host.name}")
        virt = _settled(begin(self._reader.view, f"libvirt of {self._host.name}"))
        answer = _settled(probing)
        drbd = answer if isinstance(answer, Unknown) else drbd_of(answer)
        if isinstance(drbd, DrbdView):
            self._dialect = _dialect_of(drbd)
        mounts = answer if isinstance(answer, Unknown) else mounts_of(answer)
        return HostView(self._host.name, drbd=drbd, libvirt=virt, system=Unknown("it was not asked"), mounts=mounts)

    def drbd(self) -> DrbdView:
        """DRBD only. What only the configuration files tell (configured, drift, links) is not in it."""
        view = drbd_of(probe(self._ssh, Scope.DRBD))
        if isinstance(view, Unknown):
            raise CommandFailed(
                f"DRBD on {self._host.name} cannot be read: {view.why}",
                why="no step can be verified without it",
                fix=f"on {self._host.name}: drbdsetup status; lsmod | grep drbd",
            )
        self._dialect = _dialect_of(view)
        return view

    def disturbance(self) -> Disturbance | None:
        """What the guard here said last."""
        return self._guards.disturbance()

    def openers(self, minor: int) -> tuple[str, ...]:
        """Who holds /dev/drbdMINOR open here."""
        return processes.openers(self._ssh, minor)

    def domain_status(self, guest: str) -> DomainStatus:
        """State, reason and job of one domain."""
        return domains.domain_status(self._libvirt, guest)

    def qemu_alive(self, guest_uuid: str) -> bool:
        """Whether a process with `-uuid UUID` exists, by the process table."""
        return processes.qemu_alive(self._ssh, guest_uuid)

    def agent_answers(self, guest: str) -> str:
        """Whether the agent in the guest answers libvirt here."""
        return domains.agent_answers(self._libvirt, guest)

    def cpu_verdict(self, domain: Domain, source_cpu_xml: str | None) -> Maybe[CpuVerdict]:
        """libvirt's comparison of the guest's CPU with this host's."""
        try:
            return cpu_verdict(self._libvirt, domain, source_cpu_xml)
        except DualsrmError as error:
            return Unknown(error.seen, error.fix)

    def reach_peer(self, peer: Host) -> Maybe[str]:
        """Ask the peer's libvirtd from here. Without a terminal ssh asks no questions: it works or it does not."""
        return self._peers_name(["virsh", "-q", "-c", peer.peer_uri, "hostname"], peer) or Unknown("it was not asked")

    def _reach_peer_for(self, guest: str, peer: Host) -> Maybe[str] | None:
        """The same, but None if no QEMU of the guest was started here, by libvirt's own note of it.

        libvirt's word on which host a guest is active comes a second later, and this question is the longest of all.
        """
        return self._peers_name(script_argv("reach", guest, peer.peer_uri), peer)

    def _peers_name(self, argv: Sequence[str], peer: Host) -> Maybe[str] | None:
        try:
            done = self._ssh.run(argv, deadline_s=PEER_S)
        except DualsrmError as error:
            return Unknown(error.seen, error.fix)
        if done.exit == _NOT_HERE:
            return None
        name = done.stdout.strip()
        if done.exit == 0 and _HOST_NAME.fullmatch(name):
            return name
        said = clean(done.stderr) or clean(done.stdout) or "it said nothing"
        return Unknown(f"`virsh -c {clean(peer.peer_uri, 200)} hostname` on {self._host.name}: {said}")

    def lock_holder(self, pair: str) -> Maybe[LockHolder | None]:
        """Who holds the pair's lock here."""
        try:
            return self._locks.holder(pair)
        except (HostUnreachable, CommandFailed) as error:
            return Unknown(error.seen, error.fix)

    # --- acting ---------------------------------------------------------------------------------------

    def call_in_guard(self, peer: Host) -> None:
        """Start the guard's program; it waits for a window."""
        self._guards.call_in(peer.name)

    def arm(self, window: Window) -> None:
        """Leave the window record here, with a guard and a timer."""
        self._guards.arm(window)

    def disarm(self) -> None:
        """End the guard and have the host settle what no manager holds."""
        self._guards.disarm()

    def set_fencing(self, *resources: str, policy: str) -> None:
        """The freeze policy on this side, at runtime only."""
        if self._dialect is None:
            self.drbd()
        assert self._dialect is not None  # noqa: S101 - drbd() has set it, or raised
        self._drbd.set_fencing(resources, policy, self._dialect)

    def set_two_primaries(self, *resources: str, allowed: bool) -> None:
        """Open or close the window on this side, at runtime only."""
        self._drbd.set_two_primaries(resources, allowed=allowed)

    def promote(self, *resources: str) -> None:
        """Make them Primary here, never by force."""
        self._drbd.promote(resources)

    def promote_forced(self, *resources: str) -> None:
        """`drbdadm primary --force`: on a disk that is not the newest, because somebody accepted what it lacks."""
        self._drbd.promote(resources, force=True)

    def demote(self, *resources: str) -> None:
        """Make them Secondary here; raises `DeviceHeldOpen` while something has a device open."""
        self._drbd.demote(resources)

    def destroy(self, guest: str) -> None:
        """End the guest's QEMU here; a no-op when there is none."""
        domains.destroy(self._libvirt, guest)

    def ask_to_stop(self, guest: str, way: StopWay) -> None:
        """Ask the guest to shut itself down."""
        domains.ask_to_stop(self._libvirt, guest, way)

    def definition(self, guest: str) -> str:
        """The guest's inactive definition."""
        return domains.definition(self._libvirt, guest)

    def heard(self) -> Maybe[bool]:
        """Whether anything answers there: a login that is refused is an answer."""
        try:
            self._ssh.open()
        except DualsrmError as error:
            silent = is_silence(error.__cause__)
            return Unknown(error.seen, error.fix) if silent is None else not silent
        return True

    def peer_seen(self, peer: Host) -> Maybe[PeerSeen]:
        """Its peer as this host sees it."""
        return self._fencing.peer_seen(peer.name)

    def fence(self, peer: Host, operation: str) -> Fenced:
        """Switch its peer off by the device in host.toml, and put it in quarantine."""
        return self._fencing.fence(peer.name, operation)

    def confirm_off(self, peer: Host, by: str, operation: str) -> None:
        """Note that its peer is off, and put it in quarantine."""
        self._fencing.confirm_off(peer.name, by, operation)

    def noted(self, peer: Host) -> Noted:
        """What is written down there of its peer."""
        return self._fencing.noted(peer.name)

    def lift_quarantine(self, peer: Host) -> None:
        """Its peer has all data again."""
        self._fencing.lift_quarantine(peer.name)

    def define(self, xml: str) -> None:
        """Define a guest here."""
        domains.define(self._libvirt, xml)

    def start(self, guest: str) -> None:
        """Start the guest here; a no-op when it is active."""
        domains.start(self._libvirt, guest)

    def start_migration(self, guest: str, target: Host) -> MigrationJob:
        """Start a peer-to-peer live migration from here; returns once libvirt has been reached."""
        return LibvirtMigration(self._libvirt, guest, target, self._migration)

    def lock(self, pair: str, holder: LockHolder) -> Maybe[LockHolder] | None:
        """Take the pair's lock on this host: None when taken, otherwise who holds it."""
        return self._locks.take(pair, holder)

    def unlock(self, pair: str, operation: str) -> None:
        """Release the pair's lock if that operation holds it."""
        self._locks.drop(pair, operation)


def _dialect_of(view: DrbdView) -> Dialect:
    return parse_version(f"version: {view.version}").dialect


def _is_active(virt: LibvirtView, guest: str | None) -> bool:
    domain = virt.domain(guest) if guest is not None else None
    return domain is not None and domain.state.active


def _settled(future: Future[T]) -> Maybe[T]:
    """What a call brought, or why it brought nothing. Each call within has its own deadline, so this one ends."""
    try:
        return future.result()
    except DualsrmError as error:
        return Unknown(error.seen, error.fix)
    except DomainXmlError as error:
        return Unknown(clean(str(error)))
