"""Progress in /proc/drbd, in the forms the driver's printf calls make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.hosts.drbd import Dialect, Progress, read_progress
from tests.unit.drbd.captures import FIXTURES, capture, names

HEAD = "version: 8.4.11 (api:1/proto:86-101)\nsrcversion: 059B1B470318F053F5077D5\n"
TARGET = " {}: cs:SyncTarget ro:Secondary/Primary ds:Inconsistent/UpToDate C r-----\n    ns:0 oos:205655500\n"


@pytest.mark.parametrize(
    ("lines", "progress"),
    [
        (
            "\t[=====>..............] sync'ed: 33.5% (23456/123456)K\n\tfinish: 2:20:20 speed: 6,345 (6,456) K/sec\n",
            Progress(1 - 23456 / 123456, 8420, 6345 * 1024),
        ),
        (
            "\t[>...] verified:  1.0% (14996/15360)M\n\tfinish: 100:04:08 speed: 61 (61) want: 9, K/sec\n",
            Progress(1 - 14996 / 15360, 360248, 61 * 1024),
        ),
        # Some kernels leave the line feed out.
        (
            "\t[===>] sync'ed: 2.5% (14996/15360)Mfinish: 0:04:08 speed: 61,736 (61,736) K/sec\n",
            Progress(1 - 14996 / 15360, 248, 61736 * 1024),
        ),
        ("\t[===>] sync'ed: 50.0% (1/2)K\n\tfinish: 0:00:00 speed: 0 (0) K/sec (stalled)\n", Progress(0.5, 0, 0)),
        ("\t[===>] sync'ed: 50.0% (1/2)K\n", Progress(0.5, None, None)),
        ("\t[===>] sync'ed: 429.0% (3/2)K\n\tfinish: x speed: ,\n", Progress(None, None, None)),
        ("\t[===>] sync'ed:100.0% (0/0)K\n", Progress(None, None, None)),
    ],
)
def test_a_minor_that_resyncs(lines: str, progress: Progress) -> None:
    other = (
        " 1: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate C r-----\n    ns:0 oos:0\n\n 7: cs:Unconfigured\n"
    )
    assert read_progress(HEAD + TARGET.format(0) + lines + other) == {0: progress}
    found = read_progress(HEAD + other + TARGET.format(12) + lines)
    assert list(found) == [12]
    assert found[12] == progress


def test_a_real_resync_is_never_done_before_its_end() -> None:
    """Its kernel said 75.0% for minutes, and 100.0% with 3 MiB left."""
    looks = (FIXTURES / "lab" / "resync-target.looks").read_text().split("\n\n")
    ratios = []
    for look in looks:
        proc, left = look.split("exists peer-device ")
        found = read_progress(HEAD + proc)[0].done_ratio
        # Read a moment after the other, at about 1 MiB/s.
        after = 1 - int(left.split("out-of-sync:")[1].split()[0]) / 65496
        assert found is not None
        assert found <= after < found + 0.02
        ratios.append(found)
    assert ratios == sorted(ratios)
    assert len(set(ratios)) == len(ratios) > 10


@pytest.mark.parametrize(("dialect", "name"), names("*.proc-drbd"))
def test_captures_in_which_nothing_resyncs(dialect: Dialect, name: str) -> None:
    assert read_progress(capture(dialect, name)) == {}


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert isinstance(read_progress(text), dict)
