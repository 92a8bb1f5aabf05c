"""What the file is made of: facts of two hosts, and what a person chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dualsrm.model import Host, HostSurvey, Maybe, PeerSeen
from dualsrm.setup.networks import MemoryNetwork


@dataclass(frozen=True, slots=True)
class Fence:
    """The power switch of a host: an agent, and its parameters by its own names. Never a password."""

    agent: str
    options: Mapping[str, str]
    password_file: str | None = None


@dataclass(frozen=True, slots=True)
class HostDraft:
    """One of the two hosts."""

    host: Host
    """As it will be configured."""
    survey: HostSurvey
    peer: Maybe[PeerSeen]
    """What its own `dualsrm-host` says of the other host."""
    drbd_version: str
    cpu: str | None
    """The model libvirt names; None when it names none."""
    replication: tuple[str, ...]
    """Addresses its resources replicate from."""


@dataclass(frozen=True, slots=True)
class GuestDraft:
    """A guest, and why it cannot be managed; no reason: it can."""

    guest: str
    active_on: tuple[str, ...]
    resources: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """All of it."""

    pair: str
    hosts: tuple[HostDraft, HostDraft]
    memory: MemoryNetwork
    guests: tuple[GuestDraft, ...]
    transport: Literal["tls", "tcp"] = "tls"
    identity: str | None = None
    known_hosts: str | None = None
    state: str | None = None
    fences: Mapping[str, Fence] = field(default_factory=dict)
    """By the host that the device switches off."""

    @property
    def managed(self) -> tuple[str, ...]:
        """The guests that can be managed."""
        return tuple(guest.guest for guest in self.guests if not guest.reasons)

    def other(self, draft: HostDraft) -> HostDraft:
        """The other host."""
        first, second = self.hosts
        return second if draft is first else first
