"""The one long-lived `drbdsetup events2`: begun anew when it ends, whatever it ends with."""

from __future__ import annotations

import logging
import os
import select
import subprocess
import threading
import time
from pathlib import Path
from typing import Final

from dualsrm.hosts.drbd import VersionError, parse_version
from dualsrm.hosts.text import decode
from dualsrm_exporter.drbd.follower import Follower
from dualsrm_exporter.drbd.programs import ProgramError, begin, kill

ARGV: Final = ("drbdsetup", "events2")
_BACK_OFF_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
_LONG_RUN_S: Final = 60.0
"""A stream that ran so long ended for a new reason."""
_STOP_S: Final = 5.0
_CHUNK: Final = 64 * 1024
_LINE_LIMIT: Final = 16 * 1024
"""Real lines have 300 bytes."""

_log = logging.getLogger(__name__)


class Stream:
    """A thread that feeds a `Follower`. DRBD may come and go below it."""

    def __init__(self, follower: Follower, proc: Path, *, back_off_s: tuple[float, ...] = _BACK_OFF_S) -> None:
        self._follower = follower
        self._proc = proc
        self._back_off_s = back_off_s
        self._stop_reader, self._stop_writer = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="events2", daemon=True)
        self._said = ""
        self.restarts = 0
        """Times a stream that had begun ended."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and the process, if they were begun."""
        if self._thread.is_alive():
            os.write(self._stop_writer, b"x")
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            try:
                stopped = self._once()
            except Exception as error:  # noqa: BLE001 - nothing a stream says may end the thread
                stopped = False
                self._say(f"{type(error).__name__}: {error}")
            if stopped:
                return
            if time.monotonic() - began > _LONG_RUN_S:
                failures = 0
            if self._stopped_within(self._back_off_s[min(failures, len(self._back_off_s) - 1)]):
                return
            failures += 1

    def _once(self) -> bool:
        """One stream from its begin to its end; whether we were told to stop."""
        try:
            # Not before the module is there: drbdsetup loads it when it is not, and looking must not change the host.
            dialect = parse_version(self._proc.read_text(encoding="utf-8", errors="replace")).dialect
            process = begin(ARGV, errors=subprocess.DEVNULL)
        except (OSError, VersionError, ProgramError) as error:
            self._say(f"DRBD's events cannot be followed: {error}")
            return False
        self._follower.begin(dialect)
        try:
            stopped = self._read(process)
        finally:
            self._follower.end()
            self.restarts += 1
            kill(process)
            if process.stdout is not None:
                process.stdout.close()
        if not stopped:
            self._say("the event stream of drbdsetup ended; it is begun anew")
        return stopped

    def _read(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        descriptor, rest = process.stdout.fileno(), b""
        while True:
            ready, _, _ = select.select([descriptor, self._stop_reader], [], [])
            if self._stop_reader in ready:
                return True
            data = os.read(descriptor, _CHUNK)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line and not self._follower.feed(decode(line)):
                    return False
            if len(rest) > _LINE_LIMIT or (rest and not data):
                self._follower.cut_off()
                return False
            if not data:
                return False
            if self._follower.complete:
                self._said = ""

    def _stopped_within(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._stop_reader], [], [], seconds)
        return bool(ready)

    def _say(self, what: str) -> None:
        if what != self._said:
            self._said = what
            _log.warning("%s", what)
