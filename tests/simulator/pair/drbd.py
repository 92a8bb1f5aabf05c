"""DRBD on both hosts: the rules applied to the state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count

from dualsrm.model import ConnectionState, DiskState, ReplicationState, Role
from tests.simulator.pair import rules
from tests.simulator.pair.rules import Dialect, Handshake, OpenEffect, Refusal
from tests.simulator.pair.state import Node, Opener


class KernelRefused(Exception):
    """The kernel said no; the port turns it into the engine's errors."""

    def __init__(self, command: str, refusal: Refusal, detail: str = "") -> None:
        super().__init__(f"{command}: {refusal}{f' ({detail})' if detail else ''}")
        self.refusal = refusal


class SimDrbd:
    """The resources of a pair, seen and changed from both sides."""

    def __init__(self, dialect: Dialect, hosts: tuple[str, str], note: Callable[[str], None]) -> None:
        self.dialect = dialect
        self.hosts = hosts
        self.nodes: dict[tuple[str, str], Node] = {}
        self.openers: list[Opener] = []
        self.link_up: dict[str, bool] = {}
        self.host_up: Callable[[str], bool] = lambda _host: True
        self.qemu_holds: Callable[[str, str], str | None] = lambda _host, _resource: None
        """By host and resource: the QEMU that has it open, as `command (pid)`."""
        self.later: Callable[[float, Callable[[], None]], None] = lambda _seconds, _action: None
        self.resync_s = 2.0
        self._note = note
        self._uuids = count(2)

    def add(self, resource: str, minors: tuple[int, ...], *, primary: str | None, **options: object) -> None:
        """Configure a resource on both hosts, connected and in sync."""
        self.link_up[resource] = True
        for host in self.hosts:
            node = Node(host, resource, minors, auto_promote=self.dialect is Dialect.NINE)
            node.role = Role.PRIMARY if host == primary else Role.SECONDARY
            for name, value in options.items():
                setattr(node, name, value)
            self.nodes[host, resource] = node

    def node(self, host: str, resource: str) -> Node:
        """A resource on one host; an unknown or downed one is refused as the kernel does."""
        node = self.nodes.get((host, resource))
        if node is None or not node.up:
            raise KernelRefused(f"drbdadm {resource} on {host}", rules.UNKNOWN_RESOURCE[self.dialect])
        return node

    def peer(self, node: Node) -> Node:
        """The same resource on the other host."""
        return self.nodes[self.other(node.host), node.resource]

    def other(self, host: str) -> str:
        """The other host."""
        return self.hosts[1] if host == self.hosts[0] else self.hosts[0]

    def peer_role(self, node: Node) -> Role:
        """The peer's role as this side sees it."""
        return self.peer(node).role if node.connected else Role.UNKNOWN

    def peer_disk(self, node: Node) -> DiskState:
        """The peer's disk as this side sees it."""
        if node.connected:
            return self.peer(node).disk
        return DiskState.OUTDATED if node.peer_outdated else DiskState.UNKNOWN

    def holders(self, host: str, resource: str) -> tuple[str, ...]:
        """Who holds any device of the resource open here, as `command (pid)`."""
        found = [f"{o.command} ({o.pid})" for o in self.openers if (o.host, o.resource) == (host, resource)]
        qemu = self.qemu_holds(host, resource)
        return (*found, *([qemu] if qemu else []))

    # --- what drbdadm does ------------------------------------------------------------------------

    def set_two_primaries(self, host: str, resource: str, *, allowed: bool) -> None:
        """`drbdadm net-options --allow-two-primaries`.

        A connected peer takes the value over, on and off (12-dual-primary: 8.4 and 9; off: commands.nine1.log,
        "migration style", where nine2 cleared it and nine1 shows it gone).
        """
        node = self.node(host, resource)
        refusal = rules.refuse_two_primaries(
            self.dialect,
            allowed=allowed,
            allowed_now=node.two_primaries,
            protocol=node.protocol,
            net_configured=node.connection is not ConnectionState.STANDALONE,
            role=node.role,
            peer_role=self.peer_role(node),
        )
        if refusal:
            raise KernelRefused(f"drbdadm net-options {resource}", refusal)
        node.two_primaries = allowed
        if node.connected:
            self.peer(node).two_primaries = allowed

    def promote_refusal(self, node: Node) -> Refusal | None:
        """Why the kernel would refuse to make this side Primary."""
        return rules.refuse_promote(
            disk=node.disk,
            connected=node.connected,
            peer_role=self.peer_role(node),
            peer_disk=self.peer_disk(node),
            two_primaries=node.two_primaries,
            fencing=node.fencing,
        )

    def promote(self, host: str, resource: str) -> None:
        """`drbdadm primary`; a Primary stays one (commands.node2.log, "primary twice")."""
        node = self.node(host, resource)
        node.auto_promoted = False
        if node.role is Role.PRIMARY:
            return
        if refusal := self.promote_refusal(node):
            raise KernelRefused(f"drbdadm primary {resource}", refusal)
        self._become_primary(node)

    def _become_primary(self, node: Node) -> None:
        node.role = Role.PRIMARY
        self._note(f"{node.resource} is Primary on {node.host}")
        if self.dialect is Dialect.EIGHT and not node.connected and node.bitmap_uuid == 0:
            self._rotate(node)  # commands.node2.log, "node2 promotes while cut": new current UUID at the promotion

    def demote(self, host: str, resource: str) -> None:
        """`drbdadm secondary`; a Secondary stays one."""
        node = self.node(host, resource)
        if node.role is not Role.PRIMARY:
            return
        holders = self.holders(host, resource)
        if refusal := rules.refuse_demote(held_open=bool(holders)):
            raise KernelRefused(f"drbdadm secondary {resource}", refusal, f"opened by {', '.join(holders)}")
        node.role, node.auto_promoted = Role.SECONDARY, False
        self._note(f"{resource} is Secondary on {host}")

    def open_for_writing(self, host: str, resource: str) -> None:
        """What QEMU does when it starts, incoming or not."""
        node = self.node(host, resource)
        effect = rules.open_for_writing(
            self.dialect,
            role=node.role,
            auto_promote=node.auto_promote,
            promote_refused=self.promote_refusal(node) is not None,
        )
        if effect is OpenEffect.READ_ONLY:
            raise KernelRefused(f"open /dev/drbd{node.minors[0]}", Refusal(0, 1, rules.READ_ONLY))
        if effect is OpenEffect.PROMOTES:
            node.auto_promoted = True
            self._become_primary(node)

    def closed(self, host: str, resource: str) -> None:
        """The last opener went: what auto-promotion promoted is demoted (commands.nine1.log, "auto-promote")."""
        node = self.nodes[host, resource]
        if node.auto_promoted and not self.holders(host, resource):
            node.role, node.auto_promoted = Role.SECONDARY, False
            self._note(f"{resource} is Secondary on {host} (auto-demote)")

    def adjust(self, host: str, resource: str) -> None:
        """`drbdadm adjust`: the file's values come back (commands.nine1.log, "adjust"); it never says two primaries."""
        node = self.node(host, resource)
        if node.two_primaries:
            self.set_two_primaries(host, resource, allowed=False)

    # --- writes -----------------------------------------------------------------------------------

    def write(self, host: str, resource: str, number: int) -> bool:
        """A guest writes; whether it was acknowledged."""
        node = self.nodes[host, resource]
        if not node.up or node.role is not Role.PRIMARY:
            return False
        disks = rules.acknowledged_by(
            connected=node.connected, suspended=bool(node.suspended), local_disk=node.disk is not DiskState.DISKLESS
        )
        if disks and rules.rotates_at_write(connected=node.connected, bitmap_uuid=node.bitmap_uuid):
            self._rotate(node)
        for name, side in (("local", node), ("peer", self.peer(node))):
            if name in disks:
                side.data.add(number)
        return bool(disks)

    def _rotate(self, node: Node) -> None:
        node.bitmap_uuid, node.current_uuid = node.current_uuid, next(self._uuids)
        self._note(f"{node.resource} on {node.host} starts a new data generation")

    # --- the link ---------------------------------------------------------------------------------

    def lose_peer(self, resource: str, cause: str) -> None:
        """Both sides notice that the connection is gone."""
        pair = [self.nodes[host, resource] for host in self.hosts]
        was_connected = [node for node in pair if node.connected]
        for node in was_connected:
            self._set_connection(node, ConnectionState.CONNECTING, cause)
            node.replication, node.peer_outdated = ReplicationState.OFF, False
            if node.fencing == "resource-and-stonith" and node.role is Role.PRIMARY:
                node.suspended.add("fencing")  # capture 34-netcut-fencing-suspended; design, section 3, point 2
        for node in was_connected:
            if node.up and rules.rotates_at_link_loss(
                self.dialect,
                role=node.role,
                disk=node.disk,
                bitmap_uuid=node.bitmap_uuid,
                suspended=bool(node.suspended),
            ):
                self._rotate(node)

    def answer_fence_peer(self, host: str, resource: str, code: int) -> None:
        """The fence-peer handler returns: 4 runs on, the peer is outdated; 6 outdates this side (design, section 3)."""
        node = self.node(host, resource)
        if code == 4:
            node.peer_outdated = True
            node.suspended.discard("fencing")
            if node.role is Role.PRIMARY and node.bitmap_uuid == 0:
                self._rotate(node)
        elif code == 6 and node.role is Role.SECONDARY:
            node.disk = DiskState.OUTDATED
            node.suspended.discard("fencing")

    def try_connect(self, resource: str) -> None:
        """Two Connecting sides whose link is up shake hands."""
        first, second = (self.nodes[host, resource] for host in self.hosts)
        ready = all(
            n.up and n.connection is ConnectionState.CONNECTING and self.host_up(n.host) for n in (first, second)
        )
        if not (ready and self.link_up[resource]):
            return
        verdict = rules.compare_generations(_generations(first), _generations(second))
        source, target = (second, first) if verdict is Handshake.SECOND_IS_SOURCE else (first, second)
        syncs = verdict is not Handshake.NO_SYNC
        if why := self._refuses_handshake(first, second, verdict, target if syncs else None):
            for node in (first, second):
                self._set_connection(node, ConnectionState.STANDALONE, why)
            return
        for node in (first, second):
            self._set_connection(node, ConnectionState.CONNECTED, "handshake")
            node.replication, node.peer_outdated = ReplicationState.ESTABLISHED, False
        if syncs:
            self._resync(source, target)
        else:
            self._heal(first, second)

    def _refuses_handshake(self, first: Node, second: Node, verdict: Handshake, target: Node | None) -> str | None:
        """Why they end StandAlone.

        Options must be equal (drbd_receiver.c receive_protocol; capture 54-protocol-mismatch); split brain with every
        policy at `disconnect` (52-dual-primary-split-brain); a Primary does not become sync target with rr-conflict
        disconnect; two Primaries meet only where both may be.
        """
        if _options(first) != _options(second):
            return "options differ"
        if verdict in (Handshake.SPLIT_BRAIN, Handshake.UNRELATED):
            return str(verdict.value)
        if target is not None and target.role is Role.PRIMARY:
            return "a Primary would become sync target"
        both_primary = first.role is Role.PRIMARY and second.role is Role.PRIMARY
        forbidden = both_primary and not first.two_primaries
        return "two Primaries" if forbidden else None

    def _resync(self, source: Node, target: Node) -> None:
        source.replication, target.replication = ReplicationState.SYNC_SOURCE, ReplicationState.SYNC_TARGET
        target.disk = DiskState.INCONSISTENT

        def done() -> None:
            if source.connected and target.replication is ReplicationState.SYNC_TARGET:
                self._heal(source, target)

        self.later(self.resync_s, done)

    def _heal(self, source: Node, target: Node) -> None:
        """In sync: one generation, one set of data; the target's own writes are gone."""
        if target.disk is DiskState.INCONSISTENT:
            target.data = set(source.data)
        for node in (source, target):
            node.replication, node.bitmap_uuid = ReplicationState.ESTABLISHED, 0
            node.current_uuid = source.current_uuid
            if node.disk is not DiskState.DISKLESS:
                node.disk = DiskState.UP_TO_DATE

    def _set_connection(self, node: Node, state: ConnectionState, cause: str) -> None:
        node.connection = state
        if state is ConnectionState.STANDALONE and rules.forgets_net_options_when_stand_alone(self.dialect):
            node.two_primaries = False
        self._note(f"{node.resource} on {node.host} is {state} ({cause})")

    def stand_alone(self, host: str, resource: str, cause: str) -> None:
        """This side seeks its peer no more."""
        self._set_connection(self.nodes[host, resource], ConnectionState.STANDALONE, cause)

    def host_lost(self, host: str) -> None:
        """Power is gone: roles, runtime options and openers with it; disks and generations stay."""
        self.openers = [opener for opener in self.openers if opener.host != host]
        for node in self.of_host(host):
            self.lose_peer(node.resource, f"{host} lost power")
            node.up, node.role, node.two_primaries, node.auto_promoted = False, Role.SECONDARY, False, False
            node.suspended.clear()
            node.connection = ConnectionState.CONNECTING

    def host_back(self, host: str) -> None:
        """The host booted: resources up from the files, Secondary, seeking their peer."""
        for node in self.of_host(host):
            node.up = True
            self.try_connect(node.resource)

    def of_host(self, host: str) -> Iterable[Node]:
        """All resources of one host, in the order they were added."""
        return [node for (name, _), node in self.nodes.items() if name == host]


def _generations(node: Node) -> tuple[int, int]:
    return node.current_uuid, node.bitmap_uuid


def _options(node: Node) -> tuple[object, ...]:
    return node.protocol, node.two_primaries, node.after_sb
