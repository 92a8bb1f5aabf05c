"""The verbs about a peer that is lost, and about taking it back: what is done and what is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Fence:
    """Switch the lost peer off by the fence device that this host has for it; one that is off is not switched."""

    host: str
    peer: str

    def __str__(self) -> str:
        return f"switch {self.peer} off by the fence device of {self.host}, unless it shows off already"


@dataclass(frozen=True, slots=True)
class ConfirmOff:
    """Note on a host that its peer is off, because a person says so."""

    host: str
    peer: str
    by: str

    def __str__(self) -> str:
        return f"note on {self.host} that {self.peer} is off: {self.by} says so"


@dataclass(frozen=True, slots=True)
class AwaitResync:
    """Wait until a host has all data of these resources again, and say how far it is."""

    host: str
    resources: tuple[str, ...]

    def __str__(self) -> str:
        return f"wait until {', '.join(self.resources)} is resynced onto {self.host}"


@dataclass(frozen=True, slots=True)
class LiftQuarantine:
    """On a host: its peer may be promoted and started on again."""

    host: str
    peer: str

    def __str__(self) -> str:
        return f"lift the quarantine of {self.peer}, as noted on {self.host}"


@dataclass(frozen=True, slots=True)
class Lifted:
    """The host keeps no quarantine of its peer."""

    host: str
    peer: str

    def __str__(self) -> str:
        return f"{self.peer} is not in quarantine, as noted on {self.host}"


@dataclass(frozen=True, slots=True)
class NotedOff:
    """The host has noted that its peer is off, which it forgets when the peer answers it, and after a while.

    And it has put it in quarantine, which it does not forget.
    """

    host: str
    peer: str

    def __str__(self) -> str:
        return f"{self.peer} was seen off and is in quarantine, as noted on {self.host}"


PeerCommand: TypeAlias = Fence | ConfirmOff | LiftQuarantine
PeerCondition: TypeAlias = NotedOff | Lifted
