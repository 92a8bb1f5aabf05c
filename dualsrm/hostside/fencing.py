"""What the manager asks of the survivor in a failover: is the peer lost, and switch it off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from dualsrm.hostside.port import HostsideError, Local, NotAsked
from dualsrm.model import Fenced, PeerSeen, Power


class Gather(Protocol):
    """Makes calls, and returns when all are done."""

    def __call__(self, *calls: Callable[[], None]) -> None:
        """Make them, in whatever order."""


def one_by_one(*calls: Callable[[], None]) -> None:
    """In order."""
    for call in calls:
        call()


def look(local: Local, peer: str, gather: Gather = one_by_one) -> PeerSeen:
    """The peer as seen from here. Never raises: what cannot be seen is unknown."""
    reached, why = None, ""
    power, power_why, agent = Power.UNKNOWN, "", ""
    lost_since: Mapping[str, str] = {}

    def reach() -> None:
        nonlocal reached, why
        try:
            reached, why = local.reach(peer)
        except HostsideError as error:
            why = str(error)

    def ask_device() -> None:
        nonlocal power, power_why, agent
        try:
            agent = local.agent(peer)
            power, power_why = local.power(peer)
        except HostsideError as error:
            power_why = str(error)

    def read_log() -> None:
        nonlocal lost_since
        lost_since = local.lost_since()

    gather(reach, ask_device, read_log)
    return PeerSeen(reached, why, power, agent, power_why, lost_since)


def fence(local: Local, peer: str, now: Callable[[], float], quarantine: str = "") -> Fenced:
    """Switch the peer off by its device and note it, so that the handler lets this side be promoted. Never raises.

    `quarantine`: the failover for which it is put in quarantine, before anything can be promoted.
    """
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
        if quarantine:
            local.quarantine(peer, quarantine)
        local.confirm_off(peer, f"{agent} on {local.name}", shown=True)
    except HostsideError as error:
        # The handler would not know it, and refuse the promotion.
        return ended(off=False, was=was, asked=was is Power.ON, why=f"it is off, but {error}")
    local.log(f"{peer} is off: {agent} shows it")
    return ended(off=True, was=was, asked=was is Power.ON)
