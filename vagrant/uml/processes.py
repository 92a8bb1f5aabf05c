"""Finding and ending processes by identity, never by name: a pid alone may have been given to somebody else."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from uml.outside import wait_until

#: Fields of /proc/PID/stat after the command name, counted from zero: state, session, start time (proc(5)).
_STATE, _SESSION, _START = 0, 3, 19


@dataclass(frozen=True)
class Process:
    """A process that cannot be mistaken for a later one with the same pid; start is in clock ticks since boot."""

    pid: int
    start: int


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def identify(pid: int) -> Process | None:
    """The process that has this pid now; None when there is none, or only its zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[_STATE] in "ZX" else Process(pid, int(fields[_START]))


def alive(process: Process | None) -> bool:
    """Whether this very process still runs."""
    return process is not None and identify(process.pid) == process


def _pids() -> Iterable[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def session_of(leader: Process) -> list[Process]:
    """Everything in the session that leader began; empty when leader's pid belongs to somebody else now."""
    current = identify(leader.pid)
    if current is not None and current != leader:
        return []
    members = []
    for pid in _pids():
        fields = _stat(pid)
        if fields and int(fields[_SESSION]) == leader.pid and int(fields[_START]) >= leader.start:
            members.append(Process(pid, int(fields[_START])))
    return members


def in_namespace(namespace: Path) -> list[Process]:
    """Every process in the network namespace bound at this path, however it came to be there."""
    if not namespace.exists():
        return []
    wanted = namespace.stat()
    found = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            seen = Path(f"/proc/{pid}/ns/net").stat()
            process = identify(pid)
            if process and (seen.st_dev, seen.st_ino) == (wanted.st_dev, wanted.st_ino):
                found.append(process)
    return found


def end(processes: Iterable[Process]) -> None:
    """SIGKILL those that are still the ones meant, whole process groups at once.

    User-mode Linux traces the processes of its user space. Killed one by one, its kernel first, those it leaves behind
    run on *on this machine* until their turn comes: one wrote the 8 bytes meant for an eventfd into a node's disk. A
    signal to the group reaches all before the first can die.
    """
    victims = [victim for victim in processes if alive(victim)]
    for leader in victims:
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(leader.pid) == leader.pid:
                os.killpg(leader.pid, signal.SIGKILL)
    for victim in victims:
        if alive(victim):
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim.pid, signal.SIGKILL)


def kill(processes: Iterable[Process], *, deadline: float = 10) -> None:
    """SIGKILL without warning, as a power cut is, and wait until all are gone."""
    victims = list(processes)
    end(victims)
    wait_until("killed processes to end", lambda: not any(alive(v) for v in victims), deadline=deadline)
