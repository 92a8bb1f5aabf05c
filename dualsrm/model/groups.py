"""Guests that belong together: what comes first, when one counts as up, what is run around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from dualsrm.model.filesystem import Filesystem

FIRST_PRIORITY, DEFAULT_PRIORITY, LAST_PRIORITY = 1, 3, 5


@dataclass(frozen=True, slots=True)
class AgentAnswers:
    """The agent in the guest answers libvirt."""

    guest: str

    def __str__(self) -> str:
        return f"the agent in {self.guest} answers"


@dataclass(frozen=True, slots=True)
class TcpAccepts:
    """Something accepts connections there."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host} accepts connections on port {self.port}"


@dataclass(frozen=True, slots=True)
class HttpAnswers:
    """A page is there: status 200 to 399."""

    url: str

    def __str__(self) -> str:
        return f"{self.url} answers"


@dataclass(frozen=True, slots=True)
class Pings:
    """It answers an ICMP echo."""

    host: str

    def __str__(self) -> str:
        return f"{self.host} answers a ping"


@dataclass(frozen=True, slots=True)
class CommandSucceeds:
    """A program on the manager ends with exit code 0."""

    argv: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.argv[0]} ends with exit code 0"


Probe: TypeAlias = AgentAnswers | TcpAccepts | HttpAnswers | Pings | CommandSucceeds


@dataclass(frozen=True, slots=True)
class Readiness:
    """What has to be seen before a group counts as up, and how long it may take."""

    probe: Probe
    deadline_s: int


class Moment(Enum):
    """When a hook is run."""

    PRE = "pre"
    POST = "post"


class GroupVerb(Enum):
    """What is done to a group."""

    START = "start"
    STOP = "stop"
    MIGRATE = "migrate"
    FAILOVER = "failover"
    REHEARSE = "test-failover"


@dataclass(frozen=True, slots=True)
class Hook:
    """A program on the manager, run around what is done to a group."""

    moment: Moment
    verbs: tuple[GroupVerb, ...]
    argv: tuple[str, ...]
    deadline_s: int
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    may_fail: bool = False
    """Then it is said and the operation goes on; else the group counts as failed."""


class ColdMove(Enum):
    """Whether the guests of a group may be moved by a stop and a start."""

    NEVER = "never"
    IF_NOT_LIVE = "if-not-live"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Shutdown:
    """How long a guest may take to shut down, and what then; None: as for every guest."""

    deadline_s: int | None = None
    destroy: bool | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Guests of one pair that are started, stopped and moved together."""

    name: str
    pair: str
    guests: tuple[str, ...]
    prefer: str | None = None
    """The host it is started on when nothing else says where."""
    priority: int = DEFAULT_PRIORITY
    after: tuple[str, ...] = ()
    """Groups that have to be up before it."""
    start_delay_s: int = 0
    ready: tuple[Readiness, ...] = ()
    hold: bool = True
    """While it is not ready, what comes after it is not started."""
    hooks: tuple[Hook, ...] = ()
    cold: ColdMove = ColdMove.NEVER
    shutdown: Mapping[str, Shutdown] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    """By guest, where it differs from all others."""
    filesystem: Filesystem | None = None
    """Its guests' disks are files on it, and it moves with all of them."""

    def hooks_at(self, moment: Moment, verb: GroupVerb) -> tuple[Hook, ...]:
        """Those that are run then, in the order they are written."""
        return tuple(hook for hook in self.hooks if hook.moment is moment and verb in hook.verbs)
