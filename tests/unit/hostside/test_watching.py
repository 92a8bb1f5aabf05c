"""What a guard sees go wrong, one look at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dualsrm.hosts.drbd import Shown
from dualsrm.hostside.watching import Watch
from dualsrm.model import (
    AT_REST,
    IN_WINDOW,
    Connection,
    ConnectionState,
    DiskState,
    PeerVolume,
    ReplicationState,
    Resource,
    Role,
    RuntimeOptions,
    Volume,
    Window,
)

WINDOW = Window("op1", "pair", "web", "uuid-1", "alpha", "beta", ("web",), "2026-11-22T09:00:00+00:00")
OPEN = RuntimeOptions(allow_two_primaries=True, fencing=IN_WINDOW)
PEER = PeerVolume(0, ReplicationState.ESTABLISHED, DiskState.UP_TO_DATE)
CONNECTED = Connection("beta", ConnectionState.CONNECTED, Role.PRIMARY, (PEER,))
HEALTHY = Resource("web", Role.PRIMARY, (), (Volume(0, 0, DiskState.UP_TO_DATE),), CONNECTED, OPEN)


def opened() -> Watch:
    watch = Watch(WINDOW)
    watch.see_options({"web": Shown(OPEN)})
    return watch


def test_nothing_differs_in_a_healthy_window() -> None:
    assert opened().differs([HEALTHY]) == ("", False)


@pytest.mark.parametrize(
    ("resource", "words", "link"),
    [
        (replace(HEALTHY, suspended=("fencing",)), "suspended", True),
        (replace(HEALTHY, connection=None), "no connection", True),
        (replace(HEALTHY, connection=replace(CONNECTED, state=ConnectionState.CONNECTING)), "Connecting", True),
        (replace(HEALTHY, volumes=(Volume(0, 0, DiskState.FAILED),)), "Failed", False),
        (
            replace(
                HEALTHY,
                connection=replace(CONNECTED, volumes=(replace(PEER, replication=ReplicationState.SYNC_SOURCE),)),
            ),
            "SyncSource",
            False,
        ),
    ],
)
def test_what_differs_and_whether_it_is_the_link(resource: Resource, words: str, link: bool) -> None:
    seen, is_link = opened().differs([resource])
    assert words in seen
    assert is_link is link


def test_a_resource_that_is_gone_is_no_lost_link() -> None:
    assert opened().differs([]) == ("web is not up", False)


@pytest.mark.parametrize(
    ("shown", "option"),
    [(replace(OPEN, fencing=AT_REST), "fencing"), (replace(OPEN, allow_two_primaries=False), "allow-two-primaries")],
)
def test_an_option_somebody_took_back(shown: RuntimeOptions, option: str) -> None:
    watch = opened()
    watch.see_options({"web": Shown(shown)})
    assert watch.differs([HEALTHY]) == (f"{option} of web was changed by someone", False)


def test_an_option_not_yet_set_is_not_taken_back() -> None:
    watch = Watch(WINDOW)
    watch.see_options({"web": Shown(RuntimeOptions(fencing=AT_REST))})
    assert watch.differs([HEALTHY]) == ("", False)


def test_a_lost_link_outweighs_another_resources_trouble() -> None:
    watch = Watch(replace(WINDOW, resources=("data", "log")))
    data = replace(HEALTHY, name="data", volumes=(Volume(0, 0, DiskState.FAILED),))
    log = replace(HEALTHY, name="log", connection=replace(CONNECTED, state=ConnectionState.CONNECTING))
    assert watch.differs([data, log])[1] is True
