"""One line of `drbdsetup events2` to one value; DRBD 8.4 and 9, with or without --timestamps and --statistics.

Grammar (drbd-utils 9.22, and the captures in tests/fixtures/drbd):

    line      = "- skipped " N                                8.4 only, never with a timestamp
              | [timestamp SP] action SP ( "-" / kind *( SP key ":" value ) )
    action    = exists create change destroy call response rename
    kind      = resource device connection peer-device path helper

Nothing here raises: a line that does not follow the grammar is `Malformed`, for the caller to count. Actions, kinds,
keys and values this release has never heard of do follow it, and are kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from dualsrm.hosts.drbd.units import to_int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that exists or happened. Values are as printed: `dualsrm.hosts.drbd.units` makes numbers of them."""

    action: str
    kind: str
    values: Mapping[str, str]
    timestamp: datetime | None = None
    """By the host's clock, with its zone."""


@dataclass(frozen=True, slots=True)
class EndOfDump:
    """`exists -`: all that exists has been printed."""

    timestamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """8.4 lost that many events: what was merged so far may be stale until the next full dump."""

    count: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that is not of events2, or was cut off."""

    line: str
    why: str


Line: TypeAlias = Event | EndOfDump | Skipped | Malformed

_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\S*", re.ASCII)
_SKIPPED: Final = re.compile(r"- skipped (\d{1,20})", re.ASCII)
_NUMBERS: Final = ("volume", "minor", "peer-node-id")
_IDENTITY: Final[Mapping[str, tuple[str, ...]]] = {
    "resource": ("name",),
    "connection": ("name",),
    "device": ("name", "volume"),
    "peer-device": ("name", "volume"),
    "path": ("name", "local", "peer"),
    "helper": ("helper",),
}
"""What a line of a known kind must say for us to know what it is about."""


def parse_line(text: str) -> Line:
    """Parse one line, with or without its line feed."""
    line = text.rstrip("\r\n")
    if skipped := _SKIPPED.fullmatch(line):
        return Skipped(int(skipped[1]))
    words = [word for word in line.split(" ") if word]
    timestamp: datetime | None = None
    if words and _TIMESTAMP.fullmatch(words[0]):
        try:
            timestamp = datetime.fromisoformat(words.pop(0))
        except ValueError:
            return Malformed(line, "not a timestamp")
    match words:
        case ["exists", "-"]:
            return EndOfDump(timestamp)
        case ["-", *_] | [_, "-", *_]:
            return Malformed(line, "`-` out of place")
        case [action, kind, *pairs]:
            return _event(line, action, kind, pairs, timestamp)
        case _:
            return Malformed(line, "no action and object")


def _event(line: str, action: str, kind: str, pairs: list[str], timestamp: datetime | None) -> Event | Malformed:
    values: dict[str, str] = {}
    for pair in pairs:
        # At the first colon only: addresses hold more of them (`local:ipv4:10.79.0.21:7789`).
        key, colon, value = pair.partition(":")
        if not (key and colon):
            return Malformed(line, "a field that is not key:value")
        values[key] = value
    fault = _identity_fault(action, kind, values)
    return Malformed(line, fault) if fault else Event(action, kind, values, timestamp)


def _identity_fault(action: str, kind: str, values: Mapping[str, str]) -> str | None:
    """Why nobody could say what the line is about; None when it is clear."""
    needed = _IDENTITY.get(kind, ())
    if kind == "device" and action in ("exists", "create", "change"):
        needed += ("minor",)  # 9 leaves it out on destroy
    if action == "rename":
        needed += ("new_name",)
    missing = [key for key in needed if not values.get(key)]
    if missing:
        return f"a {kind} without {missing[0]}"
    wrong = [key for key in _NUMBERS if key in values and to_int(values[key]) is None] if needed else []
    return f"{wrong[0]} is not a number" if wrong else None


@dataclass(frozen=True, slots=True)
class HelperResult:
    """How a helper ended: exactly one of the three is set.

    The kernel passes on what `call_usermodehelper` returned: a raw wait status (256 is exit code 1, seen on 8.4.11), or
    a negative errno when the helper could not be started, which drbdsetup prints as a huge unsigned number.
    """

    exit_code: int | None = None
    signal: int | None = None
    errno: int | None = None


def helper_result(event: Event) -> HelperResult | None:
    """How the helper of a `response helper` line ended; None for any other line."""
    status = to_int(event.values.get("status"))
    if event.action != "response" or event.kind != "helper" or status is None:
        return None
    if status >= 1 << 31:
        width = 32 if status < 1 << 32 else 64
        return HelperResult(errno=(1 << width) - status)
    if status & 0x7F:
        return HelperResult(signal=status & 0x7F)
    return HelperResult(exit_code=(status >> 8) & 0xFF)
