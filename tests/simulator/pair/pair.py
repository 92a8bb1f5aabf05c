"""The simulated pair: two hosts, their DRBD and libvirt, one virtual clock, and what goes wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import Literal, NoReturn

from dualsrm.engine.observe import declared
from dualsrm.engine.ports import HostPort
from dualsrm.model import AT_REST, Filesystem, Host, Pair, Snapshot
from tests.simulator.pair import views
from tests.simulator.pair.clock import SimClock
from tests.simulator.pair.drbd import KernelRefused, SimDrbd
from tests.simulator.pair.faults import Call, Event, Fault, ManagerCrash, Method, Trigger
from tests.simulator.pair.filesystems import SimFilesystems
from tests.simulator.pair.local import Hostside
from tests.simulator.pair.manager import SimManager
from tests.simulator.pair.migration import Script
from tests.simulator.pair.port import SimHostPort
from tests.simulator.pair.qemu import SimLibvirt
from tests.simulator.pair.rehearsal import write_through
from tests.simulator.pair.rules import Dialect
from tests.simulator.pair.state import Guest, Machine, Node, Opener

ALPHA, BETA = "alpha", "beta"
CHUNK_BYTES = 4096
"""LVM copies at least so much for each write below a snapshot."""


@dataclass(frozen=True, slots=True)
class GuestSpec:
    """A guest to build: its disks as (resource, volume)."""

    name: str
    disks: tuple[tuple[str, int], ...]
    runs_on: str | None = ALPHA
    writes_per_second: float = 10.0


WEB = GuestSpec("web", (("web", 0),))
DB = GuestSpec("db", (("db-data", 0), ("db-log", 0)))


class SimPair:
    """Everything there is. Start from `SimPair("8.4")` or `SimPair("9")`: healthy, both guests on alpha.

    pair.ports      what the engine gets, by host name           pair.clock   its clock
    pair.faults     append Fault(...)                            pair.script  how migrations go
    pair.at, pair.before_call, pair.after_call, pair.during_copy when the world acts
    pair.calls, pair.events, pair.violations                     what happened
    """

    def __init__(
        self,
        dialect: str = "9",
        guests: Iterable[GuestSpec] = (WEB, DB),
        name: str = "pair",
        *,
        fencing: str = AT_REST,
        filesystems: tuple[Filesystem, ...] = (),
    ) -> None:
        self.dialect = Dialect(dialect)
        self.clock = SimClock()
        self.pair = Pair(name, (ALPHA, BETA), filesystems)
        self.script = Script()
        self.faults: list[Fault] = []
        self.timeline: list[Call | Event] = []
        """Everything in the order it happened; a call stands where it began."""
        self.violations: list[str] = []
        """Broken promises, recorded at the moment they broke."""
        self.dead = False
        """The manager crashed; see `restart_manager`."""
        self.call_s = 0.05
        self.timeout_s = 5.0
        self.path_is_up = True
        self.management_is_up = True
        """Between the hosts; whether the manager reaches one is the machine's."""
        self.manager_vanishes = False
        """A dying manager closes its connections; one whose machine dies is merely not heard any more."""
        self.manager_works = False
        """Whether a manager is there whose guards may hear it."""
        self.machines = {host: Machine(host) for host in self.pair.hosts}
        self.configured = {host: _host(host, number) for number, host in enumerate(self.pair.hosts, 11)}
        self.ports = self.lane()
        self.on_turn: Callable[[], None] = lambda: None
        """Told before every call of the manager: where another of its lanes may come first."""
        self.manager = SimManager(self)
        self._triggers: list[Trigger] = []
        self._written = 0
        self._pids = count(9001)
        self.drbd = SimDrbd(self.dialect, self.pair.hosts, self.note)
        self.libvirt = SimLibvirt(self.clock, self.drbd, self.note)
        self.filesystems = SimFilesystems(self)
        self.hostside = Hostside(self)
        self._wire()
        self._populate(tuple(guests), fencing)

    def lane(self) -> dict[str, HostPort]:
        """Connections of their own to both hosts."""
        return {name: SimHostPort(self, host) for name, host in self.configured.items()}

    def _wire(self) -> None:
        self.clock.on_elapse = self._guests_write
        self.clock.on_sleep = self._manager_sleeps
        self.drbd.host_up = lambda host: self.machines[host].powered
        self.drbd.qemu_holds = self.libvirt.holder
        self.drbd.later = self.clock.after
        self.drbd.now = self.clock.now_iso
        self.drbd.on_lost = self.hostside.handler_called
        self.drbd.ask_handler = self.hostside.handler_asked
        self.drbd.on_complete = self._acknowledge
        self.drbd.on_drained = lambda node: self.libvirt.drained(node.host)
        self.libvirt.on_vcpus = self._check_guest
        self.libvirt.path_up = self.hosts_meet
        self.drbd.mount_holds = self.filesystems.held_open
        self.libvirt.file_there = self.filesystems.file_there

    def _populate(self, guests: tuple[GuestSpec, ...], fencing: str) -> None:
        minors = count(0)
        for spec in guests:
            volumes: dict[str, int] = {}
            for resource, volume in spec.disks:
                volumes[resource] = max(volumes.get(resource, 0), volume + 1)
            for resource, number in volumes.items():
                if resource in self.drbd.link_up and self.filesystems.on(resource) is not None:
                    continue  # guests on one file system share its volume
                numbers = tuple(next(minors) for _ in range(number))
                self.drbd.add(resource, numbers, primary=spec.runs_on, fencing=fencing)
            for filesystem in self.pair.filesystems:
                if spec.runs_on is not None and filesystem.resource in volumes:
                    self.machines[spec.runs_on].mounts[filesystem.resource] = filesystem
            uuid = f"00000000-0000-4000-8000-{len(self.libvirt.guests) + 1:012d}"
            guest = Guest(spec.name, uuid, spec.disks, writes_per_second=spec.writes_per_second)
            self.libvirt.add(guest, self.pair.hosts, spec.runs_on)
        self.timeline.clear()

    # --- what happened ----------------------------------------------------------------------------

    def note(self, words: str) -> None:
        """Something changed."""
        self.timeline.append(Event(self.clock.monotonic(), words))

    @property
    def calls(self) -> list[Call]:
        """Every call of the manager, readings too."""
        return [entry for entry in self.timeline if isinstance(entry, Call)]

    @property
    def events(self) -> list[Event]:
        """Every change of the world."""
        return [entry for entry in self.timeline if isinstance(entry, Event)]

    def _check_guest(self, guest: Guest) -> None:
        """P1 and P2, at the moment vCPUs start."""
        where = self.libvirt.running_on(guest.name)
        if len(where) > 1:
            self.violations.append(f"P1: {guest.name} runs on {' and '.join(where)} at {self.clock.monotonic():.2f}")
        if lost := self.lost_writes(guest.name):
            self.violations.append(f"P2: {guest.name} runs without {lost} writes at {self.clock.monotonic():.2f}")

    def lost_writes(self, guest: str) -> int:
        """Acknowledged writes that are not on the disk of the host where the guest runs (or stands paused)."""
        lost = 0
        known = self.libvirt.guests[guest]
        for qemu in self.libvirt.qemus:
            if qemu.guest == guest and (qemu.vcpus_run or not (qemu.incoming or self.libvirt.running_on(guest))):
                missing = (known.acknowledged[r] - self.drbd.nodes[qemu.host, r].data for r in known.resources)
                lost = max(lost, sum(len(writes) for writes in missing))
        return lost

    def running_on(self, guest: str) -> tuple[str, ...]:
        """Where the guest's vCPUs run."""
        return self.libvirt.running_on(guest)

    def snapshot(self) -> Snapshot:
        """Both hosts as they would be observed now, without a call of the manager."""
        return Snapshot(
            self.pair,
            {host: declared(self.pair, views.host_view(self, host)) for host in self.pair.hosts},
            {host: self.machines[host].locks.get(self.pair.name) for host in self.pair.hosts},
            self.configured,
        )

    def changed_anything(self) -> list[Call]:
        """Calls that could change something beyond the lock: a refusal has none."""
        return [call for call in self.calls if call.mutating and call.method not in ("lock", "unlock")]

    def log(self) -> list[str]:
        """Calls and events, for golden output; readings are left out."""
        return [str(entry) for entry in self.timeline if isinstance(entry, Event) or entry.mutating]

    # --- the guests -------------------------------------------------------------------------------

    def _guests_write(self, elapsed: float) -> None:
        for guest in self.libvirt.guests.values():
            for host in self.libvirt.running_on(guest.name):
                guest.due += guest.writes_per_second * elapsed
                count = int(guest.due)
                guest.due -= count
                if count:
                    for resource in guest.resources:
                        self._write(guest, host, resource, count)

    def _write(self, guest: Guest, host: str, resource: str, count: int) -> None:
        numbers = range(self._written, self._written + count)
        self._written += count
        if self.drbd.write(host, resource, numbers):
            guest.acknowledged[resource].update(numbers)
        for volume in {volume for name, volume in guest.disks if name == resource}:
            for machine in self.machines.values():
                write_through(machine, f"{resource}{volume}", count * CHUNK_BYTES)

    def _acknowledge(self, node: Node, number: int) -> None:
        """A write that waited is done; told to the guest, if it is there to hear."""
        for qemu in self.libvirt.qemus:
            guest = self.libvirt.guests[qemu.guest]
            if qemu.host == node.host and node.resource in guest.resources and not qemu.killed:
                guest.acknowledged[node.resource].add(number)

    # --- the manager ------------------------------------------------------------------------------

    def crash(self) -> NoReturn:
        """The manager dies here."""
        self.kill_manager()
        raise ManagerCrash

    def kill_manager(self) -> None:
        """SIGKILL, at whatever it is doing."""
        self.dead = True
        self.note("the manager dies")
        self.manager_ends()

    def manager_ends(self) -> None:
        """Its process is gone, and with it the connections its guards were heard over."""
        self.manager_works = False
        for machine in self.machines.values():
            self.hostside.manager_unheard(machine, for_good=machine.reachable and not self.manager_vanishes)

    def restart_manager(self) -> None:
        """A new manager may call again; locks and windows the old one left are still there."""
        self.dead = False
        self.note("a new manager starts")

    def _manager_sleeps(self, seconds: float) -> None:
        if self.dead:
            raise ManagerCrash
        call = Call(self.clock.monotonic(), "", "sleep", "", f"{seconds:g}")
        if any(fault.meets(call) for fault in self.faults if fault.at == "sleep"):
            self.crash()

    def trigger(self, when: Literal["before", "after"], call: Call) -> None:
        """Let the world do what was to happen at this call."""
        for trigger in [t for t in self._triggers if t.when == when and t.meets(call)]:
            trigger.action()

    # --- when the world acts ----------------------------------------------------------------------

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """At a virtual time: pair.at(5.0, pair.cut_link)."""
        self.clock.at(moment, action)

    def before_call(
        self,
        method: Method,
        action: Callable[[], None],
        *,
        host: str | None = None,
        subject: str | None = None,
        nth: int = 1,
    ) -> None:
        """Right before the manager's nth such call."""
        self._triggers.append(Trigger("before", method, host, subject, nth, action))

    def after_call(
        self,
        method: Method,
        action: Callable[[], None],
        *,
        host: str | None = None,
        subject: str | None = None,
        nth: int = 1,
    ) -> None:
        """Right after it, before the manager sees the result."""
        self._triggers.append(Trigger("after", method, host, subject, nth, action))

    def during_copy(self, share: float, action: Callable[[], None]) -> None:
        """When that share of the next migration's memory copy has passed."""
        wait = self.script.startup_s + share * self.script.copy_s
        self.after_call("start_migration", lambda: self.clock.after(wait, action))

    # --- what the world does ----------------------------------------------------------------------

    def cut_link(self, resource: str | None = None) -> None:
        """The replication link breaks, of one resource or of all."""
        for name in self._resources(resource):
            self.note(f"the replication link of {name} is cut")
            self.drbd.cut(name, "link cut")

    def heal_link(self, resource: str | None = None) -> None:
        """The replication link is back; Connecting sides meet at once."""
        for name in self._resources(resource):
            self.note(f"the replication link of {name} is back")
            self.drbd.heal(name)

    def _resources(self, resource: str | None) -> tuple[str, ...]:
        return (resource,) if resource else tuple(self.drbd.link_up)

    def isolate(self, host: str) -> None:
        """The manager does not reach the host any more; the hosts reach each other."""
        self.note(f"the manager loses {host}")
        self.machines[host].reachable = False
        self.hostside.manager_unheard(self.machines[host], for_good=False)

    def reach_again(self, host: str) -> None:
        """The manager reaches the host again."""
        self.note(f"the manager reaches {host} again")
        self.machines[host].reachable = True
        if self.manager_works:
            self.hostside.manager_heard(self.machines[host])

    def cut_path(self) -> None:
        """The migration network breaks: no new migration starts, one under way fails."""
        self.note("the migration network is cut")
        self.path_is_up = False
        for migration in self.libvirt.migrations:
            migration.lost_path()

    def heal_path(self) -> None:
        """The migration network is back."""
        self.note("the migration network is back")
        self.path_is_up = True

    def cut_management_between_hosts(self) -> None:
        """The hosts cannot ask each other any more; the manager's own ways are not touched."""
        self.note("the hosts lose each other on the management network")
        self.management_is_up = False

    def heal_management_between_hosts(self) -> None:
        """They can again."""
        self.note("the hosts reach each other on the management network again")
        self.management_is_up = True

    def cut_off(self, host: str) -> None:
        """The host runs on, and nobody reaches it by any network; its power switch has another."""
        self.isolate(host)
        self.cut_path()
        self.cut_management_between_hosts()
        self.cut_link()

    def hosts_meet(self, _source: str, target: str) -> bool:
        """Whether one host's libvirtd reaches the other's."""
        return self.path_is_up and self.machines[target].powered and self.machines[target].libvirtd

    def hosts_talk(self) -> bool:
        """Whether the hosts' own programs reach each other over the management network."""
        return self.management_is_up and all(machine.powered for machine in self.machines.values())

    def power_off(self, host: str) -> None:
        """Power is gone."""
        self.note(f"{host} loses power")
        self.machines[host].loses_power()
        self.drbd.host_lost(host)
        self.libvirt.host_lost(host)

    def power_on(self, host: str) -> None:
        """The host boots: resources come up from the files, no guest is started."""
        self.note(f"{host} boots")
        self.machines[host].powered = True
        self.drbd.host_back(host)

    def restart_libvirtd(self, host: str, seconds: float = 5.0) -> None:
        """Someone restarts libvirtd: its guests run on, it is away for a while."""
        self.note(f"someone restarts libvirtd on {host}")
        machine = self.machines[host]
        boots, machine.libvirtd = machine.boots, False
        self.libvirt.daemon_restarts(host)

        def back() -> None:
            if machine.boots == boots:
                machine.libvirtd = True
                for migration in self.libvirt.migrations:
                    if migration.target == host:
                        migration.daemon_back()

        self.clock.after(seconds, back)

    def peer_is_off(self, on: str, off: str) -> None:
        """An operator, who has seen it, confirms that a host is off: `dualsrm-host peer-is-off` on the other."""
        self.note(f"an operator says on {on} that {off} is off")
        self.machines[on].off[off] = "root"

    def promote_by_hand(self, host: str, resource: str) -> None:
        """An operator runs `drbdadm primary`; what the kernel refuses is told to the operator only."""
        try:
            self.drbd.promote(host, resource)
        except KernelRefused as refused:
            self.note(f"an operator cannot promote {resource} on {host}: {refused}")

    def start_guest(self, guest: str, host: str) -> None:
        """An operator runs `virsh start`."""
        self.note(f"an operator starts {guest} on {host}")
        try:
            self.libvirt.spawn(guest, host)
        except KernelRefused as refused:
            self.note(f"{guest} does not start on {host}: {refused}")
        else:
            self.libvirt.run(guest, host, "booted")

    def open_device(self, host: str, resource: str, seconds: float | None = None, command: str = "blkid") -> None:
        """Something opens a device there, for some seconds or for ever."""
        opener = Opener(host, resource, command, next(self._pids))
        self.drbd.openers.append(opener)
        self.note(f"{command} opens {resource} on {host}")
        if seconds is not None:
            self.clock.after(seconds, lambda: self._close(opener))

    def _close(self, opener: Opener) -> None:
        if opener in self.drbd.openers:
            self.drbd.openers.remove(opener)
            self.note(f"{opener.command} closes {opener.resource} on {opener.host}")
            self.drbd.closed(opener.host, opener.resource)

    def adjust(self, host: str, resource: str) -> None:
        """Someone runs `drbdadm adjust`; refused like any command, which nobody notices."""
        self.note(f"someone runs drbdadm adjust {resource} on {host}")
        try:
            self.drbd.adjust(host, resource)
        except KernelRefused as refused:
            self.note(f"adjust is refused: {refused}")

    def shut_down_guest(self, guest: str) -> None:
        """The guest shuts itself down."""
        self.note(f"{guest} shuts itself down")
        self.libvirt.guest_shuts_down(guest)

    def abort_migration(self, guest: str) -> None:
        """Someone runs `virsh domjobabort`."""
        self.note(f"someone aborts the migration of {guest}")
        for migration in self.libvirt.active_migrations(guest):
            migration.abort()

    def disconnect(self, host: str, resource: str) -> None:
        """Someone runs `drbdadm disconnect` here: StandAlone here, the peer keeps seeking."""
        self.note(f"someone runs drbdadm disconnect {resource} on {host}")
        self.drbd.disconnect(host, resource, "disconnect")


def _host(name: str, number: int) -> Host:
    uri = f"qemu+ssh://{name}/system"
    return Host(name, f"192.0.2.{number}", f"198.51.100.{number}", uri)
