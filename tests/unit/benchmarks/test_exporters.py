"""What the page about exporters says of a fault, and of two that look alike."""

from __future__ import annotations

from benchmarks.exporters import Change, _cell

DOWN: Change = frozenset({("connected", frozenset({("device", "drbd0")}), False)})
GONE: Change = frozenset({("connected", frozenset({("device", "drbd0")}), None)})


def test_a_change_is_told_by_its_metrics() -> None:
    assert _cell("cut", DOWN, {"cut": DOWN, "gone": GONE}) == "`connected`"


def test_faults_that_no_sample_tells_apart_are_named() -> None:
    changes = {"cut": DOWN, "standalone": DOWN, "gone": GONE}
    assert _cell("cut", DOWN, changes) == "`connected`; the same as: standalone"


def test_nothing_is_not_the_same_as_no_answer() -> None:
    assert _cell("cut", frozenset(), {"cut": frozenset(), "other": frozenset()}) == "**nothing**"
    assert _cell("hangs", None, {"hangs": None, "cut": None}) == "no answer within 10 s"


def test_many_metrics_are_counted() -> None:
    many: Change = frozenset((name, frozenset[tuple[str, str]](), True) for name in "edcba")
    assert _cell("cut", many, {"cut": many}) == "`a`, `b`, `c` and 2 more"
