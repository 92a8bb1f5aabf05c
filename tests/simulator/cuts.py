"""What the world cuts at any moment, and how that is mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulator.pair import ALPHA, BETA, SimPair

Act = Callable[[SimPair], None]


def _nothing(_pair: SimPair) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Fault:
    """What the world does, and how that is mended."""

    name: str
    strike: Act
    mend: Act = _nothing


def _isolate(*hosts: str) -> tuple[Act, Act]:
    def cut(pair: SimPair) -> None:
        for host in hosts:
            pair.isolate(host)

    def heal(pair: SimPair) -> None:
        for host in hosts:
            pair.reach_again(host)

    return cut, heal


def _both(*acts: Act) -> Act:
    def all_of_them(pair: SimPair) -> None:
        for act in acts:
            act(pair)

    return all_of_them


_LINK: tuple[Act, Act] = (lambda pair: pair.cut_link(), lambda pair: pair.heal_link())
_PATH: tuple[Act, Act] = (lambda pair: pair.cut_path(), lambda pair: pair.heal_path())
_HOSTS: tuple[Act, Act] = (
    lambda pair: pair.cut_management_between_hosts(),
    lambda pair: pair.heal_management_between_hosts(),
)
_MANAGER = _isolate(ALPHA, BETA)

LINK = Fault("link", *_LINK)
CUTS = (
    LINK,
    Fault("link+path", _both(_LINK[0], _PATH[0]), _both(_PATH[1], _LINK[1])),
    Fault("hosts", *_HOSTS),
    Fault("link+hosts", _both(_HOSTS[0], _LINK[0]), _both(_LINK[1], _HOSTS[1])),
    Fault("hosts+link", _both(_HOSTS[0], _LINK[0]), _both(_HOSTS[1], _LINK[1])),
    Fault("manager-source", *_isolate(ALPHA)),
    Fault("manager-target", *_isolate(BETA)),
    Fault("manager", *_MANAGER),
    Fault("link+manager", _both(_LINK[0], _MANAGER[0]), _both(_LINK[1], _MANAGER[1])),
    Fault(
        "everything",
        _both(_LINK[0], _PATH[0], _HOSTS[0], _MANAGER[0]),
        _both(_MANAGER[1], _HOSTS[1], _PATH[1], _LINK[1]),
    ),
    Fault("one-resource", lambda pair: pair.cut_link(first(pair)), lambda pair: pair.heal_link(first(pair))),
)


def first(pair: SimPair) -> str:
    return next(iter(pair.drbd.link_up))
