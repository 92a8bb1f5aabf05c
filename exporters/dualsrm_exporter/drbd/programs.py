"""Running DRBD's tools: an argv, a deadline, a limit on what is read, and never a second one beside one that hangs."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Final

from dualsrm.hosts.text import clean, decode
from dualsrm.hostside.run import ENVIRONMENT

_OUTPUT_LIMIT: Final = 32 * 1024 * 1024
"""A dump of a thousand resources has half a megabyte."""
_ERRORS_LIMIT: Final = 64 * 1024
_CHUNK: Final = 64 * 1024


class ProgramError(Exception):
    """The program could not be run, or did not do what it should; says what was seen."""


class Program:
    """One program of this host, run again and again."""

    def __init__(self, *argv: str) -> None:
        self._argv = argv
        self._last: subprocess.Popen[bytes] | None = None

    def output(self, deadline_s: float) -> str:
        """What it prints. Raises `ProgramError` unless it ends with 0 in time."""
        if self._last is not None and self._last.poll() is None:
            # It survived SIGKILL: it waits in the kernel. One such process tells as much as a hundred.
            raise ProgramError(f"{self._shown} of an earlier scrape still hangs (process {self._last.pid})")
        process = self._last = begin(self._argv, errors=subprocess.PIPE)
        try:
            out, errors = _read_both(process, time.monotonic() + deadline_s)
            status = process.wait(1.0)
        except (ProgramError, subprocess.TimeoutExpired) as error:
            kill(process)
            raise ProgramError(f"{self._shown} did not end within {deadline_s:g} s, or printed too much") from error
        finally:
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        if status != 0:
            raise ProgramError(f"{self._shown} ended with {status}: {clean(decode(errors)) or 'nothing said'}")
        return decode(out)

    @property
    def _shown(self) -> str:
        return f"`{' '.join(self._argv)}`"


def begin(argv: Sequence[str], *, errors: int) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own, its output on a pipe."""
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
        )
    except OSError as error:
        raise ProgramError(f"{argv[0]} cannot be run: {error.strerror}") from error


def kill(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started. Not waited for: one that hangs in the kernel survives that."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.poll()


def _read_both(process: subprocess.Popen[bytes], end: float) -> tuple[bytes, bytes]:
    assert process.stdout is not None  # noqa: S101 - pipes were asked for
    assert process.stderr is not None  # noqa: S101
    out, errors = process.stdout.fileno(), process.stderr.fileno()
    texts = {out: bytearray(), errors: bytearray()}
    open_ = [out, errors]
    while open_:
        ready, _, _ = select.select(open_, [], [], max(0.0, end - time.monotonic()))
        if not ready:
            raise ProgramError("late")
        for descriptor in ready:
            data = os.read(descriptor, _CHUNK)
            if not data:
                open_.remove(descriptor)
            elif descriptor == out or len(texts[errors]) < _ERRORS_LIMIT:
                texts[descriptor] += data
        if len(texts[out]) > _OUTPUT_LIMIT:
            raise ProgramError("too much")
    return bytes(texts[out]), bytes(texts[errors])
