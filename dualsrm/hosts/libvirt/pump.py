"""A private Unix socket whose other end is a process on the host: libvirt's client talks into our SSH connection.

libvirt can start ssh itself, but then every host is logged in to twice, with host keys checked by other rules. It also
connects to any Unix socket it is told of; so one is made in a directory only this user can enter, accepts exactly one
peer, this very process, and is gone before a byte has flowed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import tempfile
import threading
from pathlib import Path
from typing import Final

from paramiko import Channel, SSHException

from dualsrm.hosts.text import decode

_CHUNK: Final = 256 * 1024
_COMPLAINT: Final = 4096
_ACCEPT_S: Final = 10.0
"""libvirt connects at once, from a thread that is already on its way."""


class Pump:
    """Carries one byte stream between a Unix socket and an SSH channel, until either ends."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._directory = Path(tempfile.mkdtemp(prefix="dualsrm-"))  # mode 0700
        self.path = self._directory / "libvirt"
        self._stream: socket.socket | None = None
        self._ended = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(1)
        self._listener.settimeout(_ACCEPT_S)
        threading.Thread(target=self._serve, name="libvirt pump", daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether the stream is over. libvirt's client, without an event loop, does not notice until it writes."""
        return self._ended.is_set()

    def complaint(self) -> str:
        """What the process on the host wrote to standard error so far."""
        return decode(self._channel.recv_stderr(_COMPLAINT)) if self._channel.recv_stderr_ready() else ""

    def close(self) -> None:
        """End both sides; whatever libvirt waits for on this connection fails at once."""
        self._end_channel()
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._remove()

    def _serve(self) -> None:
        try:
            stream, _ = self._listener.accept()
        except OSError:
            self._end_channel()
            return
        finally:
            self._listener.close()
            self._remove()
        if _peer_pid(stream) != os.getpid():
            stream.close()
            self._end_channel()
            return
        self._stream = stream
        threading.Thread(target=self._outwards, args=(stream,), name="libvirt pump, out", daemon=True).start()
        self._inwards(stream)

    def _outwards(self, stream: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            while data := stream.recv(_CHUNK):
                self._channel.sendall(data)
        self._end_channel()

    def _inwards(self, stream: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            while data := self._channel.recv(_CHUNK):
                stream.sendall(data)
        self._ended.set()
        with contextlib.suppress(OSError):
            stream.shutdown(socket.SHUT_RDWR)
        stream.close()

    def _end_channel(self) -> None:
        self._ended.set()
        with contextlib.suppress(OSError, EOFError, SSHException):  # the connection below may be gone
            self._channel.close()

    def _remove(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)


def _peer_pid(stream: socket.socket) -> int:
    credentials = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", credentials)[0]
    return pid
