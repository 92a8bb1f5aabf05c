"""`dualsrm init` over the simulated pair: what it writes is a configuration, and its checks are those of `check`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dualsrm.config import load
from dualsrm.errors import ExitCode
from dualsrm.model import HostSurvey
from tests.simulator.pair import ALPHA, BETA, SimPair
from tests.unit.cli.running import Program

ADDRESSES = ("192.0.2.11", "192.0.2.12")


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    return tmp_path / "fresh.toml"


@pytest.fixture
def state(tmp_path: Path) -> tuple[str, str]:
    return ("--state", str(tmp_path / "state"))


def blockers(document: dict[str, object]) -> dict[str, set[str]]:
    guests = document["guests"]
    assert isinstance(guests, list)
    return {guest["guest"]: {finding["check"] for finding in guest["blockers"]} for guest in guests}


def test_it_alone_leads_to_a_move(program: Program, pair: SimPair, fresh: Path, state: tuple[str, str]) -> None:
    ran = program("init", *ADDRESSES, "--output", str(fresh), *state, "--pair", "lab")
    assert ran.code == ExitCode.OK, ran.out + ran.err
    assert not pair.changed_anything()
    assert "web: ready to migrate, ready to fail over" in ran.out
    assert fresh.stat().st_mode & 0o777 == 0o600
    settings = load(fresh)
    assert settings.pairs["lab"].hosts == (ALPHA, BETA)
    assert settings.hosts[ALPHA].migration_address == "198.51.100.11", "neither management nor replication"
    assert settings.hosts[BETA].peer_uri == "qemu+ssh://192.0.2.12/system"
    assert program("check", "web", path=fresh).code == ExitCode.OK
    assert program("migrate", "web", path=fresh).code == ExitCode.OK
    assert pair.running_on("web") == (BETA,)


def test_a_file_that_is_there_is_not_touched_unless_told(
    program: Program, pair: SimPair, fresh: Path, state: tuple[str, str]
) -> None:
    fresh.write_text("mine")
    ran = program("init", *ADDRESSES, "--output", str(fresh), *state)
    assert (ran.code, fresh.read_text()) == (ExitCode.USAGE, "mine")
    assert "--force" in ran.err
    assert pair.calls == [], "no host is asked for nothing"
    assert program("init", *ADDRESSES, "--output", str(fresh), *state, "--force").code == ExitCode.OK
    assert load(fresh).pairs.keys() == {"alpha-beta"}
    assert list(fresh.parent.glob(".*")) == [], "nothing is left beside it"


def test_without_output_it_is_the_file_of_config(program: Program, fresh: Path, state: tuple[str, str]) -> None:
    assert program("init", *ADDRESSES, *state, path=fresh).code == ExitCode.OK
    assert load(fresh).hosts.keys() == {ALPHA, BETA}


def test_what_is_missing_is_what_check_says(
    program: Program, pair: SimPair, fresh: Path, state: tuple[str, str]
) -> None:
    pair.machines[BETA].handler = False
    pair.cut_link("web")
    ran = program("init", *ADDRESSES, "--output", str(fresh), *state, "--json")
    assert ran.code == ExitCode.REFUSED
    said = blockers(ran.document)
    for guest in ("web", "db"):
        check = program("check", guest, "--json", path=fresh).document
        blocking = {one["check"] for one in check["findings"] if one["severity"] in ("failed", "unknown")}
        assert said[guest] == blocking
    assert "fence-handler" in said["db"]
    assert "replication-connected" in said["web"]
    people = program("init", *ADDRESSES, "--output", str(fresh), *state, "--force")
    assert "web: NOT ready to migrate, NOT ready to fail over" in people.out
    assert "fix:" in people.out


def test_a_host_that_is_silent_leaves_no_file(program: Program, pair: SimPair, fresh: Path) -> None:
    pair.isolate(BETA)
    ran = program("init", *ADDRESSES, "--output", str(fresh), "--json")
    assert ran.code == ExitCode.UNREACHABLE
    assert ran.document["kind"] == "error"
    assert not fresh.exists()


@pytest.mark.parametrize("part", ["libvirtd", "drbd"])
def test_half_a_look_is_none(program: Program, pair: SimPair, fresh: Path, part: str) -> None:
    setattr(pair.machines[BETA], part, False)
    ran = program("init", *ADDRESSES, "--output", str(fresh))
    assert ran.code == ExitCode.UNREACHABLE
    assert "fix:" in ran.err
    assert not fresh.exists()


@pytest.mark.parametrize(
    "typed", ["127.0.0.1", "::1", "localhost", "-oProxyCommand=x", "a b", "x@y@z", "a:0", "", "a:99999"]
)
def test_what_cannot_be_the_name_of_a_host_for_the_other_one(program: Program, fresh: Path, typed: str) -> None:
    assert program("init", "--output", str(fresh), "--", ADDRESSES[0], typed).code == ExitCode.USAGE
    assert not fresh.exists()


def test_a_pair_by_a_name_that_cannot_stand_in_the_file(program: Program, fresh: Path) -> None:
    assert program("init", *ADDRESSES, "--output", str(fresh), "--pair", "a]b").code == ExitCode.USAGE
    assert not fresh.exists()


def test_one_host_twice_is_no_pair(program: Program, fresh: Path) -> None:
    assert program("init", ADDRESSES[0], f"root@{ADDRESSES[0]}", "--output", str(fresh)).code == ExitCode.REFUSED
    assert not fresh.exists()


def test_a_name_that_cannot_stand_in_the_file(
    program: Program, pair: SimPair, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = type(pair.ports[BETA])
    real = port.survey

    def renamed(self: object) -> HostSurvey:
        found = real(self)  # type: ignore[arg-type]  # a method taken off its class
        return replace(found, name="[evil]") if found.name == BETA else found

    monkeypatch.setattr(port, "survey", renamed)
    ran = program("init", *ADDRESSES, "--output", str(fresh))
    assert ran.code == ExitCode.REFUSED
    assert "[evil]" in ran.err
    assert not [call for call in pair.calls if call.method == "reach_peer"], "no command is made of it"
    assert not fresh.exists()


def test_missing_certificates_matter_only_with_tls(
    program: Program, pair: SimPair, fresh: Path, state: tuple[str, str]
) -> None:
    pair.machines[ALPHA].certificates_missing = ("server-key.pem",)
    tls = program("init", *ADDRESSES, "--output", str(fresh), *state)
    assert tls.code == ExitCode.REFUSED
    assert "server-key.pem not in /etc/pki/qemu on alpha" in tls.out
    assert "web: NOT ready to migrate, ready to fail over" in tls.out
    assert (
        program("init", *ADDRESSES, "--output", str(fresh), *state, "--force", "--transport", "tcp").code == ExitCode.OK
    )
    assert load(fresh).migration.transport == "tcp"


def test_a_guest_that_is_not_on_drbd_is_named_with_its_reason(
    program: Program, pair: SimPair, fresh: Path, state: tuple[str, str]
) -> None:
    pair.libvirt.guests["db"].other_disks = {ALPHA: (("nowhere", 0),), BETA: (("nowhere", 0),)}
    ran = program("init", *ADDRESSES, "--output", str(fresh), *state)
    assert ran.code == ExitCode.OK, "what cannot be managed is none of its troubles"
    assert "db: cannot be managed: vda is /dev/drbd/by-res/nowhere/0, which is no DRBD device" in ran.out
    assert "# Not managed: db: runs on alpha" in fresh.read_text()


FENCE = "agent=fence_ipmilan,ip=203.0.113.12,username=admin,password_file=/etc/dualsrm/beta.password"


def test_a_power_switch_given_stands_in_the_other_hosts_file(
    program: Program, fresh: Path, state: tuple[str, str]
) -> None:
    ran = program("init", *ADDRESSES, "--output", str(fresh), *state, "--fence", BETA, FENCE)
    assert ran.code == ExitCode.OK
    lines = fresh.read_text().splitlines()
    assert '#1> agent = "fence_ipmilan"' in lines
    assert '#2> # agent = "fence_ipmilan"' in lines, "the other one is left for a person"
    assert "power-switch (beta): alpha has no power switch of beta" in ran.out


@pytest.mark.parametrize(
    "given",
    [
        (BETA, "agent=fence_ipmilan,password=hunter2"),
        (BETA, "agent=fence_ipmilan,passwd=hunter2"),
        (BETA, "agent=rm"),
        (BETA, "ip=203.0.113.12"),
        (BETA, "agent=fence_ipmilan,action=off"),
        (BETA, "agent=fence_ipmilan,ip"),
        (BETA, "agent=fence_ipmilan,password_file=beta"),
        ("gamma", "agent=fence_ipmilan"),
    ],
)
def test_a_power_switch_that_is_none(program: Program, fresh: Path, given: tuple[str, str]) -> None:
    ran = program("init", *ADDRESSES, "--output", str(fresh), "--fence", *given)
    assert ran.code == ExitCode.USAGE
    assert "hunter2" not in ran.out + ran.err
    assert not fresh.exists()


def test_on_a_terminal_it_asks_and_with_no_input_it_does_not(
    program: Program, pair: SimPair, fresh: Path, state: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answers = iter(["", "fence_ipmilan", "203.0.113.12", "admin", "/etc/dualsrm/alpha.password"])

    def prompt(question: str, **_options: object) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("click.prompt", prompt)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("dualsrm.cli.init.sys.stderr.isatty", lambda: True)
    pair.machines[ALPHA].fence = pair.machines[BETA].fence = "none"
    words = ("init", *ADDRESSES, "--output", str(fresh), *state)
    assert program(*words, "--no-input").code == ExitCode.OK
    assert asked == []
    assert program(*words, "--force").code == ExitCode.OK
    assert [question.split(":")[0] for question in asked[:2]] == ["Power switch of beta", "Power switch of alpha"]
    assert not [question for question in asked if "password" in question and "file" not in question]
    assert '#2> password_file = "/etc/dualsrm/alpha.password"' in fresh.read_text()
