"""The one configuration file: TOML in, frozen and validated settings out.

The file stays small because facts are discovered, not typed: it says who the hosts are and how they are reached, and
which two belong together. Everything wrong with it is said at once, each fault with its key, its line and what is
allowed there, because an operator who is told one fault a run gives up on the third.
"""

from __future__ import annotations

from dualsrm.config.filesystem import FilesystemSection
from dualsrm.config.groups import GroupSection, GuestShutdownSection, HookSection, ReadySection
from dualsrm.config.load import DEFAULT_PATH, PATH_VARIABLE, load
from dualsrm.config.schema import (
    Document,
    EvacuationSettings,
    HostSection,
    MigrationSettings,
    PairSection,
    RehearsalSettings,
    ScheduleStep,
    ShutdownSettings,
    SshSettings,
    StateSettings,
)
from dualsrm.config.settings import Settings

__all__ = [
    "DEFAULT_PATH",
    "PATH_VARIABLE",
    "Document",
    "EvacuationSettings",
    "FilesystemSection",
    "GroupSection",
    "GuestShutdownSection",
    "HookSection",
    "HostSection",
    "MigrationSettings",
    "PairSection",
    "ReadySection",
    "RehearsalSettings",
    "ScheduleStep",
    "Settings",
    "ShutdownSettings",
    "SshSettings",
    "StateSettings",
    "load",
]
