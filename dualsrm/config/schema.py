"""The tables of the file and their keys."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from dualsrm.config.values import AbsolutePath, Address, Login, MigrationAddress, Name, PeerUri

Key: TypeAlias = tuple[str, ...]


class Section(BaseModel):
    """A table of the file. Unknown keys are refused: a misspelt key silently ignored is a setting nobody has."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


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


class MigrationSettings(Section):
    """How guests are moved."""

    transport: Literal["tls", "tcp"] = Field(
        default="tls", description="tcp must be asked for: memory then crosses the wire readable."
    )
    bandwidth_mib_s: int = Field(
        default=0, ge=0, le=1_000_000, description="Limit of memory traffic; 0 is libvirt's own."
    )
    deadline_s: int = Field(
        default=600, ge=1, le=86_400, description="Seconds until a move that does not end is aborted."
    )


class StateSettings(Section):
    """What the manager remembers."""

    directory: AbsolutePath = Field(default="/var/lib/dualsrm", description="Where the journal lies, on the manager.")


class Document(Section):
    """The whole file."""

    ssh: SshSettings = Field(default_factory=SshSettings, description="How the manager reaches the hosts.")
    hosts: dict[Name, HostSection] = Field(min_length=1, description="The hosts, by name.")
    pairs: dict[Name, PairSection] = Field(min_length=1, description="The pairs, by name; each host is in one.")
    migration: MigrationSettings = Field(default_factory=MigrationSettings, description="How guests are moved.")
    state: StateSettings = Field(default_factory=StateSettings, description="What the manager remembers.")


def _section_of(key: Key) -> type[Section]:
    """The section a table's key leads to; `hosts.alpha` and every other host are the same one."""
    match key:
        case ("hosts", _, *_):
            return HostSection
        case ("pairs", _, *_):
            return PairSection
        case ("ssh" | "migration" | "state" as name, *_):
            sections: dict[str, type[Section]]
            sections = {"ssh": SshSettings, "migration": MigrationSettings, "state": StateSettings}
            return sections[name]
        case _:
            return Document


def keys_of(key: Key) -> tuple[str, ...]:
    """The keys of the table that `key` leads to."""
    return tuple(_section_of(key).model_fields)


def describe(key: Key) -> str:
    """What the schema says of a key; empty when it has none such."""
    field = _section_of(key[:-1]).model_fields.get(key[-1])
    return (field.description or "") if field else ""
