"""The words of the journal: what operations there are, how they end, and which ends are good."""

from __future__ import annotations

from enum import Enum
from typing import Final

_ANY: Final = ("refused", "recovered")
_SEVERAL: Final = ("ok", "nothing to do", "rolled_back", "needs_attention", "in_doubt", "unreachable", *_ANY)
"""Of an operation on several guests, each of which has its own besides: the worst of theirs, as its exit code says."""

OUTCOMES: Final = {
    "migrate": (
        "moved",
        "moved, not settled",
        "moved, replication lost",
        "rolled back",
        "not moved, not rolled back",
        "not moved, may yet stop",
        "untouched",
        "guest stopped",
        "guest died",
        "in doubt",
        "running on both hosts",
        *_ANY,
    ),
    "stop": ("stopped", "nothing to do", "untouched", "still running", "stopped, not settled", "in doubt", *_ANY),
    "start": (
        "started",
        "nothing to do",
        "untouched",
        "rolled back",
        "not started, not rolled back",
        "in doubt",
        *_ANY,
    ),
    "failover": (
        "failed over",
        "nothing to do",
        "not fenced",
        "rolled back",
        "not started, not rolled back",
        "not begun",
        "in doubt",
        *_ANY,
    ),
    "test-failover": ("rehearsed", "nothing to do", "untouched", "failed", "rolled back", "not rolled back", *_ANY),
    "test-failover-cleanup": ("clean", "nothing to do", "something left", *_ANY),
    "evacuate": _SEVERAL,
    "migrate-group": _SEVERAL,
    "start-group": _SEVERAL,
    "stop-group": _SEVERAL,
    "reprotect": ("protected", "nothing to do", "untouched", "resyncing", "not protected", *_ANY),
    "split-brain-resolve": (
        "resolved",
        "nothing to do",
        "untouched",
        "resyncing",
        "resync the wrong way",
        "not resolved",
        *_ANY,
    ),
    "recover": ("ok", "needs_attention", "in_doubt", *_ANY),
}
"""How an operation can end, by its verb. A test holds this to the engine's own states."""

SUCCESSES: Final = {
    "migrate": ("moved",),
    "stop": ("stopped", "nothing to do"),
    "start": ("started", "nothing to do"),
    "failover": ("failed over", "nothing to do"),
    "test-failover": ("rehearsed", "nothing to do"),
    "test-failover-cleanup": ("clean", "nothing to do"),
    "evacuate": ("ok", "nothing to do"),
    "migrate-group": ("ok", "nothing to do"),
    "start-group": ("ok", "nothing to do"),
    "stop-group": ("ok", "nothing to do"),
    "reprotect": ("protected", "nothing to do"),
    "split-brain-resolve": ("resolved", "nothing to do"),
    "recover": ("ok",),
}
METHODS: Final = {"migrate": ("live", "cold")}
"""Of verbs that have more than one; the label is empty for all others."""

PARTS: Final = {"failover": ("look", "fence", "promote", "start")}
"""Parts of an operation that are timed: `promote` and `start` of each guest, the others once for all."""


def classified(verb: str, said: str) -> str | None:
    """How an operation ended, as one of the words above; None for one that is not known of this verb.

    A failover without guests had none to bring up.
    """
    said = "nothing to do" if (verb, said) == ("failover", "ok") else said
    return said if said in OUTCOMES.get(verb, ()) else None


class Ending(Enum):
    """What an operation's end is worth."""

    OK = "ok"
    """It did what was wanted."""
    NOTHING = "nothing"
    """It was refused, or called off before it touched anything."""
    FAILED = "failed"
    """It ended in any other way."""
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    """Its process died, and nobody has cleared up after it."""
    RECOVERED = "recovered"
    """Its process died, and another operation has cleared up after it."""
    UNKNOWN = "unknown"
    """It ended with a word that is not known."""


def ending(verb: str, outcome: str | None, *, running: bool) -> Ending:
    """What it is worth; `outcome` is None while there is no end."""
    if outcome is None:
        return Ending.RUNNING if running else Ending.INTERRUPTED
    word = classified(verb, outcome)
    if word is None:
        return Ending.UNKNOWN
    if word == "recovered":
        return Ending.RECOVERED
    if word in SUCCESSES[verb]:
        return Ending.OK
    return Ending.NOTHING if word in ("refused", "untouched") else Ending.FAILED
