"""What the host's programs leave for each other below /run/dualsrm. In memory: a reboot ends every window.

Below /var/lib/dualsrm lies what a reboot must not end: quarantine/HOST.json, a host that was lost and may come back.

windows/OPERATION/window.json   the record          windows/OPERATION/owner   who was decided to go on
windows/OPERATION/asked         the peer has asked  windows/OPERATION/lease   locked (flock) while a guard lives
alarms/RESOURCE.json            needs a person      off/HOST.json             somebody confirmed that it is off
silent/HOST                     it was asked and nobody answered
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from dualsrm.hostside.port import HostsideError
from dualsrm.model import Quarantine, Window, WindowError, parse_quarantine, parse_window

ROOT: Final = Path("/run/dualsrm")
LASTING: Final = Path("/var/lib/dualsrm")
CONFIRMED_FOR_S: Final = 900.0
"""How long a confirmation that a host is off counts: enough to promote and start what was lost with it."""
JUST_NOW_S: Final = 60.0
"""How long what a power switch has shown, or the silence of a host that was asked, needs no second question."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something on this host needs a person."""

    resource: str
    since: str
    """ISO 8601 with zone; empty in a torn file."""
    why: str


class Files:
    """The files of this host."""

    def __init__(self, root: Path = ROOT, lasting: Path = LASTING) -> None:
        self._root = root
        self._lasting = lasting

    # --- windows ------------------------------------------------------------------------------------------------------

    def leave(self, window: Window) -> None:
        """Leave a record. An older record of one of its resources is over: the manager holds the pair's lock."""
        for other in self.windows():
            if other.operation != window.operation and set(other.resources) & set(window.resources):
                if self.lease_held(other):
                    raise HostsideError(f"{other.operation} guards {', '.join(other.resources)} here")
                self.forget(other)
        with _errors_said(f"the window record of {window.guest}"):
            self._make(self._of(window))
            _write(self._of(window) / "window.json", window.to_json() + "\n")

    def windows(self) -> tuple[Window, ...]:
        """Every record; a torn one is nobody's and is left out."""
        found = []
        for path in sorted((self._root / "windows").glob("*/window.json")):
            try:
                found.append(parse_window(path.read_text(encoding="utf-8")))
            except (OSError, UnicodeError, WindowError):
                continue
        return tuple(found)

    def forget(self, window: Window) -> None:
        """Remove a record and all beside it."""
        shutil.rmtree(self._of(window), ignore_errors=True)

    def owner(self, window: Window) -> str | None:
        """Who was decided to go on, if that was decided here."""
        try:
            return (self._of(window) / "owner").read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HostsideError(f"the decision on {window.guest} cannot be read: {error.strerror}") from error

    def decide(self, window: Window, owner: str) -> str:
        """Write down who goes on, unless that was done: of two at once the first stands."""
        mine = self._of(window) / f"owner.{os.getpid()}"
        try:
            _write(mine, owner + "\n")
            try:
                os.link(mine, self._of(window) / "owner")  # fails if it exists, and is whole from the first moment
            except FileExistsError:
                pass
            finally:
                mine.unlink()
        except OSError as error:
            raise HostsideError(f"the decision on {window.guest} cannot be written: {error.strerror}") from error
        return self.owner(window) or owner

    def asked(self, window: Window) -> bool:
        """Whether the peer has asked."""
        return (self._of(window) / "asked").exists()

    def note_asked(self, window: Window) -> None:
        """The peer has asked."""
        with _errors_said(f"the peer's question about {window.guest}"):
            (self._of(window) / "asked").touch()

    def met(self, peer: str, window: Window | None) -> None:
        """The peer is there again: what was noted while it was not is over."""
        self.seen_alive(peer)
        if window is not None:
            (self._of(window) / "asked").unlink(missing_ok=True)

    def take_lease(self, window: Window) -> int:
        """Lock the lease; the descriptor holds it. It is gone with the process, whatever ends it.

        Taken before the record is left: `settle` takes a record without a lease for one whose manager is gone.
        """
        with _errors_said(f"the lease of {window.operation}"):
            self._make(self._of(window))
            descriptor = os.open(self._of(window) / "lease", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise HostsideError(f"another guard holds the lease of {window.operation}") from None
        return descriptor

    def lease_held(self, window: Window) -> bool:
        """Whether a guard holds the lease."""
        try:
            descriptor = os.open(self._of(window) / "lease", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    # --- alarms and confirmations -------------------------------------------------------------------------------------

    def raise_alarm(self, resource: str, why: str) -> bool:
        """Keep an alarm; its `since` is that of the first. Whether it says something new."""
        path = self._alarm(resource)
        known = _read(path)
        if known.get("why") == why:
            return False
        since = known.get("since", _now())
        with _errors_said(f"the alarm about {resource}"):
            self._make(path.parent)
            _write(path, json.dumps({"since": since, "why": why}) + "\n")
        return True

    def clear_alarm(self, resource: str) -> bool:
        """Remove an alarm; whether there was one."""
        path = self._alarm(resource)
        there = path.exists()
        path.unlink(missing_ok=True)
        return there

    def alarms(self) -> tuple[Alarm, ...]:
        """Every alarm. A torn one is an alarm too. Raises `OSError` when they cannot be read."""
        found = []
        for path in sorted((self._root / "alarms").iterdir() if (self._root / "alarms").exists() else ()):
            if path.suffix == ".json":
                known = _read(path)
                since, why = known.get("since"), known.get("why")
                texts = (since if isinstance(since, str) else "", why if isinstance(why, str) else "")
                found.append(Alarm(unquote(path.stem), *texts))
        return tuple(found)

    def confirm_off(self, host: str, by: str, *, shown: bool = False) -> None:
        """Somebody takes the responsibility that a host is off; `shown`: its power switch does."""
        path, tested = self._off(host), shown or _is_fresh(self._silent(host), JUST_NOW_S)
        with _errors_said(f"that {host} is off"):
            self._make(path.parent)
            _write(path, json.dumps({"since": _now(), "by": by, "tested": tested}) + "\n")

    def confirmed_off(self, host: str) -> str | None:
        """Who did, lately: nobody tells this host when the other one is switched on again."""
        by = self._noted_off(host, CONFIRMED_FOR_S).get("by")
        return by if isinstance(by, str) else None

    def tested_off(self, host: str) -> str | None:
        """Who did just now, and was put to the test: a power switch that shows it, or a person when it was silent."""
        noted = self._noted_off(host, JUST_NOW_S)
        by = noted.get("by")
        return by if noted.get("tested") is True and isinstance(by, str) else None

    def _noted_off(self, host: str, within_s: float) -> Mapping[str, object]:
        path = self._off(host)
        return _read(path) if _is_fresh(path, within_s) else {}

    def heard_nothing(self, host: str) -> None:
        """It was asked, and nobody answered. Where that cannot be noted, it is asked again."""
        path = self._silent(host)
        with suppress(OSError):
            self._make(path.parent)
            path.touch()

    def seen_alive(self, host: str) -> None:
        """It answered: whoever confirmed that it is off was wrong, or it is back."""
        self._off(host).unlink(missing_ok=True)
        self._silent(host).unlink(missing_ok=True)

    # --- quarantine ---------------------------------------------------------------------------------------------------

    def quarantine(self, host: str, operation: str) -> None:
        """Until it is lifted nothing here gives way to that host. Of several failovers the last one counts."""
        path = self._quarantine(host)
        with _errors_said(f"the quarantine of {host}"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, json.dumps({"since": _now(), "operation": operation}) + "\n", lasting=True)

    def quarantined(self) -> tuple[Quarantine, ...]:
        """Every host in quarantine; a torn record is one too. Raises `HostsideError` when they cannot be read."""
        try:
            paths = sorted((self._lasting / "quarantine").glob("*.json"))
        except OSError as error:
            raise HostsideError(f"who is in quarantine cannot be read: {error.strerror}") from error
        return tuple(parse_quarantine(unquote(path.stem), _text(path)) for path in paths)

    def lift_quarantine(self, host: str) -> None:
        """It has all data again."""
        with _errors_said(f"the end of the quarantine of {host}"):
            self._quarantine(host).unlink(missing_ok=True)

    def _make(self, directory: Path) -> None:
        for one in (self._root, directory):
            one.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _of(self, window: Window) -> Path:
        return self._root / "windows" / quote(window.operation, safe="")

    def _alarm(self, resource: str) -> Path:
        return self._root / "alarms" / f"{quote(resource, safe='')}.json"

    def _quarantine(self, host: str) -> Path:
        return self._lasting / "quarantine" / f"{quote(host, safe='')}.json"

    def _off(self, host: str) -> Path:
        return self._root / "off" / f"{quote(host, safe='')}.json"

    def _silent(self, host: str) -> Path:
        return self._root / "silent" / quote(host, safe="")


def _is_fresh(path: Path, within_s: float) -> bool:
    """Whether it was written just now, by a clock that may have been set meanwhile."""
    try:
        return -within_s < time.time() - path.stat().st_mtime < within_s
    except OSError:
        return False


@contextmanager
def _errors_said(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HostsideError(f"{what} cannot be written: {error}") from error


def _write(path: Path, text: str, *, lasting: bool = False) -> None:
    """Whole or not at all; `lasting`: on the disk when this returns."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        if lasting:
            file.flush()
            os.fsync(file.fileno())
    fresh.replace(path)
    if lasting:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _read(path: Path) -> Mapping[str, object]:
    try:
        found = json.loads(_text(path))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
