"""What a host says of itself before it is configured: what `dualsrm init` makes a configuration of."""

from __future__ import annotations

from dataclasses import dataclass

from dualsrm.model.facts import Maybe


@dataclass(frozen=True, slots=True)
class HostAddress:
    """An address of a host that others may reach: global scope, its interface up."""

    interface: str
    address: str
    """IP address with prefix length, e.g. `192.0.2.11/24`."""


@dataclass(frozen=True, slots=True)
class HostSurvey:
    """One host, asked about itself."""

    name: str
    """`uname -n`: the word DRBD's `on` sections and `/etc/dualsrm/host.toml` have for it."""
    reached_at: str | None
    """The address of its own at which the manager's SSH connection ended; None when sshd does not say."""
    addresses: tuple[HostAddress, ...]
    bridges: Maybe[tuple[str, ...]]
