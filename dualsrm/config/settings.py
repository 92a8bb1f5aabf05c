"""The configuration as the rest of the program sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dualsrm.config.problems import did_you_mean
from dualsrm.config.schema import MigrationSettings, SshSettings, StateSettings
from dualsrm.errors import UsageError
from dualsrm.model import Host, Pair


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration in the words of the model."""

    path: Path
    ssh: SshSettings
    migration: MigrationSettings
    state: StateSettings
    hosts: Mapping[str, Host]
    pairs: Mapping[str, Pair]

    def pair_of(self, host: str) -> Pair:
        """The pair a host is in; every configured host is in exactly one."""
        for pair in self.pairs.values():
            if host in pair.hosts:
                return pair
        raise UsageError(
            f"there is no host {host!r} in {self.path}{did_you_mean(host, self.hosts)}",
            why="Only configured hosts can be asked.",
            fix=f"Name one of: {', '.join(self.hosts)}.",
        )
