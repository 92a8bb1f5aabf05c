"""From findings to the file: the loader takes it, whatever hosts, guests and resources are called."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dualsrm.config import load
from dualsrm.hostside.settings import load_peer
from dualsrm.model import Host, HostAddress, HostSurvey, PeerSeen, Power, Severity, Unknown
from dualsrm.setup import Draft, Fence, GuestDraft, HostDraft, MemoryNetwork, missing, render
from dualsrm.setup.networks import Shares

SEEN = PeerSeen(True, "it answers", Power.ON, "fence_ipmilan")
NO_SWITCH = PeerSeen(True, "it answers", Power.NO_DEVICE)
CUT_OFF = PeerSeen(False, "it does not answer", Power.NO_DEVICE)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1)
FILE = "/etc/dualsrm/dualsrm.toml"


def host(name: str, number: int, **fields: object) -> HostDraft:
    survey = HostSurvey(
        name,
        None,
        (HostAddress("eth0", f"192.0.2.{number}/24"),),
        ("br0",),
    )
    configured = Host(name, f"192.0.2.{number}", f"198.51.100.{number}", f"qemu+ssh://192.0.2.{number}/system")
    made = HostDraft(configured, survey, SEEN, "9.2.18", "EPYC", (f"203.0.113.{number}",))
    return replace(made, **fields)  # type: ignore[arg-type]  # a test's choice of fields


def draft(**fields: object) -> Draft:
    memory = MemoryNetwork(("198.51.100.11", "198.51.100.12"), "198.51.100.0/24", Shares.NOTHING)
    made = Draft("lab", (host("alpha", 11), host("beta", 12)), memory, ())
    return replace(made, **fields)  # type: ignore[arg-type]  # a test's choice of fields


def written(directory: Path, made: Draft) -> Path:
    path = directory / "dualsrm.toml"
    path.write_text(render(made, str(path)), encoding="utf-8")
    path.chmod(0o600)
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    names=st.lists(NAMES, min_size=3, max_size=3, unique=True),
    guests=st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=4),
    odd=st.text(),
    path=PRINTABLE,
    shares=st.sampled_from(Shares),
    login=st.tuples(st.sampled_from(["root", "admin"]), st.integers(1, 65535)),
)
def test_what_is_written_is_what_is_loaded(
    tmp_path: Path,
    *,
    names: list[str],
    guests: list[tuple[str, str, str]],
    odd: str,
    path: str,
    shares: Shares,
    login: tuple[str, int],
) -> None:
    """Names of guests, resources, interfaces, CPUs and reasons may be anything: they stand in comments only."""
    first, second, pair = names
    made = draft(
        pair=pair,
        hosts=(host(first, 11, cpu=odd, drbd_version=odd, peer=CUT_OFF), host(second, 12, peer=Unknown(odd))),
        guests=tuple(GuestDraft(guest, (first,), (resource,), (why,)) for guest, resource, why in guests),
        identity=f"/{path}",
        known_hosts=f"/{path}",
        state=f"/{path}",
    )
    one = made.hosts[0]
    one = replace(
        one,
        host=replace(one.host, user=login[0], port=login[1]),
        survey=replace(one.survey, bridges=(odd,), addresses=(HostAddress(odd, "192.0.2.11/24"),)),
    )
    made = replace(made, hosts=(one, made.hosts[1]), memory=replace(made.memory, shares=shares, others=(odd,)))
    loaded = load(written(tmp_path, made))
    assert dict(loaded.hosts) == {one.host.name: one.host for one in made.hosts}
    assert {name: set(found.hosts) for name, found in loaded.pairs.items()} == {pair: {first, second}}
    assert (loaded.ssh.identity_file, loaded.ssh.known_hosts, loaded.state.directory) == (f"/{path}",) * 3
    assert (dict(loaded.groups), loaded.migration.transport) == ({}, "tls")


def test_every_line_of_a_hostile_name_is_a_comment() -> None:
    made = draft(guests=(GuestDraft('web\n[hosts.x]\nuser = "evil"', ("alpha",), ("a\r\nb",), ("\x1b[31m",)),))
    told = [line for line in render(made, FILE).split("\n") if "evil" in line or "\x1b" in line or "31m" in line]
    assert told
    assert all(line.startswith("#") for line in told)
    assert "\x1b" not in render(made, FILE)


# --- the hosts' own files -------------------------------------------------------------------------

FENCE = Fence(
    "fence_ipmilan", {"ip": "203.0.113.12", "username": 'a"\\b', "lanplus": "1"}, "/etc/dualsrm/beta.password"
)


def taken_out(path: Path, number: int) -> str:
    """What the command in the comments sends to the host."""
    commands = [line.removeprefix("#").strip() for line in path.read_text().splitlines() if "| ssh" in line]
    (command,) = (one for one in commands if one.startswith(f"sed -n 's/^#{number}>"))
    return subprocess.run(shlex.split(command.partition(" | ")[0]), check=True, capture_output=True, text=True).stdout


def test_the_command_in_the_comments_takes_out_what_the_host_reads(tmp_path: Path) -> None:
    path = written(tmp_path, draft(hosts=(host("alpha", 11, peer=CUT_OFF), host("be.ta", 12)), fences={"be.ta": FENCE}))
    there = tmp_path / "host.toml"
    there.write_text(taken_out(path, 1))
    there.chmod(0o600)
    if os.geteuid() == 0:
        peer = load_peer("be.ta", there)
        assert peer.address == "192.0.2.12"
        assert peer.fence is not None
        assert (peer.fence.agent, peer.fence.options) == (FENCE.agent, FENCE.options)
        assert str(peer.fence.password_file) == FENCE.password_file
    assert '"a\\"\\\\b"' in there.read_text()


def test_without_a_power_switch_it_stands_there_to_be_filled_in(tmp_path: Path) -> None:
    path = written(tmp_path, draft(hosts=(host("alpha", 11, peer=NO_SWITCH), host("beta", 12))))
    lines = taken_out(path, 1).splitlines()
    assert lines[:2] == ["[peers.beta]", 'address = "192.0.2.12"']
    assert all(line.startswith("#") for line in lines[2:])
    assert "# agent = " in "\n".join(lines)


def test_a_host_that_has_all_of_it_is_told_nothing() -> None:
    assert not re.search(r"^#[12]> ", render(draft(), FILE), re.MULTILINE)


# --- what is missing ------------------------------------------------------------------------------


def found(made: Draft) -> dict[tuple[str, str], Severity]:
    return {(one.check, one.subject): one.severity for one in missing(made, FILE)}


def test_of_a_pair_that_has_everything_nothing_is_said() -> None:
    assert missing(draft(), FILE) == ()


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (NO_SWITCH, {("power-switch", "beta"): Severity.WARNING}),
        (replace(SEEN, power=Power.UNKNOWN), {("power-switch", "beta"): Severity.WARNING}),
        (replace(SEEN, power=Power.OFF), {}),
        (replace(SEEN, reached=False), {("peer-reached", "alpha"): Severity.WARNING}),
        (replace(SEEN, reached=None), {("peer-reached", "alpha"): Severity.WARNING}),
        (Unknown("not found"), {("host-program", "alpha"): Severity.UNKNOWN}),
    ],
)
def test_each_thing_a_host_lacks_is_said_with_its_cure(
    peer: PeerSeen | Unknown, expected: dict[tuple[str, str], Severity]
) -> None:
    made = draft(hosts=(host("alpha", 11, peer=peer), host("beta", 12)))
    assert found(made) == expected
    assert all(one.seen and one.why and one.fix for one in missing(made, FILE))
    if any("#1>" in one.fix for one in missing(made, FILE)):
        assert "#1> [peers.beta]" in render(made, FILE), "what the command takes out is there"
