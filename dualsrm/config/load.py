"""Reading the file: everything that is wrong with it, or the settings."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from dualsrm.config.across import across_problems
from dualsrm.config.across_groups import group_problems
from dualsrm.config.problems import NOTHING_DONE, Problem, key_problem, refusal
from dualsrm.config.schema import Document
from dualsrm.config.settings import Settings
from dualsrm.errors import ConfigError
from dualsrm.model import Filesystem, Group, Host, Pair

DEFAULT_PATH = Path("/etc/dualsrm/dualsrm.toml")
PATH_VARIABLE = "DUALSRM_CONFIG"


def load(path: Path) -> Settings:
    """Read and validate the file; raises `ConfigError` with everything that is wrong with it."""
    text = _read(path)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}", why=NOTHING_DONE, fix="Correct that line.") from None
    problems: list[Problem] = []
    document = None
    try:
        document = Document.model_validate(raw)
    except ValidationError as error:
        problems += [key_problem(detail) for detail in error.errors(include_url=False)]
    problems += [*across_problems(raw), *group_problems(raw)]
    if document is None or problems:
        raise refusal(path, text, problems)
    return _settings(path, document)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read()
    except FileNotFoundError:
        raise ConfigError(
            f"there is no configuration file {path}",
            why=NOTHING_DONE,
            fix=f"Write it: dualsrm init HOST1 HOST2; or name another with --config or {PATH_VARIABLE}.",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", why=NOTHING_DONE, fix="Make it a file this user may read."
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
        raise ConfigError(f"{path} is not UTF-8 (line {line})", why=NOTHING_DONE, fix="Save it as UTF-8.") from None


def _settings(path: Path, document: Document) -> Settings:
    hosts = {name: Host(name=name, **section.model_dump()) for name, section in document.hosts.items()}
    groups = {name: section.group(name) for name, section in document.groups.items()}
    pairs = {
        name: Pair(
            name,
            (section.hosts[0], section.hosts[1]),
            _filesystems(name, groups),
            document.migration.transport == "tls",
        )
        for name, section in document.pairs.items()
    }
    return Settings(
        path=path,
        ssh=document.ssh,
        migration=document.migration,
        evacuation=document.evacuation,
        shutdown=document.shutdown,
        rehearsal=document.rehearsal,
        state=document.state,
        hosts=MappingProxyType(hosts),
        pairs=MappingProxyType(pairs),
        groups=MappingProxyType(groups),
    )


def _filesystems(pair: str, groups: Mapping[str, Group]) -> tuple[Filesystem, ...]:
    declared = (group.filesystem for group in groups.values() if group.pair == pair)
    return tuple(one for one in declared if one is not None)
