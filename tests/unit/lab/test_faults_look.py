"""One look at a node, read from what real nodes printed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.faults.look import AT_REST, MINORS, Look, not_quiet, parse_look, split_brains
from tests.lab.faults.sampler import parse_drbd
from tests.lab.faults.watch import Device
from tests.lab.handle import HOSTS

FIXTURES = Path(__file__).parents[2] / "fixtures" / "drbd" / "8.4"


def recorded(state: str) -> str:
    return (FIXTURES / state).read_text()


def printed(drbd: str, show: str, running: str) -> str:
    """What the node prints: see `_LOOK`."""
    return f"{drbd}====\n{show}====\n{running}"


DUAL = printed(recorded("12-dual-primary.node1.proc-drbd"), recorded("12-dual-primary.node1.show"), "web\nmail\n\n")
FROZEN = printed(
    recorded("57b-fence-handler-failed-suspended.node1.proc-drbd"),
    recorded("57b-fence-handler-failed-suspended.node1.show"),
    "web\n",
)


class TestParse:
    def test_a_window_and_who_runs(self) -> None:
        seen = parse_look(DUAL)
        assert seen.devices == {"0": Device("Connected", "Primary/Primary", "UpToDate/UpToDate", "r-----")}
        assert seen.windows == {"vm1"}
        assert seen.fencing == {"vm1": "dont-care"}
        assert seen.running == {"web", "mail"}
        assert not seen.frozen

    def test_a_freeze(self) -> None:
        seen = parse_look(FROZEN)
        assert seen.devices == {"0": Device("WFConnection", "Primary/Unknown", "UpToDate/DUnknown", "s-----")}
        assert seen.frozen
        assert seen.windows == frozenset()
        assert seen.fencing == {"vm1": "resource-and-stonith"}

    def test_a_resource_s_options_are_its_own(self) -> None:
        """The text of one resource is followed by the next one's, as on a node with several."""
        quiet = recorded("57b-fence-handler-failed-suspended.node1.show").replace("vm1", "db-data")
        seen = parse_look(printed("", recorded("12-dual-primary.node1.show") + quiet, ""))
        assert seen.windows == {"vm1"}
        assert seen.fencing == {"vm1": "dont-care", "db-data": "resource-and-stonith"}

    def test_nothing_up(self) -> None:
        assert parse_look(printed("version: 8.4.11\n", "", "\n")) == Look({}, frozenset(), {}, frozenset())

    def test_without_a_connection_the_protocol_s_letter_is_missing(self) -> None:
        found = parse_drbd(recorded("21-outdated-standalone.node2.proc-drbd"))
        assert found == {"0": ("StandAlone", "Secondary/Unknown", "Outdated/DUnknown", "r-----")}

    def test_a_minor_that_is_down_is_missing(self) -> None:
        assert parse_drbd(" 0: cs:Unconfigured\n") == {}


def quiet(first: str = "Primary/Secondary") -> Look:
    """A node of a pair at rest."""
    return Look(
        devices={minor: Device("Connected", first, "UpToDate/UpToDate", "r-----") for minor in MINORS.values()},
        windows=frozenset(),
        fencing=dict.fromkeys(MINORS, AT_REST),
        running=frozenset({"web", "mail", "db"} if first.startswith("Primary") else ()),
    )


ALPHA, BETA = quiet(), quiet("Secondary/Primary")


def with_device(view: Look, resource: str, **changed: str) -> Look:
    minor = MINORS[resource]
    return replace(view, devices={**view.devices, minor: replace(view.devices[minor], **changed)})


class TestQuiet:
    def test_a_pair_at_rest(self) -> None:
        assert not_quiet({"alpha": ALPHA, "beta": BETA}) == []

    def test_a_silent_host(self) -> None:
        assert not_quiet({"alpha": ALPHA, "beta": None}) == ["beta does not answer"]

    def test_an_open_window(self) -> None:
        assert not_quiet({"alpha": ALPHA, "beta": replace(BETA, windows=frozenset({"web"}))}) == [
            "beta: window open on web"
        ]

    @pytest.mark.parametrize("kind", ["resource-and-stonith", "dont-care"])
    def test_another_policy(self, kind: str) -> None:
        seen = {"alpha": replace(ALPHA, fencing={**ALPHA.fencing, "mail": kind}), "beta": BETA}
        assert not_quiet(seen) == [f"alpha: mail has fencing {kind}"]

    @pytest.mark.parametrize(
        "changed",
        [{"connection": "StandAlone"}, {"disks": "UpToDate/Outdated"}, {"flags": "s-----"}],
        ids=lambda changed: next(iter(changed)),
    )
    def test_a_device_that_is_not_well(self, changed: dict[str, str]) -> None:
        found = not_quiet({"alpha": with_device(ALPHA, "db-log", **changed), "beta": BETA})
        assert len(found) == 1
        assert found[0].startswith("alpha: db-log is Device(")

    def test_a_device_that_is_down(self) -> None:
        up = {minor: device for minor, device in BETA.devices.items() if minor != MINORS["web"]}
        assert not_quiet({"alpha": ALPHA, "beta": replace(BETA, devices=up)}) == ["beta: web is down"]

    def test_a_guest_that_runs_nowhere(self) -> None:
        seen = {"alpha": replace(ALPHA, running=frozenset({"web", "mail"})), "beta": BETA}
        assert not_quiet(seen) == ["db runs on no host"]

    def test_a_guest_that_runs_twice(self) -> None:
        seen = {"alpha": ALPHA, "beta": replace(BETA, running=frozenset({"web"}))}
        assert not_quiet(seen) == ["web runs on ['alpha', 'beta']"]

    @pytest.mark.parametrize("roles", ["Primary/Primary", "Secondary/Primary"])
    def test_a_guest_whose_disk_has_another_role(self, roles: str) -> None:
        seen = {"alpha": with_device(ALPHA, "db-log", roles=roles), "beta": BETA}
        assert not_quiet(seen) == [f"db-log is {roles} where db runs (alpha)"]


def test_split_brains_of_both_consoles_are_counted(tmp_path: Path) -> None:
    found = "drbd vm1: Split-Brain detected but unresolved, dropping connection!\n"
    asked = "drbd vm1: helper command: /sbin/drbdadm initial-split-brain minor-0\n"
    for host in HOSTS:
        (tmp_path / f"{host}.console").write_text(asked)
    assert split_brains(tmp_path) == 0
    for host in HOSTS:
        (tmp_path / f"{host}.console").write_bytes(b"\xff\xfe" + (found + asked + found).encode())
    assert split_brains(tmp_path) == 4
