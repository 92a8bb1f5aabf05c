"""The window record: what a manager leaves on both hosts before it opens dual-primary, as value and as JSON.

The hosts act on it when the manager cannot: the kernel's fence-peer handler, its counterpart on the peer, the dead-man
timer. It is read as hostile text: whoever may write below /run may also do worse, but a torn file must not.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Final

FORMAT: Final = 1
"""Raised when a reader of older records would misread newer ones."""

AT_REST: Final = "resource-only"
"""DRBD's `fencing` outside a window: a lost peer is outdated, so that it cannot be promoted stale; nothing freezes."""

IN_WINDOW: Final = "resource-and-stonith"
"""DRBD's `fencing` in a window: whoever writes is frozen until it is certain that the other side cannot."""

_NAME: Final = re.compile(r"(?!all\Z)[A-Za-z0-9_][A-Za-z0-9_.+:@ -]{0,254}", re.ASCII)
"""Names of hosts, resources and operations: nothing that could be an option, a path, or `all`."""
_FIELDS: Final = ("operation", "pair", "uuid", "source", "target", "since")
_GUEST_LIMIT: Final = 255
_RESOURCES_LIMIT: Final = 64


class WindowError(ValueError):
    """The text is no window record."""


@dataclass(frozen=True, slots=True)
class Window:
    """One guest's dual-primary window."""

    operation: str
    pair: str
    guest: str
    """As libvirt has it, which allows nearly any text: for people only, programs are given the UUID."""
    uuid: str
    source: str
    target: str
    resources: tuple[str, ...]
    since: str
    """ISO 8601 with zone, by the manager's clock."""

    def peer_of(self, host: str) -> str:
        """The other of source and target."""
        return self.source if host == self.target else self.target

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)})


def parse_window(text: str) -> Window:
    """Read a record back; raises `WindowError`."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WindowError(f"no JSON: {error}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise WindowError(f"no window record of format {FORMAT}")
    guest = found.get("guest")
    if not isinstance(guest, str) or not 0 < len(guest) <= _GUEST_LIMIT:
        raise WindowError(f"a guest's name has between 1 and {_GUEST_LIMIT} characters")
    resources = found.get("resources")
    if not isinstance(resources, list) or not 0 < len(resources) <= _RESOURCES_LIMIT:
        raise WindowError("a window has between 1 and 64 resources")
    return Window(
        guest=guest,
        **{name: _name(name, found.get(name)) for name in _FIELDS},
        resources=tuple(_name("resource", one) for one in resources),
    )


def _name(what: str, value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise WindowError(f"{what} is no name")
    return value
