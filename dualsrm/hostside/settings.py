"""/etc/dualsrm/host.toml: how this host reaches its peers, and their power switches. Optional.

[peers.beta]                # the peer's name as in DRBD's `on NAME`; without a section it is reached by that name
address = "10.0.0.2"        # on the management network
user = "root"
port = 22
identity = "/root/.ssh/id_ed25519"
known_hosts = "/root/.ssh/known_hosts"

[peers.beta.fence]          # any fence-agents program
agent = "fence_ipmilan"
password_file = "/etc/dualsrm/beta-bmc.password"
[peers.beta.fence.options]  # the agent's own parameters
ip = "10.0.9.2"
username = "admin"
"""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dualsrm.hostside.port import HostsideError

PATH: Final = Path("/etc/dualsrm/host.toml")
HOST_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}", re.ASCII)
_USER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", re.ASCII)
_AGENT: Final = re.compile(r"(/[A-Za-z0-9_./-]*)?fence_[a-z0-9_]{1,64}", re.ASCII)
_OPTION: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)
_PORT_LIMIT: Final = 65535


@dataclass(frozen=True, slots=True)
class FenceDevice:
    """A power switch, driven by a fence agent."""

    agent: str
    options: Mapping[str, str]
    password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """How a peer is reached over the management network."""

    name: str
    address: str
    user: str = "root"
    port: int = 22
    identity: str | None = None
    known_hosts: str | None = None
    fence: FenceDevice | None = field(default=None)


def load_peer(name: str, path: Path = PATH) -> Peer:
    """The peer as configured, or reached by its name. Raises `HostsideError` for a file that cannot be used."""
    if not HOST_NAME.fullmatch(name):
        raise HostsideError("the peer's name is none")
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        check_private(path)
    except FileNotFoundError:
        return Peer(name, name)
    except (OSError, ValueError) as error:
        raise HostsideError(f"{path} cannot be read: {error}") from error
    sections = found.get("peers", {})
    section = sections.get(name, {}) if isinstance(sections, dict) else None
    if not isinstance(section, dict):
        raise HostsideError(f"[peers.{name}] in {path} is no section")
    return _peer(name, section, path)


def configured_peers(path: Path = PATH) -> frozenset[str]:
    """Names of the sections; none when there is no file that can be read."""
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8")).get("peers")
    except (OSError, ValueError):
        return frozenset()
    return frozenset(sections) if isinstance(sections, dict) else frozenset()


def check_private(path: Path) -> None:
    """Who may write it decides what root runs, so nobody else may; nor read what may hold a password."""
    found = path.stat()
    if found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_IROTH):
        raise HostsideError(f"{path} must belong to root and be closed to others: chown root {path}; chmod 600 {path}")


def _peer(name: str, section: dict[str, Any], path: Path) -> Peer:
    unknown = set(section) - {"address", "user", "port", "identity", "known_hosts", "fence"}
    if unknown:
        raise HostsideError(f"[peers.{name}] in {path} has unknown keys: {', '.join(sorted(unknown))}")
    port = section.get("port", 22)
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port <= _PORT_LIMIT:
        raise HostsideError(f"port of [peers.{name}] in {path} is no port")
    return Peer(
        name=name,
        address=_text(section, "address", path, HOST_NAME) or name,
        user=_text(section, "user", path, _USER) or "root",
        port=port,
        identity=_text(section, "identity", path),
        known_hosts=_text(section, "known_hosts", path),
        fence=_fence(name, section["fence"], path) if "fence" in section else None,
    )


def _fence(name: str, section: object, path: Path) -> FenceDevice:
    where = f"[peers.{name}.fence] in {path}"
    if not isinstance(section, dict):
        raise HostsideError(f"{where} is no section")
    unknown = set(section) - {"agent", "options", "password_file"}
    if unknown:
        raise HostsideError(f"{where} has unknown keys: {', '.join(sorted(unknown))}")
    agent = _text(section, "agent", path, _AGENT)
    if agent is None:
        raise HostsideError(f"{where} names no agent")
    options = section.get("options", {})
    if not isinstance(options, dict):
        raise HostsideError(f"options of {where} is no section")
    for key, value in options.items():
        if not _OPTION.fullmatch(key) or not isinstance(value, str | int) or len(str(value).splitlines()) > 1:
            raise HostsideError(f"options of {where} must be names with values of one line: {key!r} is not")
    if "action" in options:
        raise HostsideError(f"options of {where} name an action: what the agent has to do is no setting")
    given = {key: str(value) for key, value in options.items()}
    password = _text(section, "password_file", path)
    return FenceDevice(agent, given, Path(password) if password else None)


def _text(section: dict[str, Any], key: str, path: Path, form: re.Pattern[str] | None = None) -> str | None:
    value = section.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value or (form is not None and not form.fullmatch(value)):
        raise HostsideError(f"{key} in {path} is not usable")
    return value
