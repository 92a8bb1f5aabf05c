"""libvirt's numbers for a domain's state and its reason, in words.

The numbers are libvirt's ABI (virDomainState, virDomain*Reason) and only ever grow; a reason newer than this table is
`unknown`. The words are the constants' own, lower case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dualsrm.model import DomainState

STATES: Final = (
    DomainState.NO_STATE,
    DomainState.RUNNING,
    DomainState.BLOCKED,
    DomainState.PAUSED,
    DomainState.SHUTDOWN,
    DomainState.SHUTOFF,
    DomainState.CRASHED,
    DomainState.PM_SUSPENDED,
)
"""By virDomainState."""

REASONS: Final[Mapping[DomainState, tuple[str, ...]]] = {
    DomainState.NO_STATE: ("unknown",),
    DomainState.RUNNING: (
        "unknown",
        "booted",
        "migrated",
        "restored",
        "from-snapshot",
        "unpaused",
        "migration-canceled",
        "save-canceled",
        "wakeup",
        "crashed",
        "postcopy",
        "postcopy-failed",
    ),
    DomainState.BLOCKED: ("unknown",),
    DomainState.PAUSED: (
        "unknown",
        "user",
        "migration",
        "save",
        "dump",
        "ioerror",
        "watchdog",
        "from-snapshot",
        "shutting-down",
        "snapshot",
        "crashed",
        "starting-up",
        "postcopy",
        "postcopy-failed",
        "api-error",
    ),
    DomainState.SHUTDOWN: ("unknown", "user"),
    DomainState.SHUTOFF: (
        "unknown",
        "shutdown",
        "destroyed",
        "crashed",
        "migrated",
        "saved",
        "failed",
        "from-snapshot",
        "daemon",
    ),
    DomainState.CRASHED: ("unknown", "panicked"),
    DomainState.PM_SUSPENDED: ("unknown",),
}
"""By state, then by virDomain*Reason."""


def words(state: int, reason: int) -> tuple[DomainState, str]:
    """State and reason in words. A state this release does not know keeps its number and counts as active."""
    if not 0 <= state < len(STATES):
        return DomainState(f"state-{state}"), "unknown"
    name = STATES[state]
    known = REASONS[name]
    return name, known[reason] if 0 <= reason < len(known) else "unknown"
