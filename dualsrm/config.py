"""The one configuration file: TOML in, frozen and validated settings out.

The file stays small because facts are discovered, not typed: it says who the hosts are and how they are reached, and
which two belong together. Everything wrong with it is said at once, each fault with its key, its line and what is
allowed there, because an operator who is told one fault a run gives up on the third.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from dualsrm.errors import ConfigError, UsageError
from dualsrm.model import Host, Pair

DEFAULT_PATH = Path("/etc/dualsrm/dualsrm.toml")
PATH_VARIABLE = "DUALSRM_CONFIG"

# --- values ---------------------------------------------------------------------------------------

NAME_RULE = "letters, digits, dot, dash and underscore, a letter or digit first, 64 at most: it becomes a file name"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_PEER_SCHEMES = ("qemu+ssh", "qemu+tls", "qemu+tcp")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"allowed are {NAME_RULE}")
    return value


def _user(value: str) -> str:
    if not _USER.fullmatch(value):
        raise ValueError("allowed is a login name, e.g. root")
    return value


def _is_address(value: str) -> bool:
    """Whether this is a host name or an IP address. It becomes an argument of ssh: no dash first, no odd character."""
    labels = value.removesuffix(".").split(".")
    if labels[-1].isdigit() or ":" in value:
        try:
            return "%" not in value and bool(ipaddress.ip_address(value))
        except ValueError:
            return False
    return len(value) <= 253 and all(_LABEL.fullmatch(label) for label in labels)  # noqa: PLR2004 - DNS's limit


def _address(value: str) -> str:
    if not _is_address(value):
        raise ValueError("allowed is a host name or an IP address, e.g. 10.79.0.11 (no zone, no port)")
    return value


def _migration_address(value: str) -> str:
    _address(value)
    try:
        ip = ipaddress.ip_address(value)
    except ValueError:
        return value
    if ip.is_unspecified or ip.is_loopback or ip.is_multicast:
        raise ValueError("allowed is an address of this host that the other host reaches")
    return value


def _peer_uri(value: str) -> str:
    example = "e.g. qemu+ssh://alpha/system"
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f"allowed is a libvirt URI without spaces or control characters, {example}")
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"allowed is a libvirt URI ({error}), {example}") from None
    if parts.scheme not in _PEER_SCHEMES:
        raise ValueError(f"allowed are {', '.join(_PEER_SCHEMES)}, {example}")
    if host is None or not _is_address(host):
        raise ValueError(f"it must name a host, {example}")
    if parts.username is not None and not _USER.fullmatch(parts.username):
        raise ValueError(f"the user in it must be a login name, {example}")
    if parts.path != "/system":
        raise ValueError(f"its path must be /system, {example}")
    return value


def _absolute(value: str) -> str:
    if not value.startswith("/") or not value.isprintable():
        raise ValueError("allowed is an absolute path (~ and variables are not expanded)")
    return value


_Name: TypeAlias = Annotated[str, AfterValidator(_name)]
_Address: TypeAlias = Annotated[str, AfterValidator(_address)]
_Path: TypeAlias = Annotated[str, AfterValidator(_absolute)]

# --- the file -------------------------------------------------------------------------------------


class _Section(BaseModel):
    """A table of the file. Unknown keys are refused: a misspelt key silently ignored is a setting nobody has."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SshSettings(_Section):
    """How the manager reaches the hosts."""

    identity_file: _Path | None = Field(
        default=None, description="Private key for every host; else ssh's own defaults."
    )
    known_hosts: _Path | None = Field(
        default=None, description="Known host keys; else the user's and the system's files."
    )


class HostSection(_Section):
    """One host."""

    address: _Address = Field(description="Name or address the manager connects to.")
    user: Annotated[str, AfterValidator(_user)] = Field(default="root", description="Login name there.")
    port: int = Field(default=22, ge=1, le=65535, description="Port of the ssh server there.")
    migration_address: Annotated[str, AfterValidator(_migration_address)] = Field(
        description="Where QEMU on this host listens for guest memory; best on a network of its own."
    )
    peer_uri: Annotated[str, AfterValidator(_peer_uri)] = Field(
        description="How the other host's libvirtd reaches this one: qemu+ssh, qemu+tls or qemu+tcp."
    )


