"""DRBD on both hosts: the rules applied to the state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count

from dualsrm.model import AT_REST, ConnectionState, DiskState, ReplicationState, Role
from tests.simulator.pair import rules
from tests.simulator.pair.rules import Dialect, Handshake, OpenEffect, Refusal
from tests.simulator.pair.state import Node, Opener

_FORCED = (DiskState.OUTDATED, DiskState.CONSISTENT, DiskState.INCONSISTENT)


class KernelRefused(Exception):
    """The kernel said no; the port turns it into the engine's errors."""

    def __init__(self, command: str, refusal: Refusal | str, detail: str = "") -> None:
        super().__init__(f"{command}: {refusal}{f' ({detail})' if detail else ''}")
        self.refusal = refusal


class KernelWaits(KernelRefused):
    """The kernel waits for an answer of a peer that does not come."""


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
        self.mount_holds: Callable[[str, str], str | None] = lambda _host, _resource: None
        """By host and resource: where it is mounted, as `mounted on PATH`."""
        self.later: Callable[[float, Callable[[], None]], None] = lambda _seconds, _action: None
        self.on_lost: Callable[[Node], None] = lambda _node: None
        """The kernel calls the fence-peer handler and goes on."""
        self.ask_handler: Callable[[Node, Callable[[int], None]], None] = lambda _node, answered: answered(1)
        """A promotion calls the handler and waits for its answer; it may give up waiting before that."""
        self.on_complete: Callable[[Node, int], None] = lambda _node, _write: None
        """A pending write is acknowledged to whoever is still there."""
        self.now: Callable[[], str | None] = lambda: None
        self.on_drained: Callable[[Node], None] = lambda _node: None
        self.resync_s = 2.0
        self.notice_s = dict.fromkeys(hosts, 0.0)
        """By host: how long after a silent loss it notices (a ping unanswered: up to ping-int + ping-timeout)."""
        self.split_brains: list[str] = []
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

    def joined(self, node: Node) -> bool:
        """Whether what this side sends arrives."""
        return node.connected and self.peer(node).connected and self._reaches(node.resource)

    def peer_role(self, node: Node) -> Role:
        """The peer's role as this side sees it."""
        if self.joined(node):
            return self.peer(node).role
        return node.last_seen[0] if node.connected else Role.UNKNOWN

    def peer_disk(self, node: Node) -> DiskState:
        """The peer's disk as this side sees it."""
        if self.joined(node):
            return self.peer(node).disk
        return node.last_seen[1] if node.connected else node.peer_known

    def holders(self, host: str, resource: str) -> tuple[str, ...]:
        """Who holds any device of the resource open here, as `command (pid)`."""
        found = [f"{o.command} ({o.pid})" for o in self.openers if (o.host, o.resource) == (host, resource)]
        mount, qemu = self.mount_holds(host, resource), self.qemu_holds(host, resource)
        return (*found, *([mount] if mount else []), *([qemu] if qemu else []))

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
        if self.joined(node):
            self.peer(node).two_primaries = allowed
        else:
            node.unsent = node.connected

    def set_fencing(self, host: str, resource: str, policy: str) -> None:
        """The runtime option fencing; while frozen it changes nothing about the freeze (tried on 8.4.11).

        On 9 it is an option of the connection; a StandAlone one keeps its options there.
        """
        self.node(host, resource).fencing = policy

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

    def promote(self, host: str, resource: str, *, force: bool = False) -> None:
        """`drbdadm primary`; a Primary stays one (commands.node2.log, "primary twice").

        Without its peer it asks the handler first (drbd_nl.c drbd_set_role); connected it asks the peer. By force any
        disk with something on it is called UpToDate, an Inconsistent one as well, if the rest allows it.
        """
        node = self.node(host, resource)
        node.auto_promoted = False
        if node.role is Role.PRIMARY:
            return
        if force and node.disk in _FORCED:
            self._promote_forced(node)
            return
        self._must_be_heard(node, "primary")
        refusal = self.promote_refusal(node)
        doubtful = node.disk is DiskState.CONSISTENT and not node.connected
        if node.fencing != "dont-care" and (refusal is rules.PEER_NOT_OUTDATED or doubtful):
            refusal = self._promote_when_answered(node)
        if refusal:
            raise KernelRefused(f"drbdadm primary {resource}", refusal)
        self._become_primary(node)

    def _promote_forced(self, node: Node) -> None:
        disk, node.disk = node.disk, DiskState.UP_TO_DATE
        try:
            self.promote(node.host, node.resource)
        except KernelRefused:
            node.disk = disk
            raise
        self._note(f"{node.resource} on {node.host} was {disk} and is UpToDate by force")

    def _promote_when_answered(self, node: Node) -> Refusal | None:
        """drbd_nl.c drbd_set_role: the handler decides, and the kernel promotes even when nobody waits any more."""
        connects, answers = node.connects, list[Refusal | None]()

        def answered(code: int) -> None:
            self.answer_fence_peer(node, code, connects)
            if node.peer_known in rules.STALE and node.disk is DiskState.CONSISTENT and not node.connected:
                node.disk = DiskState.UP_TO_DATE
            answers.append(self.promote_refusal(node))
            if answers[0] is None:
                self._become_primary(node)

        self.ask_handler(node, answered)
        if not answers:
            command = f"drbdadm primary {node.resource} on {node.host}"
            raise KernelWaits(command, "the fence-peer handler does not answer")
        return answers[0]

    def _must_be_heard(self, node: Node, verb: str) -> None:
        """A change of state that both sides must agree on waits for a peer that is silent."""
        if node.connected and not self.joined(node):
            raise KernelWaits(f"drbdadm {verb} {node.resource} on {node.host}", "the peer does not answer")

    def _become_primary(self, node: Node) -> None:
        if node.role is Role.PRIMARY:
            return
        node.role = Role.PRIMARY
        self._note(f"{node.resource} is Primary on {node.host}")
        if self.dialect is Dialect.EIGHT and not node.connected and node.bitmap_uuid == 0:
            self._rotate(node)  # commands.node2.log, "node2 promotes while cut": new current UUID at the promotion

    def demote(self, host: str, resource: str) -> None:
        """`drbdadm secondary`; a Secondary stays one. Works while frozen, and while the handler waits (tried)."""
        node = self.node(host, resource)
        if node.role is not Role.PRIMARY:
            return
        if self.dialect is Dialect.NINE:
            self._must_be_heard(node, "secondary")
        holders = self.holders(host, resource)
        if refusal := rules.refuse_demote(held_open=bool(holders)):
            raise KernelRefused(f"drbdadm secondary {resource}", refusal, f"opened by {', '.join(holders)}")
        node.role, node.auto_promoted = Role.SECONDARY, False
        self._note(f"{resource} is Secondary on {host}")

    def outdate(self, host: str, resource: str) -> None:
        """`drbdadm outdate`; of a resource that is down, in its metadata."""
        node = self.nodes[host, resource]
        refusal = rules.refuse_outdate(
            self.dialect, role=node.role, connected=node.connected and node.up, handler_runs=node.handlers > 0
        )
        if refusal:
            raise KernelRefused(f"drbdadm outdate {resource} on {host}", refusal)
        self._outdate(node)

    def _outdate(self, node: Node) -> None:
        if node.disk in (DiskState.UP_TO_DATE, DiskState.CONSISTENT):
            node.disk = DiskState.OUTDATED
            self._note(f"the disk of {node.resource} on {node.host} is Outdated")

    def connect(self, host: str, resource: str, *, discard: bool = False) -> None:
        """`drbdadm connect`: a StandAlone side seeks its peer again, with the options of its file on 8.4.

        No Primary discards (capture drbd9/commands.nine2.log, "discard-my-data while primary").
        """
        node = self.node(host, resource)
        if discard and node.role is Role.PRIMARY:
            raise KernelRefused(f"drbdadm connect {resource}", "(123) --discard-my-data not allowed when primary.")
        node.discards = discard
        if node.connection is ConnectionState.STANDALONE:
            self._set_connection(node, ConnectionState.CONNECTING, "drbdadm connect")
            self.try_connect(resource)

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
        """`drbdadm adjust`: the file's values come back (commands.nine1.log, "adjust"); it never says two primaries.

        On 9 both options go in one command, so that a refusal keeps both; on 8.4 the disk's come first. A StandAlone
        side is connected.
        """
        node = self.node(host, resource)
        if self.dialect is Dialect.EIGHT:
            node.fencing = AT_REST
        if node.two_primaries:
            self.set_two_primaries(host, resource, allowed=False)
        node.fencing = AT_REST
        self.connect(host, resource)

    # --- writes -----------------------------------------------------------------------------------

    def write(self, host: str, resource: str, numbers: range) -> bool:
        """A guest writes; whether all of it was acknowledged. While one write is not, no other is made."""
        node = self.nodes[host, resource]
        if not node.up or node.role is not Role.PRIMARY or node.pending:
            return False
        if node.connected and not self.joined(node):
            if not node.suspended and node.disk is not DiskState.DISKLESS:
                node.data.add(numbers[0])
                node.pending.append(numbers[0])
            return False
        disks = rules.acknowledged_by(
            connected=node.connected, suspended=bool(node.suspended), local_disk=node.disk is not DiskState.DISKLESS
        )
        if disks and rules.rotates_at_write(connected=node.connected, bitmap_uuid=node.bitmap_uuid):
            self._rotate(node)
        for name, side in (("local", node), ("peer", self.peer(node))):
            if name in disks:
                side.data.update(numbers)
        return bool(disks)

    def _complete(self, node: Node) -> None:
        """What was pending is acknowledged: it reached the peer, or this side goes on alone."""
        joined = self.joined(node)
        for number in node.pending:
            if joined:
                self.peer(node).data.add(number)
            elif rules.rotates_at_write(connected=False, bitmap_uuid=node.bitmap_uuid):
                self._rotate(node)
            self.on_complete(node, number)
        node.pending.clear()
        self.on_drained(node)

    def _rotate(self, node: Node) -> None:
        node.bitmap_uuid, node.current_uuid = node.current_uuid, next(self._uuids)
        self._note(f"{node.resource} on {node.host} starts a new data generation")

    # --- the link ---------------------------------------------------------------------------------

    def _reaches(self, resource: str) -> bool:
        first, second = self.hosts
        return (
            self.link_up[resource]
            and self.nodes[first, resource].up
            and self.nodes[second, resource].up
            and self.host_up(first)
            and self.host_up(second)
        )

    def cut(self, resource: str, cause: str) -> None:
        """The link is dead from now on; each side notices after its own while."""
        self._remember(resource)
        self.link_up[resource] = False
        for host in self.hosts:
            self._notices(self.nodes[host, resource], cause)

    def _remember(self, resource: str) -> None:
        for host in self.hosts:
            node = self.nodes[host, resource]
            if self.joined(node):
                node.last_seen = self.peer(node).role, self.peer(node).disk

    def _notices(self, node: Node, cause: str) -> None:
        connects = node.connects

        def notice() -> None:
            if node.connected and node.connects == connects and not self.joined(node):
                self._lose(node, cause)

        if self.notice_s[node.host] > 0:
            self.later(self.notice_s[node.host], notice)
        else:
            notice()

    def heal(self, resource: str) -> None:
        """The link is back. What waited is delivered; a side that noticed tells the other by connecting anew."""
        self.link_up[resource] = True
        pair = [self.nodes[host, resource] for host in self.hosts]
        if all(self.joined(node) for node in pair):
            for node in pair:
                if node.unsent:
                    self.peer(node).two_primaries, node.unsent = node.two_primaries, False
                self._complete(node)
            return
        for node in pair:
            if node.up and node.connected and self._reaches(resource):
                self._lose(node, "peer closed the connection")
        self.try_connect(resource)

    def disconnect(self, host: str, resource: str, cause: str) -> None:
        """This side ends the connection and says so."""
        node = self.nodes[host, resource]
        node.discards = False
        told = self.joined(node)
        self._remember(resource)
        if node.connected:
            self._lose(node, cause)
        self._set_connection(node, ConnectionState.STANDALONE, cause)
        if told:
            self._lose(self.peer(node), f"peer: {cause}")

    def _lose(self, node: Node, cause: str) -> None:
        """This side knows that the connection is gone: drbd_state.c after_state_ch, drbd_receiver.c conn_disconnect."""
        self._set_connection(node, ConnectionState.CONNECTING, cause)
        node.replication, node.peer_known, node.unsent = ReplicationState.OFF, DiskState.UNKNOWN, False
        primary = node.role is Role.PRIMARY
        if rules.freezes(fencing=node.fencing, role=node.role, peer_disk=node.peer_known):
            node.suspended.add("fencing")  # capture 34-netcut-fencing-suspended; design, section 3, point 2
            self._note(f"I/O of {node.resource} on {node.host} is frozen")
        if rules.rotates_at_link_loss(
            self.dialect,
            role=node.role,
            disk=node.disk,
            bitmap_uuid=node.bitmap_uuid,
            suspended=bool(node.suspended),
        ):
            self._rotate(node)
        elif primary and node.suspended and node.bitmap_uuid == 0 and node.disk is DiskState.UP_TO_DATE:
            node.rotates_later = True
        if not node.suspended:
            self._complete(node)
        self._call_handler(node)

    def _call_handler(self, node: Node) -> None:
        if rules.fences(fencing=node.fencing, role=node.role, disk=node.disk, peer_disk=node.peer_known):
            self.on_lost(node)

    def answer_fence_peer(self, node: Node, code: int, connects: int) -> None:
        """The fence-peer handler returns; ignored if the connection was there meanwhile (connect_cnt)."""
        if not node.up or node.connected or node.connects != connects:
            return
        verdict = rules.fence_verdict(code, role=node.role, disk=node.disk)
        if verdict.own_disk is not None:
            self._outdate(node)
        if verdict.peer_disk is not None:
            node.peer_known = verdict.peer_disk
            self._thaw(node)

    def _thaw(self, node: Node) -> None:
        """The peer is known to be stale: a new generation if one is due, then what waited goes on."""
        if node.rotates_later and node.bitmap_uuid == 0:
            self._rotate(node)
        node.rotates_later = False
        if "fencing" in node.suspended:
            node.suspended.discard("fencing")
            self._note(f"I/O of {node.resource} on {node.host} goes on alone")
        self._complete(node)

    def try_connect(self, resource: str) -> None:
        """Two Connecting sides whose link is up shake hands."""
        first, second = (self.nodes[host, resource] for host in self.hosts)
        if not self._reaches(resource) or {first.connection, second.connection} != {ConnectionState.CONNECTING}:
            return
        verdict = rules.compare_generations(_generations(first), _generations(second))
        if verdict is Handshake.NO_SYNC:
            verdict = rules.after_a_crash((first.role, first.crashed), (second.role, second.crashed))
        if verdict is Handshake.SPLIT_BRAIN and first.discards is not second.discards:
            # drbd_receiver.c drbd_sync_handshake: DISCARD_MY_DATA of one side, and not of the other, decides.
            verdict = Handshake.SECOND_IS_SOURCE if first.discards else Handshake.FIRST_IS_SOURCE
        source, target = (second, first) if verdict is Handshake.SECOND_IS_SOURCE else (first, second)
        syncs = verdict is not Handshake.NO_SYNC
        if why := self._refuses_handshake(first, second, verdict, target if syncs else None):
            for node in (first, second):
                self._set_connection(node, ConnectionState.STANDALONE, why)
            for node in (first, second):
                self._call_handler(node)
            return
        for node in (first, second):
            self._set_connection(node, ConnectionState.CONNECTED, "handshake")
            node.replication, node.peer_known = ReplicationState.ESTABLISHED, DiskState.UNKNOWN
            node.connects += 1
            node.rotates_later = node.discards = False
        for node in (first, second):
            node.suspended.discard("fencing")  # case 2 of drbd_state.c after_state_ch: it goes on by resending
            self._complete(node)
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
        why = None
        if verdict in (Handshake.SPLIT_BRAIN, Handshake.UNRELATED):
            why = str(verdict.value)
        elif target is not None and target.role is Role.PRIMARY:
            why = "a Primary would become sync target"
        if why:
            self.split_brains.append(f"{first.resource}: {why}")
            return why
        both_primary = first.role is Role.PRIMARY and second.role is Role.PRIMARY
        forbidden = both_primary and not first.two_primaries
        return "two Primaries" if forbidden else None

    def _resync(self, source: Node, target: Node) -> None:
        source.replication, target.replication = ReplicationState.SYNC_SOURCE, ReplicationState.SYNC_TARGET
        source.disk, target.disk = DiskState.UP_TO_DATE, DiskState.INCONSISTENT
        if source.bitmap_uuid:
            # drbd_gen_and_send_sync_uuid: the target's current is the source's bitmap UUID meanwhile: it is behind.
            target.current_uuid, target.bitmap_uuid = source.bitmap_uuid, 0
        connects = source.connects

        def done() -> None:
            if source.connects == connects and self.joined(source):
                self._heal(source, target)

        self.later(self.resync_s, done)

    def _heal(self, source: Node, target: Node) -> None:
        """In sync: one generation, one set of data; the target's own writes are gone."""
        if target.disk is DiskState.INCONSISTENT:
            target.data = set(source.data)
            target.disk = DiskState.UP_TO_DATE
        good = any(node.disk in (DiskState.UP_TO_DATE, DiskState.CONSISTENT) for node in (source, target))
        for node in (source, target):
            node.replication, node.bitmap_uuid = ReplicationState.ESTABLISHED, 0
            node.current_uuid, node.crashed = source.current_uuid, False
            if node.disk is not DiskState.DISKLESS and good:
                node.disk = DiskState.UP_TO_DATE

    def _set_connection(self, node: Node, state: ConnectionState, cause: str) -> None:
        if node.connection is state:
            return
        if node.connected:
            node.lost_at = self.now()
        node.connection = state
        if state is ConnectionState.STANDALONE and rules.forgets_net_options_when_stand_alone(self.dialect):
            node.two_primaries = False
        self._note(f"{node.resource} on {node.host} is {state} ({cause})")

    def host_lost(self, host: str) -> None:
        """Power is gone: roles, runtime options and openers with it; disks and generations stay."""
        self.openers = [opener for opener in self.openers if opener.host != host]
        for node in self.of_host(host):
            peer = self.peer(node)
            if peer.connected:
                peer.last_seen = node.role, node.disk
            node.crashed = node.crashed or node.role is Role.PRIMARY
            node.up, node.role, node.two_primaries, node.auto_promoted = False, Role.SECONDARY, False, False
            node.fencing, node.handlers, node.rotates_later, node.unsent = AT_REST, 0, False, False
            node.lost_at = None
            node.suspended.clear()
            node.pending.clear()
            node.connection, node.replication = ConnectionState.CONNECTING, ReplicationState.OFF
            self._notices(peer, f"{host} lost power")

    def host_back(self, host: str) -> None:
        """The host booted: resources up from the files, Secondary, seeking their peer."""
        for node in self.of_host(host):
            node.up = True
            node.disk = rules.disk_after_boot(node.disk, fencing=node.fencing, peer_disk=node.peer_known)
            peer = self.peer(node)
            if peer.up and peer.connected and self._reaches(node.resource):
                self._lose(peer, f"{host} booted")
            self.try_connect(node.resource)

    def of_host(self, host: str) -> Iterable[Node]:
        """All resources of one host, in the order they were added."""
        return [node for (name, _), node in self.nodes.items() if name == host]


def _generations(node: Node) -> tuple[int, int]:
    return node.current_uuid, node.bitmap_uuid


def _options(node: Node) -> tuple[object, ...]:
    return node.protocol, node.two_primaries, node.after_sb
