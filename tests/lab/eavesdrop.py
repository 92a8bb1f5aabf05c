"""Whoever reads along on a network: how much crossed it, and whether words from a guest's memory were among it.

`python -m tests.lab.eavesdrop INTERFACE FILE`, in the lab's network; what was seen is in FILE, one JSON line, once
it is ended.
"""

from __future__ import annotations

import json
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tests.lab.handle import REPOSITORY, LabHandle, wait_for

NEEDLE = b"Linux version "
"""In the memory of every guest: its kernel's banner, and the format it is printed by."""
_ALL_PROTOCOLS = 3  # ETH_P_ALL, linux/if_ether.h
_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISCUOUS = 263, 1, 1  # linux/if_packet.h


@dataclass(frozen=True, slots=True)
class Overheard:
    """What crossed, both ways together."""

    octets: int
    readable: int
    """How often the words were in it."""


@contextmanager
def eavesdropping(lab: LabHandle, interface: str, file: Path) -> Iterator[None]:
    """Read along; afterwards `overheard(file)` says what was seen."""
    file.unlink(missing_ok=True)
    listener = [str(REPOSITORY / ".venv" / "bin" / "python"), "-m", __name__, interface, str(file)]
    with lab.running(listener, file.with_suffix(".log")):
        wait_for("the eavesdropper", file.exists)
        yield


def overheard(file: Path) -> Overheard:
    """What was written down at the end."""
    return Overheard(**json.loads(file.read_text()))


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Listen until ended."""
    interface, file = sys.argv[1], Path(sys.argv[2])
    signal.signal(signal.SIGTERM, _end)
    octets = readable = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS)) as raw:
        raw.bind((interface, 0))
        request = struct.pack("iHH8s", socket.if_nametoindex(interface), _PROMISCUOUS, 0, b"")
        raw.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, request)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        file.touch()
        try:
            while True:
                frame = raw.recv(1 << 17)
                octets += len(frame)
                readable += frame.count(NEEDLE)
        except KeyboardInterrupt:
            file.write_text(json.dumps({"octets": octets, "readable": readable}) + "\n")


if __name__ == "__main__":
    main()
