"""The windows and alarms of this host. Only read, and no lock is ever tried: a guard that begins must not find ours."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from dualsrm.hostside.files import LASTING, ROOT, Alarm, Files
from dualsrm.hostside.port import HostsideError
from dualsrm.model import Window

_LOCKS: Final = Path("/proc/locks")


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """A window record and what lies beside it."""

    window: Window
    owner: str
    """The host that was decided to own the guest; empty while nothing had to be decided."""
    guarded: bool | None


@dataclass(frozen=True, slots=True)
class HostFiles:
    """What was read; a failure leaves its part empty, and is named."""

    windows: tuple[OpenWindow, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    quarantined: tuple[str, ...] = ()
    """Peers that were lost."""
    failures: dict[str, str] = field(default_factory=dict)


def read_host_files(root: Path = ROOT, lasting: Path = LASTING) -> HostFiles:
    """Windows, alarms and quarantined peers of this host."""
    failures: dict[str, str] = {}
    files = Files(root, lasting)
    windows: tuple[OpenWindow, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    try:
        _must_be_readable(root / "windows")
        windows = tuple(_open_window(files, window, root) for window in files.windows())
    except (OSError, HostsideError) as error:
        failures["windows"] = str(error)
    try:
        _must_be_readable(root / "alarms")
        alarms = files.alarms()
    except OSError as error:
        failures["alarms"] = str(error)
    quarantined: tuple[str, ...] = ()
    try:
        _must_be_readable(lasting / "quarantine")
        quarantined = tuple(one.host for one in files.quarantined())
    except (OSError, HostsideError) as error:
        failures["quarantine"] = str(error)
    return HostFiles(windows, alarms, quarantined, failures)


def open_resources(root: Path = ROOT) -> frozenset[str]:
    """Resources a window record names; none when they cannot be read."""
    return frozenset(name for one in read_host_files(root).windows for name in one.window.resources)


def timestamp(iso: str) -> float | None:
    """Seconds since 1970; None for text that is no time with a zone."""
    try:
        found = datetime.fromisoformat(iso)
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo is not None else None


def _must_be_readable(directory: Path) -> None:
    """A directory that may not be read looks empty to a glob: no window open, no alarm. One that is not there is."""
    try:
        with os.scandir(directory):
            pass
    except FileNotFoundError:
        pass


def _open_window(files: Files, window: Window, root: Path) -> OpenWindow:
    lease = root / "windows" / quote(window.operation, safe="") / "lease"
    return OpenWindow(window, files.owner(window) or "", _locked(lease))


def _locked(path: Path) -> bool | None:
    """Whether anybody holds a lock on the file, from the kernel's list; None when it cannot be told."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return None
    mine = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    try:
        return any(mine in line.split() for line in _LOCKS.read_text(encoding="ascii", errors="replace").splitlines())
    except OSError:
        return None
