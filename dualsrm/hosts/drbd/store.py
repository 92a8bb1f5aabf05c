"""Merges events into what is: the state of all DRBD objects of one host, from a dump, a stream, or one after the other.

Rules, each from a kernel's habit:

- `change` lines are partial on 8.4 (only what changed) and nearly so on 9: they are merged, never taken as a whole.
- `exists` and `create` lines are whole: they replace what was known.
- `exists -` ends a dump of *everything*: what it did not name is gone. So feed `events2` of all resources, not of one.
- 8.4 announces StandAlone as `destroy` (`w_after_conn_state_ch`): while the resource lives, its connection does too.
- 9 destroys a connection without a word about its peer-devices.
- Statistics are as of the last line that had them. DRBD sends no event when only statistics change, so a long-lived
  stream has stale ones; a fresh `--now` dump has not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from dualsrm.hosts.drbd.events2 import EndOfDump, Event, Line, parse_line
from dualsrm.hosts.drbd.objects import KINDS, Key, Values, key_of
from dualsrm.hosts.drbd.resources import IN_PROGRESS, build_resources
from dualsrm.hosts.drbd.version import Dialect
from dualsrm.model import Resource

_PROGRESS: Final = ("done", "dbdt1", "eta")
_IN_PROGRESS: Final = frozenset(str(state) for state in IN_PROGRESS)


class Store:
    """State of DRBD on one host. Not thread-safe: one reader feeds it."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.complete = False
        """Whether a full dump has been read to its end; before that, absence means nothing."""
        self._objects: dict[Key, dict[str, str]] = {}
        self._dumped: set[Key] | None = None
        """What the dump under way has named so far; None between dumps."""

    def feed(self, text: str) -> Line:
        """Parse one line, apply it, and return it for the caller to count or to react to (helpers, skipped events)."""
        line = parse_line(text)
        self.apply(line)
        return line

    def feed_all(self, lines: Iterable[str]) -> list[Line]:
        """Feed many lines."""
        return [self.feed(text) for text in lines]

    def apply(self, line: Line) -> None:
        """Merge one line. Skipped, malformed and helper lines change nothing."""
        if isinstance(line, EndOfDump):
            self._end_dump()
        elif isinstance(line, Event) and (key := key_of(line, self.dialect)) is not None:
            self._apply_event(key, line)

    def objects(self, kind: str) -> Mapping[Key, Values]:
        """All objects of a kind with their values as printed, for exporters; convert with `units`."""
        return {key: dict(values) for key, values in sorted(self._objects.items()) if key.kind == kind}

    def by_kind(self) -> Mapping[str, Mapping[Key, Values]]:
        """The same of every kind at once, not sorted and not copied: for a large store that is fed no more."""
        found: dict[str, dict[Key, Values]] = {kind: {} for kind in KINDS}
        for key, values in self._objects.items():
            found[key.kind][key] = values
        return found

    def get(self, key: Key) -> Values | None:
        """One object's values as printed, as they are now; None when there is none."""
        return self._objects.get(key)

    def resources(self) -> tuple[Resource, ...]:
        """The state in the model's words, by name. `options` are not in events2: they are Unknown here."""
        return build_resources(self._objects, self.dialect)

    def _apply_event(self, key: Key, event: Event) -> None:
        match event.action:
            case "exists":
                if self._dumped is None:
                    self._dumped = set()
                self._replace(key, event.values)
            case "create":
                self._replace(key, event.values)
            case "change":
                self._merge(key, event.values)
            case "destroy":
                self._destroy(key)
            case "rename" if key.kind == "resource":
                self._rename(key.resource, event.values["new_name"])

    def _replace(self, key: Key, values: Values) -> None:
        self._objects[key] = dict(values)
        if self._dumped is not None:
            self._dumped.add(key)

    def _merge(self, key: Key, values: Values) -> None:
        merged = self._objects.setdefault(key, {})
        # `done` ends by no longer being printed. A line with statistics has it as long as there is something to say.
        replication = values.get("replication", merged.get("replication"))
        if "done" not in values and ("out-of-sync" in values or replication not in _IN_PROGRESS):
            for word in _PROGRESS:
                merged.pop(word, None)
        merged.update(values)

    def _end_dump(self) -> None:
        named = self._dumped or set()
        self._objects = {key: values for key, values in self._objects.items() if key in named}
        self._dumped = None
        self.complete = True

    def _destroy(self, key: Key) -> None:
        stands_alone = self.dialect is Dialect.V84 and key.kind in ("connection", "peer-device")
        if stands_alone and Key("resource", key.resource) in self._objects:
            self._stand_alone(key)
            return
        for other in [other for other in self._objects if _belongs(other, key)]:
            del self._objects[other]

    def _stand_alone(self, key: Key) -> None:
        """Keep what the kernel keeps: a new dump would print the object like this (captured on 8.4.11).

        What is known of the peer's disk stays: it came in a `change` line before, and need not be DUnknown.
        """
        values = self._objects.setdefault(key, {"name": key.resource})
        values.pop("conn-name", None)
        values |= (
            {"connection": "StandAlone", "role": "Unknown"} if key.kind == "connection" else {"replication": "Off"}
        )

    def _rename(self, old: str, new: str) -> None:
        if old == new:
            return
        for key in [key for key in self._objects if key.resource == old]:
            renamed = key._replace(resource=new)
            self._objects[renamed] = self._objects.pop(key) | {"name": new}
            if self._dumped is not None and key in self._dumped:
                self._dumped.add(renamed)


def _belongs(other: Key, gone: Key) -> bool:
    """Whether an object goes when another goes: all of a resource, a connection's paths, a volume's peer-devices."""
    if other == gone:
        return True
    if other.resource != gone.resource:
        return False
    match gone.kind:
        case "resource":
            return True
        case "connection":
            return other.kind in ("peer-device", "path") and other.peer == gone.peer
        case "device":
            return other.kind == "peer-device" and other.volume == gone.volume
        case _:
            return False
