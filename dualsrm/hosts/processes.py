"""What a host's process table proves: which QEMU exists, who holds a device open."""

from __future__ import annotations

import uuid

from dualsrm.errors import CommandFailed
from dualsrm.hosts.deadlines import PROCESS_TABLE_S
from dualsrm.hosts.scripts import script_argv
from dualsrm.hosts.ssh import SshConnection
from dualsrm.hosts.text import clean


def openers(ssh: SshConnection, minor: int) -> tuple[str, ...]:
    """Processes, mounts and stacked devices that hold /dev/drbdMINOR, as `command (pid)` and the like."""
    done = ssh.run(script_argv("openers", str(int(minor))), deadline_s=PROCESS_TABLE_S)
    return tuple(clean(line, 100) for line in done.stdout.splitlines() if line)


def qemu_alive(ssh: SshConnection, guest_uuid: str) -> bool:
    """Whether a process was started with `-uuid UUID`. Raises `CommandFailed` when the table could not be read."""
    wanted = str(uuid.UUID(guest_uuid))
    done = ssh.run(script_argv("qemu", wanted), deadline_s=PROCESS_TABLE_S)
    lines = done.stdout.split()
    if done.exit != 0 or not lines or lines[-1] != "complete":
        raise CommandFailed(
            f"the process table of {ssh.host.name} could not be read: {clean(done.stderr) or f'exit {done.exit}'}",
            why="whether the guest still runs there is unknown, and two QEMUs on one disk destroy it",
            fix=f"on {ssh.host.name}: pgrep -af {wanted}",
        )
    return len(lines) > 1
