from __future__ import annotations

from typing import Any

import pytest

from uml import scores


def result(**changed: Any) -> dict[str, Any]:
    return {"announced": 10, "lost": 0, "longest_gap_ms": 1.0, "host": "alpha", **changed}


def test_nothing_lost() -> None:
    assert scores.nothing_lost({"web": result(), "db": result()})


@pytest.mark.parametrize("changed", [{"lost": 1}, {"lost": None}, {"announced": 0}])
def test_loss_silence_and_unknown_are_not_fine(changed: dict[str, Any]) -> None:
    assert not scores.nothing_lost({"web": result(), "db": result(**changed)})


def test_no_guest_at_all_is_not_fine() -> None:
    assert not scores.nothing_lost({})


def test_unknown_is_shown_as_unknown() -> None:
    assert scores.table({"web": result(lost=None, longest_gap_ms=None, host=None)}).row_count == 1
