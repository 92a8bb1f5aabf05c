"""Which network guests' memory takes from host to host: one both are on, best one that nothing else needs."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from dualsrm.model import HostSurvey

_Interface: TypeAlias = ipaddress.IPv4Interface | ipaddress.IPv6Interface


class Shares(IntEnum):
    """What else uses the network; less is better."""

    NOTHING = 0
    GUESTS = 1
    MANAGEMENT = 2
    REPLICATION = 3


@dataclass(frozen=True, slots=True)
class MemoryNetwork:
    """Where memory arrives on the first and on the second host, and what is to be said of it."""

    addresses: tuple[str, str]
    network: str
    """Empty when the hosts were found on no network together."""
    shares: Shares
    others: tuple[str, ...] = ()
    """The other networks both are on."""


def memory_network(
    surveys: tuple[HostSurvey, HostSurvey],
    management: tuple[str, str],
    replication: Collection[str],
    guest_bridges: Collection[str],
) -> MemoryNetwork:
    """The best network the two hosts have in common. `management`: their addresses as they were named.

    Memory at full speed starves replication on the same link, so that network comes last. Without any in common the
    management addresses are taken: there at least they are known to answer.
    """
    taken = [*management, *(survey.reached_at for survey in surveys if survey.reached_at)]
    found = sorted(
        ((_shares(first, interface, replication, taken, guest_bridges), first, second))
        for interface, first, second in _in_common(*surveys)
    )
    if not found:
        return MemoryNetwork(management, "", Shares.MANAGEMENT)
    shares, first, second = found[0]
    others = tuple(dict.fromkeys(str(one.network) for _, one, _ in found[1:] if one.network != first.network))
    return MemoryNetwork((str(first.ip), str(second.ip)), str(first.network), shares, others)


def _in_common(first: HostSurvey, second: HostSurvey) -> Iterator[tuple[str, _Interface, _Interface]]:
    """Interface of the first host, and the addresses of both, of each network both are on.

    Two hosts with the same address there (libvirt's and others' private bridges) do not meet on it.
    """
    for one in first.addresses:
        here = ipaddress.ip_interface(one.address)
        for other in second.addresses:
            there = ipaddress.ip_interface(other.address)
            if here.network == there.network and here.ip != there.ip and _usable(here) and _usable(there):
                yield one.interface, here, there


def _usable(address: _Interface) -> bool:
    ip = address.ip
    wide = address.network.prefixlen < ip.max_prefixlen
    return wide and not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)


def _shares(
    address: _Interface,
    interface: str,
    replication: Collection[str],
    management: Collection[str],
    bridges: Collection[str],
) -> Shares:
    if any(_within(one, address) for one in replication):
        return Shares.REPLICATION
    if any(_within(one, address) for one in management):
        return Shares.MANAGEMENT
    return Shares.GUESTS if interface in bridges else Shares.NOTHING


def _within(address: str, network: _Interface) -> bool:
    try:
        return ipaddress.ip_address(address) in network.network
    except ValueError:  # a name
        return False
