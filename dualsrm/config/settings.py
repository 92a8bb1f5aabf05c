"""The configuration as the rest of the program sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dualsrm.config.schema import (
    EvacuationSettings,
    MigrationSettings,
    RehearsalSettings,
    ShutdownSettings,
    SshSettings,
    StateSettings,
)
from dualsrm.model import Group, Host, Pair


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration in the words of the model."""

    path: Path
    ssh: SshSettings
    migration: MigrationSettings
    evacuation: EvacuationSettings
    shutdown: ShutdownSettings
    rehearsal: RehearsalSettings
    state: StateSettings
    hosts: Mapping[str, Host]
    pairs: Mapping[str, Pair]
    groups: Mapping[str, Group]
