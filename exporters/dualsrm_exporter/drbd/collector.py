"""The collector: a fresh look, what the stream told, what is remembered, and the windows and alarms of this host."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from dualsrm.hosts.drbd import Dialect
from dualsrm.hosts.text import clean
from dualsrm.hostside.files import LASTING, ROOT
from dualsrm_exporter.collected import Collected
from dualsrm_exporter.drbd.follower import FENCE_ANSWERS, NO_ANSWER, OBJECTS, Counts, Follower, is_uptodate, peer_name
from dualsrm_exporter.drbd.hostfiles import HostFiles, open_resources, read_host_files, timestamp
from dualsrm_exporter.drbd.kernel import Peers, report_kernel
from dualsrm_exporter.drbd.look import PROC, Eyes, Look, Objects
from dualsrm_exporter.drbd.memory import Memory, PeerVolume
from dualsrm_exporter.drbd.stream import Stream
from dualsrm_exporter.metrics import DRBD, Metric
from dualsrm_exporter.metrics import drbd as m

_ZEROED_HELPERS: Final = ("fence-peer", "local-io-error")
"""Those an alert asks about: exported before they are called for the first time."""

_ANSWERS: Final = (*FENCE_ANSWERS.values(), NO_ANSWER)


class DrbdCollector:
    """DRBD of this host. Without `follow` it looks once and hears no events: for the textfile mode."""

    name: Final = "drbd"
    metrics: Sequence[Metric] = DRBD
    sources: Sequence[str] = ("dump", "show", "files", "windows", "alarms", "quarantine", "memory")

    def __init__(
        self, state: Path, *, run: Path = ROOT, lasting: Path = LASTING, proc: Path = PROC, follow: bool = True
    ) -> None:
        self._run = run
        self._lasting = lasting
        self._memory = Memory(state / "drbd.json")
        self._follower = Follower(self._memory)
        self._stream = Stream(self._follower, proc) if follow else None
        self._eyes = Eyes(proc)
        self._lock = threading.Lock()
        self._last_at = 0.0

    def start(self) -> None:
        """Begin to follow events."""
        if self._stream is not None:
            self._stream.start()

    def stop(self) -> None:
        """End it, and write down what is to be remembered."""
        if self._stream is not None:
            self._stream.stop()
        self._memory.save(now=True)

    def collect(self, collected: Collected) -> None:
        """Everything, as it is now."""
        with self._lock:
            before = open_resources(self._run)
            look = self._eyes.look()
            files = read_host_files(self._run, self._lasting)
            self._last_at = look.at or self._last_at
        collected.failures.update({**look.failures, **files.failures})
        collected.add(m.MODULE_LOADED, look.module is not None or "dump" in look.failures)
        collected.add(m.SNAPSHOT, self._last_at)
        if look.module is not None:
            facts = {"module_version": look.module.version, "dialect": look.module.dialect.value}
            collected.add_info(m.VERSION, facts)
        peers = Peers(look.module.dialect if look.module else None, look.configured)
        if look.objects is not None:
            report_kernel(collected, look.objects, peers, look.progress)
            self._note(look.objects, peers)
        known = self._known(look, files)
        _report_files(collected, look, known)
        in_window = before | {name for one in files.windows for name in one.window.resources}
        _report_options(collected, look, None if "windows" in files.failures else in_window)
        _report_host_files(collected, files, known)
        _report_quarantine(collected, look, files)
        self._report_remembered(collected, peers, known)
        self._report_stream(collected, peers, known, look)

    def _known(self, look: Look, files: HostFiles) -> list[str]:
        """Every resource anybody here has heard of, by name. What is remembered of others goes, if that is sure."""
        named = set(look.configured or ())
        if look.objects is not None:
            named |= {key.resource for key in look.objects["resource"]}
            if look.configured is not None or self._follower.crowded:
                self._memory.keep_only(named)
                self._follower.keep_only(named)
        named |= {name for one in files.windows for name in one.window.resources}
        named |= {alarm.resource for alarm in files.alarms}
        return sorted(named)

    def _note(self, objects: Objects, peers: Peers) -> None:
        """What the look says of peers: the stream says nothing while nothing changes."""
        connections = objects["connection"]
        for key, values in objects["peer-device"].items():
            connection = connections.get(key._replace(kind="connection", volume=None))
            if is_uptodate(connection, values):
                name = peer_name(values, peers.dialect or Dialect.V84)
                self._memory.saw_uptodate(PeerVolume(key.resource, name, key.volume or 0))
                self._memory.saw_replication(key.resource)

    def _report_remembered(self, collected: Collected, peers: Peers, known: Sequence[str]) -> None:
        for one, at in self._memory.uptodate().items():
            peer = peers.named(one.resource, one.peer)
            collected.add(m.PEER_UPTODATE, at, one.resource, str(one.volume), peer)
        split = self._memory.split_brains()
        for name in {*split, *(known if self._stream is not None else ())}:
            collected.add(m.SPLIT_BRAIN, name in split, name)
        try:
            self._memory.save()
        except OSError as error:
            collected.failures["memory"] = f"what must survive a restart cannot be written: {error}"

    def _report_stream(self, collected: Collected, peers: Peers, known: Sequence[str], look: Look) -> None:
        """Nothing when nobody follows: a zero would say that nothing happened."""
        if self._stream is None:
            return
        counts = self._follower.counts()
        collected.add(m.STREAM_UP, self._follower.complete)
        collected.add(m.STREAM_RESTARTS, self._stream.restarts)
        collected.add(m.EVENTS_SKIPPED, counts.skipped)
        collected.add(m.PARSE_ERRORS, counts.malformed)
        for kind in OBJECTS:
            collected.add(m.EVENTS, counts.events[kind], kind)
        _report_helpers(collected, counts, known)
        for (resource, name), number in counts.losses.items():
            collected.add(m.CONNECTION_LOSSES, number, resource, peers.named(resource, name))
        for key, values in look.objects["connection"].items() if look.objects else ():
            collected.add(m.CONNECTION_LOSSES, 0, key.resource, peers.label(key, values))


def _report_helpers(collected: Collected, counts: Counts, known: Sequence[str]) -> None:
    """What was counted, and then zeros, which give way to it."""
    for metric, counted in (
        (m.HELPER_CALLS, counts.helper_calls),
        (m.HELPER_FAILURES, counts.helper_failures),
        (m.FENCE_ANSWERS, counts.fence_answers),
    ):
        for pair, number in counted.items():
            collected.add(metric, number, *pair)
    for pair in counts.helper_calls:
        collected.add(m.HELPER_FAILURES, 0, *pair)
    for name, number in counts.split_brains.items():
        collected.add(m.SPLIT_BRAINS, number, name)
    for name in known:
        for helper in _ZEROED_HELPERS:
            collected.add(m.HELPER_CALLS, 0, name, helper)
            collected.add(m.HELPER_FAILURES, 0, name, helper)
        for answer in _ANSWERS:
            collected.add(m.FENCE_ANSWERS, 0, name, answer)
        collected.add(m.SPLIT_BRAINS, 0, name)


def _report_files(collected: Collected, look: Look, known: Sequence[str]) -> None:
    """What should be there, and is it. Nothing when the dump failed: absent is not down."""
    up = {key.resource for key in look.objects["resource"]} if look.objects is not None else set()
    down_is_sure = look.objects is not None or (look.module is None and "dump" not in look.failures)
    for name in known:
        if look.configured is not None:
            collected.add(m.RESOURCE_CONFIGURED, name in look.configured, name)
        if name in up or (down_is_sure and look.configured is not None and name in look.configured):
            collected.add(m.RESOURCE_UP, name in up, name)


def _report_options(collected: Collected, look: Look, in_window: Collection[str] | None) -> None:
    """A window's record is left before its options are set and taken away after: read before and after them."""
    writing = {} if look.objects is None else look.objects["resource"]
    ordering = {key.resource: values.get("write-ordering", "") for key, values in writing.items()}
    for name, shown in (look.shown or {}).items():
        options = shown.options
        facts = {
            "protocol": options.protocol,
            "fencing": options.fencing,
            "write_ordering": ordering.get(name, ""),
        }
        collected.add_info(m.RESOURCE, facts, name)
        collected.add(m.TWO_PRIMARIES, options.allow_two_primaries, name)
        if in_window is not None:
            collected.add(m.TWO_PRIMARIES_AT_REST, options.allow_two_primaries and name not in in_window, name)


