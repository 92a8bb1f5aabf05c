"""Reads the journal, whoever wants it: history and reports whole, the exporter as it grows.

The files are `dualsrm.engine.journal`'s, one of JSON lines for each operation. The operation's process holds a lock on
its file: a file without an end and without that lock was interrupted. The lock is looked at *before* the lines are
read, else an operation that ends in between would look interrupted.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

_READ_AT_ONCE: Final = 4 * 1024 * 1024
_LINE_LIMIT: Final = 256 * 1024
"""Real lines have a few hundred bytes."""
_LONGEST_S: Final = 1e9
_GUESTS_LIMIT: Final = 10_000
_PARTS_LIMIT: Final = 10_000
_DEVICE: Final = "by the fence device of"
"""In the words of the step `fence`, unless a person has seen to it."""


@dataclass(slots=True)
class Operation:
    """What the lines so far say."""

    name: str
    """Also the name of its file."""
    verb: str
    """From the name until the intent says it."""
    pair: str = ""
    guest: str = ""
    method: str = ""
    """Of a move: live or cold."""
    begun: float | None = None
    step: str = ""
    running: bool = False
    outcome: str | None = None
    """None while there is no end."""
    guests: dict[str, str] = field(default_factory=dict)
    """Of a failover: how it ended for each guest. There may be several, and its own end is the worst of theirs."""
    rehearsed: list[str] = field(default_factory=list)
    """Of a rehearsal: groups that came up as a whole."""
    ended: float | None = None
    window_s: float | None = None
    outage_s: float | None = None
    total_s: float | None = None
    parts: list[tuple[str, float]] = field(default_factory=list)
    """What was timed of a failover."""
    lost: str = ""
    """Of a failover: the host that was to be off."""
    source: str = ""
    """Where it led from, and where to; the host that was lost of a failover, the victim of a split brain."""
    target: str = ""
    inside: str = ""
    """The operation on several guests that this one is part of."""
    by: str = ""
    """Who began it: user@manager. Older journals do not say."""
    confirmed_by: str = ""
    """Who has seen that the lost host is off."""
    named: list[str] = field(default_factory=list)
    """Guests of an operation on several."""
    group: str = ""
    seen: str = ""
    """What went wrong or was against it, in words."""
    unreadable: int = 0
    """Lines that made no sense."""
    fencings: list[bool] = field(default_factory=list)
    """Whether a fence device saw it off, each time."""
    _by_device: bool = field(default=False, repr=False)
    _read: int = field(default=0, repr=False)
    _rest: bytes = field(default=b"", repr=False)

    def take(self, data: bytes) -> int:
        """More of its file; how many lines made no sense. Half a line waits for its other half."""
        self._read += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        wrong = 0
        if len(self._rest) > _LINE_LIMIT:
            self._rest = b""
            wrong += 1
        for line in lines:
            if line.strip():
                wrong += not self._line(line)
        self.unreadable += wrong
        return wrong

    @property
    def read(self) -> int:
        """Bytes of its file taken so far."""
        return self._read

    def _line(self, text: bytes) -> bool:
        line = parsed(text)
        if line is None:
            return False
        at = time_of(line)
        match line.get("kind"):
            case "intent":
                self._intent(line, at)
            case "step" | "undo":
                self.step = text_of(line, "step")
                self._by_device = self.step == "fence" and _DEVICE in str(line.get("do"))
            case "fenced":
                self.fencings.append(line.get("off") is True)
            case "failed" if self._by_device:
                # The survivor did not say what came of it, or the device said off of a host that lives.
                self.fencings[-1:] = [False]
            case "guest":
                self._guest(line)
            case "end" if self.outcome is None:
                self._end(line, at)
        return True

    def _intent(self, line: Mapping[str, object], at: float | None) -> None:
        """The second one adds to the first."""
        self.verb = text_of(line, "verb") or self.verb
        self.pair = text_of(line, "pair") or self.pair
        self.guest = text_of(line, "guest") or self.guest
        self.method = text_of(line, "method") or self.method
        self.lost = text_of(line, "lost") or self.lost
        self._where_and_who(line)
        self.begun = at if self.begun is None else self.begun
        self._part("look", line.get("look_s"))

    def _where_and_who(self, line: Mapping[str, object]) -> None:
        leaves = self.verb in ("stop", "evacuate")
        self.source = _first(line, "source", "lost", "survivor", *(["host"] if leaves else [])) or self.source
        self.target = _first(line, "target", "to", "victim", *([] if leaves else ["host"])) or self.target
        self.inside = text_of(line, "inside") or self.inside
        self.by = text_of(line, "by") or self.by
        self.confirmed_by = text_of(line, "confirmed_by") or self.confirmed_by
        self.group = text_of(line, "group") or self.group
        guests = line.get("guests")
        if isinstance(guests, list):
            self.named = [guest for guest in guests[:_GUESTS_LIMIT] if isinstance(guest, str)]

    def _guest(self, line: Mapping[str, object]) -> None:
        """What became of one guest of several; the lost host was seen off once for all of them."""
        if not any(part == "fence" for part, _ in self.parts):
            self._part("fence", line.get("fence_s"))
        self._part("promote", line.get("promote_s"))
        self._part("start", line.get("start_s"))

    def _end(self, line: Mapping[str, object], at: float | None) -> None:
        self.outcome, self.ended = text_of(line, "outcome"), at
        self.seen = text_of(line, "seen")
        guests = line.get("guests")
        for guest, outcome in guests.items() if isinstance(guests, dict) and self.verb == "failover" else ():
            if isinstance(outcome, str) and len(self.guests) < _GUESTS_LIMIT:
                self.guests[guest] = outcome
        groups = line.get("rehearsed")
        self.rehearsed = (
            [one for one in groups if isinstance(one, str)][:_GUESTS_LIMIT] if isinstance(groups, list) else []
        )
        self.window_s = number_of(line.get("window_s"))
        self.outage_s = number_of(line.get("outage_s"))
        self.total_s = number_of(line.get("total_s"))
        if self.total_s is None and at is not None and self.begun is not None:
            self.total_s = number_of(at - self.begun)

    def _part(self, part: str, value: object) -> None:
        if (seconds := number_of(value)) is not None and len(self.parts) < _PARTS_LIMIT:
            self.parts.append((part, seconds))


class JournalReader:
    """All operations below a state directory. Those that ended are handed on once and not kept."""

    def __init__(self, state: Path, on_end: Callable[[Operation], None]) -> None:
        self._directory = state / "operations"
        self._on_end = on_end
        self._open: dict[str, Operation] = {}
        self._ended: set[str] = set()
        self.unreadable = 0
        """Lines that made no sense."""
        self.present = False
        """Whether there was a journal at the last look."""

    def look(self) -> tuple[Operation, ...]:
        """Take in what is new; the operations without an end. Raises `OSError` when the journal cannot be read."""
        there = {path.stem: path for path in self._files()}
        # What was cleaned up is forgotten here, and stays counted.
        self._ended &= there.keys()
        self._open = {name: one for name, one in self._open.items() if name in there}
        for name, path in sorted(there.items()):
            if name not in self._ended:
                self._take_in(name, path)
        return tuple(self._open.values())

    def _files(self) -> list[Path]:
        try:
            found = list(self._directory.iterdir())
            self.present = True
            return [path for path in found if path.suffix == ".jsonl"]
        except FileNotFoundError:
            self.present = False  # nothing was done on this host yet
            return []

    def _take_in(self, name: str, path: Path) -> None:
        operation = self._open.get(name) or Operation(name, _verb_of(name))
        try:
            with path.open("rb") as file:
                operation.running = is_locked(file.fileno())
                file.seek(operation.read)
                while data := file.read(_READ_AT_ONCE):
                    self.unreadable += operation.take(data)
        except FileNotFoundError:
            return
        if operation.outcome is None:
            self._open[name] = operation
            return
        self._open.pop(name, None)
        self._ended.add(name)
        self._on_end(operation)


def parsed(text: bytes) -> dict[str, object] | None:
    """One line of a journal; None when it makes no sense, as one that a crash cut short."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def read_history(state: Path) -> tuple[Operation, ...]:
    """Every operation there is, oldest first. Raises `OSError` when the journal cannot be read."""
    ended: list[Operation] = []
    unended = JournalReader(state, ended.append).look()
    return tuple(sorted((*ended, *unended), key=lambda one: one.name))


