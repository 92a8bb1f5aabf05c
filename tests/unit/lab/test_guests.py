from __future__ import annotations

import pytest

from uml import guests

HEAD = "version: 8.4.11 (api:1/proto:86-101)\nsrcversion: 059B1B470318F053F5077D5\n"


def device(minor: int, state: str = "Connected", disks: str = "UpToDate/UpToDate") -> str:
    return (
        f" {minor}: cs:{state} ro:Secondary/Secondary ds:{disks} C r-----\n"
        "    ns:0 nr:0 dw:0 dr:0 al:0 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:0\n"
    )


ALL_WELL = [device(minor) for minor in range(4)]


def test_four_connected_resources_are_replicated() -> None:
    assert guests.connected(HEAD + "".join(ALL_WELL))


@pytest.mark.parametrize(
    "fourth",
    [
        "",
        " 3: cs:Unconfigured\n",
        device(3, "WFConnection", "UpToDate/DUnknown"),
        device(3, "SyncTarget", "Inconsistent/UpToDate"),
        device(3, "Connected", "UpToDate/Outdated"),
    ],
)
def test_one_that_is_not_spoils_it(fourth: str) -> None:
    assert not guests.connected(HEAD + "".join(ALL_WELL[:3]) + fourth)


def test_more_resources_are_more_to_wait_for() -> None:
    assert not guests.connected(HEAD + "".join(ALL_WELL), 8)
    assert guests.connected(HEAD + "".join(map(device, range(8))), 8)


def test_module_without_resources_is_not_replicated() -> None:
    assert not guests.connected(HEAD)


def test_a_guest_runs_where_one_node_says_so() -> None:
    assert guests.hosts({"alpha": ["web", "db"], "beta": ["mail"]}) == {"web": "alpha", "mail": "beta", "db": "alpha"}


def test_silence_and_two_claims_are_unknown() -> None:
    assert guests.hosts({"alpha": ["web"], "beta": ["web"]})["web"] is None
    assert guests.hosts({"alpha": None, "beta": []}) == {"web": None, "mail": None, "db": None}
