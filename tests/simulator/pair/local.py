"""The hosts' own programs on the simulated pair: `hostside.port.Local`, the handler's calls, guards and timers.

What decides is the product's code; here is only what it runs on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from dualsrm.hosts.drbd import Shown
from dualsrm.hostside.fence_peer import FencePeer
from dualsrm.hostside.files import JUST_NOW_S
from dualsrm.hostside.guard import LEASE_S, SETTLE_EVERY_S
from dualsrm.hostside.port import GuestHere, HostsideError, NotAsked, Reply
from dualsrm.hostside.settle import settle
from dualsrm.hostside.watching import Watch
from dualsrm.hostside.yielding import answer_peer
from dualsrm.model import DomainState, Power, Quarantine, Resource, Role, Unknown, Window
from tests.simulator.pair import views
from tests.simulator.pair.drbd import KernelRefused
from tests.simulator.pair.state import Guard, Left, Machine, Node, Record

if TYPE_CHECKING:
    from tests.simulator.pair.pair import SimPair

HANDLER_STARTS_S = 0.4
"""The kernel starts drbdadm, which starts a shell, which starts Python."""
AGAIN_S = 1.0
UNREACHABLE_S = 5.0
"""How long ssh tries."""
LOOK_AT_OPTIONS_S = 2.0
PROMOTION_WAITS_S = 20.0
"""How long the manager waits for `drbdadm primary`; the kernel goes on waiting."""


class SimLocal:
    """`hostside.port.Local` of one simulated host."""

    def __init__(self, pair: SimPair, host: str) -> None:
        self._pair = pair
        self._host = host
        self.silent = False
        """Whether the peer could not be asked last time."""

    @property
    def name(self) -> str:
        """Its name."""
        return self._host

    @property
    def machine(self) -> Machine:
        """The host."""
        return self._pair.machines[self._host]

    # --- windows ----------------------------------------------------------------------------------

    def windows(self) -> tuple[Window, ...]:
        """Records left here."""
        return tuple(left.window for left in self.machine.left.values())

    def owner(self, window: Window) -> str | None:
        """Who was decided to go on."""
        left = self.machine.left.get(window.operation)
        return left.owner if left else None

    def decide(self, window: Window, owner: str) -> str:
        """The first decision stands."""
        left = self.machine.left.get(window.operation)
        if left is None:
            raise HostsideError(f"the decision on {window.guest} cannot be written")
        if left.owner is None:
            left.owner = owner
            self._pair.note(f"{self._host} decides: {window.guest} is {owner}'s")
        return left.owner

    def asked(self, window: Window) -> bool:
        """Whether the peer has asked."""
        left = self.machine.left.get(window.operation)
        return left is not None and left.asked

    def note_asked(self, window: Window) -> None:
        """The peer has asked."""
        if left := self.machine.left.get(window.operation):
            left.asked = True

    def met(self, peer: str, window: Window | None) -> None:
        """What was noted while the peer was away is over."""
        self._seen_alive(peer)
        if window is not None and (left := self.machine.left.get(window.operation)):
            left.asked = False

    def _seen_alive(self, peer: str) -> None:
        self.machine.off.pop(peer, None)
        self.machine.silent.pop(peer, None)

    def lease_held(self, window: Window) -> bool:
        """Whether a guard lives."""
        return window.operation in self.machine.guards

    def forget(self, window: Window) -> None:
        """Remove the record; a timer ends at its next tick."""
        self.machine.left.pop(window.operation, None)

    # --- DRBD -------------------------------------------------------------------------------------

    def resource(self, name: str) -> Resource | None:
        """As the kernel has it now."""
        node = self._pair.drbd.nodes.get((self._host, name))
        return views.resource_view(self._pair, node) if node is not None and node.up else None

    def demote(self, resource: str) -> None:
        """`drbdadm secondary`."""
        self._drbdadm(lambda: self._pair.drbd.demote(self._host, resource))

    def outdate(self, resource: str) -> None:
        """`drbdadm outdate`."""
        self._drbdadm(lambda: self._pair.drbd.outdate(self._host, resource))

    def connect(self, resource: str) -> None:
        """`drbdadm connect`."""
        self._drbdadm(lambda: self._pair.drbd.connect(self._host, resource))

    def set_two_primaries(self, resource: str, *, allowed: bool) -> None:
        """The runtime option."""
        self._drbdadm(lambda: self._pair.drbd.set_two_primaries(self._host, resource, allowed=allowed))

    def set_fencing(self, resource: str, policy: str) -> None:
        """The runtime option."""
        self._drbdadm(lambda: self._pair.drbd.set_fencing(self._host, resource, policy))

    def _drbdadm(self, change: Callable[[], None]) -> None:
        try:
            change()
        except KernelRefused as refused:
            raise HostsideError(str(refused)) from refused

    # --- the guest --------------------------------------------------------------------------------

    def guest(self, window: Window) -> GuestHere:
        """As `hostside.qemu` reads it: the process table, then libvirt's words."""
        if self._pair.libvirt.qemu(self._host, window.guest) is None:
            return GuestHere.ABSENT
        if not self.machine.libvirtd:
            raise HostsideError("virsh: cannot connect to libvirtd")
        record = self._pair.libvirt.records.get((self._host, window.guest), Record())
        if not record.state.active:
            raise HostsideError(f"libvirt calls {window.guest} shut off, and its QEMU is there")
        if record.state is DomainState.PAUSED and record.reason in ("post-copy", "post-copy failed"):
            return GuestHere.SENDS
        standing = record.state is DomainState.PAUSED and record.reason in ("migration", "starting up")
        return GuestHere.STANDS if standing else GuestHere.RUNS

    def kill_unless_running(self, window: Window) -> GuestHere:
        """SIGKILL; a QEMU whose writes wait in the kernel stays until they are done."""
        here = self.guest(window)
        if here is GuestHere.STANDS:
            self._pair.note(f"{self._host} ends the QEMU of {window.guest}")
            if not self._pair.libvirt.kill(self._host, window.guest):
                raise HostsideError(f"the QEMU of {window.guest} did not end within 10 s of SIGKILL")
            return GuestHere.ABSENT
        return here

    # --- the peer ---------------------------------------------------------------------------------

    def ask(self, peer: str, resource: str, *, claims: bool) -> Reply | None:
        """The peer's own program answers, if the hosts reach each other."""
        self.silent = not self._pair.hosts_talk()
        if self.silent:
            return None
        self._seen_alive(peer)
        return answer_peer(SimLocal(self._pair, peer), resource, peer_claims=claims)

    def confirmed_off(self, peer: str) -> str | None:
        """Who confirmed it."""
        return self.machine.off.get(peer)

    def quarantine(self, host: str, operation: str) -> None:
        """On the disk of this host."""
        self.machine.quarantined[host] = Quarantine(host, self._pair.clock.now_iso(), operation)

    def quarantined(self) -> tuple[Quarantine, ...]:
        """As on the disk."""
        return tuple(self.machine.quarantined.values())

    def tested_off(self, peer: str) -> str | None:
        """Whose word was put to the test, lately."""
        at = self.machine.tested_off.get(peer)
        late = at is None or self._pair.clock.monotonic() - at > JUST_NOW_S
        return None if late else self.machine.off.get(peer)

    def confirm_off(self, host: str, by: str, *, shown: bool = False) -> None:
        """Somebody takes the responsibility."""
        self.machine.off[host] = by
        self.machine.tested_off.pop(host, None)
        silent = self.machine.silent.get(host)
        now = self._pair.clock.monotonic()
        if shown or (silent is not None and now - silent <= JUST_NOW_S):
            self.machine.tested_off[host] = now
        self._pair.note(f"{self._host} notes that {host} is off, says {by}")

    def reach(self, peer: str) -> tuple[bool | None, str]:
        """As ssh would say it."""
        if not self._pair.hosts_talk():
            self.machine.silent[peer] = self._pair.clock.monotonic()
            return False, f"ssh: connect to host {peer} port 22: Connection timed out"
        self._seen_alive(peer)
        return True, "dualsrm-host"

    def agent(self, _peer: str) -> str:
        """There is one sort."""
        return "" if self.machine.fence == "none" else "fence_sim"

    def power(self, peer: str) -> tuple[Power, str]:
        """A lying device shows on whatever it is told."""
        match self.machine.fence:
            case "none":
                return Power.NO_DEVICE, ""
            case "refuses":
                return Power.UNKNOWN, "it cannot be reached"
            case "password":
                return Power.UNKNOWN, "it wants another password"
            case "lies":
                return Power.ON, ""
        return (Power.ON if self._pair.machines[peer].powered else Power.OFF), ""

    def fence(self, peer: str) -> Power | None:
        """The device does what it was told to do."""
        was, why = self.power(peer)
        match self.machine.fence:
            case "none":
                return None
            case "refuses" | "password":
                raise NotAsked(f"the fence device: {why}")
            case "lies":
                self._pair.note(f"{self._host} tells {peer} to go off")
                raise HostsideError("the fence device answered 0 to `off`, but its status does not show off")
        self._pair.note(f"{self._host} switches {peer} off")
        if self._pair.machines[peer].powered:
            self._pair.power_off(peer)
        return was

    def lost_since(self) -> Mapping[str, str]:
        """By the kernel's log."""
        nodes = self._pair.drbd.of_host(self._host)
        return {node.resource: node.lost_at for node in nodes if node.lost_at is not None}

    # --- telling people ---------------------------------------------------------------------------

    def log(self, text: str) -> None:
        """A line in the log."""
        self._pair.note(f"{self._host} logs: {text}")

    def raise_alarm(self, resource: str, why: str) -> bool:
        """Kept until cleared."""
        fresh = self.machine.alarms.get(resource) != why
        self.machine.alarms[resource] = why
        if fresh:
            self._pair.note(f"{self._host} calls a person: {resource}: {why}")
        return fresh

    def clear_alarm(self, resource: str) -> bool:
        """It needs nobody any more."""
        return self.machine.alarms.pop(resource, None) is not None


