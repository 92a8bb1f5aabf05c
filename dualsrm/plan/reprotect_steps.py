"""The verbs of taking a host back after a failover: what is done and what is seen."""

from __future__ import annotations

from dataclasses import dataclass


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
