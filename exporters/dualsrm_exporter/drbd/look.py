"""A fresh look at DRBD, for one scrape: states and statistics, options, progress, the files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from dualsrm.hosts.drbd import (
    Dialect,
    DumpError,
    EndOfDump,
    Key,
    Malformed,
    ModuleVersion,
    Progress,
    Shown,
    ShowSyntaxError,
    Store,
    VersionError,
    parse_version,
    read_progress,
    read_show,
)
from dualsrm.hosts.drbd.files import FilesSyntaxError
from dualsrm.hosts.drbd.objects import Values
from dualsrm_exporter.drbd.configured import read_configured
from dualsrm_exporter.drbd.programs import Program, ProgramError

PROC: Final = Path("/proc/drbd")
_DUMP_S: Final = 3.0
_SHOW_S: Final = 2.0
_FILES_S: Final = 2.0
"""Together less than the scrape's deadline: a tool that hangs must not take what the others tell."""
_FILES_FOR_S: Final = 60.0
"""How long what drbdadm said of the files counts: it reads and resolves all of them, which is slow."""


Objects: TypeAlias = Mapping[str, Mapping[Key, Values]]


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen; None for what could not be read."""

    module: ModuleVersion | None
    """None when the module is not loaded: then nothing else is asked, since DRBD's tools would load it."""
    objects: Objects | None = None
    """What is in the kernel, by kind."""
    shown: Mapping[str, Shown] | None = None
    progress: Mapping[int, Progress] = field(default_factory=dict)
    configured: Mapping[str, tuple[str, ...]] | None = None
    """The other hosts of each resource in the files."""
    at: float = 0.0
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def dialect(self) -> Dialect | None:
        """How the module speaks."""
        return self.module.dialect if self.module else None


class Eyes:
    """Looks. Not for two threads at once."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._dump = Program("drbdsetup", "events2", "--now", "--statistics")
        self._show = Program("drbdsetup", "show")
        self._files = Program("drbdadm", "-v", "dump", "all")
        self._configured: Mapping[str, tuple[str, ...]] | None = None
        self._configured_at = float("-inf")
        self._shown: tuple[tuple[str, Dialect], Mapping[str, Shown]] | None = None

    def look(self) -> Look:
        """Look now. Never raises: what could not be seen is in `failures`."""
        failures: dict[str, str] = {}
        try:
            text = self._proc.read_text(encoding="utf-8", errors="replace")
            module = parse_version(text)
        except FileNotFoundError:
            return Look(None, configured=self._configured, at=time.time(), failures=failures)
        except (OSError, VersionError) as error:
            failures["dump"] = f"DRBD cannot be read: {error}"
            return Look(None, configured=self._configured, failures=failures)
        objects = self._states(module.dialect, failures)
        at = time.time()
        return Look(
            module=module,
            objects=objects,
            shown=self._options(module.dialect, failures),
            progress=read_progress(text),
            configured=self._in_files(failures),
            at=at if objects is not None else 0.0,
            failures=failures,
        )

    def _states(self, dialect: Dialect, failures: dict[str, str]) -> Objects | None:
        try:
            return whole_dump(self._dump.output(_DUMP_S), dialect).by_kind()
        except (ProgramError, DumpError) as error:
            failures["dump"] = str(error)
            return None

    def _options(self, dialect: Dialect, failures: dict[str, str]) -> Mapping[str, Shown] | None:
        try:
            text = self._show.output(_SHOW_S)
            # Options hardly ever change, and to read a thousand resources' takes a quarter of a second.
            if self._shown is None or self._shown[0] != (text, dialect):
                self._shown = (text, dialect), read_show(text, dialect)
            return self._shown[1]
        except (ProgramError, ShowSyntaxError) as error:
            failures["show"] = str(error)
            return None

    def _in_files(self, failures: dict[str, str]) -> Mapping[str, tuple[str, ...]] | None:
        """What they said last stays when they cannot be read: a peer must not change its name for that."""
        if time.monotonic() - self._configured_at > _FILES_FOR_S:
            try:
                self._configured = read_configured(self._files.output(_FILES_S))
                self._configured_at = time.monotonic()
            except ProgramError as error:
                # Its words may quote the files, and those have the secret.
                failures["files"] = str(error).partition(":")[0]
            except FilesSyntaxError as error:
                failures["files"] = str(error)
        return self._configured


def whole_dump(text: str, dialect: Dialect) -> Store:
    """The objects of one whole dump; raises `DumpError`. Half a dump would call what is there absent."""
    store = Store(dialect)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        match store.feed(line):
            case Malformed(why=why):
                raise DumpError(f"line {number} of `drbdsetup events2 --now`: {why}")
            case EndOfDump():
                return store
    raise DumpError("`drbdsetup events2 --now` was cut off: its end marker `exists -` is missing")
