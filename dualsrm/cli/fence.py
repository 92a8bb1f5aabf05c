"""Power switches, as a person gives them: with `--fence`, or asked for on a terminal. Never a password."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

import click

from dualsrm.cli.text import plain
from dualsrm.errors import UsageError
from dualsrm.setup import Fence

_AGENT: Final = re.compile(r"(/[A-Za-z0-9_./-]*)?fence_[a-z0-9_]{1,64}", re.ASCII)
_KEY: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)
_EXAMPLE: Final = (
    "--fence beta agent=fence_ipmilan,ip=203.0.113.12,username=admin,password_file=/etc/dualsrm/beta-bmc.password"
)


def fences_given(given: Collection[tuple[str, str]], names: Mapping[str, str]) -> dict[str, Fence]:
    """The options by the host that is switched off. `names`: host by whatever a person may call it."""
    found: dict[str, Fence] = {}
    for host, words in given:
        if host not in names or names[host] in found:
            twice = (
                "named twice" if host in names else f"none of the two hosts ({', '.join(sorted(set(names.values())))})"
            )
            raise _refused(f"--fence: {host} is {twice}")
        found[names[host]] = _fence(words)
    return found


def ask_for_fences(hosts: Collection[str]) -> dict[str, Fence]:
    """Ask a person on the terminal for the power switch of each host; an empty answer leaves it out."""
    found: dict[str, Fence] = {}
    for host in hosts:
        agent = _ask(f"Power switch of {host}: fence agent, e.g. fence_ipmilan (empty: none, or later)")
        if not agent:
            continue
        keys = {
            "ip": "its address",
            "username": "user there",
            "password_file": f"file with its password, on {host}'s peer",
        }
        answers = {key: answer for key, what in keys.items() if (answer := _ask(f"  {what} (empty: none)"))}
        found[host] = _checked(agent, answers)
    return found


def _ask(question: str) -> str:
    answer: str = click.prompt(plain(question), default="", show_default=False, err=True)
    return answer.strip()


def _fence(words: str) -> Fence:
    pairs = [word.partition("=") for word in words.split(",")]
    if any(not equals or not value for _, equals, value in pairs):
        raise _refused(f"--fence: {words!r} is not KEY=VALUE,KEY=VALUE")
    options = {key: value for key, _, value in pairs}
    return _checked(options.pop("agent", ""), options)


def _checked(agent: str, options: dict[str, str]) -> Fence:
    """By the rules of host.toml."""
    if not _AGENT.fullmatch(agent):
        raise _refused(f"{agent!r} is no fence agent")
    password_file = options.pop("password_file", None)
    if password_file is not None and not password_file.startswith("/"):
        raise _refused(f"password_file {password_file!r} is no absolute path")
    for key, value in options.items():
        if "passw" in key:
            raise UsageError(
                f"{key} was given for the power switch",
                why="a password in a command line or in this file can be read by others",
                fix="write it into a file of one line on the host, chmod 600, and give password_file=PATH",
            )
        if not _KEY.fullmatch(key) or key == "action" or not value.isprintable():
            raise _refused(f"{key!r} is no parameter that a fence agent is given")
    if password_file is not None and not password_file.isprintable():
        raise _refused("password_file has control characters")
    return Fence(agent, options, password_file)


def _refused(seen: str) -> UsageError:
    return UsageError(plain(seen), why="nothing was written", fix=f"e.g. {_EXAMPLE}")
