"""What the configuration says about SSH, and the checks a key file must pass before it is used."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Final

from dualsrm.errors import HostUnreachable

SYSTEM_KNOWN_HOSTS: Final = Path("/etc/ssh/ssh_known_hosts")


@dataclass(frozen=True, slots=True)
class SshSettings:
    """How hosts are logged in to. Paths are used as they are, `~` expanded."""

    identity_file: Path | None = None
    """The one private key to offer. None: the user's agent and `~/.ssh/id_*`."""
    known_hosts: Path | None = None
    """The one file of host keys to trust. None: `~/.ssh/known_hosts` and the system's."""

    @property
    def known_hosts_files(self) -> tuple[Path, ...]:
        """The files consulted, the one a new key belongs in first."""
        if self.known_hosts is not None:
            return (self.known_hosts.expanduser(),)
        return (Path("~/.ssh/known_hosts").expanduser(), SYSTEM_KNOWN_HOSTS)


def usable_identity(settings: SshSettings) -> Path | None:
    """The private key file, or None when none is configured.

    Raises `HostUnreachable` when it is missing, unreadable or readable by others, as ssh(1) would.
    """
    if settings.identity_file is None:
        return None
    path = settings.identity_file.expanduser()
    try:
        status = path.stat()
    except OSError as error:
        raise HostUnreachable(
            f"the SSH key {path} cannot be read: {error.strerror}",
            why="without it no host can be logged in to",
            fix=f"ssh-keygen -t ed25519 -f {quote(str(path))}, and its .pub into authorized_keys on the hosts; "
            "or correct the path in the configuration",
        ) from error
    if not stat.S_ISREG(status.st_mode) or not os.access(path, os.R_OK):
        raise HostUnreachable(
            f"the SSH key {path} is not a file this user can read",
            why="without it no host can be logged in to",
            fix=f"ls -l {quote(str(path))}; run dualsrm as the user who owns the key",
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise HostUnreachable(
            f"the SSH key {path} is open to others (mode {stat.S_IMODE(status.st_mode):04o})",
            why="whoever can read it is root on both hosts",
            fix=f"chmod 600 {quote(str(path))}; if others may have read it, make a new key",
        )
    return path
