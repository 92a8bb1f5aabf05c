"""Waiting for a resync: how far it is, and whether it moves at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dualsrm.engine.environment import Environment
from dualsrm.engine.progress import Notice
from dualsrm.errors import DualsrmError
from dualsrm.model import Resource
from dualsrm.plan.peer_steps import AwaitResync
from dualsrm.replication import replication_differs

LOOK_EVERY_S: Final = 2.0
TELL_EVERY_S: Final = 10.0
STALL_S: Final = 60.0
"""Without one byte less to go. DRBD's controller may slow a resync down to c-min-rate, 250 KiB/s unless configured."""


@dataclass(frozen=True, slots=True)
class _Left:
    """What is missing, by its own words and in bytes as far as they are known."""

    words: tuple[str, ...]
    bytes: int | None


def await_resync(environment: Environment, command: AwaitResync, deadline_s: float) -> str:
    """Why it is not over when the time is; empty when it is.

    A stall is told, and waited out: whoever paused the resync, or uses the link, may end that.
    """
    clock = environment.clock
    end = clock.monotonic() + deadline_s
    moved_at = told_at = clock.monotonic()
    least: int | None = None
    while True:
        left, now = _look(environment, command), clock.monotonic()
        if not left.words:
            return ""
        if left.bytes is not None and (least is None or left.bytes < least):
            least, moved_at = left.bytes, now
        stalled_s = now - moved_at
        stalled = f"; not a byte less for {stalled_s:.0f} s" if stalled_s >= STALL_S else ""
        if now >= end or environment.cancelled():
            return "; ".join(left.words) + stalled
        if now - told_at >= TELL_EVERY_S:
            told_at = now
            to_go = "" if left.bytes is None else f", {left.bytes / 2**20:.1f} MiB to go"
            environment.observer(Notice("; ".join(left.words) + to_go + stalled))
        clock.sleep(LOOK_EVERY_S)


def _look(environment: Environment, command: AwaitResync) -> _Left:
    try:
        drbd = environment.ports[command.host].drbd()
    except DualsrmError as error:
        return _Left((f"{command.host} cannot be asked ({error.seen})",), None)
    words, counts = list[str](), list[int | None]()
    for name in command.resources:
        found = drbd.resource(name)
        if found is None:
            words.append(f"{name} is not up on {command.host}")
        elif differs := replication_differs(found):
            words.append(differs + _share(found))
            counts.append(_to_go(found))
    known = [one for one in counts if one is not None]
    return _Left(tuple(words), sum(known) if len(known) == len(counts) else None)


def _share(resource: Resource) -> str:
    """Of the volume that is farthest behind."""
    peers = resource.connection.volumes if resource.connection else ()
    done = [one.done_ratio for one in peers if one.done_ratio is not None]
    return f" ({min(done):.0%} done)" if done else ""


def _to_go(resource: Resource) -> int | None:
    peers = resource.connection.volumes if resource.connection else ()
    counts = [one.out_of_sync_bytes for one in peers]
    known = [one for one in counts if one is not None]
    return sum(known) if known and len(known) == len(counts) else None
