"""The view of one host from the texts of one probe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.hosts.drbd import Dialect, DumpError, VersionError, drbd_view
from dualsrm.hosts.drbd.view import parse_drift, parse_links
from dualsrm.model import DrbdView, Maybe, RuntimeOptions, Unknown
from tests.unit.drbd.captures import capture

PROC = {
    Dialect.V84: capture(Dialect.V84, "12-dual-primary.node1.proc-drbd"),
    Dialect.V9: capture(Dialect.V9, "12-dual-primary.nine1.proc-drbd"),
}
LINKS = """/dev/drbd/by-res/vm1/0\t../../../drbd0
/dev/drbd/by-disk/ubdb\t../../drbd0
/dev/drbd/by-res/multi/1\t../../../drbd11
/dev/drbd/odd\t../sda
/dev/drbd/far\t../../tmp/drbd3
garbage
"""


def view(
    dialect: Dialect,
    state: str,
    *,
    show: Maybe[str] | None = None,
    configured: Maybe[str] = "resource multi {\nresource vm1 {\n",
    adjust: Maybe[str] = "",
) -> DrbdView:
    return drbd_view(
        proc_drbd=PROC[dialect],
        events2=capture(dialect, f"{state}.events2-now"),
        show=capture(dialect, f"{state}.show") if show is None else show,
        configured=configured,
        adjust=adjust,
        links=LINKS,
    )


def test_a_whole_view() -> None:
    seen = view(Dialect.V9, "40-two-resources-multivolume.nine1")
    assert seen.version == "9.2.18"
    assert seen.configured == ("multi", "vm1")
    assert seen.drift == ()
    vm1 = seen.resource("vm1")
    assert vm1 is not None
    assert isinstance(vm1.options, RuntimeOptions)
    assert vm1.options.auto_promote is False
    assert vm1.connection is not None
    assert (vm1.connection.local_address, vm1.connection.peer_address) == ("10.79.0.21", "10.79.0.22")
    assert seen.minor_of("/dev/drbd/by-res/multi/1") == 11
    found = seen.volume_at(11)
    assert found is not None
    assert (found[0].name, found[1].number) == ("multi", 1)


def test_84_dual_primary() -> None:
    (resource,) = view(Dialect.V84, "12-dual-primary.node1").resources
    assert isinstance(resource.options, RuntimeOptions)
    assert resource.options.allow_two_primaries
    assert resource.options.auto_promote is None


def test_84_standalone_after_up() -> None:
    (resource,) = view(Dialect.V84, "06-standalone-inconsistent-target.node2").resources
    assert resource.connection is not None
    assert resource.connection.local_address is None


def test_unknown_stays_unknown() -> None:
    gone = Unknown("drbdadm: exit 10")
    seen = view(Dialect.V84, "12-dual-primary.node1", show=gone, configured=gone, adjust=gone)
    assert seen.configured == gone
    assert seen.handlers == gone
    assert isinstance(seen.helper, Unknown)
    assert seen.drift == gone
    assert seen.resources[0].options == gone


def test_a_show_nobody_can_read_is_unknown_and_not_the_default() -> None:
    (resource,) = view(Dialect.V84, "12-dual-primary.node1", show="resource vm1 {").resources
    assert isinstance(resource.options, Unknown)


def test_a_resource_missing_in_show_has_unknown_options() -> None:
    seen = view(Dialect.V9, "40-two-resources-multivolume.nine1", show="# No currently configured DRBD found.\n")
    assert all(isinstance(resource.options, Unknown) for resource in seen.resources)


def test_nothing_in_the_kernel() -> None:
    seen = view(Dialect.V9, "42-all-down.nine1")
    assert seen.resources == ()
    assert seen.configured == ("multi", "vm1")


@pytest.mark.parametrize("lines", range(5))
def test_a_dump_cut_off_is_no_view(lines: int) -> None:
    text = capture(Dialect.V84, "12-dual-primary.node1.events2-now")
    cut = "".join(text.splitlines(keepends=True)[:lines])
    with pytest.raises(DumpError):
        drbd_view(proc_drbd=PROC[Dialect.V84], events2=cut, show="", configured="", adjust="", links="")


def test_a_dump_with_a_line_nobody_understands_is_no_view() -> None:
    with pytest.raises(DumpError, match="line 1"):
        drbd_view(proc_drbd=PROC[Dialect.V84], events2="what\nexists -\n", show="", configured="", adjust="", links="")


def test_no_module_is_no_view() -> None:
    with pytest.raises(VersionError):
        drbd_view(proc_drbd="", events2="exists -\n", show="", configured="", adjust="", links="")


def test_links() -> None:
    assert parse_links(LINKS) == {
        "/dev/drbd/by-res/vm1/0": 0,
        "/dev/drbd/by-disk/ubdb": 0,
        "/dev/drbd/by-res/multi/1": 11,
    }


def test_drift_is_what_adjust_would_run() -> None:
    text = "drbdsetup-84 net-options ipv4:10.0.0.1:7789 ipv4:10.0.0.2:7789 --set-defaults --protocol=C\n\n"
    assert parse_drift(text) == (text.strip(),)
    assert parse_drift("\n") == ()


@pytest.mark.parametrize(
    ("given_line", "kept"),
    [
        ("drbdsetup x --shared-secret=hunter2 --protocol=C", "drbdsetup x --shared-secret=(redacted) --protocol=C"),
        ("drbdsetup x --shared-secret hunter2 --protocol=C", "drbdsetup x --shared-secret (redacted) --protocol=C"),
        ("drbdsetup x --shared-secret='hunter2 --a' -b", "drbdsetup x --shared-secret=(redacted) -b"),
        ("drbdsetup x --shared-secret=hunter2\\ b\\'c -b", "drbdsetup x --shared-secret=(redacted) -b"),
        ("drbdsetup x '--shared-secret=hunter2 b' -b", "drbdsetup x --shared-secret=(redacted) -b"),
    ],
)
def test_secrets_are_not_kept(given_line: str, kept: str) -> None:
    assert parse_drift(given_line) == (kept,)


def test_a_secret_over_several_lines_takes_the_rest_with_it() -> None:
    drift = parse_drift("drbdsetup a\ndrbdsetup x --shared-secret='hun\nter2' -b\ndrbdsetup c\n")
    assert drift[0] == "drbdsetup a"
    assert "hun" not in "".join(drift)
    assert "ter2" not in "".join(drift)
    assert len(drift) == 3


@given(st.text(min_size=1, max_size=12).map(lambda text: "hunter" + text), st.sampled_from(["'", '"', "", "\\"]))
def test_no_spelling_of_a_secret_is_kept(secret: str, quote: str) -> None:
    close = quote if quote != "\\" else ""
    drift = parse_drift(f"drbdsetup x --shared-secret={quote}{secret}{close} --protocol=C")
    assert "hunter" not in "".join(drift)


@given(st.text(), st.text())
def test_no_text_makes_it_raise(adjust: str, links: str) -> None:
    parse_drift(adjust)
    parse_links(links)
