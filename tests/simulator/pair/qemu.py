"""libvirt and QEMU on both hosts: processes, and what each libvirtd says of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from dualsrm.engine.ports import StopWay
from dualsrm.model import DomainState
from tests.simulator.pair.clock import SimClock
from tests.simulator.pair.drbd import KernelRefused, SimDrbd
from tests.simulator.pair.migration import LibvirtRefused, Migration, Phase, Script
from tests.simulator.pair.state import Guest, Qemu, Record


class SimLibvirt:
    """Every QEMU and every libvirtd's opinion of it."""

    def __init__(self, clock: SimClock, drbd: SimDrbd, note: Callable[[str], None]) -> None:
        self.clock = clock
        self.drbd = drbd
        self.guests: dict[str, Guest] = {}
        self.qemus: list[Qemu] = []
        self.records: dict[tuple[str, str], Record] = {}
        self.migrations: list[Migration] = []
        self.on_vcpus: Callable[[Guest], None] = lambda _guest: None
        """Told whenever a guest's vCPUs start somewhere: where promises are checked."""
        self.path_up: Callable[[str, str], bool] = lambda _source, _target: True
        """Whether two hosts reach each other on the migration network."""
        self.file_there: Callable[[str, str], bool] = lambda _host, _resource: True
        """Whether a disk that is a file is there: its file system is mounted."""
        self.note = note
        self._pids = count(4001)

    def add(self, guest: Guest, hosts: tuple[str, ...], running_on: str | None) -> None:
        """Define a guest on hosts and perhaps start it on one."""
        self.guests[guest.name] = guest
        guest.acknowledged = {resource: set() for resource in guest.resources}
        for host in hosts:
            self.records[host, guest.name] = Record()
        if running_on:
            self.spawn(guest.name, running_on)
            self.run(guest.name, running_on, "booted")

    def record(self, host: str, guest: str) -> Record:
        """What that libvirtd says of the guest."""
        found = self.records.get((host, guest))
        if found is None:
            raise LibvirtRefused(f"Domain not found: no domain with matching name '{guest}'")
        return found

    def qemu(self, host: str, guest: str) -> Qemu | None:
        """The QEMU process of a guest on a host."""
        return next((q for q in self.qemus if (q.host, q.guest) == (host, guest)), None)

    def running_on(self, guest: str) -> tuple[str, ...]:
        """Where its vCPUs run; more than one host is the end of its data."""
        return tuple(q.host for q in self.qemus if q.guest == guest and q.vcpus_run)

    def holder(self, host: str, resource: str) -> str | None:
        """The QEMU that has a resource's device open."""
        for qemu in self.qemus:
            if qemu.host == host and resource in self.guests[qemu.guest].resources:
                return f"qemu-system-x86 ({qemu.pid})"
        return None

    # --- processes --------------------------------------------------------------------------------

    def spawn(self, guest: str, host: str, *, incoming: bool = False) -> Qemu:
        """Start a QEMU, which opens its disks for writing; one that cannot leaves none open."""
        for resource in self.guests[guest].resources:
            if not self.file_there(host, resource):
                raise KernelRefused(f"open the disk of {guest} on {host}", "No such file or directory")
        opened: list[str] = []
        try:
            for resource in self.guests[guest].resources:
                self.drbd.open_for_writing(host, resource)
                opened.append(resource)
        except KernelRefused:
            for resource in opened:
                self.drbd.closed(host, resource)
            raise
        qemu = Qemu(guest, host, next(self._pids), vcpus_run=False, incoming=incoming)
        self.qemus.append(qemu)
        return qemu

    def run(self, guest: str, host: str, reason: str) -> None:
        """The vCPUs of a guest start, or start again."""
        qemu = self.qemu(host, guest)
        if qemu is None:
            return
        qemu.vcpus_run, qemu.incoming = True, False
        self._say(host, guest, DomainState.RUNNING, reason)
        self.on_vcpus(self.guests[guest])

    def pause(self, guest: str, host: str, reason: str) -> None:
        """The vCPUs stop; the process stays."""
        qemu = self.qemu(host, guest)
        if qemu is not None:
            qemu.vcpus_run = False
            self._say(host, guest, DomainState.PAUSED, reason)

    def stand_still(self, guest: str, host: str) -> None:
        """The virtual CPUs stop; libvirt says so only when QEMU has drained."""
        qemu = self.qemu(host, guest)
        if qemu is not None:
            qemu.vcpus_run = False

    def inactive(self, guest: str, host: str, reason: str, *, exits_after: float = 0.0) -> None:
        """libvirt calls the domain shut off; the process exits now, or a little later (RA #1293)."""
        self._say(host, guest, DomainState.SHUTOFF, reason)
        qemu = self.qemu(host, guest)
        if qemu is None:
            return
        qemu.vcpus_run = False
        if exits_after > 0:
            self.clock.after(exits_after, lambda: self.exit(qemu))
        else:
            self.exit(qemu)

    def exit(self, qemu: Qemu) -> None:
        """The process is gone and its devices are closed; not before its writes are done."""
        if any(self.drbd.nodes[qemu.host, r].pending for r in self.guests[qemu.guest].resources):
            qemu.killed = True
        elif qemu in self.qemus:
            self.qemus.remove(qemu)
            for resource in self.guests[qemu.guest].resources:
                self.drbd.closed(qemu.host, resource)

    def drained(self, host: str) -> None:
        """Writes are done: a process that waited for them goes."""
        for qemu in [q for q in self.qemus if q.host == host and q.killed]:
            self.exit(qemu)

    def kill(self, host: str, guest: str) -> bool:
        """SIGKILL; whether the process is gone. libvirt sees it crash, a migration loses a half."""
        self.inactive(guest, host, "crashed")
        gone = self.qemu(host, guest) is None
        for migration in self.active_migrations(guest):
            migration.lost_a_half(host)
        return gone

    def busy(self, host: str, guest: str) -> bool:
        """Whether QEMU cannot drain here: its I/O stands still, or writes are neither done nor failed."""
        return self.frozen(host, guest) or any(self.drbd.nodes[host, r].pending for r in self.guests[guest].resources)

    def _say(self, host: str, guest: str, state: DomainState, reason: str) -> None:
        record = self.records.setdefault((host, guest), Record())
        if (record.state, record.reason) != (state, reason):
            self.note(f"{guest} on {host} is {state} ({reason})")
        record.state, record.reason = state, reason

    def frozen(self, host: str, guest: str) -> bool:
        """Whether the guest's I/O stands still here: libvirt's calls on it block then (design, section 3)."""
        qemu = self.qemu(host, guest)
        return (
            qemu is not None
            and not qemu.incoming
            and any(self.drbd.nodes[host, r].suspended for r in self.guests[guest].resources)
        )

    # --- what libvirt is asked to do --------------------------------------------------------------

    def destroy(self, host: str, guest: str) -> None:
        """virDomainDestroy."""
        record = self.record(host, guest)
        if not record.state.active:
            raise LibvirtRefused("Requested operation is not valid: domain is not running")
        self.inactive(guest, host, "destroyed")
        for migration in self.active_migrations(guest):
            migration.lost_a_half(host)

    def asked_to_stop(self, host: str, guest: str, way: StopWay) -> None:
        """virDomainShutdownFlags: the guest stops when it likes, if it listens to that way."""
        record = self.record(host, guest)
        if not record.state.active:
            raise LibvirtRefused("Requested operation is not valid: domain is not running")
        manners = self.guests[guest].manners
        if way is StopWay.AGENT and not manners.agent:
            raise LibvirtRefused("argument unsupported: QEMU guest agent is not configured")
        if record.state is DomainState.RUNNING and (way is StopWay.AGENT or manners.acpi):
            self.clock.after(manners.stops_after_s, lambda: self._stops(host, guest))

    def _stops(self, host: str, guest: str) -> None:
        if host in self.running_on(guest):
            self.guests[guest].stopped_by_owner = True
            self.inactive(guest, host, "shutdown", exits_after=self.guests[guest].manners.exits_after_s)

    def start(self, host: str, guest: str) -> None:
        """virDomainCreate, unless it is active."""
        if self.record(host, guest).state.active:
            return
        if self.guests[guest].broken_on == host:
            raise LibvirtRefused("Cannot get interface MTU on 'br-x': No such device")
        try:
            self.spawn(guest, host)
        except KernelRefused as refused:
            raise LibvirtRefused(f"internal error: process exited while connecting to monitor: {refused}") from refused
        self.guests[guest].stopped_by_owner = False
        self.run(guest, host, "booted")

    def guest_shuts_down(self, guest: str) -> None:
        """Its owner shuts the guest down from inside."""
        for host in self.running_on(guest):
            self.guests[guest].stopped_by_owner = True
            self.inactive(guest, host, "shutdown")
            for migration in self.active_migrations(guest):
                migration.lost_a_half(host)

    def host_lost(self, host: str) -> None:
        """Power is gone: its QEMUs with it; a migration from or to it fails on the other side."""
        self.qemus = [qemu for qemu in self.qemus if qemu.host != host]
        for (name, _), record in self.records.items():
            if name == host:
                record.state, record.reason, record.job_active = DomainState.SHUTOFF, "unknown", False
        for migration in [m for m in self.migrations if host in (m.source, m.target)]:
            migration.lost_a_half(host)

    def daemon_restarts(self, host: str) -> None:
        """libvirtd ends: it drops what comes in, and cancels what goes out once it is back."""
        for migration in [m for m in self.migrations if m.phase is not Phase.ENDED]:
            if migration.target == host:
                migration.lost_incoming()
            if migration.source == host:
                migration.lost_driver()

    def active_migrations(self, guest: str) -> list[Migration]:
        """The migration of a guest under way, if any."""
        return [m for m in self.migrations if m.guest == guest and m.phase is not Phase.ENDED]

    def migrate(self, guest: str, source: str, target: str, script: Script) -> Migration:
        """migrateToURI3, peer to peer: it goes on whether or not anyone waits for it."""
        migration = Migration(self, guest, source, target, script)
        self.migrations.append(migration)
        migration.begin()
        return migration
