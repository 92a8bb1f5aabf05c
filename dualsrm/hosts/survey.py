"""A `HostSurvey` from the sections of a probe that asked for it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from dualsrm.errors import CommandFailed
from dualsrm.hosts.probe import Probe
from dualsrm.hosts.text import clean
from dualsrm.model import HostAddress, HostSurvey, Maybe, Unknown

_ADDRESS: Final = re.compile(r"[0-9]+: ([^\s@]+)\S* +inet6? ([0-9a-fA-F.:]+/[0-9]{1,3}) ")
"""A line of `ip -o address show`: number, interface, family, address and prefix."""
_REACHED: Final = re.compile(r"\S+ [0-9]+ (\S+) [0-9]+")
"""SSH_CONNECTION: the client's address and port, the server's."""


def survey_of(answer: Probe, host: str) -> HostSurvey:
    """What the host says of itself. Raises `CommandFailed` without its name or its addresses: nothing is made of it."""
    name = answer.text("name", "uname -n")
    addresses = answer.text("addresses", "ip -o address show up scope global")
    for found in (name, addresses):
        if isinstance(found, Unknown):
            raise CommandFailed(
                f"{host} does not say who it is: {found.why}",
                why="a configuration names the host as DRBD's files do, and an address where memory arrives",
                fix=f"on {host}: uname -n; ip -o address show up scope global",
            )
    return HostSurvey(
        name=clean(str(name).strip(), 260),
        reached_at=_reached(answer.text("reached", "echo $SSH_CONNECTION")),
        addresses=tuple(_addresses(str(addresses))),
        bridges=_words(answer.text("bridges", "ls -d /sys/class/net/*/bridge")),
    )


def _addresses(text: str) -> Iterator[HostAddress]:
    for line in text.splitlines():
        found = _ADDRESS.match(line)
        if found and _is_network(found[2]):
            yield HostAddress(clean(found[1], 40), found[2])


def _is_network(address: str) -> bool:
    try:
        ipaddress.ip_interface(address)
    except ValueError:
        return False
    return True


def _reached(text: Maybe[str]) -> str | None:
    found = None if isinstance(text, Unknown) else _REACHED.fullmatch(text.strip())
    return found[1] if found and _is_network(found[1]) else None


def _words(text: Maybe[str]) -> Maybe[tuple[str, ...]]:
    return text if isinstance(text, Unknown) else tuple(clean(word, 40) for word in text.split())
