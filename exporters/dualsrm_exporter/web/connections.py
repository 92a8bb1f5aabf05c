"""How many connections there may be, and who goes when one too many comes.

Nobody is turned away at the door: the newest is let in, and the one that has kept us waiting longest goes, of the
address that has most of them. Thousands of connections that say nothing so take each other's places, and a scrape,
which says what it wants at once, gets through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

LIMIT: Final = 128
"""In all. Under TLS each costs a quarter of a megabyte."""
WRITING_LIMIT: Final = 16
"""Answers on their way to slow readers: each may hold a page of its own."""


class Phase(Enum):
    """What a connection does."""

    WAITING = "waiting"
    """For the client to say something."""
    ANSWERING = "answering"
    """We are at work on its answer; it has a deadline of our own."""
    WRITING = "writing"
    """The client is being sent its answer."""


@dataclass(eq=False, slots=True)
class Connection:
    """One connection, as far as limits care."""

    address: str
    drop: Callable[[], None]
    phase: Phase = Phase.WAITING
    entered: int = field(default=0)
    """When it came to this phase, counted in changes of phase."""


class Connections:
    """All that are open. Used by one event loop."""

    def __init__(self, limit: int = LIMIT, writing_limit: int = WRITING_LIMIT) -> None:
        self._limit = limit
        self._writing_limit = writing_limit
        self._all: set[Connection] = set()
        self._changes = 0
        self.dropped = 0
        """How many had to go for others."""

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, connection: Connection) -> bool:
        """Let one in. False only if all others are being answered at this moment."""
        if len(self._all) >= self._limit and not (self._drop_one(Phase.WAITING) or self._drop_one(Phase.WRITING)):
            return False
        self._all.add(connection)
        self.enter(connection, Phase.WAITING)
        return True

    def enter(self, connection: Connection, phase: Phase) -> None:
        """A connection comes to another phase."""
        if phase is Phase.WRITING and self._count(Phase.WRITING) >= self._writing_limit:
            self._drop_one(Phase.WRITING)
        self._changes += 1
        connection.phase, connection.entered = phase, self._changes

    def leave(self, connection: Connection) -> None:
        """It is closed."""
        self._all.discard(connection)

    def _count(self, phase: Phase) -> int:
        return sum(one.phase is phase for one in self._all)

    def _drop_one(self, phase: Phase) -> bool:
        candidates = [one for one in self._all if one.phase is phase]
        if not candidates:
            return False
        ((crowd, _),) = Counter(one.address for one in candidates).most_common(1)
        victim = min((one for one in candidates if one.address == crowd), key=lambda one: one.entered)
        self._all.discard(victim)
        self.dropped += 1
        victim.drop()
        return True
