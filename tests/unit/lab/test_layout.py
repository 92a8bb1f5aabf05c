from __future__ import annotations

from pathlib import Path

import pytest

from uml import layout
from uml.errors import LabError
from uml.layout import Layout


@pytest.mark.parametrize("name", ["", "-x", "Lab", "a/b", "..", "x" * 21, "a b"])
def test_names_that_are_no_names(name: str) -> None:
    with pytest.raises(LabError, match="cannot name a lab"):
        Layout(name)


def test_labs_share_neither_namespace_nor_directory() -> None:
    one, other = Layout("lab"), Layout("demo")
    assert one.namespace != other.namespace
    assert one.directory != other.directory


def test_a_directory_too_long_for_sockets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LABS", Path("/" + "x" * 80))
    with pytest.raises(LabError, match="longer than"):
        Layout("lab")
