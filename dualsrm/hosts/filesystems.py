"""Mounting, unmounting and checking a file system on a DRBD volume of one host."""

from __future__ import annotations

import re
from typing import Final

from dualsrm.errors import CommandFailed, DeviceHeldOpen
from dualsrm.hosts.deadlines import DRBD_READ_S, MOUNT_S, MOUNTS_READ_S, PROCESS_TABLE_S
from dualsrm.hosts.drbd_commands import checked_names
from dualsrm.hosts.mounts import read_mountinfo
from dualsrm.hosts.scripts import script_argv
from dualsrm.hosts.ssh import Completed, SshConnection
from dualsrm.hosts.text import clean
from dualsrm.model import Filesystem, Fsck, MountView

_DEVICE: Final = re.compile(r"/dev/drbd([0-9]{1,7})", re.ASCII)
_BUSY: Final = re.compile(r"busy", re.IGNORECASE)
_REPAIRED: Final = (0, 1)
"""fsck(8): no errors; errors corrected. 2 wants a reboot and above it something is left: both are for a person."""


class Filesystems:
    """Commands on one host. Each looks first: giving it twice does no harm."""

    def __init__(self, ssh: SshConnection) -> None:
        self._ssh = ssh

    def mounts(self) -> MountView:
        """What is mounted now."""
        host = self._ssh.host.name
        done = self._ssh.run(["cat", "/proc/self/mountinfo"], deadline_s=MOUNTS_READ_S)
        try:
            if done.exit == 0:
                return MountView(read_mountinfo(done.stdout))
            seen = _words(done)
        except ValueError as error:
            seen = str(error)
        raise CommandFailed(
            f"what is mounted on {host} cannot be read: {seen}",
            why="a file system that two hosts have mounted is destroyed",
            fix=f"on {host}: findmnt --real",
        )

    def users(self, filesystem: Filesystem) -> tuple[str, ...]:
        """Processes with files or a directory open below the mount point, as `command (pid)`."""
        done = self._ssh.run(script_argv("users", filesystem.mount), deadline_s=PROCESS_TABLE_S)
        return tuple(clean(line, 100) for line in done.stdout.splitlines() if line)

    def check(self, filesystem: Filesystem) -> None:
        """fsck by the program of its kind; never of one that is mounted."""
        device, minor = self._device(filesystem)
        if filesystem.fsck is Fsck.NEVER or self.mounts().of_minor(minor):
            return
        force = ["-f"] if filesystem.fsck is Fsck.FULL else []
        argv = [f"fsck.{filesystem.kind}", *force, "-p", device]
        done = self._ssh.run(argv, deadline_s=filesystem.fsck_deadline_s)
        if done.exit not in _REPAIRED:
            raise CommandFailed(
                f"`{' '.join(argv)}` on {self._ssh.host.name} ended with {done.exit}: {_words(done)}",
                why="it found what it does not repair without asking; mounted all the same it may get worse",
                fix=f"on {self._ssh.host.name}, Primary and not mounted: fsck.{filesystem.kind} {device}",
            )

    def mount(self, filesystem: Filesystem) -> None:
        """Mount it, unless it is; the mount point is made where it is missing."""
        device, minor = self._device(filesystem)
        there = self.mounts()
        if [one.point for one in there.of_minor(minor)] == [filesystem.mount]:
            return
        if (other := there.at(filesystem.mount)) is not None:
            raise CommandFailed(
                f"{other.source} is mounted at {filesystem.mount} on {self._ssh.host.name}",
                why="the file system would hide it",
                fix=f"on {self._ssh.host.name}: umount {filesystem.mount}",
            )
        options = ",".join((*filesystem.options, "X-mount.mkdir"))
        argv = ["mount", "-t", filesystem.kind, "-o", options, "--", device, filesystem.mount]
        done = self._ssh.run(argv, deadline_s=MOUNT_S)
        if done.exit != 0:
            raise CommandFailed(
                f"`{' '.join(argv)}` on {self._ssh.host.name} ended with {done.exit}: {_words(done)}",
                why="no guest of the group can be started there without its disks",
                fix=f"on {self._ssh.host.name}: dmesg | tail; drbdadm status {filesystem.resource}",
            )

    def unmount(self, filesystem: Filesystem) -> None:
        """Unmount it, unless it is not mounted. Never with --force or --lazy: who still writes would write on."""
        _, minor = self._device(filesystem)
        if not any(one.point == filesystem.mount for one in self.mounts().of_minor(minor)):
            return
        done = self._ssh.run(["umount", "--", filesystem.mount], deadline_s=MOUNT_S)
        if done.exit == 0:
            return
        what = f"`umount {filesystem.mount}` on {self._ssh.host.name} ended with {done.exit}: {_words(done)}"
        if _BUSY.search(done.stderr):
            raise DeviceHeldOpen(
                what,
                why="what is mounted cannot be given to the other host: whoever uses it could write on",
                fix="end what uses files there (a shell, a backup, an export), then try again",
            )
        raise CommandFailed(what, why="what is mounted cannot be demoted", fix="dmesg | tail on that host")

    def _device(self, filesystem: Filesystem) -> tuple[str, int]:
        """The device as DRBD's own files name it, and its minor."""
        checked_names((filesystem.resource,))
        volume = f"{filesystem.resource}/{filesystem.volume}"
        done = self._ssh.run(["drbdadm", "sh-dev", volume], deadline_s=DRBD_READ_S)
        found = _DEVICE.fullmatch(done.stdout.strip())
        if done.exit != 0 or found is None:
            raise CommandFailed(
                f"`drbdadm sh-dev {volume}` on {self._ssh.host.name} names no device: {_words(done)}",
                why="which device holds the file system is not known",
                fix=f"correct resource and volume in [groups.{filesystem.group}.filesystem], or DRBD's files there",
            )
        return found[0], int(found[1])


def _words(done: Completed) -> str:
    return clean(done.stderr) or clean(done.stdout) or f"exit {done.exit}"
