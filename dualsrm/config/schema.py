"""The tables of the file and their keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, Self, TypeAlias

from pydantic import Field, ValidationInfo, field_validator, model_validator

from dualsrm.config.filesystem import FilesystemSection
from dualsrm.config.groups import GroupSection, GuestShutdownSection, HookSection, ReadySection
from dualsrm.config.section import Section
from dualsrm.config.values import AbsolutePath, Address, Login, MigrationAddress, Name, PeerUri, WhenLate
from dualsrm.convergence import AtDeadline, Convergence, Rung, SetDowntime, StartPostCopy

Key: TypeAlias = tuple[str, ...]


class SshSettings(Section):
    """How the manager reaches the hosts."""

    identity_file: AbsolutePath | None = Field(
        default=None, description="Private key for every host; else ssh's own defaults."
    )
    known_hosts: AbsolutePath | None = Field(
        default=None, description="Known host keys; else the user's and the system's files."
    )


class HostSection(Section):
    """One host."""

    address: Address = Field(description="Name or address the manager connects to.")
    user: Login = Field(default="root", description="Login name there.")
    port: int = Field(default=22, ge=1, le=65535, description="Port of the ssh server there.")
    migration_address: MigrationAddress = Field(
        description="Where QEMU on this host listens for guest memory; best on a network of its own."
    )
    peer_uri: PeerUri = Field(
        description="How the other host's libvirtd reaches this one: qemu+ssh, qemu+tls or qemu+tcp."
    )


class PairSection(Section):
    """Two hosts that replicate to each other."""

    hosts: tuple[str, ...] = Field(strict=False, min_length=2, max_length=2, description="The two hosts, by name.")


class ScheduleStep(Section):
    """One step of the schedule: when, and what."""

    after_s: int | None = Field(default=None, ge=1, le=86_400, description="Seconds since memory began to be copied.")
    after_pass: int | None = Field(default=None, ge=1, le=10_000, description="Whole passes over memory.")
    downtime_ms: int | None = Field(
        default=None, ge=1, le=60_000, description="Longest pause at the hand-over that is allowed from then on."
    )
    post_copy: Literal[True] | None = Field(
        default=None, description="Let the guest run at the target; the rest of its memory follows."
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.after_s is None) is (self.after_pass is None):
            raise ValueError("a step has either after_s or after_pass")
        if (self.downtime_ms is None) is (self.post_copy is None):
            raise ValueError("a step has either downtime_ms or post_copy = true")
        return self

    @property
    def rung(self) -> Rung:
        """The same for the engine."""
        action = StartPostCopy() if self.downtime_ms is None else SetDowntime(self.downtime_ms / 1000)
        return Rung(action, self.after_s, self.after_pass)


class MigrationSettings(Section):
    """How guests are moved."""

    transport: Literal["tls", "tcp"] = Field(
        default="tls", description="tcp must be asked for: memory then crosses the wire readable."
    )
    bandwidth_mib_s: int = Field(
        default=0, ge=0, le=1_000_000, description="Limit of memory traffic; 0 is libvirt's own."
    )
    auto_converge: bool = Field(
        default=True, description="Let QEMU slow a guest down that writes memory faster than it can be copied."
    )
    throttle_initial_percent: int = Field(
        default=20, ge=1, le=99, description="How much it takes from the guest's CPUs at first."
    )
    throttle_increment_percent: int = Field(
        default=10, ge=1, le=99, description="How much more it takes each time that was not enough."
    )
    schedule: tuple[ScheduleStep, ...] = Field(
        strict=False,
        default=(
            ScheduleStep(after_pass=5, downtime_ms=500),
            ScheduleStep(after_pass=10, downtime_ms=1000),
            ScheduleStep(after_pass=20, downtime_ms=2000),
        ),
        description="What to allow a copy that does not end, step by step.",
    )
    deadline_s: int = Field(
        default=300, ge=1, le=86_400, description="Seconds a move may take, whatever the size of the guest."
    )
    deadline_s_per_gib: int = Field(
        default=60, ge=0, le=86_400, description="Seconds more for each GiB of the guest's memory."
    )
    at_deadline: WhenLate = Field(
        default="abort", description="Then the move is aborted, or the guest paused until its memory is copied."
    )
    pause_s: int = Field(
        default=60, ge=1, le=3600, description="Longest the guest may be paused for that; then the move is aborted."
    )

    on_failure: Literal["rollback", "cold"] = Field(
        default="rollback",
        description="After a live move that was rolled back: leave it running, or shut it down and start it there.",
    )

    @field_validator("throttle_initial_percent", "throttle_increment_percent")
    @classmethod
    def _throttle_is_used(cls, value: int, info: ValidationInfo) -> int:
        return _only_with(value, info, auto_converge=True)

    @field_validator("pause_s")
    @classmethod
    def _pause_is_used(cls, value: int, info: ValidationInfo) -> int:
        return _only_with(value, info, at_deadline="pause")

    @field_validator("schedule")
    @classmethod
    def _climbs(cls, schedule: tuple[ScheduleStep, ...]) -> tuple[ScheduleStep, ...]:
        if any(step.post_copy for step in schedule[:-1]):
            raise ValueError("post_copy is the last step: nothing after it has any effect")
        for key in ("after_s", "after_pass", "downtime_ms"):
            values = [value for step in schedule if (value := getattr(step, key)) is not None]
            if values != sorted(set(values)):
                raise ValueError(f"{key} must grow from step to step: they are taken in this order, each once")
        return schedule

    @property
    def post_copy(self) -> bool:
        """Whether the schedule may come to post-copy, which QEMU must be told at the start."""
        return any(step.post_copy for step in self.schedule)

    @property
    def convergence(self) -> Convergence:
        """The schedule for the engine."""
        return Convergence(
            ladder=tuple(step.rung for step in self.schedule),
            deadline_s=self.deadline_s,
            deadline_s_per_gib=self.deadline_s_per_gib,
            at_deadline=AtDeadline(self.at_deadline),
            pause_s=self.pause_s,
        )


def _only_with(value: int, info: ValidationInfo, **wanted: object) -> int:
    """A setting that another one makes idle is a setting nobody has. `info` lacks the other if that is wrong itself."""
    for key, needed in wanted.items():
        if info.data.get(key, needed) != needed:
            raise ValueError(f"it has no effect without {key} = {json.dumps(needed)}")
    return value


class ShutdownSettings(Section):
    """How guests are stopped."""

    deadline_s: int = Field(
        default=180, ge=1, le=86_400, description="Seconds a guest may take to shut itself down once it was asked."
    )
    destroy: bool = Field(
        default=False, description="Then end its QEMU as a power cut would; else it runs on, and that is said."
    )


class EvacuationSettings(Section):
    """How a host is emptied."""

    jobs: int = Field(default=2, ge=1, le=8, description="How many guests of a pair are moved at once.")


class RehearsalSettings(Section):
    """How a failover is rehearsed."""

    snapshot_percent: int = Field(
        default=20, ge=1, le=100, description="Size of each snapshot, as a share of the volume it is of."
    )
    snapshot_min_mib: int = Field(default=16, ge=4, le=1_048_576, description="Its least size in MiB.")


class StateSettings(Section):
    """What the manager remembers."""

    directory: AbsolutePath = Field(default="/var/lib/dualsrm", description="Where the journal lies, on the manager.")


class Document(Section):
    """The whole file."""

    ssh: SshSettings = Field(default_factory=SshSettings, description="How the manager reaches the hosts.")
    hosts: dict[Name, HostSection] = Field(min_length=1, description="The hosts, by name.")
    pairs: dict[Name, PairSection] = Field(min_length=1, description="The pairs, by name; each host is in one.")
    groups: dict[Name, GroupSection] = Field(
        default_factory=dict, description="Guests that belong together, and what comes first."
    )
    migration: MigrationSettings = Field(default_factory=MigrationSettings, description="How guests are moved.")
    evacuation: EvacuationSettings = Field(default_factory=EvacuationSettings, description="How a host is emptied.")
    shutdown: ShutdownSettings = Field(default_factory=ShutdownSettings, description="How guests are stopped.")
    rehearsal: RehearsalSettings = Field(default_factory=RehearsalSettings, description="How a failover is rehearsed.")
    state: StateSettings = Field(default_factory=StateSettings, description="What the manager remembers.")


_ANY = "*"
_SECTIONS: Mapping[Key, type[Section]] = {
    ("hosts", _ANY): HostSection,
    ("pairs", _ANY): PairSection,
    ("groups", _ANY): GroupSection,
    ("groups", _ANY, "ready"): ReadySection,
    ("groups", _ANY, "hooks"): HookSection,
    ("groups", _ANY, "shutdown"): GuestShutdownSection,
    ("groups", _ANY, "filesystem"): FilesystemSection,
    ("ssh",): SshSettings,
    ("migration",): MigrationSettings,
    ("migration", "schedule"): ScheduleStep,
    ("evacuation",): EvacuationSettings,
    ("shutdown",): ShutdownSettings,
    ("rehearsal",): RehearsalSettings,
    ("state",): StateSettings,
}


def _section_of(key: Key) -> type[Section]:
    """The section a table's key leads to, by its longest pattern; every host has the same one."""
    for length in range(len(key), 0, -1):
        for pattern, section in _SECTIONS.items():
            if len(pattern) == length and all(one in (_ANY, part) for one, part in zip(pattern, key, strict=False)):
                return section
    return Document


def keys_of(key: Key) -> tuple[str, ...]:
    """The keys of the table that `key` leads to."""
    return tuple(_section_of(key).model_fields)


def describe(key: Key) -> str:
    """What the schema says of a key; empty when it has none such."""
    field = _section_of(key[:-1]).model_fields.get(key[-1])
    return (field.description or "") if field else ""
