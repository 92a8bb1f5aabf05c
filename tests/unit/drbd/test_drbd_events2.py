"""One line of events2 to one value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.hosts.drbd import (
    Dialect,
    EndOfDump,
    Event,
    HelperResult,
    Malformed,
    Skipped,
    helper_result,
    parse_line,
)
from tests.unit.drbd.captures import capture, names

WORD = st.text(st.characters(codec="utf-8", exclude_characters=" :\r\n"), min_size=1, max_size=12)
VALUE = st.text(st.characters(codec="utf-8", exclude_characters=" \r\n"), max_size=20)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.none() | st.datetimes(datetime(1970, 1, 1), datetime(9998, 1, 1), timezones=ZONES)  # noqa: DTZ001 - the zones are drawn beside them
IDENTITY = {
    "resource": ["name"],
    "connection": ["name"],
    "device": ["name", "volume", "minor"],
    "peer-device": ["name", "volume"],
    "path": ["name", "local", "peer"],
    "helper": ["name", "helper"],
}
NUMBERS = ("volume", "minor", "peer-node-id")


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(sorted(IDENTITY)))
    values = draw(st.dictionaries(WORD, VALUE, max_size=6))
    values |= {key: draw(VALUE.filter(bool)) for key in IDENTITY[kind]}
    values |= {key: str(draw(st.integers(0, 2**32))) for key in NUMBERS if key in values}
    action = draw(st.sampled_from(["exists", "create", "change", "destroy", "call", "response"]))
    return Event(action, kind, values, draw(TIMES))


def printed(event: Event) -> str:
    words = [event.timestamp.isoformat(timespec="microseconds")] if event.timestamp else []
    words += [event.action, event.kind, *(f"{key}:{value}" for key, value in event.values.items())]
    return " ".join(words)


@given(events())
def test_what_is_printed_is_what_is_read(event: Event) -> None:
    assert parse_line(printed(event)) == event
    assert parse_line(printed(event) + "\n") == event


@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    parse_line(text)


@given(events(), st.data())
def test_no_cut_line_makes_it_raise(event: Event, data: st.DataObject) -> None:
    text = printed(event)
    line = parse_line(text[: data.draw(st.integers(0, len(text)))])
    if isinstance(line, Event):
        helper_result(line)


@pytest.mark.parametrize(("dialect", "name"), names("*.events2*"), ids=str)
def test_every_captured_line_is_understood(dialect: Dialect, name: str) -> None:
    lines = [parse_line(text) for text in capture(dialect, name).splitlines()]
    assert lines
    assert not [line for line in lines if isinstance(line, Malformed)]
    assert all(isinstance(line, Skipped) or line.timestamp for line in lines if not isinstance(line, Malformed))


def test_values_are_split_at_the_first_colon_only() -> None:
    line = parse_line("change path name:vm1 peer-node-id:1 local:ipv4:10.79.0.21:7789 peer:ipv6:[fe80::1%eth0]:7789")
    assert isinstance(line, Event)
    assert line.values["local"] == "ipv4:10.79.0.21:7789"
    assert line.values["peer"] == "ipv6:[fe80::1%eth0]:7789"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_of_a_value_nothing_is_cut_off_but_the_end_of_the_line(end: str) -> None:
    assert parse_line(f"exists resource name:BOX{end}") == Event("exists", "resource", {"name": "BOX"})


def test_timestamp_keeps_its_zone() -> None:
    line = parse_line("2026-11-22T10:43:07.096102+02:00 exists -\n")
    assert isinstance(line, EndOfDump)
    assert line.timestamp == datetime(2026, 11, 22, 8, 43, 7, 96102, tzinfo=UTC)


def test_trap_skipped_lines_of_84_come_without_a_timestamp() -> None:
    assert parse_line("- skipped 17\n") == Skipped(17)


def test_rename_of_9() -> None:
    assert parse_line("rename resource name:a new_name:b") == Event(
        "rename", "resource", {"name": "a", "new_name": "b"}
    )


def test_unknown_words_are_kept() -> None:
    line = parse_line("frobnicate gizmo name:r0 colour:blue")
    assert line == Event("frobnicate", "gizmo", {"name": "r0", "colour": "blue"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "exists",
        "-",
        "- skipped",
        "- skipped many",
        "change -",
        "exists - name:r0",
        "exists resource",
        "exists resource name:",
        "exists resource :r0",
        "exists resource r0",
        "exists device name:r0 minor:0 disk:UpToDate",
        "exists device name:r0 volume:0 disk:UpToDate",
        "exists device name:r0 volume:x minor:0",
        "exists device name:r0 volume:-1 minor:0",
        "exists device name:r0 volume:² minor:0",
        "exists connection name:r0 peer-node-id:one",
        "rename resource name:r0",
        "2026-13-41T08:43:07.096102+00:00 exists -",
        "could not connect to drbd kernel module",
    ],
)
def test_malformed_is_a_value_with_a_reason(text: str) -> None:
    line = parse_line(text)
    assert isinstance(line, Malformed)
    assert line.line == text
    assert line.why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("exists resource role:Primary", "a resource without name"),
        ("change connection role:Primary", "a connection without name"),
        ("exists device volume:0 minor:0", "a device without name"),
        ("destroy device name:r0 minor:0", "a device without volume"),
        ("exists device name:r0 volume:0", "a device without minor"),
        ("create device name:r0 volume:0", "a device without minor"),
        ("change device name:r0 volume:0 disk:UpToDate", "a device without minor"),
        ("change peer-device volume:0", "a peer-device without name"),
        ("change peer-device name:r0", "a peer-device without volume"),
        ("exists path local:ipv4:10.79.0.21:7789 peer:ipv4:10.79.0.22:7789", "a path without name"),
        ("exists path name:r0 peer:ipv4:10.79.0.22:7789", "a path without local"),
        ("exists path name:r0 local:ipv4:10.79.0.21:7789", "a path without peer"),
        ("call helper name:r0", "a helper without helper"),
        ("rename resource name:r0", "a resource without new_name"),
        ("rename resource new_name:r1", "a resource without name"),
        ("destroy device name:r0 volume:x", "volume is not a number"),
        ("exists device name:r0 volume:0 minor:x", "minor is not a number"),
        ("change connection name:r0 peer-node-id:x", "peer-node-id is not a number"),
    ],
)
def test_what_a_line_must_say_for_anybody_to_know_what_it_is_about(line: str, why: str) -> None:
    assert parse_line(line) == Malformed(line, why)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("2026-13-41T08:43:07.096102+00:00 exists -", "not a timestamp"),
        ("change -", "`-` out of place"),
        ("- resource name:r0", "`-` out of place"),
        ("exists", "no action and object"),
        ("exists resource r0", "a field that is not key:value"),
    ],
)
def test_what_is_no_line_of_events2_says_why(line: str, why: str) -> None:
    assert parse_line(line) == Malformed(line, why)


def test_a_device_that_is_destroyed_needs_no_minor() -> None:
    """9 leaves it out."""
    assert parse_line("destroy device name:r0 volume:0") == Event("destroy", "device", {"name": "r0", "volume": "0"})


def test_of_a_kind_nobody_knows_nothing_is_asked() -> None:
    assert parse_line("exists gizmo volume:x") == Event("exists", "gizmo", {"volume": "x"})


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("0", HelperResult(exit_code=0)),
        ("256", HelperResult(exit_code=1)),  # captured: a fence-peer handler that exits 1
        ("1792", HelperResult(exit_code=7)),
        ("9", HelperResult(signal=9)),
        ("4294967294", HelperResult(errno=2)),
        ("18446744073709551614", HelperResult(errno=2)),
        # A negative number of 32 bits, from the lowest to the highest; what is above has 64.
        ("2147483648", HelperResult(errno=2**31)),
        ("4294967295", HelperResult(errno=1)),
        ("4294967296", HelperResult(errno=2**64 - 2**32)),
    ],
)
def test_trap_helper_status_is_a_wait_status(status: str, result: HelperResult) -> None:
    line = parse_line(f"response helper name:vm1 peer-node-id:0 conn-name:peer helper:fence-peer status:{status}")
    assert isinstance(line, Event)
    assert helper_result(line) == result


def test_only_responses_have_a_result() -> None:
    call = parse_line("call helper name:vm1 volume:0 minor:0 helper:quorum-lost")
    assert isinstance(call, Event)
    assert helper_result(call) is None
    for text in ("call helper name:vm1 helper:fence-peer status:0", "response gizmo name:vm1 status:0"):
        line = parse_line(text)
        assert isinstance(line, Event)
        assert helper_result(line) is None
    broken = parse_line("response helper name:vm1 helper:quorum-lost status:soon")
    assert isinstance(broken, Event)
    assert helper_result(broken) is None


def test_captured_helpers() -> None:
    lines = [parse_line(text) for text in capture(Dialect.V84, "streamC.node1.events2").splitlines()]
    results = {
        (line.values["helper"], result)
        for line in lines
        if isinstance(line, Event) and (result := helper_result(line)) is not None
    }
    assert ("split-brain", HelperResult(exit_code=0)) in results
    assert ("fence-peer", HelperResult(exit_code=1)) in results
