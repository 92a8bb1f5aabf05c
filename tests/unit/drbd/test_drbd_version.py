"""Which DRBD, from /proc/drbd."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.hosts.drbd import Dialect, ModuleVersion, VersionError, parse_version
from tests.unit.drbd.captures import capture

# The shape of DRBD 9.3's drbd_proc.c with a resource in compatibility mode.
COMPAT = """version: 9.3.1 (api:2/proto:118-124) (compat 8.4)
GIT-hash: 0 build by @vm
Transports (api:21): tcp (9.3.1)
 0: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate C r-----
    ns:0 nr:0 dw:0 dr:0 al:8 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:0
"""


def test_captured() -> None:
    eight = parse_version(capture(Dialect.V84, "12-dual-primary.node1.proc-drbd"))
    assert eight == ModuleVersion("8.4.11", Dialect.V84)
    nine = parse_version(capture(Dialect.V9, "12-dual-primary.nine1.proc-drbd"))
    assert nine == ModuleVersion("9.2.18", Dialect.V9)


def test_trap_compat_84_of_93_is_a_9() -> None:
    assert parse_version(COMPAT) == ModuleVersion("9.3.1", Dialect.V9)


@pytest.mark.parametrize("number", ["8.4.3", "9.0.0-1", "9.3.0-rc.1", "10.0.0"])
def test_numbers(number: str) -> None:
    assert parse_version(f"version: {number} (api:1/proto:86-101)\n").version == number


@pytest.mark.parametrize(
    "text", ["", "version:\n", "version: eight", "cat: /proc/drbd: No such file", "version: 8.3.16"]
)
def test_not_a_drbd_we_read(text: str) -> None:
    with pytest.raises(VersionError):
        parse_version(text)


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(VersionError):
        parse_version(text)
