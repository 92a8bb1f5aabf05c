"""Where a lab keeps its files."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from uml.errors import LabError

CACHE = Path(os.environ.get("DUALSRM_LAB_CACHE", "/var/cache/dualsrm-lab"))
LABS = Path(os.environ.get("DUALSRM_LAB_DIR", "/var/lib/dualsrm-lab"))
#: A UNIX socket's path may have 107 bytes, and ssh's and UML's sockets lie in the lab's directory.
LONGEST_DIRECTORY = 60


@dataclass(frozen=True)
class Layout:
    """The paths and names that belong to one lab."""

    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,19}", self.name):
            raise LabError(
                f"{self.name!r} cannot name a lab",
                "the name becomes part of a network namespace and of paths",
                "use up to 20 of a-z, 0-9 and -",
            )
        if len(str(self.directory)) > LONGEST_DIRECTORY:
            raise LabError(
                f"{self.directory} is longer than {LONGEST_DIRECTORY} characters",
                "sockets lie in it, and a socket's path is limited",
                "set DUALSRM_LAB_DIR to a shorter directory",
            )

    @property
    def namespace(self) -> str:
        """The network namespace everything of this lab runs in."""
        return f"dualsrm-{self.name}"

    @property
    def directory(self) -> Path:
        """State, keys, disks and logs of this lab."""
        return LABS / self.name

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F`: how the manager's side reaches the nodes."""
        return self.directory / "ssh_config"

    @property
    def settings(self) -> Path:
        """dualsrm's configuration for this lab."""
        return self.directory / "dualsrm.toml"

    @property
    def spool(self) -> Path:
        """What the score's recorder heard."""
        return self.directory / "score"

    @property
    def memory(self) -> Path:
        """How much memory each node has, in MiB: for a boot after a power cut."""
        return self.directory / "memory"

    @property
    def storage(self) -> Path:
        """There is such a file once the storage guest and its clients were added."""
        return self.directory / "storage"

    def bmc(self, node: str) -> Path:
        """Settings, state and log of the node's power switch; there is none when the lab has no fence devices."""
        return self.directory / "bmc" / node

    def console(self, node: str) -> Path:
        """The node's kernel console, appended to by every boot."""
        return self.directory / f"{node}.console"
