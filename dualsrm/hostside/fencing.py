"""What the manager asks of the survivor in a failover: is the peer lost, and switch it off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from dualsrm.hostside.port import HostsideError, Local, NotAsked
from dualsrm.model import Fenced, PeerSeen, Power

T = TypeVar("T")


class Gather(Protocol):
    """Makes two calls and gives both results."""

    def __call__(self, first: Callable[[], T], second: Callable[[], T]) -> tuple[T, T]:
        """Make them."""


def one_by_one(first: Callable[[], T], second: Callable[[], T]) -> tuple[T, T]:
    """In order."""
    return first(), second()


def look(local: Local, peer: str, gather: Gather = one_by_one) -> PeerSeen:
    """The peer as seen from here. Never raises: what cannot be seen is unknown."""

    def reach() -> tuple[object, str]:
        try:
            return local.reach(peer)
        except HostsideError as error:
            return None, str(error)

    def power() -> tuple[object, str]:
        try:
            return local.power(peer)
        except HostsideError as error:
            return Power.UNKNOWN, str(error)

    (reached, why), (state, power_why) = gather(reach, power)
    try:
        agent = local.agent(peer)
    except HostsideError:
        agent = ""  # host.toml cannot be used: said above
    return PeerSeen(
        reached=reached if isinstance(reached, bool) else None,
        why=why,
        power=Power(str(state)),
        agent=agent,
        power_why=power_why,
        lost_since=local.lost_since(),
    )


def fence(local: Local, peer: str, now: Callable[[], float]) -> Fenced:
    """Switch the peer off by its device and note it, so that the handler lets this side be promoted. Never raises."""
    began, agent = now(), ""

    def ended(*, off: bool, was: Power, asked: bool, why: str = "") -> Fenced:
        return Fenced(off, was, agent, round(now() - began, 3), asked, why)

    try:
        agent = local.agent(peer)
        was = local.fence(peer)
    except NotAsked as error:
        return ended(off=False, was=Power.UNKNOWN, asked=False, why=str(error))
    except HostsideError as error:
        # Without an agent its settings could not be read; with one it was on, was told to go off, and is not seen off.
        return ended(off=False, was=Power.ON if agent else Power.UNKNOWN, asked=bool(agent), why=str(error))
    if was is None:
        return ended(off=False, was=Power.NO_DEVICE, asked=False, why=f"no fence device is configured for {peer}")
    try:
        local.confirm_off(peer, f"{agent} on {local.name}", shown=True)
    except HostsideError as error:
        # The handler would not know it, and refuse the promotion.
        return ended(off=False, was=was, asked=was is Power.ON, why=f"it is off, but {error}")
    local.log(f"{peer} is off: {agent} shows it")
    return ended(off=True, was=was, asked=was is Power.ON)
