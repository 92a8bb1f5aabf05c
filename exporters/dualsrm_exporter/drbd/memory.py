"""What must survive the exporter: when each peer was last UpToDate, and which resources are in split brain."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final, NamedTuple

FORMAT: Final = 1
_SAVE_EVERY_S: Final = 60.0
"""How much of a time stamp a power cut may take. What matters more is written at once."""
_ENTRIES_LIMIT: Final = 20_000
_FILE_LIMIT: Final = 16 * 1024 * 1024


class PeerVolume(NamedTuple):
    """A peer's copy of a volume. The peer is as DRBD 9 calls it; 8.4 has no name for it, and only one."""

    resource: str
    peer: str
    volume: int


class Memory:
    """A file in the exporter's own state directory. Used from several threads."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._lock = threading.Lock()
        self._saved_at = float("-inf")
        self._changed = self._urgent = False
        self._uptodate: dict[PeerVolume, float] = {}
        self._split: dict[str, float] = {}
        self._load()

    def saw_uptodate(self, volume: PeerVolume, *, last: bool = False) -> None:
        """The peer is UpToDate now; `last`: and just ceases to be."""
        with self._lock:
            self._uptodate[volume] = self._now()
            self._changed = True
            self._urgent = self._urgent or last
            if len(self._uptodate) > _ENTRIES_LIMIT:
                self._uptodate.pop(min(self._uptodate, key=self._uptodate.__getitem__))

    def saw_split_brain(self, resource: str) -> None:
        """DRBD gave up on a split brain. Latched."""
        with self._lock:
            if resource not in self._split and len(self._split) < _ENTRIES_LIMIT:
                self._split[resource] = self._now()
                self._changed = self._urgent = True

    def saw_replication(self, resource: str) -> None:
        """Both sides replicate (again): nothing is split."""
        with self._lock:
            if self._split.pop(resource, None) is not None:
                self._changed = self._urgent = True

    def uptodate(self) -> Mapping[PeerVolume, float]:
        """When each was last UpToDate, in seconds since 1970."""
        with self._lock:
            return dict(self._uptodate)

    def split_brains(self) -> Collection[str]:
        """Resources in split brain."""
        with self._lock:
            return set(self._split)

    def keep_only(self, resources: Collection[str]) -> None:
        """Forget resources that are neither in the kernel nor in the files."""
        with self._lock:
            gone = [one for one in self._uptodate if one.resource not in resources]
            split = [one for one in self._split if one not in resources]
            for volume in gone:
                del self._uptodate[volume]
            for resource in split:
                del self._split[resource]
            self._changed = self._changed or bool(gone or split)

    def save(self, *, now: bool = False) -> None:
        """Write the file if it is time to, whole or not at all. Raises `OSError`."""
        with self._lock:
            due = self._urgent or now or abs(time.monotonic() - self._saved_at) >= _SAVE_EVERY_S
            if not (self._changed and due):
                return
            text = json.dumps(
                {
                    "format": FORMAT,
                    "uptodate": [[*volume, at] for volume, at in self._uptodate.items()],
                    "split_brain": self._split,
                }
            )
            fresh = self._path.with_name(f"{self._path.name}.new")
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
            self._changed = self._urgent = False
            self._saved_at = time.monotonic()

    def _load(self) -> None:
        """A file that is torn, or from a stranger, is no file: what it cannot tell is not known."""
        try:
            with self._path.open("rb") as file:
                found = json.loads(file.read(_FILE_LIMIT))
        except (OSError, ValueError, RecursionError):
            return
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            return
        uptodate, split = found.get("uptodate"), found.get("split_brain")
        for entry in uptodate[:_ENTRIES_LIMIT] if isinstance(uptodate, list) else ():
            match entry:
                case [str(resource), str(peer), int(volume), int() | float() as at] if self._is_past(at):
                    self._uptodate[PeerVolume(resource, peer, volume)] = float(at)
        for resource, at in split.items() if isinstance(split, dict) else ():
            if isinstance(at, int | float) and len(self._split) < _ENTRIES_LIMIT:
                self._split[str(resource)] = min(at, self._now())

    def _is_past(self, at: float) -> bool:
        """A time to come, from a clock that was wrong, would hide a stale peer until then."""
        return 0 <= at <= self._now()
