"""What the manager changes in DRBD, and what DRBD's refusals mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dualsrm.errors import CommandFailed, DeviceHeldOpen
from dualsrm.hosts.deadlines import DRBD_CHANGE_S
from dualsrm.hosts.drbd import Dialect, fencing_verb
from dualsrm.hosts.ssh import Completed, SshConnection
from dualsrm.hosts.text import clean

_NAME: Final = re.compile(r"(?!all\Z)[A-Za-z0-9_][A-Za-z0-9_.+-]*", re.ASCII)
"""What may stand where drbdadm expects a resource: no option, no `all`, no `name/volume`."""

_HELD_OPEN: Final = "(-12)"
"""SS_DEVICE_IN_USE; 8.4 and 9 alike print `State change failed: (-12) Device is held open by someone`."""


class DrbdCommands:
    """Commands on one host, each on all of a guest's resources: most of them lie inside the window."""

    def __init__(self, ssh: SshConnection) -> None:
        self._ssh = ssh

    def set_two_primaries(self, resources: Sequence[str], *, allowed: bool) -> None:
        """Runtime only: the configuration file is not touched, the connection stays up."""
        self._run(resources, "net-options", f"--allow-two-primaries={'yes' if allowed else 'no'}")

    def set_fencing(self, resources: Sequence[str], policy: str, dialect: Dialect) -> None:
        """Runtime only: a disk option of every volume on 8.4, a net option on 9."""
        self._run(resources, fencing_verb(dialect), f"--fencing={policy}")

    def promote(self, resources: Sequence[str], *, force: bool = False) -> None:
        """Make them Primary here; by force only where somebody accepted the loss of what this disk lacks."""
        self._run(resources, "primary", *(["--force"] if force else []))

    def demote(self, resources: Sequence[str]) -> None:
        """Make them Secondary here; raises `DeviceHeldOpen` while something has a device open."""
        self._run(resources, "secondary")

    def _run(self, resources: Sequence[str], *words: str) -> None:
        host = self._ssh.host.name
        checked_names(resources)
        argv = ["drbdadm", *words, *resources]
        done = self._ssh.run(argv, deadline_s=DRBD_CHANGE_S * len(resources))
        if done.exit != 0:
            raise refusal(f"`{' '.join(argv)}` on {host}", done)


def checked_names(resources: Sequence[str]) -> None:
    """Raises for one that drbdadm could take for something else."""
    for resource in resources:
        if not _NAME.fullmatch(resource):
            raise CommandFailed(
                f"{clean(resource, 80)!r} is no name of a DRBD resource",
                why="nothing was run",
                fix="drbdadm sh-resources",
            )


def refusal(what: str, done: Completed) -> CommandFailed:
    """The error for a drbdadm command that did not end with 0."""
    said = clean(done.stderr) or clean(done.stdout) or "nothing"
    if _HELD_OPEN in done.stderr + done.stdout:
        return DeviceHeldOpen(
            f"{what}: {said}",
            why="DRBD demotes no device that something has open: whoever it is could write on",
            fix="end what holds it open (a QEMU, a mount, a device-mapper device), then try again",
        )
    return CommandFailed(
        f"{what} ended with {done.exit}: {said}",
        why="DRBD decides by the state it is in; its words name the rule",
        fix="drbdadm status; dmesg | grep drbd",
    )
