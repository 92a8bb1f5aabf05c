"""The engine's ports onto the simulated pair: every call is logged, met by faults, and takes a little time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from dualsrm.engine.ports import Disturbance, DomainStatus, JobEnded, JobProgress, StopWay
from dualsrm.errors import CommandFailed, DeadlineExceeded, DeviceHeldOpen, HostUnreachable
from dualsrm.hostside import fencing
from dualsrm.hostside.port import HostsideError
from dualsrm.model import (
    CpuVerdict,
    Domain,
    DrbdView,
    Fenced,
    Host,
    HostSurvey,
    HostView,
    LockHolder,
    Maybe,
    Noted,
    PeerSeen,
    Power,
    Unknown,
    Window,
)
from tests.simulator.pair import rules, views
from tests.simulator.pair.drbd import KernelRefused, KernelWaits
from tests.simulator.pair.faults import Call, Fault, ManagerCrash, Method
from tests.simulator.pair.filesystems import SimFilesystemPort
from tests.simulator.pair.job import SimJob
from tests.simulator.pair.local import SimLocal
from tests.simulator.pair.migration import LibvirtRefused
from tests.simulator.pair.rehearsal import SimRehearsalPort
from tests.simulator.pair.split import SimSplitPort
from tests.simulator.pair.state import Machine, Record

if TYPE_CHECKING:
    from tests.simulator.pair.pair import SimPair

T = TypeVar("T")


class SimHostPort:
    """`HostPort` of one simulated host."""

    def __init__(self, pair: SimPair, host: Host) -> None:
        self._pair = pair
        self._host = host
        self._said: Disturbance | None = None
        self._armed: str | None = None
        """The operation whose window this connection guards: each connection has one guard at most."""

    @property
    def host(self) -> Host:
        """The host as configured."""
        return self._host

    @property
    def split(self) -> SimSplitPort:
        """For a split brain."""
        return SimSplitPort(self, self._pair)

    @property
    def rehearsal(self) -> SimRehearsalPort:
        """For a rehearsal."""
        return SimRehearsalPort(self, self._pair)

    @property
    def filesystems(self) -> SimFilesystemPort:
        """For a group's file system."""
        return SimFilesystemPort(self, self._pair)

    @property
    def _machine(self) -> Machine:
        return self._pair.machines[self._host.name]

    # --- reading ----------------------------------------------------------------------------------

    def observe(self, *, guest: str | None = None, peer: Host | None = None) -> HostView:
        """Everything; what does not answer is Unknown."""
        try:
            view = self.call("observe", "", lambda: views.host_view(self._pair, self._host.name))
        except (HostUnreachable, CommandFailed) as error:
            return views.silent_view(self._host.name, error.seen)
        domain = view.libvirt.domain(guest) if guest and not isinstance(view.libvirt, Unknown) else None
        if peer is None or domain is None or not domain.state.active:
            return view
        return replace(view, peer_link=self.reach_peer(peer))

    def survey(self) -> HostSurvey:
        """What it says of itself."""
        return self.call("survey", "", lambda: views.survey(self._pair, self._host.name))

    def observe_disks(self) -> HostView:
        """The same as far as disks are concerned."""
        return replace(self.observe(), system=Unknown("it was not asked"))

    def drbd(self) -> DrbdView:
        """DRBD only."""

        def look() -> DrbdView:
            if not self._machine.drbd:
                raise HostsideError(f"drbdsetup on {self._host.name} does not answer")
            return views.drbd_view(self._pair, self._host.name)

        return self.call("drbd", "", look)

    def openers(self, minor: int) -> tuple[str, ...]:
        """Who holds a device open."""
        nodes = self._pair.drbd.of_host(self._host.name)
        names = [node.resource for node in nodes if minor in node.minors]
        holders = self._pair.drbd.holders
        return self.call(
            "openers", str(minor), lambda: tuple(h for name in names for h in holders(self._host.name, name))
        )

    def domain_status(self, guest: str) -> DomainStatus:
        """State, reason and job of one domain."""

        def ask() -> DomainStatus:
            self._needs_libvirtd()
            record = self._pair.libvirt.records.get((self._host.name, guest))
            return DomainStatus(record.state, record.reason, record.job_active) if record else DomainStatus(None)

        return self.call("domain_status", guest, ask)

    def qemu_alive(self, guest_uuid: str) -> bool:
        """The process table."""
        guest = next((g.name for g in self._pair.libvirt.guests.values() if g.uuid == guest_uuid), guest_uuid)

        def look() -> bool:
            clones = self._machine.clones.values()
            return self._pair.libvirt.qemu(self._host.name, guest) is not None or guest in (c.uuid for c in clones)

        return self.call("qemu_alive", guest, look)

    def agent_answers(self, guest: str) -> str:
        """The agent answers where the guest runs, if it has one."""

        def ask() -> str:
            self._needs_libvirtd()
            if (clone := self._machine.clones.get(guest)) is not None:
                return "" if self._pair.libvirt.guests[clone.guest].manners.agent else "no agent"
            if self._host.name not in self._pair.libvirt.running_on(guest):
                return f"{guest} is not active"
            return "" if self._pair.libvirt.guests[guest].manners.agent else "QEMU guest agent is not connected"

        return self.call("agent_answers", guest, ask)

    def cpu_verdict(self, domain: Domain, source_cpu_xml: str | None) -> Maybe[CpuVerdict]:
        """What the machine was told to answer."""
        try:
            return self.call("cpu_verdict", domain.name, lambda: self._machine.cpu)
        except (HostUnreachable, CommandFailed) as error:
            return Unknown(error.seen)

    def reach_peer(self, peer: Host) -> Maybe[str]:
        """The peer's name, if it is up and the hosts reach each other."""

        def ask() -> Maybe[str]:
            if self._machine.peer_link is not None:
                return self._machine.peer_link
            up = self._pair.hosts_meet(self._host.name, peer.name)
            return peer.name if up else Unknown(f"unable to connect to server at '{peer.peer_uri}'")

        try:
            return self.call("reach_peer", peer.name, ask)
        except (HostUnreachable, CommandFailed) as error:
            return Unknown(error.seen)

    def lock_holder(self, pair: str) -> Maybe[LockHolder | None]:
        """Who holds the pair's lock here."""
        try:
            return self.call("lock_holder", pair, lambda: self._machine.locks.get(pair))
        except (HostUnreachable, CommandFailed) as error:
            return Unknown(error.seen)

    def heard(self) -> Maybe[bool]:
        """Whether it answers the manager at all."""
        try:
            return self.call("heard", "", lambda: True)
        except (DeadlineExceeded, CommandFailed) as error:
            return Unknown(error.seen)
        except HostUnreachable:
            return False

    def peer_seen(self, peer: Host) -> Maybe[PeerSeen]:
        """What `dualsrm-host peer-status` says."""
        try:
            return self.call("peer_seen", peer.name, lambda: fencing.look(self._local(), peer.name))
        except (HostUnreachable, CommandFailed) as error:
            return Unknown(error.seen)

    def noted(self, peer: Host) -> Noted:
        """What `dualsrm-host peer-status --noted` says."""

        def read() -> Noted:
            local = self._local()
            quarantined = any(one.host == peer.name for one in local.quarantined())
            return Noted(local.confirmed_off(peer.name), quarantined)

        return self.call("noted", peer.name, read)

    def _local(self) -> SimLocal:
        return SimLocal(self._pair, self._host.name)

    def disturbance(self) -> Disturbance | None:
        """What the guard said last; one that is not heard says nothing new."""
        guard = self._machine.guards.get(self._armed or "")
        if guard is None:
            self._said = None
        elif self._machine.powered and self._machine.reachable:
            seen, link = self._pair.hostside.disturbance(self._host.name, guard)
            self._said = Disturbance(seen, link) if seen else None
        return self._said

    # --- changing ---------------------------------------------------------------------------------

    def call_in_guard(self, peer: Host) -> None:
        """It waits for its window; what can go wrong shows when it gets one."""

    def arm(self, window: Window) -> None:
        """Leave the record, start guard and timer."""

        def arm() -> None:
            self._pair.hostside.arm(self._host.name, window)
            self._armed = window.operation

        self.call("arm", window.guest, arm, lie=lambda: None)

    def disarm(self) -> None:
        """Give the windows back."""
        armed, self._armed = self._armed, None
        self.call("disarm", "", lambda: self._pair.hostside.disarm(self._host.name, armed), lie=lambda: None)

    def set_fencing(self, *resources: str, policy: str) -> None:
        """`drbdadm disk-options` or `net-options --fencing`."""
        self._each("set_fencing", resources, partial(self._pair.drbd.set_fencing, policy=policy), policy)

    def set_two_primaries(self, *resources: str, allowed: bool) -> None:
        """`drbdadm net-options --allow-two-primaries`."""
        act = partial(self._pair.drbd.set_two_primaries, allowed=allowed)
        self._each("set_two_primaries", resources, act, "yes" if allowed else "no")

    def promote(self, *resources: str) -> None:
        """`drbdadm primary`."""
        self._each("promote", resources, self._pair.drbd.promote)

    def promote_forced(self, *resources: str) -> None:
        """`drbdadm primary --force`."""
        self._each("promote_forced", resources, partial(self._pair.drbd.promote, force=True))

    def fence(self, peer: Host, operation: str) -> Fenced:
        """`dualsrm-host fence`."""
        clock, local = self._pair.clock, self._local()
        lie = Fenced(off=True, was=Power.ON, agent="fence_sim", seconds=0.0, asked=True)
        return self.call(
            "fence",
            peer.name,
            lambda: fencing.fence(local, peer.name, clock.monotonic, operation),
            lie=lambda: lie,
        )

    def confirm_off(self, peer: Host, by: str, operation: str) -> None:
        """`dualsrm-host peer-is-off`."""

        def note() -> None:
            self._local().quarantine(peer.name, operation)
            self._local().confirm_off(peer.name, by)

        self.call("confirm_off", peer.name, note, lie=lambda: None)

    def lift_quarantine(self, peer: Host) -> None:
        """`dualsrm-host lift-quarantine`."""
        lifted = self._machine.quarantined
        self.call("lift_quarantine", peer.name, lambda: lifted.pop(peer.name, None), lie=lambda: None)

    def demote(self, *resources: str) -> None:
        """`drbdadm secondary`."""
        self._each("demote", resources, self._pair.drbd.demote)

    def _each(
        self, method: Method, resources: tuple[str, ...], act: Callable[[str, str], None], detail: str = ""
    ) -> None:
        """drbdadm takes one resource after the other, and stops at the first that is refused."""
        for resource in resources:
            self.call(method, resource, partial(act, self._host.name, resource), detail=detail, lie=lambda: None)

    def destroy(self, guest: str) -> None:
        """virDomainDestroy; blocks while the guest's I/O stands frozen here."""

        def destroy() -> None:
            self._needs_libvirtd()
            if self._machine.clones.pop(guest, None) is not None:
                self._pair.note(f"{guest} is ended on {self._host.name}")
                return
            self.blocks_while_frozen(guest)
            self._pair.libvirt.destroy(self._host.name, guest)

        self.call("destroy", guest, destroy, lie=lambda: None)

    def ask_to_stop(self, guest: str, way: StopWay) -> None:
        """virDomainShutdownFlags."""

        def ask() -> None:
            self._needs_libvirtd()
            self._pair.libvirt.asked_to_stop(self._host.name, guest, way)

        self.call("ask_to_stop", guest, ask, detail=way.value, lie=lambda: None)

    def definition(self, guest: str) -> str:
        """The simulator's XML is a name."""

        def read() -> str:
            self._needs_libvirtd()
            self._pair.libvirt.record(self._host.name, guest)
            return guest

        return self.call("definition", guest, read)

    def define(self, xml: str) -> None:
        """virDomainDefineXML."""

        def define() -> None:
            self._needs_libvirtd()
            self._pair.libvirt.records.setdefault((self._host.name, xml), Record())
            self._pair.libvirt.guests[xml].other_disks.pop(self._host.name, None)

        self.call("define", xml, define, lie=lambda: None)

    def start(self, guest: str) -> None:
        """virDomainCreate, if it is not active."""

        def start() -> None:
            self._needs_libvirtd()
            self._pair.libvirt.start(self._host.name, guest)

        self.call("start", guest, start, lie=lambda: None)

    def start_migration(self, guest: str, target: Host) -> SimJob:
        """Start a migration by the pair's script."""

        def start() -> SimJob:
            self._needs_libvirtd()
            script = self._pair.script
            return SimJob(self, guest, self._pair.libvirt.migrate(guest, self._host.name, target.name, script))

        return self.call(
            "start_migration", guest, start, detail=f"to {target.name}", lie=lambda: SimJob(self, guest, None)
        )

    def lock(self, pair: str, holder: LockHolder) -> Maybe[LockHolder] | None:
        """None: taken, or already this operation's."""

        def take() -> LockHolder | None:
            held = self._machine.locks.setdefault(pair, holder)
            return None if held.operation == holder.operation else held

        return self.call("lock", pair, take, lie=lambda: None)

    def unlock(self, pair: str, operation: str) -> None:
        """Release the lock if it is this operation's."""

        def release() -> None:
            held = self._machine.locks.get(pair)
            if held is not None and held.operation == operation:
                del self._machine.locks[pair]

        self.call("unlock", pair, release, lie=lambda: None)

    # --- how a call goes --------------------------------------------------------------------------

    def _needs_libvirtd(self) -> None:
        if not self._machine.libvirtd:
            raise LibvirtRefused(f"cannot connect to libvirtd on {self._host.name}")

    def blocks_while_frozen(self, guest: str) -> None:
        """libvirt calls on a guest whose I/O is frozen do not come back (design, section 3, learned on the way)."""
        if self._pair.libvirt.frozen(self._host.name, guest):
            self._pair.clock.advance(self._pair.timeout_s)
            raise DeadlineExceeded(f"libvirt on {self._host.name} did not answer about {guest}")

    def call(
        self,
        method: Method,
        subject: str,
        effect: Callable[[], T],
        *,
        detail: str = "",
        lie: Callable[[], T] | None = None,
    ) -> T:
        """Log a call, let the world and the faults meet it, and turn refusals into the engine's errors."""
        pair = self._pair
        pair.on_turn()
        if pair.dead:
            raise ManagerCrash
        call = Call(pair.clock.monotonic(), self._host.name, method, subject, detail)
        pair.timeline.append(call)
        pair.trigger("before", call)
        pair.clock.advance(pair.call_s)
        if pair.dead:
            raise ManagerCrash
        try:
            result = self._under_faults(call, effect, lie)
        except BaseException as error:
            call.result = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise
        else:
            call.result = _short(result)
            return result
        finally:
            pair.trigger("after", call)

    def _under_faults(self, call: Call, effect: Callable[[], T], lie: Callable[[], T] | None) -> T:
        pair = self._pair
        fault = next((f for f in pair.faults if f.meets(call)), None)
        if fault is not None and fault.kind == "crash_before":
            pair.crash()
        if not (self._machine.powered and self._machine.reachable):
            pair.clock.advance(pair.timeout_s)
            raise HostUnreachable(f"{self._host.name} does not answer")
        if fault is None:
            return self._do(effect)
        return self._faulty(call, fault, effect, lie)

    def _faulty(self, call: Call, fault: Fault, effect: Callable[[], T], lie: Callable[[], T] | None) -> T:
        pair = self._pair
        what = f"{call.method} {call.subject} on {call.host}"
        match fault.kind:
            case "error":
                raise CommandFailed(f"{what}: injected error")
            case "lie" if lie is not None:
                return lie()
            case "timeout" | "timeout_done":
                if fault.kind == "timeout_done":
                    self._do(effect)
                pair.clock.advance(pair.timeout_s)
                raise DeadlineExceeded(f"{what}: no answer within {pair.timeout_s:g} s")
            case "crash_after":
                self._do(effect)
                pair.crash()
        raise AssertionError(f"{fault.kind} means nothing for {call.method}")

    def _do(self, effect: Callable[[], T]) -> T:
        try:
            return effect()
        except KernelWaits as waits:
            self._pair.clock.advance(self._pair.timeout_s)
            raise DeadlineExceeded(str(waits)) from waits
        except HostsideError as error:
            raise CommandFailed(str(error)) from error
        except KernelRefused as refused:
            kind = DeviceHeldOpen if refused.refusal is rules.HELD_OPEN else CommandFailed
            raise kind(str(refused)) from refused
        except LibvirtRefused as refused:
            raise CommandFailed(str(refused)) from refused


def _short(result: object) -> str:
    """A result in a few words, for the log."""
    match result:
        case None | SimJob():
            words = "ok"
        case HostView() | DrbdView():
            words = "seen"
        case DomainStatus():
            words = f"{result.state} ({result.reason}){', job' if result.job_active else ''}"
        case JobEnded():
            words = f"ended: {result.error or 'success'}"
        case JobProgress():
            words = f"{result.memory_processed or 0} of {result.memory_total} bytes"
        case LockHolder():
            words = f"held by {result.operation}"
        case _:
            words = str(result)
    return words
