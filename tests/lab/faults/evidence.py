"""What a person wants to read when a run failed, taken from the lab before anything is mended."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.lab.faults.look import look_at_both
from tests.lab.handle import HOSTS, LabHandle

_ASKED = {
    "dmesg": ("sh", "-c", "dmesg | tail -n 400"),
    "dualsrm-host": ("journalctl", "--no-pager", "--output=short-precise", "--identifier=dualsrm-host"),
    "libvirtd": ("journalctl", "--no-pager", "--output=short-precise", "--unit=libvirtd", "--lines=200"),
    "events2": ("drbdsetup", "events2", "--now", "all"),
    "show": ("drbdsetup", "show"),
    "proc-drbd": ("cat", "/proc/drbd"),
    "guests": ("virsh", "--readonly", "list", "--all"),
    "windows": ("sh", "-c", "find /run/dualsrm -type f -exec tail -n +1 {} +; systemctl list-timers 'dualsrm*'"),
    "processes": ("ps", "-eo", "pid,ppid,stat,lstart,wchan:20,args"),
}


def collect(lab: LabHandle, directory: Path, consoles: Path) -> None:
    """Write it below a directory. A node that does not answer leaves that as its evidence."""
    directory.mkdir(parents=True, exist_ok=True)
    for host in HOSTS:
        for name, command in _ASKED.items():
            try:
                done = lab.lab("ssh", host, "--", *command, check=False, deadline_s=30)
                text = done.stdout + done.stderr
            except subprocess.TimeoutExpired:
                text = "no answer within 30 s\n"
            (directory / f"{host}.{name}").write_text(text)
        shutil.copy(consoles / f"{host}.console", directory)
    (directory / "look").write_text("\n".join(f"{host}: {view}" for host, view in look_at_both(lab).items()) + "\n")