class PairSection(_Section):
    """Two hosts that replicate to each other."""

    hosts: tuple[str, ...] = Field(strict=False, min_length=2, max_length=2, description="The two hosts, by name.")


class MigrationSettings(_Section):
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


class StateSettings(_Section):
    """What the manager remembers."""

    directory: _Path = Field(default="/var/lib/dualsrm", description="Where the journal lies, on the manager.")


class Document(_Section):
    """The whole file."""

    ssh: SshSettings = Field(default_factory=SshSettings, description="How the manager reaches the hosts.")
    hosts: dict[_Name, HostSection] = Field(min_length=1, description="The hosts, by name.")
    pairs: dict[_Name, PairSection] = Field(min_length=1, description="The pairs, by name; each host is in one.")
    migration: MigrationSettings = Field(default_factory=MigrationSettings, description="How guests are moved.")
    state: StateSettings = Field(default_factory=StateSettings, description="What the manager remembers.")


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
            f"there is no host {host!r} in {self.path}{_did_you_mean(host, self.hosts)}",
            why="Only configured hosts can be asked.",
            fix=f"Name one of: {', '.join(self.hosts)}.",
        )


# --- loading --------------------------------------------------------------------------------------


def default_path(environ: Mapping[str, str] | None = None) -> Path:
    """The file to read when the command line names none."""
    given = (os.environ if environ is None else environ).get(PATH_VARIABLE)
    return Path(given) if given else DEFAULT_PATH


def load(path: Path) -> Settings:
    """Read and validate the file; raises `ConfigError` with everything that is wrong with it."""
    text = _read(path)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}", why=_NOTHING_DONE, fix="Correct that line.") from None
    problems: list[_Problem] = []
    document = None
    try:
        document = Document.model_validate(raw)
    except ValidationError as error:
        problems += [_problem(detail) for detail in error.errors(include_url=False)]
    problems += _pairing(raw)
    problems += _same_address(raw)
    if document is None or problems:
        raise _refusal(path, text, problems)
    return _settings(path, document)


_NOTHING_DONE = "Without a valid configuration no host is contacted and nothing is touched."


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read()
    except FileNotFoundError:
        raise ConfigError(
            f"there is no configuration file {path}",
            why=_NOTHING_DONE,
            fix=f"Write it (docs/configuration.md), or name another with --config or {PATH_VARIABLE}.",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", why=_NOTHING_DONE, fix="Make it a file this user may read."
        ) from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(
            f"{path} has mode {mode:04o}: others than its owner may write it",
            why="It names keys and hosts that are used as root: who can write it can act as root.",
            fix=f"chmod go-w {path}",
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path} is not UTF-8 (line {line})", why=_NOTHING_DONE, fix="Save it as UTF-8.") from None


def _settings(path: Path, document: Document) -> Settings:
    hosts = {name: Host(name=name, **section.model_dump()) for name, section in document.hosts.items()}
    pairs = {name: Pair(name, (section.hosts[0], section.hosts[1])) for name, section in document.pairs.items()}
    return Settings(
        path, document.ssh, document.migration, document.state, MappingProxyType(hosts), MappingProxyType(pairs)
    )


# --- what is wrong --------------------------------------------------------------------------------

_Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Problem:
    key: _Key
    text: str


def _refusal(path: Path, text: str, problems: Iterable[_Problem]) -> ConfigError:
    lines = _lines(text)
    said = [f"{_shown(p.key)}{_at(lines, p.key)}: {p.text}" for p in problems]
    seen = f"{path}: {said[0]}" if len(said) == 1 else "\n  ".join([f"{path} has {len(said)} errors:", *said])
    return ConfigError(seen, why=_NOTHING_DONE, fix=f"Correct {path}; docs/configuration.md names every key.")


def _at(lines: Mapping[_Key, int], key: _Key) -> str:
    """The line of a key, or else of the table it should be in."""
    for length in range(len(key), 0, -1):
        if key[:length] in lines:
            return f" (line {lines[key[:length]]})"
    return ""


_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\\]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")


def _lines(text: str) -> dict[_Key, int]:
    """Where each key stands, as far as a look at each line tells; tomllib keeps no positions."""
    found: dict[_Key, int] = {}
    table: _Key = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            found.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            found.setdefault(table + _parts(assignment[1]), number)
    return found


