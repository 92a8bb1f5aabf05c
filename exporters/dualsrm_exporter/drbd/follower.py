"""What the event stream says that no single look can: helper calls, and what happens between two looks.

Pure but for the memory it is given; fed by one thread, read by others.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from dualsrm.hosts.drbd import Dialect, EndOfDump, Event, Key, Malformed, Skipped, Store, helper_result
from dualsrm.hosts.drbd.objects import Values, key_of
from dualsrm.model import ConnectionState, DiskState, ReplicationState
from dualsrm_exporter.drbd.memory import Memory, PeerVolume
from dualsrm_exporter.metrics import OTHER

OBJECTS: Final = ("resource", "device", "connection", "peer-device", "path", "helper", OTHER)
HELPERS: Final = (
    "before-resync-source",
    "before-resync-target",
    "after-resync-target",
    "disconnected",
    "fence-peer",
    "initial-split-brain",
    "local-io-error",
    "out-of-sync",
    "pri-lost",
    "pri-lost-after-sb",
    "pri-on-incon-degr",
    "quorum-lost",
    "split-brain",
    "unfence-peer",
    OTHER,
)
FENCE_ANSWERS: Final = {3: "inconsistent", 4: "outdated", 5: "unreachable", 6: "primary", 7: "stonithed"}
NO_ANSWER: Final = "none"
_CROWD: Final = 50_000


@dataclass(slots=True)
class Counts:
    """Since the exporter was started."""

    events: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    malformed: int = 0
    helper_calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    helper_failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    fence_answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    split_brains: Counter[str] = field(default_factory=Counter)
    losses: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By resource and the peer's name as events2 has it, empty on 8.4."""

    def copy(self) -> Counts:
        """As it is now."""
        return Counts(
            Counter(self.events),
            self.skipped,
            self.malformed,
            Counter(self.helper_calls),
            Counter(self.helper_failures),
            Counter(self.fence_answers),
            Counter(self.split_brains),
            Counter(self.losses),
        )

    def keep_only(self, resources: Collection[str]) -> None:
        """Forget the others."""
        for pairs in (self.helper_calls, self.helper_failures, self.fence_answers, self.losses):
            for pair in [pair for pair in pairs if pair[0] not in resources]:
                del pairs[pair]
        for name in [name for name in self.split_brains if name not in resources]:
            del self.split_brains[name]


def peer_name(values: Values, dialect: Dialect) -> str:
    """The peer as DRBD 9 calls it; empty on 8.4, which calls every peer `peer`, or nothing."""
    return "" if dialect is Dialect.V84 else values.get("conn-name", "")


def is_uptodate(connection: Values | None, peer: Values) -> bool:
    """Whether this side is connected to an UpToDate copy. What 8.4 says of a lost peer's disk is what it last knew."""
    return _replicates(connection, peer) and peer.get("peer-disk") == DiskState.UP_TO_DATE


def _replicates(connection: Values | None, peer: Values) -> bool:
    """Connected alone is not enough: 8.4 is so for a moment before it calls the split-brain handler and drops it."""
    return (
        connection is not None
        and connection.get("connection") == ConnectionState.CONNECTED
        and peer.get("replication", ReplicationState.OFF) != ReplicationState.OFF
    )


