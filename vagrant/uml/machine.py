"""Starting a User-mode Linux kernel: its command line, memory and console."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uml.errors import LabError
from uml.facts import REPOSITORY
from uml.processes import Process, identify

KERNEL = "linux.uml"
_MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - the kernel unlinks its memory file as soon as it has opened it


@dataclass(frozen=True)
class Disk:
    """One ubd device: a file, over a shared base (copy on write) when base is given."""

    file: Path
    base: Path | None = None
    read_only: bool = False


@dataclass(frozen=True)
class Machine:
    """What one kernel is started with; taps are in the order of its interfaces, memory is in MiB."""

    name: str
    disks: tuple[Disk, ...]
    console: Path
    sockets: Path
    taps: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    memory: int = 1536

    def command_line(self) -> list[str]:
        """The kernel's argv. net.ifnames and ipv6 keep interface names plain and address set-up short."""
        argv = [KERNEL, f"mem={self.memory}M"]
        for number, disk in enumerate(self.disks):
            files = f"{disk.file},{disk.base}" if disk.base else str(disk.file)
            argv.append(f"ubd{number}{'r' if disk.read_only else ''}={files}")
        for number, tap in enumerate(self.taps):
            mac = f"52:54:00:79:{number + 1:02x}:{self.name[0] * 2}"
            argv.append(f"vec{number}:transport=tap,ifname={tap},depth=128,gro=1,mac={mac}")
        return [
            *argv,
            *("root=/dev/ubda", "rw", "con=null", "con0=null,fd:2"),
            *(f"umid={self.name}", f"uml_dir={self.sockets}/", f"hostfs={REPOSITORY}"),
            *("net.ifnames=0", "ipv6.disable=1", "systemd.show_status=auto"),
            *(f"systemd.hostname={self.name}", *self.words),
        ]

    def start(self, enter: Sequence[str] = ()) -> Process:
        """Start the kernel in its own session, behind the argv prefix that enters the lab's namespace."""
        self.sockets.mkdir(exist_ok=True)
        with self.console.open("ab") as console:
            child = subprocess.Popen(
                [*enter, *self.command_line()],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                env={**os.environ, "TMPDIR": str(_memory_directory(self.memory, self.sockets))},
            )
        process = identify(child.pid)
        if process is None:
            raise LabError(
                f"the kernel of {self.name} ended at once",
                "the node does not run",
                f"read {self.console}",
            )
        return process


def _memory_directory(mebibytes: int, otherwise: Path) -> Path:
    """RAM for the kernel's memory file when there is enough of it, else the lab's directory on disk."""
    if _MEMORY_DISK.is_dir() and shutil.disk_usage(_MEMORY_DISK).free > 2 * mebibytes * 2**20:
        return _MEMORY_DISK
    return otherwise
