"""The tables about groups: which guests belong together, what comes first, when a group counts as up."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from dualsrm.config.filesystem import FilesystemSection
from dualsrm.config.section import Section
from dualsrm.config.values import Address, Endpoint, GuestName, HttpUrl, Program, VariableName
from dualsrm.model.groups import (
    DEFAULT_PRIORITY,
    FIRST_PRIORITY,
    LAST_PRIORITY,
    AgentAnswers,
    ColdMove,
    CommandSucceeds,
    Group,
    GroupVerb,
    Hook,
    HttpAnswers,
    Moment,
    Pings,
    Probe,
    Readiness,
    Shutdown,
    TcpAccepts,
)

_ASKED = ("agent", "tcp", "http", "ping", "command")


class ReadySection(Section):
    """One thing that has to be seen before a group counts as up."""

    agent: GuestName | None = Field(default=None, description="The agent in this guest of the group answers libvirt.")
    tcp: Endpoint | None = Field(default=None, description="HOST:PORT accepts connections from the manager.")
    http: HttpUrl | None = Field(
        default=None, description="This URL answers the manager with a status from 200 to 399."
    )
    ping: Address | None = Field(default=None, description="This address answers the manager's ping.")
    command: Program | None = Field(
        default=None, strict=False, description="This program, run on the manager, ends with exit code 0."
    )
    deadline_s: int = Field(default=120, ge=1, le=86_400, description="Seconds until it has to be seen.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(getattr(self, key) is not None for key in _ASKED) != 1:
            raise ValueError(f"a check has exactly one of {', '.join(_ASKED)}")
        return self

    @property
    def readiness(self) -> Readiness:
        """The same for the engine."""
        return Readiness(self._probe(), self.deadline_s)

    def _probe(self) -> Probe:
        if self.agent is not None:
            return AgentAnswers(self.agent)
        if self.tcp is not None:
            host, _, port = self.tcp.rpartition(":")
            return TcpAccepts(host.strip("[]"), int(port))
        if self.http is not None:
            return HttpAnswers(self.http)
        return Pings(self.ping) if self.ping is not None else CommandSucceeds(self.command or ())


class HookSection(Section):
    """A program on the manager, run before or after a group is started, stopped or moved."""

    when: Literal["pre", "post"] = Field(description="Before the first guest of the group, or after the last.")
    on: tuple[Literal["start", "stop", "migrate", "failover", "test-failover"], ...] = Field(
        default=("start", "stop", "migrate", "failover"),
        strict=False,
        min_length=1,
        description="What it is run for.",
    )
    command: Program = Field(strict=False, description="The program and its arguments; no shell reads them.")
    deadline_s: int = Field(default=60, ge=1, le=86_400, description="Seconds it may take; then it is ended.")
    environment: dict[VariableName, str] = Field(
        default_factory=dict, description="Variables it gets besides the manager's own and dualsrm's."
    )
    on_failure: Literal["stop", "go-on"] = Field(
        default="stop", description="When it fails: the group counts as failed, or it is said and that is all."
    )

    @property
    def hook(self) -> Hook:
        """The same for the engine."""
        return Hook(
            moment=Moment(self.when),
            verbs=tuple(GroupVerb(verb) for verb in self.on),
            argv=self.command,
            deadline_s=self.deadline_s,
            environment=self.environment,
            may_fail=self.on_failure == "go-on",
        )


class GuestShutdownSection(Section):
    """How one guest of a group is stopped, where it differs from [shutdown]."""

    deadline_s: int | None = Field(
        default=None, ge=1, le=86_400, description="Seconds it may take to shut itself down once it was asked."
    )
    destroy: bool | None = Field(default=None, description="Then end its QEMU as a power cut would, or not.")


class GroupSection(Section):
    """Guests of one pair that are started, stopped and moved together."""

    pair: str = Field(description="The pair they lie on.")
    guests: tuple[GuestName, ...] = Field(strict=False, min_length=1, description="The guests, by libvirt's name.")
    prefer: str | None = Field(
        default=None, description="The host it is started on when nothing else says where; else dualsrm asks."
    )
    priority: int = Field(
        default=DEFAULT_PRIORITY, ge=FIRST_PRIORITY, le=LAST_PRIORITY, description="Who comes first: 1, last: 5."
    )
    after: tuple[str, ...] = Field(default=(), strict=False, description="Groups that have to be up before it.")
    start_delay_s: int = Field(
        default=0, ge=0, le=3600, description="Seconds to wait before its first guest once it may start."
    )
    ready: tuple[ReadySection, ...] = Field(
        default=(), strict=False, description="What has to be seen before it counts as up."
    )
    not_ready: Literal["hold", "go-on"] = Field(
        default="hold", description="When that is not seen: what comes after it is not started, or is."
    )
    hooks: tuple[HookSection, ...] = Field(default=(), strict=False, description="Programs run around it.")
    cold: Literal["never", "if-not-live", "always"] = Field(
        default="never", description="Whether its guests may be moved by a stop here and a start there."
    )
    shutdown: dict[GuestName, GuestShutdownSection] = Field(
        default_factory=dict, description="By guest: how it is stopped, where it differs from [shutdown]."
    )

    filesystem: FilesystemSection | None = Field(
        default=None, description="The file system its guests' disks are files on; it moves with all of them."
    )

    def group(self, name: str) -> Group:
        """The same for the engine."""
        return Group(
            name=name,
            pair=self.pair,
            guests=self.guests,
            prefer=self.prefer,
            priority=self.priority,
            after=self.after,
            start_delay_s=self.start_delay_s,
            ready=tuple(one.readiness for one in self.ready),
            hold=self.not_ready == "hold",
            hooks=tuple(one.hook for one in self.hooks),
            cold=ColdMove(self.cold),
            shutdown={guest: Shutdown(one.deadline_s, one.destroy) for guest, one in self.shutdown.items()},
            filesystem=self.filesystem.filesystem(name, self.guests) if self.filesystem is not None else None,
        )
