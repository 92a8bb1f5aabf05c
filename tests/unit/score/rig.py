"""The real writer, compiled for this machine, on plain files, with the real recorder on loopback."""

import os
import resource
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from score.judge import GuestScore
from score.recorder import Recorder
from score.scoring import Measurement, measure
from score.spool import Stamped, read
from score.wire import Kind

DEADLINE_S = 60.0
SECTOR = 512


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for something that must come; the deadline is for a broken writer, not for a slow machine."""
    end = time.monotonic() + DEADLINE_S
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"waited {DEADLINE_S} s in vain for {what}")
        time.sleep(0.005)


def direct_io_works(directory: Path) -> bool:
    """Tell whether this file system takes O_DIRECT (tmpfs does not)."""
    probe = directory / "probe"
    probe.touch()
    try:
        os.close(os.open(probe, os.O_RDWR | os.O_DIRECT))
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Rig:
    """One guest `web` with its disks, its recorder and its judge."""

    def __init__(self, binary: Path, directory: Path, slots: Sequence[int]) -> None:
        self._binary = binary
        self._directory = directory
        self.spool = directory / "spool"
        self.recorder = Recorder(("127.0.0.1", 0), self.spool)
        self._thread = threading.Thread(target=self.recorder.run)
        self._thread.start()
        self._port = _free_port()
        self._writer: subprocess.Popen[bytes] | None = None
        self.disks = [directory / f"disk{number}" for number in range(len(slots))]
        for disk, size in zip(self.disks, slots, strict=True):
            disk.write_bytes(bytes(size * SECTOR))

    def boot(self, *options: str) -> None:
        """Start the writer."""
        buffered = [] if direct_io_works(self._directory) else ["--buffered"]
        disks = [word for disk in self.disks for word in ("--disk", str(disk))]
        recorder = f"127.0.0.1:{self.recorder.address[1]}"
        fixed = ["--name", "web", "--recorder", recorder, "--audit-port", str(self._port), "--interval-ms", "2"]
        # Signals as Python has them: SIGXFSZ ignored, so that a write beyond the limit fails instead of killing.
        command = [str(self._binary), *fixed, *disks, *buffered, *options]
        self._writer = subprocess.Popen(command, restore_signals=False)

    def limit_writes(self, size: int) -> None:
        """Have every write at or beyond this many bytes fail (EFBIG, which stands in for EIO)."""
        if self._writer is None:
            raise AssertionError("no writer is running")
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(self._writer.pid, resource.RLIMIT_FSIZE, (size, hard))

    def open_flags(self) -> list[int]:
        """Return with which flags the writer holds its disks open."""
        if self._writer is None:
            raise AssertionError("no writer is running")
        process = Path("/proc") / str(self._writer.pid)
        files = {fd.readlink(): process / "fdinfo" / fd.name for fd in (process / "fd").iterdir()}
        return [int(files[disk].read_text().split()[3], 8) for disk in self.disks]

    def kill(self) -> None:
        """Pull the plug."""
        if self._writer is not None:
            self._writer.kill()
            self._writer.wait()
            self._writer = None
            self.hear_all()

    def hear_all(self) -> None:
        """Wait until the recorder has kept all that was sent until now: it lags, on a busy machine by several."""
        # A datagram that it has to refuse is queued behind the others.
        refused = self.recorder.dropped
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"no announcement", self.recorder.address)
        until(lambda: self.recorder.dropped > refused, "the recorder to catch up")

    def said(self, kind: Kind = Kind.DURABLE) -> list[Stamped]:
        return [entry for entry in read(self.spool) if entry.said.kind is kind]

    def wait_more(self, count: int) -> None:
        """Wait until so many more numbers were announced."""
        goal = len(self.said()) + count
        until(lambda: self.recorder.kept >= goal and len(self.said()) >= goal, f"{count} more announcements")

    def promised(self) -> int:
        """Return the last number announced as durable until now, by the newest run."""
        self.hear_all()
        said = [entry.said for entry in self.said()]
        return max(s.seq for s in said if s.run == said[-1].run)

    def measure(self) -> Measurement:
        return measure(self.spool, {"web": "127.0.0.1"}, DEADLINE_S, self._port)

    def score(self) -> GuestScore:
        return self.measure().verdicts["web"].score

    def command(self) -> list[str]:
        """Return the arguments that score this guest on the command line."""
        return ["score", "--spool", str(self.spool), "--guest", "web=127.0.0.1", "--port", str(self._port)]

    def restore(self, disk: int, image: bytes) -> None:
        """Write an older image over a disk, in place, whoever has it open."""
        with self.disks[disk].open("r+b") as file:
            file.write(image)
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        self.kill()
        self.recorder.stop()
        self._thread.join()