def _report_quarantine(collected: Collected, look: Look, files: HostFiles) -> None:
    if "quarantine" in files.failures:
        return
    peers = {peer for found in (look.configured or {}).values() for peer in found}
    for peer in sorted({*peers, *files.quarantined}):
        collected.add(m.QUARANTINED, peer in files.quarantined, peer)


def _report_host_files(collected: Collected, files: HostFiles, known: Sequence[str]) -> None:
    for one in files.windows:
        window = one.window
        facts = {name: getattr(window, name) for name in ("operation", "pair", "guest", "source", "target")}
        for name in window.resources:
            collected.add(m.WINDOW_OPEN, 1, name)
            collected.add(m.WINDOW_OPENED, timestamp(window.since), name)
            collected.add(m.WINDOW_GUARDED, one.guarded, name)
            collected.add_info(m.WINDOW, {**facts, "owner": one.owner}, name)
    for alarm in files.alarms:
        collected.add(m.ALARM, 1, alarm.resource)
        collected.add(m.ALARM_SINCE, timestamp(alarm.since), alarm.resource)
        collected.add_info(m.ALARM_WHY, {"why": clean(alarm.why)}, alarm.resource)
    for name in known:
        if "windows" not in files.failures:
            collected.add(m.WINDOW_OPEN, 0, name)
        if "alarms" not in files.failures:
            collected.add(m.ALARM, 0, name)
