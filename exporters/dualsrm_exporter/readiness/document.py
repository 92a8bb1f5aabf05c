"""Reads `dualsrm status --json`: only what is exported, each field of its type, or not at all."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from dualsrm.model import DomainState

_LIMIT: Final = 16 * 1024 * 1024
"""A thousand guests have about three."""
_FORMAT: Final = 1
_NO_DOMAIN: Final = "absent"
_NOT_SEEN: Final = "unknown"


class DocumentError(Exception):
    """The file is no such document; says why."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """A check that blocks."""

    ready: str
    """What for: `migration` or `failover`."""
    check: str
    severity: str


@dataclass(frozen=True, slots=True)
class GuestSeen:
    """A guest."""

    guest: str
    wanted_running: bool
    active_hosts: int
    """On how many hosts it was seen active."""
    everywhere: bool
    """Whether libvirt of every host told."""
    to_migrate: bool
    to_fail_over: bool
    blockers: tuple[Blocker, ...]


@dataclass(frozen=True, slots=True)
class PairSeen:
    """A pair."""

    pair: str
    hosts: Mapping[str, bool]
    """By name: whether all of it was seen."""
    guests: tuple[GuestSeen, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """One look of the manager."""

    at: float
    pairs: tuple[PairSeen, ...]


def read(path: Path) -> Look | None:
    """What the file says; None if there is none. Raises `DocumentError` and `OSError`."""
    try:
        # Not to wait for whoever would open a pipe's other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DocumentError("it is no file")
        data = file.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise DocumentError(f"it has more than {_LIMIT} bytes")
    return parse(data)


def hosts_of(path: Path) -> tuple[tuple[str, str], ...]:
    """Pair and host of all the manager looked at, whenever that was; none if nobody can say."""
    try:
        look = read(path)
    except (OSError, DocumentError):
        return ()
    return tuple((pair.pair, host) for pair in look.pairs for host in pair.hosts) if look else ()


def parse(data: bytes) -> Look:
    """The document. Raises `DocumentError`."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DocumentError("it is no JSON") from error
    if not isinstance(found, dict) or (found.get("kind"), found.get("format")) != ("status", _FORMAT):
        raise DocumentError(f"it is no `dualsrm status --json` of format {_FORMAT}")
    return Look(_time(_text(found, "looked_at")), tuple(_pair(one) for one in _list(found, "pairs")))


def _pair(found: object) -> PairSeen:
    pair = _object(found)
    hosts = [_object(one) for one in _list(pair, "hosts")]
    return PairSeen(
        _text(pair, "pair"),
        {_text(one, "host"): not _list(one, "trouble") for one in hosts},
        tuple(_guest(_object(one)) for one in _list(pair, "guests")),
    )


def _guest(guest: Mapping[str, object]) -> GuestSeen:
    states = _object(guest.get("states"))
    words = [_text(states, host) for host in states]
    kinds = (("migration", "blockers"), ("failover", "failover_blockers"))
    return GuestSeen(
        _text(guest, "guest"),
        _flag(guest, "wanted_running"),
        sum(_is_active(word) for word in words),
        _NOT_SEEN not in words,
        _flag(guest, "ready_to_migrate"),
        _flag(guest, "ready_to_fail_over"),
        tuple(
            Blocker(ready, _text(finding, "check"), _text(finding, "severity"))
            for ready, key in kinds
            for finding in map(_object, _list(guest, key))
        ),
    )


def _is_active(word: str) -> bool:
    if word in (_NO_DOMAIN, _NOT_SEEN):
        return False
    try:
        return DomainState(word).active
    except ValueError as error:
        raise DocumentError(f"nobody knows the state {word!r}") from error


def _object(found: object) -> Mapping[str, object]:
    if not isinstance(found, dict):
        raise DocumentError("something in it is no object")
    return found


def _list(found: Mapping[str, object], key: str) -> list[object]:
    value = found.get(key)
    if not isinstance(value, list):
        raise DocumentError(f"`{key}` is no list")
    return value


def _text(found: Mapping[str, object], key: str) -> str:
    value = found.get(key)
    if not isinstance(value, str):
        raise DocumentError(f"`{key}` is no text")
    return value


def _flag(found: Mapping[str, object], key: str) -> bool:
    value = found.get(key)
    if not isinstance(value, bool):
        raise DocumentError(f"`{key}` is neither true nor false")
    return value


def _time(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise DocumentError("`looked_at` is no time") from error
    if found.tzinfo is None:
        raise DocumentError("`looked_at` has no zone")
    return found.timestamp()