class Hostside:
    """What runs on the hosts by itself."""

    def __init__(self, pair: SimPair) -> None:
        self._pair = pair

    # --- the handler ------------------------------------------------------------------------------

    def handler_called(self, node: Node) -> None:
        """The kernel calls fence-peer and goes on; the answer comes when it comes."""
        connects = node.connects
        self._run_handler(node, lambda code: self._pair.drbd.answer_fence_peer(node, code, connects))

    def handler_asked(self, node: Node, answered: Callable[[int], None]) -> None:
        """A promotion waits for the handler's answer; after a while whoever asked for it does not wait any more."""
        clock = self._pair.clock
        self._run_handler(node, answered)
        deadline = clock.monotonic() + PROMOTION_WAITS_S
        while node.handlers and clock.monotonic() < deadline:
            clock.advance(AGAIN_S / 2)

    def _run_handler(self, node: Node, answered: Callable[[int], None]) -> None:
        if not self._pair.machines[node.host].handler:
            answered(127)
            return
        pair, local = self._pair, SimLocal(self._pair, node.host)
        boots = local.machine.boots
        peer = pair.drbd.other(node.host)
        node.handlers += 1

        def start() -> None:
            # As the program finds it: a Primary that froze may have been demoted before it looks.
            promoting = node.role is Role.SECONDARY and not node.suspended
            attempt(FencePeer(local, node.resource, peer, pair.clock.monotonic(), promoting=promoting))

        def attempt(handler: FencePeer) -> None:
            if local.machine.boots != boots:
                return
            verdict = handler.attempt(pair.clock.monotonic())
            if verdict is None:
                pair.clock.after(AGAIN_S + (UNREACHABLE_S if local.silent else 0.0), partial(attempt, handler))
                return
            node.handlers -= 1
            answered(int(verdict))

        pair.clock.after(HANDLER_STARTS_S, start)

    # --- guards and timers ------------------------------------------------------------------------

    def arm(self, host: str, window: Window) -> None:
        """What `dualsrm-host guard` does until it says that it is armed. Raises `HostsideError`."""
        machine = self._pair.machines[host]
        for other in list(machine.left.values()):
            if other.window.operation != window.operation and set(other.window.resources) & set(window.resources):
                if other.window.operation in machine.guards:
                    raise HostsideError(f"{other.window.operation} guards {', '.join(other.window.resources)} here")
                del machine.left[other.window.operation]
        machine.left.setdefault(window.operation, Left(window))
        self._start_timer(machine, window.operation)
        if not self._pair.hosts_talk():
            raise HostsideError(f"`dualsrm-host version` on {window.peer_of(host)}, over ssh: Connection timed out")
        self._pair.manager_works = True
        guard = machine.guards[window.operation] = Guard(window, Watch(window))
        self._look_at_options(machine, guard)

    def disarm(self, host: str, operation: str | None) -> None:
        """The manager gives a window back; without one of its own, what no guard holds is settled."""
        if operation is not None:
            self._pair.machines[host].guards.pop(operation, None)
        settle(SimLocal(self._pair, host))

    def disturbance(self, host: str, guard: Guard) -> tuple[str, bool]:
        """What the guard sees now."""
        local = SimLocal(self._pair, host)
        found = [resource for name in guard.window.resources if (resource := local.resource(name)) is not None]
        return guard.watch.differs(found)

    def manager_unheard(self, machine: Machine, *, for_good: bool) -> None:
        """The manager ended, or is cut off: at once its connection is closed, or heartbeats are missed for a while."""
        for operation, guard in list(machine.guards.items()):
            if for_good:
                del machine.guards[operation]
            elif guard.unheard_since is None:
                guard.unheard_since = self._pair.clock.monotonic()
                self._pair.clock.after(LEASE_S, partial(self._lease_ends, machine, guard))

    def manager_heard(self, machine: Machine) -> None:
        """Heartbeats again."""
        for guard in machine.guards.values():
            guard.unheard_since = None

    def _lease_ends(self, machine: Machine, guard: Guard) -> None:
        since = guard.unheard_since
        if since is not None and self._pair.clock.monotonic() - since >= LEASE_S - 1e-6:
            held = machine.guards.get(guard.window.operation)
            if held is guard:
                del machine.guards[guard.window.operation]

    def _look_at_options(self, machine: Machine, guard: Guard) -> None:
        boots = machine.boots

        def look() -> None:
            if machine.boots != boots or machine.guards.get(guard.window.operation) is not guard:
                return
            shown = {}
            for name in guard.window.resources:
                node = self._pair.drbd.nodes[machine.name, name]
                options = views.resource_view(self._pair, node).options
                if node.up and not isinstance(options, Unknown):
                    shown[name] = Shown(options)
            guard.watch.see_options(shown)
            self._pair.clock.after(LOOK_AT_OPTIONS_S, look)

        self._pair.clock.after(LOOK_AT_OPTIONS_S, look)

    def _start_timer(self, machine: Machine, operation: str) -> None:
        boots = machine.boots
        if operation in machine.timers:
            return
        machine.timers.add(operation)

        def tick() -> None:
            if machine.boots != boots:
                return
            settle(SimLocal(self._pair, machine.name))
            if operation in machine.left:
                self._pair.clock.after(SETTLE_EVERY_S, tick)
            else:
                machine.timers.discard(operation)

        self._pair.clock.after(SETTLE_EVERY_S, tick)
