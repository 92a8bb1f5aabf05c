"""Options in force, and that nothing else is ever kept."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.hosts.drbd import Dialect, ShowSyntaxError, parse_show, read_show
from dualsrm.model import RuntimeOptions
from tests.unit.drbd.captures import capture, names

SECRET = 'Tr0ub4dor&3 {#;}\\"'
LAB_84 = RuntimeOptions(after_sb_0pri="discard-zero-changes", after_sb_1pri="discard-secondary")
LAB_9 = replace(LAB_84, auto_promote=False)
STONITH = "resource-and-stonith"

DIFFERENT = {
    (Dialect.V84, "00-module-loaded-unconfigured.node1"): None,
    (Dialect.V9, "00-module-loaded-unconfigured.nine1"): None,
    (Dialect.V9, "42-all-down.nine1"): None,
    (Dialect.V9, "41-vm1-down.nine1"): None,
    (Dialect.V84, "12-dual-primary.node1"): replace(LAB_84, allow_two_primaries=True),
    (Dialect.V84, "12-dual-primary.node2"): replace(LAB_84, allow_two_primaries=True),
    (Dialect.V9, "12-dual-primary.nine1"): replace(LAB_9, allow_two_primaries=True),
    (Dialect.V9, "52-dual-primary-cut.nine1"): replace(LAB_9, allow_two_primaries=True),
    # 9 keeps the options of a StandAlone connection, 8.4 has none then.
    (Dialect.V9, "53-dual-primary-split-brain.nine1"): replace(LAB_9, allow_two_primaries=True),
    (Dialect.V84, "06-standalone-inconsistent-target.node2"): RuntimeOptions(),
    (Dialect.V84, "21-outdated-standalone.node2"): RuntimeOptions(),
    (Dialect.V84, "30-split-brain-standalone.node1"): RuntimeOptions(),
    (Dialect.V84, "57b-fence-handler-failed-suspended.node1"): replace(LAB_84, fencing=STONITH),
    (Dialect.V9, "34-netcut-fencing-suspended.nine1"): replace(LAB_9, fencing=STONITH),
}


@pytest.mark.parametrize(("dialect", "name"), names("*.show"))
def test_every_captured_show(dialect: Dialect, name: str) -> None:
    options = parse_show(capture(dialect, name), dialect)
    normal = LAB_84 if dialect is Dialect.V84 else LAB_9
    assert options.get("vm1") == DIFFERENT.get((dialect, name.removesuffix(".show")), normal)


def test_a_resource_that_is_down_is_absent() -> None:
    assert set(parse_show(capture(Dialect.V9, "41-vm1-down.nine1.show"), Dialect.V9)) == {"multi"}


def test_defaults_of_9_without_a_word() -> None:
    options = parse_show(capture(Dialect.V9, "40-two-resources-multivolume.nine1.show"), Dialect.V9)
    assert options == {"multi": RuntimeOptions(auto_promote=True), "vm1": LAB_9}


def test_addresses() -> None:
    nine = read_show(capture(Dialect.V9, "12-dual-primary.nine1.show"), Dialect.V9)["vm1"]
    assert (nine.local_address, nine.peer_address) == ("10.79.0.21", "10.79.0.22")
    eight = read_show(capture(Dialect.V84, "12-dual-primary.node1.show"), Dialect.V84)["vm1"]
    assert (eight.local_address, eight.peer_address) == ("10.79.0.11", "10.79.0.12")
    alone = read_show(capture(Dialect.V84, "06-standalone-inconsistent-target.node2.show"), Dialect.V84)["vm1"]
    assert (alone.local_address, alone.peer_address) == (None, None)


def test_addresses_of_ipv6() -> None:
    text = "resource r { _this_host { address ipv6 [fe80::1%eth0]:7789; } _remote_host { address ipv6 [fe80::2]:1; } }"
    shown = read_show(text, Dialect.V84)["r"]
    assert (shown.local_address, shown.peer_address) == ("fe80::1%eth0", "fe80::2")


def quoted(secret: str) -> str:
    return '"' + secret.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_the_secret_is_not_kept() -> None:
    text = f"""resource "r" {{
        connection {{ net {{ cram-hmac-alg "sha1"; shared-secret {quoted(SECRET)}; protocol A; }} }} }}"""
    shown = read_show(text, Dialect.V9)["r"]
    assert shown.options == RuntimeOptions(protocol="A", auto_promote=True)
    assert "Tr0ub4dor" not in repr(shown)


def test_no_error_quotes_the_text() -> None:
    with pytest.raises(ShowSyntaxError) as caught:
        parse_show('resource r {\n net {\n shared-secret "Tr0ub4dor\n', Dialect.V84)
    assert caught.value.line == 3
    assert "Tr0ub4dor" not in str(caught.value)
    assert "Tr0ub4dor" not in repr(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("resource r {", 1),
        ("resource r {\n}\n}", 3),
        ("resource r {\n net {\n protocol A\n }\n}", 4),
        ("resource r { { } }", 1),
        ("{ }", 1),
        ("protocol A;", 1),
        ("\n\nCould not connect to 'drbd' generic netlink family", 3),
        ("resource { }", 1),
        ("common { }", 1),
        ("resource r { }\nresource r { }", 2),
        ('resource "r', 1),
        ("a {" * 500, 1),
        ("resource r {" + "a {" * 100_000, 1),
    ],
)
def test_malformed_says_where(text: str, line: int) -> None:
    with pytest.raises(ShowSyntaxError) as caught:
        parse_show(text, Dialect.V9)
    assert caught.value.line == line


@pytest.mark.parametrize(("word", "allowed"), [("yes", True), ("no", False), ("", True), ("perhaps", True)])
def test_only_no_means_the_window_is_closed(word: str, allowed: bool) -> None:
    text = f"resource r {{ net {{ allow-two-primaries {word}; }} }}"
    assert parse_show(text, Dialect.V84)["r"].allow_two_primaries is allowed


def test_volumes_that_differ_agree_on_nothing() -> None:
    text = f"""resource r {{ _this_host {{
        volume 0 {{ disk "/dev/a"; disk {{ fencing {STONITH}; }} }} volume 1 {{ disk "/dev/b"; }} }} }}"""
    assert parse_show(text, Dialect.V84)["r"].fencing == "dont-care/resource-and-stonith"


def test_a_window_open_to_one_of_two_peers_is_open() -> None:
    text = """resource r { connection { net { allow-two-primaries yes; protocol A; } }
        connection { net { _name "c"; } } }"""
    options = parse_show(text, Dialect.V9)["r"]
    assert options.allow_two_primaries
    assert options.protocol == "A/C"


@given(st.text() | st.text("resource{}\"'#;\\ \n"), st.sampled_from(Dialect))
def test_no_text_raises_anything_else(text: str, dialect: Dialect) -> None:
    with suppress(ShowSyntaxError):
        parse_show(text, dialect)


VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20)


@given(VALUES, st.sampled_from(["A", "B", "C"]))
def test_nothing_in_quotes_changes_the_structure(secret: str, protocol: str) -> None:
    text = f"resource r {{ net {{ shared-secret {quoted(secret)}; protocol {protocol}; }} }} # {secret}\n"
    assert parse_show(text, Dialect.V84) == {"r": RuntimeOptions(protocol=protocol)}