class Follower:
    """Merges one stream after the other."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._counts = Counts()
        self._store: Store | None = None
        self._fresh: dict[Key, PeerVolume] = {}
        """Peers' copies that are UpToDate as far as the stream has told."""
        self._connected: dict[Key, str] = {}
        """Connections that are Connected, with the peer's name."""

    def begin(self, dialect: Dialect) -> None:
        """A new stream: it tells everything that is, first."""
        with self._lock:
            self._store = Store(dialect)
            self._forget()

    def end(self) -> None:
        """The stream ended: from here on nothing is known."""
        with self._lock:
            self._store = None
            self._forget()

    @property
    def complete(self) -> bool:
        """Whether a stream runs and has told the whole state."""
        with self._lock:
            return self._store is not None and self._store.complete

    @property
    def crowded(self) -> bool:
        """Whether so much is counted that resources not in the kernel must go, whether the files have them or not."""
        with self._lock:
            return len(self._counts.helper_calls) + len(self._counts.losses) > _CROWD

    def counts(self) -> Counts:
        """A copy."""
        with self._lock:
            return self._counts.copy()

    def keep_only(self, resources: Collection[str]) -> None:
        """Forget resources that are neither in the kernel nor in the files."""
        with self._lock:
            self._counts.keep_only(resources)

    def cut_off(self) -> None:
        """The stream ended within a line, or a line had no end: it is not applied, half a word may be another word."""
        with self._lock:
            self._counts.malformed += 1

    def feed(self, text: str) -> bool:
        """One line. False: DRBD left events out, and only a new stream tells what is."""
        with self._lock:
            if self._store is None:
                return True
            line = self._store.feed(text)
            match line:
                case Skipped(count=count):
                    self._counts.skipped += count
                    return False
                case Malformed():
                    self._counts.malformed += 1
                case Event():
                    self._counts.events[line.kind if line.kind in OBJECTS else OTHER] += 1
                    self._event(line, self._store)
                case EndOfDump():
                    self._drop_gone(self._store)
            return True

    def _forget(self) -> None:
        self._fresh.clear()
        self._connected.clear()

    def _drop_gone(self, store: Store) -> None:
        self._fresh = {key: one for key, one in self._fresh.items() if store.get(key) is not None}
        self._connected = {key: name for key, name in self._connected.items() if store.get(key) is not None}

    def _event(self, event: Event, store: Store) -> None:
        if event.kind == "helper":
            self._helper(event)
        key = key_of(event, store.dialect)
        if key is None:
            return
        if key.kind == "connection":
            self._connection(key, store)
        elif key.kind == "peer-device":
            self._peer_device(key, store)
        elif event.action == "destroy":
            self._drop_gone(store)

    def _connection(self, key: Key, store: Store) -> None:
        values = store.get(key)
        if values is not None and values.get("connection") == ConnectionState.CONNECTED:
            self._connected[key] = peer_name(values, store.dialect)
            return
        if (name := self._connected.pop(key, None)) is not None:
            self._counts.losses[key.resource, name] += 1
        for one in [one for one in self._fresh if (one.resource, one.peer) == (key.resource, key.peer)]:
            self._memory.saw_uptodate(self._fresh.pop(one), last=True)

    def _peer_device(self, key: Key, store: Store) -> None:
        values = store.get(key)
        connection = store.get(Key("connection", key.resource, key.peer))
        if values is not None and _replicates(connection, values):
            self._memory.saw_replication(key.resource)
        if values is not None and is_uptodate(connection, values):
            copy = PeerVolume(key.resource, peer_name(values, store.dialect), key.volume or 0)
            self._memory.saw_uptodate(copy)
            self._fresh[key] = copy
        elif (was := self._fresh.pop(key, None)) is not None:
            self._memory.saw_uptodate(was, last=True)

    def _helper(self, event: Event) -> None:
        resource, said = event.values.get("name", ""), event.values["helper"]
        if not resource:
            return
        helper = said if said in HELPERS else OTHER
        if event.action == "call":
            self._counts.helper_calls[resource, helper] += 1
            if helper == "split-brain":
                self._counts.split_brains[resource] += 1
                self._memory.saw_split_brain(resource)
        elif (result := helper_result(event)) is not None:
            good = (0,) if helper != "fence-peer" else tuple(FENCE_ANSWERS)
            self._counts.helper_failures[resource, helper] += result.exit_code not in good
            if helper == "fence-peer":
                answer = FENCE_ANSWERS.get(-1 if result.exit_code is None else result.exit_code, NO_ANSWER)
                self._counts.fence_answers[resource, answer] += 1
