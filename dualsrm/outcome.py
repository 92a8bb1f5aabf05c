"""What became of a live migration: one table over the state of the domain on both hosts.

The outcome is never taken from a return code: libvirt reports errors after success, managers crash, hosts vanish. Every
cell of the product exists; `tests/unit/core/test_outcome.py` walks them all. The table extends the five end states that
nova's libvirt driver documents with lost hosts and with guests that stop by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from dualsrm.model import DomainState


class Presence(Enum):
    """What one host has of the guest, reduced to what decides."""

    RUNNING = "running"
    PAUSED = "paused"
    """A QEMU exists whose virtual CPUs do not run: waiting for memory, for the hand-over, or stopped by someone."""
    GONE = "gone"
    """No QEMU: never defined here, moved away, or ended by libvirt."""
    STOPPED = "stopped"
    """No QEMU: the guest shut itself down."""
    CRASHED = "crashed"
    """No QEMU: it died."""
    UNKNOWN = "unknown"
    """The host could not be asked, or answered with a word nobody knows."""


class Outcome(Enum):
    """Where a migration ended."""

    MOVED = "moved"
    NOT_MOVED = "not moved"
    WAIT = "wait"
    """Between two states; ask again. At the deadline it is in doubt."""
    STOPPED = "stopped"
    """The guest shut itself down; it runs nowhere and is not to be started."""
    DIED = "died"
    """The guest runs nowhere and did not ask for it."""
    IN_DOUBT = "in doubt"
    """Acting on a guess could lose data: touch nothing, call a person."""
    SPLIT = "split"
    """Running on both hosts: touch nothing, call a person at once."""


class Leftover(Enum):
    """A QEMU the table proved to be the one that must go."""

    NONE = "none"
    AT_SOURCE = "source"
    AT_TARGET = "target"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One cell of the table."""

    outcome: Outcome
    meaning: str
    leftover: Leftover = Leftover.NONE


_R, _P, _G, _S, _C, _U = (
    Presence.RUNNING,
    Presence.PAUSED,
    Presence.GONE,
    Presence.STOPPED,
    Presence.CRASHED,
    Presence.UNKNOWN,
)

_ROLLED_BACK = Verdict(Outcome.NOT_MOVED, "it runs at the source and the target has nothing")
_STILL_AT_SOURCE = Verdict(
    Outcome.NOT_MOVED, "it runs at the source; the target's QEMU never ran and must go", Leftover.AT_TARGET
)
_MOVED = Verdict(Outcome.MOVED, "it runs at the target and the source has nothing")
_PAUSED_AT_SOURCE = Verdict(Outcome.NOT_MOVED, "it is paused at the source and the target has nothing")
_PAUSED_AT_TARGET = Verdict(Outcome.MOVED, "it is at the target, paused, and the source has nothing")
_STOPPED = Verdict(Outcome.STOPPED, "the guest shut itself down")
_DIED = Verdict(Outcome.DIED, "it runs on neither host and did not shut itself down")
_SOURCE_SILENT = Verdict(
    Outcome.IN_DOUBT, "the source cannot be asked and the guest does not run at the target: it may still run there"
)
_NOBODY_KNOWS = Verdict(Outcome.IN_DOUBT, "neither host can be asked; a peer-to-peer migration goes on without us")

OUTCOMES: Mapping[tuple[Presence, Presence], Verdict] = MappingProxyType(
    {
        (_R, _R): Verdict(Outcome.SPLIT, "it runs on both hosts"),
        (_R, _P): _STILL_AT_SOURCE,
        (_R, _G): _ROLLED_BACK,
        # A target definition that is shut off keeps the reason of its last run, which may be weeks old.
        (_R, _S): _ROLLED_BACK,
        (_R, _C): _ROLLED_BACK,
        (_R, _U): Verdict(Outcome.NOT_MOVED, "it runs at the source; the target cannot be asked"),
        (_P, _R): Verdict(
            Outcome.MOVED,
            "it runs at the target; the source's QEMU must go, and must never be resumed",
            Leftover.AT_SOURCE,
        ),
        (_P, _P): Verdict(Outcome.WAIT, "hand-over: both sides stand still"),
        (_P, _G): _PAUSED_AT_SOURCE,
        (_P, _S): _PAUSED_AT_SOURCE,
        (_P, _C): _PAUSED_AT_SOURCE,
        (_P, _U): Verdict(Outcome.IN_DOUBT, "paused at the source, and whether it ran at the target cannot be asked"),
        (_G, _R): _MOVED,
        (_G, _P): _PAUSED_AT_TARGET,
        (_G, _G): _DIED,
        (_G, _S): Verdict(Outcome.STOPPED, "it moved, and shut itself down at the target"),
        (_G, _C): _DIED,
        (_G, _U): Verdict(Outcome.IN_DOUBT, "the source has nothing and the target cannot be asked: it may run there"),
        (_S, _R): _MOVED,
        (_S, _P): Verdict(
            Outcome.STOPPED, "the guest shut itself down; the target's QEMU never ran", Leftover.AT_TARGET
        ),
        (_S, _G): _STOPPED,
        (_S, _S): _STOPPED,
        (_S, _C): _STOPPED,
        (_S, _U): Verdict(Outcome.IN_DOUBT, "it shut down at the source, and the target cannot be asked"),
        (_C, _R): _MOVED,
        (_C, _P): Verdict(
            Outcome.IN_DOUBT, "the source's QEMU died and the target's stands still: it may hold the guest"
        ),
        (_C, _G): _DIED,
        (_C, _S): _DIED,
        (_C, _C): _DIED,
        (_C, _U): Verdict(Outcome.IN_DOUBT, "the source's QEMU died, and the target cannot be asked"),
        (_U, _R): Verdict(Outcome.MOVED, "it runs at the target; the source cannot be asked"),
        (_U, _P): _SOURCE_SILENT,
        (_U, _G): _SOURCE_SILENT,
        (_U, _S): _SOURCE_SILENT,
        (_U, _C): _SOURCE_SILENT,
        (_U, _U): _NOBODY_KNOWS,
    }
)
"""(source, target) to verdict, valid once no migration job is active any more."""


def presence(state: DomainState | None, reason: str) -> Presence:
    """Reduce a libvirt state to what decides. `state` None: this libvirtd does not know the domain."""
    if state is None:
        return Presence.GONE
    if state is DomainState.SHUTOFF:
        return {"shutdown": Presence.STOPPED, "crashed": Presence.CRASHED, "failed": Presence.CRASHED}.get(
            reason, Presence.GONE
        )
    if reason == "postcopy-failed":
        return Presence.UNKNOWN  # half of its memory is on the other host: ending either half ends the guest
    return _ACTIVE.get(state, Presence.UNKNOWN)


_ACTIVE: Mapping[DomainState, Presence] = {
    DomainState.RUNNING: Presence.RUNNING,
    DomainState.BLOCKED: Presence.RUNNING,
    DomainState.PAUSED: Presence.PAUSED,
    # QEMU still exists while the guest shuts down, and a sleeping guest wakes by itself: both may yet write.
    DomainState.SHUTDOWN: Presence.PAUSED,
    DomainState.PM_SUSPENDED: Presence.PAUSED,
    DomainState.CRASHED: Presence.CRASHED,
}


def decide(source: Presence, target: Presence, *, job_active: bool) -> Verdict:
    """The verdict on a migration. While libvirt's job is active nothing is decided, whatever the states say."""
    if job_active:
        return Verdict(Outcome.WAIT, "libvirt is still migrating it")
    return OUTCOMES[source, target]
