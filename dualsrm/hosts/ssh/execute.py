"""One command in one SSH channel: input in, bounded output back, an end by the deadline."""

from __future__ import annotations

import contextlib
import select
import time
from dataclasses import dataclass
from typing import Final

from paramiko import Channel, SSHException

from dualsrm.errors import CommandFailed
from dualsrm.hosts.calls import late
from dualsrm.hosts.text import decode

STDOUT_LIMIT: Final = 8 * 1024 * 1024
"""Bytes. DRBD's dump for a thousand volumes is under 1 MiB; a hostile host could send for ever."""

STDERR_LIMIT: Final = 256 * 1024
_CHUNK: Final = 64 * 1024
_NO_STATUS: Final = -1


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended. `exit` is -1 when a signal or a lost shell left no exit status."""

    exit: int
    stdout: str
    stderr: str


class _Bounded:
    """Bytes up to a limit; more is the host's fault."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._data = bytearray()

    def take(self, chunk: bytes) -> None:
        self._data += chunk
        if len(self._data) > self._limit:
            raise CommandFailed(
                f"{self._what} sent more than {self._limit // 1024} KiB",
                why="no command dualsrm runs says that much: the answer cannot be trusted",
                fix="run it by hand on the host and look",
            )

    def text(self) -> str:
        return decode(bytes(self._data))


def execute(channel: Channel, command: bytes, stdin: bytes, deadline_s: float, what: str) -> Completed:
    """Run a shell command line in a fresh channel and wait for its end. The channel is closed in any case.

    Raises `DeadlineExceeded` after `deadline_s` seconds, `CommandFailed` when it says too much, and what paramiko
    raises when the connection is lost.
    """
    end = time.monotonic() + deadline_s
    out, err = _Bounded(STDOUT_LIMIT, what), _Bounded(STDERR_LIMIT, what)
    try:
        channel.settimeout(deadline_s)
        channel.exec_command(command)
        _feed(channel, stdin)
        while not channel.eof_received and not channel.closed:
            _await_data(channel, end, deadline_s, what)
            _drain(channel, out, err)
        _drain(channel, out, err)
        if not channel.status_event.wait(max(0.0, end - time.monotonic())):
            raise late(what, deadline_s)
        return Completed(channel.exit_status if channel.exit_status is not None else _NO_STATUS, out.text(), err.text())
    except TimeoutError:
        raise late(what, deadline_s) from None
    finally:
        with contextlib.suppress(OSError, EOFError, SSHException):  # the connection may be gone; the answer is not
            channel.close()


def _feed(channel: Channel, stdin: bytes) -> None:
    try:
        channel.sendall(stdin)
        channel.shutdown_write()
    except TimeoutError:
        raise
    except OSError:
        pass  # it ended without reading its input; its exit status tells


def _await_data(channel: Channel, end: float, deadline_s: float, what: str) -> None:
    remaining = end - time.monotonic()
    if remaining <= 0:
        raise late(what, deadline_s)
    poller = select.poll()
    poller.register(channel.fileno(), select.POLLIN)
    poller.poll(remaining * 1000)


def _drain(channel: Channel, out: _Bounded, err: _Bounded) -> None:
    while channel.recv_ready():
        out.take(channel.recv(_CHUNK))
    while channel.recv_stderr_ready():
        err.take(channel.recv_stderr(_CHUNK))
