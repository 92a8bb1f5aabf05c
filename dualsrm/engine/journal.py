"""The journal: what was intended and what came of it, one file of JSON lines per operation.

Every line is on disk (fsync) before the act it announces. The process that runs an operation holds a lock on its file
(flock, which dies with the process), so a file without an `end` line and without that lock was interrupted. The journal
informs: recovery plans from what it observes, never by replaying a file.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from dualsrm.engine.ports import Clock
from dualsrm.engine.progress import Notice, Observer
from dualsrm.errors import Refused
from dualsrm.history.reader import Operation, is_locked, parsed, read_history, read_lines

FORMAT = 1
"""Raised when a reader of older files would misread newer ones."""


class Journal(Protocol):
    """Where one operation writes down what it does."""

    @property
    def operation(self) -> str:
        """Identifier of the operation, safe as a file name."""

    def write(self, kind: str, **facts: object) -> None:
        """Append one line; on return it is on disk."""

    def jot(self, kind: str, **facts: object) -> None:
        """Append one line without waiting for the disk: what only informs must not hold up a move."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """An operation without an end."""

    operation: str
    intent: Mapping[str, object]


class FileJournal:
    """A journal file below the state directory."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._cut_short = False
        self._begun = clock.monotonic()
        self._first = {"by": who()}
        # Locked before it has the name others look for: one that is seen unlocked counts as interrupted.
        fresh = path.with_suffix(".new")
        self._descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fresh.rename(path)
        _sync_directory(path.parent)

    @classmethod
    def begin(cls, directory: Path, verb: str, clock: Clock) -> Self:
        """Start the file of a new operation; refused when it cannot be written, before anything is touched."""
        stamp = clock.now_iso().replace(":", "").replace("+0000", "Z")
        name = f"{stamp}-{verb}-{secrets.token_hex(3)}.jsonl"
        try:
            operations = directory / "operations"
            operations.mkdir(parents=True, exist_ok=True, mode=0o700)
            return cls(operations / name, clock)
        except OSError as error:
            raise _unwritable(directory, error) from error

    @property
    def operation(self) -> str:
        """Identifier of the operation: the file's name without its ending."""
        return self._path.stem

    def write(self, kind: str, **facts: object) -> None:
        """Append one line; on return it is on disk."""
        self.jot(kind, **facts)
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def jot(self, kind: str, **facts: object) -> None:
        """Append one line without waiting for the disk; `after_s` counts from the begin, on a clock nobody sets."""
        after_s = round(self._clock.monotonic() - self._begun, 3)
        about = {"format": FORMAT, "at": self._clock.now_iso(), "after_s": after_s, "kind": kind}
        line = json.dumps({**about, **self._first, **facts}, default=str)
        left = (b"\n" if self._cut_short else b"") + line.encode() + b"\n"
        self._cut_short = True
        try:
            while left:  # a disk that is filling up takes a part and says so only when asked again
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            raise _unwritable(self._path, error) from error
        self._cut_short = False
        self._first = {}

    def close(self) -> None:
        """Give the file back."""
        os.close(self._descriptor)


