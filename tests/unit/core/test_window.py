"""The window record: read back as it was left, and nothing else read as one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.model import Window, WindowError, parse_window

WINDOW = Window(
    operation="2026-11-22T110000.250000Z-migrate-ab12cd",
    pair="lab",
    guest="web",
    uuid="5b1cdd3e-0c1f-4a77-9d5e-7a1f00000021",
    source="alpha",
    target="beta",
    resources=("db-data", "db-log"),
    since="2026-11-22T11:00:00+00:00",
)
NAMES = st.from_regex(r"(?!all\Z)[A-Za-z0-9_][A-Za-z0-9_.+:@ -]{0,30}", fullmatch=True)
WINDOWS = st.builds(
    Window,
    operation=NAMES,
    pair=NAMES,
    guest=st.text(min_size=1, max_size=255),
    uuid=NAMES,
    source=NAMES,
    target=NAMES,
    resources=st.lists(NAMES, min_size=1, max_size=5).map(tuple),
    since=NAMES,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
)


@given(WINDOWS)
def test_what_is_written_is_read(window: Window) -> None:
    text = window.to_json()
    assert parse_window(text) == window
    assert text.isascii()
    assert "\n" not in text, "the guard reads one line"


@given(st.text())
def test_any_text_is_a_record_or_an_error_of_ours(text: str) -> None:
    with pytest.raises(WindowError):
        parse_window(text)


@given(st.sampled_from([*json.loads(WINDOW.to_json())]), JSON)
def test_a_record_with_one_strange_field_is_read_exactly_or_not_at_all(field: str, value: object) -> None:
    found = {**json.loads(WINDOW.to_json()), field: value}
    try:
        window = parse_window(json.dumps(found))
    except WindowError:
        return
    assert json.loads(window.to_json()) == found


@pytest.mark.parametrize("field", json.loads(WINDOW.to_json()))
def test_a_record_without_one_of_its_fields_is_none(field: str) -> None:
    found = json.loads(WINDOW.to_json())
    del found[field]
    with pytest.raises(WindowError):
        parse_window(json.dumps(found))


@pytest.mark.parametrize(
    "name", ["", "all", "--force", "-x", "a/b", "../../etc", "..", ".", "a\nb", "a\0", "\x1b[2J", "ü", "x" * 256]
)
@pytest.mark.parametrize("field", ["operation", "uuid", "source", "target", "resources"])
def test_what_becomes_an_argument_or_a_path_can_only_be_a_name(field: str, name: str) -> None:
    hostile = {**json.loads(WINDOW.to_json()), field: [name] if field == "resources" else name}
    with pytest.raises(WindowError):
        parse_window(json.dumps(hostile))


@pytest.mark.parametrize("guest", ["Zürich", "a,b (new)", "7", "-x", "--domain", "all", "\x1b[2J"])
def test_a_guest_is_called_what_libvirt_allows(guest: str) -> None:
    """No program is given its name, only its UUID."""
    assert parse_window(replace(WINDOW, guest=guest).to_json()).guest == guest


@pytest.mark.parametrize("guest", ["", "x" * 256])
def test_but_it_has_a_name_that_fits(guest: str) -> None:
    with pytest.raises(WindowError):
        parse_window(replace(WINDOW, guest=guest).to_json())


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"format": ' + "9" * 10_000 + "}",
        WINDOW.to_json().replace('"format": 1', '"format": 2'),
        WINDOW.to_json()[:-1],
        WINDOW.to_json() + "{}",
        replace(WINDOW, resources=()).to_json(),
        replace(WINDOW, resources=("a",) * 65).to_json(),
    ],
)
def test_hostile_records(text: str) -> None:
    with pytest.raises(WindowError):
        parse_window(text)


def test_the_peer_is_the_other_one() -> None:
    assert (WINDOW.peer_of("alpha"), WINDOW.peer_of("beta")) == ("beta", "alpha")