def _parts(dotted: str) -> _Key:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def _problem(detail: ErrorDetails) -> _Problem:
    key = tuple(str(part) for part in detail["loc"] if part != "[key]")
    match detail["type"]:
        case "missing":
            return _Problem(key, f"is missing. {_describe(key)}".rstrip())
        case "extra_forbidden":
            known = _keys_of(key[:-1])
            return _Problem(
                key, f"is no key of dualsrm{_did_you_mean(key[-1], known)}; allowed here: {', '.join(known)}"
            )
        case "value_error":
            allowed = str(detail["ctx"]["error"])
        case "too_short" | "too_long":
            allowed = "allowed are exactly two host names" if key[-1:] == ("hosts",) and key[1:] else "one at least"
        case "model_type" | "dict_type":
            allowed = f"allowed is a table, [{_shown(key)}]"
        case _:
            allowed = detail["msg"].replace("Input should be", "allowed is", 1)
    found = "this name" if "[key]" in detail["loc"] else _short(detail["input"])
    return _Problem(key, f"found {found}; {allowed}")


def _shown(key: _Key) -> str:
    """The key as the file writes it; an odd name is quoted, so that it cannot play tricks on a terminal."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else repr(part) for part in key)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - one line of a terminal


def _section_of(key: _Key) -> type[_Section]:
    """The section a table's key leads to; `hosts.alpha` and every other host are the same one."""
    match key:
        case ("hosts", _, *_):
            return HostSection
        case ("pairs", _, *_):
            return PairSection
        case ("ssh" | "migration" | "state" as name, *_):
            sections: dict[str, type[_Section]]
            sections = {"ssh": SshSettings, "migration": MigrationSettings, "state": StateSettings}
            return sections[name]
        case _:
            return Document


def _keys_of(key: _Key) -> tuple[str, ...]:
    return tuple(_section_of(key).model_fields)


def _describe(key: _Key) -> str:
    field = _section_of(key[:-1]).model_fields.get(key[-1])
    return (field.description or "") if field else ""


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


# --- across tables --------------------------------------------------------------------------------
# These read the raw file, so that they are reported together with the faults of single keys; what has the wrong type
# there has been reported already and is passed over here.


def _tables(raw: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    tables = raw.get(name)
    return {key: t for key, t in tables.items() if isinstance(t, dict)} if isinstance(tables, dict) else {}


def _pairing(raw: Mapping[str, Any]) -> Iterator[_Problem]:
    """Each host in exactly one pair, each pair of two hosts that exist."""
    hosts = _tables(raw, "hosts")
    pairs_of: dict[str, list[str]] = {host: [] for host in hosts}
    for pair, section in _tables(raw, "pairs").items():
        members = section.get("hosts")
        named = [host for host in members if isinstance(host, str)] if isinstance(members, list) else []
        key = ("pairs", pair, "hosts")
        for host in dict.fromkeys(named):
            if named.count(host) > 1:
                yield _Problem(key, f"found {host!r} twice; allowed are two different hosts")
            if host in pairs_of:
                pairs_of[host].append(pair)
            else:
                yield _Problem(key, f"found {host!r}, which is no host{_did_you_mean(host, hosts)}; allowed are"
                                    f" {', '.join(hosts) or 'the hosts of this file'}")  # fmt: skip
    for host, pairs in pairs_of.items():
        if not pairs:
            yield _Problem(("hosts", host), "is in no pair; every host is in exactly one")
        elif len(pairs) > 1:
            yield _Problem(("hosts", host), f"is in {len(pairs)} pairs ({', '.join(pairs)}); allowed is one")


def _same_address(raw: Mapping[str, Any]) -> Iterator[_Problem]:
    """Two names for one host: a move from it to itself would look like one between two."""
    for field in ("address", "migration_address"):
        first: dict[tuple[str, object], str] = {}
        for host, section in _tables(raw, "hosts").items():
            value = section.get(field)
            if not isinstance(value, str):
                continue
            place = (value, section.get("port", 22) if field == "address" else None)
            if (other := first.setdefault(place, host)) != host:
                yield _Problem(("hosts", host, field), f"found {_short(value)}, which {other} has; one host, one name")