def who() -> str:
    """Who works on which manager, for a person to read: the one behind sudo, where the environment says so."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):  # no such user here, as in a container
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def note(journal: Journal, observer: Observer, kind: str, **facts: object) -> None:
    """Write a line, or go on without it: once something was touched, a full disk must not stop what makes it safe."""
    try:
        journal.write(kind, **facts)
    except Refused as error:
        observer(Notice(f"{error.seen}; going on without it"))


REHEARSALS: Final = ("test-failover", "test-failover-cleanup")
"""Verbs that touch no guest and no resource: nobody has to wait until one that died is cleared up."""


def interrupted(directory: Path, pair: str) -> tuple[Interrupted, ...]:
    """Operations on a pair whose process died before their end, oldest first; rehearsals apart.

    A line cut short by a crash is not an end, and an operation whose intent was cut short may be about any pair.
    """
    return tuple(one for one in _interrupted(directory, pair) if one.intent.get("verb") not in REHEARSALS)


def interrupted_rehearsals(directory: Path, pair: str) -> tuple[Interrupted, ...]:
    """Rehearsals whose process died before their end, oldest first."""
    return tuple(one for one in _interrupted(directory, pair) if one.intent.get("verb") in REHEARSALS)


def _interrupted(directory: Path, pair: str) -> tuple[Interrupted, ...]:
    found = []
    for path in _not_running(directory):
        lines = _lines(path)
        intent = _intent(lines)
        ended = any(line.get("kind") == "end" for line in lines)
        if not ended and intent.get("pair", pair) == pair:
            found.append(Interrupted(path.stem, intent))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Moved:
    """A guest that was failed over: where it ran before, and since when on the other host."""

    guest: str
    lost: str
    to: str
    at: str
    operation: str


def failed_over(directory: Path, pair: str) -> tuple[Moved, ...]:
    """What the journals say of failovers on a pair, oldest first. They inform a person; nothing is decided by them."""
    found = []
    for path in _not_running(directory):
        lines = _lines(path)
        intent = _intent(lines)
        if (intent.get("verb"), intent.get("pair")) != ("failover", pair):
            continue
        for line in lines:
            if line.get("kind") == "guest" and line.get("outcome") == "failed over":
                guest, lost, to, at = (line.get("guest"), intent.get("lost"), intent.get("to"), line.get("at"))
                found.append(Moved(str(guest), str(lost), str(to), str(at), path.stem))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Took:
    """How long a move that went well took."""

    guest: str
    method: str
    seconds: float


def moves(directory: Path, pair: str) -> tuple[Took, ...]:
    """What the journals say of moves on a pair that went well, oldest first: an estimate for the next ones."""
    found = []
    for path in _not_running(directory):
        lines = _lines(path)
        intent = _intent(lines)
        if (intent.get("verb"), intent.get("pair")) != ("migrate", pair):
            continue
        for line in lines:
            seconds = line.get("total_s")
            if line.get("kind") == "end" and line.get("outcome") == "moved" and isinstance(seconds, int | float):
                found.append(Took(str(intent.get("guest")), str(intent.get("method")), float(seconds)))
    return tuple(found)


_NO_EFFECT: Final = ("refused", "untouched")
_WANTED_RUNNING: Final = ("start", "migrate", "failover")
_STOPPED: Final = ("stopped", "nothing to do", "stopped, not settled")


def stopped(directory: Path, pair: str) -> frozenset[str]:
    """Guests whose last operation that had an effect was to stop them: nobody misses those while they are off."""
    found: set[str] = set()
    for path in _not_running(directory):
        lines = _lines(path)
        intent = _intent(lines)
        if intent.get("pair") != pair:
            continue
        end = next((line.get("outcome") for line in lines if line.get("kind") == "end"), None)
        one_by_one = {str(line.get("guest")): line.get("outcome") for line in lines if line.get("kind") == "guest"}
        for guest, outcome in (one_by_one or {str(intent.get("guest")): end}).items():
            if intent.get("verb") == "stop" and outcome in _STOPPED:
                found.add(guest)
            elif intent.get("verb") in _WANTED_RUNNING and outcome not in _NO_EFFECT:
                found.discard(guest)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """An operation that runs now, here."""

    operation: str
    verb: str
    guest: str
    """Empty when it is about several."""
    step: str
    """What it does or undoes just now; empty before the first step."""
    at: str
    """Since when, ISO 8601 with zone."""


def under_way(directory: Path, pair: str) -> tuple[UnderWay, ...]:
    """Operations of this manager on a pair whose process lives, oldest first."""
    found = []
    for path in _files(directory, running=True):
        lines = _lines(path)
        intent = _intent(lines)
        if intent.get("pair") == pair:
            last = next((line for line in reversed(lines) if line.get("kind") in ("step", "undo")), {})
            undoing = "undoing " if last.get("kind") == "undo" else ""
            step = f"{undoing}{last['step']}" if "step" in last else ""
            about = (str(intent.get("verb")), str(intent.get("guest") or ""))
            found.append(UnderWay(path.stem, *about, step, str(last.get("at", intent.get("at", "")))))
    return tuple(found)


def over(directory: Path) -> frozenset[str]:
    """Operations of this manager that run no more, ended or interrupted: a lock that names one is a leftover."""
    return frozenset(path.stem for path in _not_running(directory))


def ended_operations(directory: Path, pair: str) -> frozenset[str]:
    """Those of which only a lock may be left: they came to their end, or are rehearsals, which nobody waits for."""
    return over(directory) - {one.operation for one in interrupted(directory, pair)}


def _not_running(directory: Path) -> list[Path]:
    return _files(directory, running=False)


def _files(directory: Path, *, running: bool) -> list[Path]:
    operations = directory / "operations"
    try:
        paths = sorted(path for path in operations.iterdir() if path.suffix == ".jsonl")
        return [path for path in paths if _is_running(path) is running]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(operations, error, "an operation that was interrupted would go unnoticed") from error


def whole_history(directory: Path) -> tuple[Operation, ...]:
    """Every operation of this manager, oldest first."""
    try:
        return read_history(directory)
    except OSError as error:
        raise _unreadable(directory / "operations", error, "what was done cannot be told") from error


def lines_of(directory: Path, operation: str) -> tuple[dict[str, object], ...]:
    """What the journal of one operation says."""
    try:
        return read_lines(directory, operation)
    except OSError as error:
        raise _unreadable(directory / "operations", error, "what was done cannot be told") from error


def _unreadable(operations: Path, error: OSError, why: str) -> Refused:
    return Refused(
        f"the journal at {operations} cannot be read: {error.strerror or error}",
        why=why,
        fix=f"run this as the user who owns {operations}",
    )


def _is_running(path: Path) -> bool:
    with path.open("rb") as file:
        return is_locked(file.fileno())


def settle_interrupted(directory: Path, operation: str, by: str, clock: Clock) -> None:
    """Write down that another operation cleared up after an interrupted one."""
    path = directory / "operations" / f"{operation}.jsonl"
    line = json.dumps({"format": FORMAT, "at": clock.now_iso(), "kind": "end", "outcome": "recovered", "by": by})
    with path.open("a", encoding="utf-8") as file:
        # A crash may have cut the last line short: begin a new one.
        file.write("\n" + line + "\n")
        file.flush()
        os.fsync(file.fileno())


def _intent(lines: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """Who is meant is known before it is known from where to where: later lines add to the first."""
    return {key: value for line in lines if line.get("kind") == "intent" for key, value in line.items()}


def _lines(path: Path) -> list[dict[str, object]]:
    lines = (parsed(text) for text in path.read_bytes().splitlines())
    return [line for line in lines if line is not None]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> Refused:
    return Refused(
        f"the journal at {path} cannot be written: {error.strerror or error}",
        why="without it nobody could tell after a crash what was under way",
        fix=f"make room or mend the permissions there, or set another `directory` under [state]; see `df {path}`",
    )