def read_lines(state: Path, operation: str) -> tuple[dict[str, object], ...]:
    """The lines of one operation that make sense. Raises `OSError` when they cannot be read."""
    data = (state / "operations" / f"{operation}.jsonl").read_bytes()
    lines = (parsed(text) for text in data.split(b"\n"))
    return tuple(line for line in lines if line is not None)


def is_locked(descriptor: int) -> bool:
    """Whether its process lives. The lock tried here is shared and gone with the descriptor: nobody waits for it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _verb_of(name: str) -> str:
    """TIME-VERB-RANDOM; a verb may have hyphens."""
    return "-".join(name.split("-")[3:-1]) if name[:4].isdigit() else ""


def _first(line: Mapping[str, object], *keys: str) -> str:
    return next((value for key in keys if (value := text_of(line, key))), "")


def text_of(line: Mapping[str, object], key: str) -> str:
    """A text of a line; empty when it has none by that name."""
    value = line.get(key)
    return value if isinstance(value, str) else ""


def number_of(value: object, largest: float = _LONGEST_S) -> float | None:
    """A number of a journal, seconds unless said otherwise: none is below zero or beyond reason."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= largest else None  # also no nan, and no int too large for a float


def time_of(line: Mapping[str, object]) -> float | None:
    """When it was written, in seconds since the epoch."""
    value = line.get("at")
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found.timestamp() if found is not None and found.tzinfo is not None else None
