"""Which network memory takes: one both hosts are on, and the one that nothing else needs."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from dualsrm.model import HostAddress, HostSurvey
from dualsrm.setup import memory_network
from dualsrm.setup.networks import Shares

MANAGEMENT, REPLICATION, MEMORY = "192.0.2", "203.0.113", "198.51.100"
NAMED = (f"{MANAGEMENT}.11", f"{MANAGEMENT}.12")


def survey(name: str, *addresses: tuple[str, str], reached_at: str | None = None) -> HostSurvey:
    found = tuple(HostAddress(*one) for one in addresses)
    return HostSurvey(name, reached_at, found, ("br0",))


def both(*networks: tuple[str, str], more: tuple[str, ...] = ()) -> tuple[HostSurvey, HostSurvey]:
    """Both hosts on these networks; `more` are addresses that both have."""
    extra = [("virbr0", address) for address in more]
    alpha = survey("alpha", *((name, f"{net}.11/24") for name, net in networks), *extra)
    return alpha, survey("beta", *((name, f"{net}.12/24") for name, net in networks), *extra)


def replication() -> set[str]:
    return {f"{REPLICATION}.11", f"{REPLICATION}.12"}


def test_one_of_its_own_is_taken_wherever_it_stands() -> None:
    found = memory_network(
        both(("eth0", MANAGEMENT), ("eth1", REPLICATION), ("eth2", MEMORY)), NAMED, replication(), {"br0"}
    )
    assert found.addresses == (f"{MEMORY}.11", f"{MEMORY}.12")
    assert found.shares is Shares.NOTHING
    assert set(found.others) == {f"{MANAGEMENT}.0/24", f"{REPLICATION}.0/24"}


def test_then_a_guests_bridge_then_management_and_replication_last() -> None:
    lans = {"br0": "10.0.0", "eth0": MANAGEMENT, "eth1": REPLICATION}
    for expected in (Shares.GUESTS, Shares.MANAGEMENT, Shares.REPLICATION):
        found = memory_network(both(*lans.items()), NAMED, replication(), {"br0"})
        assert found.shares is expected
        del lans[next(iter(lans))]


def test_the_management_network_is_known_by_where_ssh_arrived_when_the_host_was_named_by_name() -> None:
    alpha, beta = both(("eth0", MANAGEMENT), ("eth2", MEMORY))
    alpha = HostSurvey("alpha", f"{MANAGEMENT}.11", alpha.addresses, alpha.bridges)
    found = memory_network((alpha, beta), ("alpha", "beta"), set(), set())
    assert found.addresses == (f"{MEMORY}.11", f"{MEMORY}.12")


def test_the_same_address_on_both_is_a_private_bridge_and_no_way_to_meet() -> None:
    found = memory_network(both(("eth0", MANAGEMENT), more=("192.168.122.1/24", "fe80::1/64")), NAMED, set(), set())
    assert found.addresses == NAMED


def test_with_no_network_in_common_it_is_where_they_answered() -> None:
    pair = survey("alpha", ("eth0", "10.1.0.1/24")), survey("beta", ("eth0", "10.2.0.1/24"))
    found = memory_network(pair, ("alpha", "beta"), set(), set())
    assert (found.addresses, found.network) == (("alpha", "beta"), "")


@given(st.lists(st.tuples(st.ip_addresses(), st.integers(0, 32)), max_size=6))
def test_whatever_the_addresses_the_two_are_of_one_network_and_differ(
    addresses: list[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]],
) -> None:
    words = [("eth0", f"{address}/{prefix}") for address, prefix in addresses]
    half = len(words) // 2
    found = memory_network((survey("a", *words[:half]), survey("b", *words[half:])), NAMED, set(), set())
    first, second = map(ipaddress.ip_address, found.addresses)
    assert first != second
    if found.network:
        assert first in ipaddress.ip_network(found.network)
        assert second in ipaddress.ip_network(found.network)
