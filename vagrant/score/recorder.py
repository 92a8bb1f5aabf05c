"""Receives announcements and stamps them: python -m score.recorder --listen IP:PORT --spool DIR.

The clock that counts is the recorder's: a guest's own clock stands still while the guest is stopped.
"""

import argparse
import contextlib
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType

from score.spool import SpoolWriter
from score.wire import DATAGRAM_SIZE, WireError, unpack_announcement

_RECEIVE_BUFFER = 4 * 2**20


class Recorder:
    """One UDP socket, one spool."""

    def __init__(self, listen: tuple[str, int], spool: Path) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._socket.bind(listen)
        self._spool = SpoolWriter(spool)
        self._stopping = False
        self.kept = 0
        self.dropped = 0

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, with the port the kernel chose if 0 was asked for."""
        host, port = self._socket.getsockname()
        return str(host), int(port)

    def receive_one(self) -> None:
        """Wait for one datagram; keep it, or count it as garbage."""
        data = self._socket.recv(DATAGRAM_SIZE + 1)
        mono_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        if self._stopping:
            return
        try:
            unpack_announcement(data)
        except WireError:
            self.dropped += 1
            return
        self._spool.append(mono_ns, wall_ns, data)
        self.kept += 1

    def run(self) -> None:
        """Receive until stopped."""
        while not self._stopping:
            self.receive_one()
        self._spool.close()
        self._socket.close()

    def stop(self) -> None:
        """Make `run` return; may be called from a signal handler or another thread."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes a blocked recv, though it reports ENOTCONN


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; say at the end how much was kept and dropped."""
    parser = argparse.ArgumentParser(prog="score.recorder", description="Record what score guests announce.")
    parser.add_argument("--listen", required=True, type=_endpoint, metavar="IP:PORT")
    parser.add_argument("--spool", required=True, type=Path, metavar="DIR")
    options = parser.parse_args(argv)
    recorder = Recorder(options.listen, options.spool)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        recorder.stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    host, port = recorder.address
    print(f"recording {host}:{port}", flush=True)
    recorder.run()
    print(f"kept {recorder.kept}, dropped {recorder.dropped}", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
