"""What a host knows of a peer that may be lost, and what became of switching it off.

Two lines of JSON between the programs on the hosts and the manager: whoever writes and whoever reads uses these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum


class PeerError(Exception):
    """The text is no answer of `dualsrm-host`."""


class Power(StrEnum):
    """What a power switch says of its host."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"
    """It cannot be asked, or does not say."""
    NO_DEVICE = "no device"


@dataclass(frozen=True, slots=True)
class PeerSeen:
    """A peer as its partner sees it, over the management network and by its power switch."""

    reached: bool | None
    """Whether anything answers at its address; None when the question itself could not be asked."""
    why: str
    """What was heard, or not."""
    power: Power
    agent: str = ""
    """The fence agent; empty without a device."""
    power_why: str = ""
    """What the agent said, where `power` is unknown."""
    lost_since: Mapping[str, str] = field(default_factory=dict)
    """By resource: when the kernel here lost the peer, ISO 8601 by this host's clock, where its log tells."""

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A host whose guests went on beside it: nothing of its pair is promoted or started there until it is resynced."""

    host: str
    since: str
    """ISO 8601 with zone, by the clock of the host that keeps the record; empty in a torn one, which counts too."""
    operation: str
    """The failover."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What a host has written down of a peer that it does not see."""

    off_by: str | None
    """Who says that it is off, lately."""
    quarantined: bool


@dataclass(frozen=True, slots=True)
class Fenced:
    """How it ended to switch a peer off."""

    off: bool
    """Seen off by its device."""
    was: Power
    agent: str
    seconds: float
    asked: bool
    """Whether the device was told to switch it off: it may go off yet, whatever was seen."""
    why: str = ""
    """Why it is not off."""

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


def parse_peer_seen(text: str) -> PeerSeen:
    """What `dualsrm-host peer-status` printed. Raises `PeerError`."""
    found = _object(text)
    reached, lost = found.get("reached"), found.get("lost_since")
    if not (reached is None or isinstance(reached, bool)) or not isinstance(lost, dict):
        raise PeerError("it lacks a field")
    return PeerSeen(
        reached=reached,
        why=_text(found, "why"),
        power=_power(found, "power"),
        agent=_text(found, "agent"),
        power_why=_text(found, "power_why"),
        lost_since={str(name): since for name, since in lost.items() if isinstance(since, str)},
    )


def parse_fenced(text: str) -> Fenced:
    """What `dualsrm-host fence` printed. Raises `PeerError`."""
    found = _object(text)
    off, asked, seconds = found.get("off"), found.get("asked"), found.get("seconds")
    if not isinstance(off, bool) or not isinstance(asked, bool) or not isinstance(seconds, int | float):
        raise PeerError("it lacks a field")
    return Fenced(off, _power(found, "was"), _text(found, "agent"), float(seconds), asked, _text(found, "why"))


def parse_quarantine(host: str, text: str) -> Quarantine:
    """A record as it lies on a disk. One that is torn is a quarantine all the same."""
    try:
        found = _object(text)
    except PeerError:
        found = {}
    since, operation = (value if isinstance(value := found.get(key), str) else "" for key in ("since", "operation"))
    return Quarantine(host, since, operation)


def parse_noted(text: str) -> Noted:
    """What `dualsrm-host peer-status --noted` printed. Raises `PeerError`."""
    found = _object(text)
    by, quarantined = found.get("confirmed_off"), found.get("quarantined")
    if not (by is None or isinstance(by, str)) or not isinstance(quarantined, bool):
        raise PeerError("it lacks a field")
    return Noted(by, quarantined)


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PeerError("it is no JSON") from error
    if not isinstance(found, dict):
        raise PeerError("it is no object")
    return found


def _text(found: Mapping[str, object], key: str) -> str:
    value = found.get(key)
    if not isinstance(value, str):
        raise PeerError(f"it has no {key}")
    return value


def _power(found: Mapping[str, object], key: str) -> Power:
    try:
        return Power(_text(found, key))
    except ValueError as error:
        raise PeerError(f"nobody knows this {key}") from error
