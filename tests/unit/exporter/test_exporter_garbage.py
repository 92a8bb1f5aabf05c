"""Garbage collection costs a scrape nothing to speak of, and still happens."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from dualsrm_exporter.collected import Collected
from dualsrm_exporter.garbage import collect_rarely
from dualsrm_exporter.metrics import drbd


@pytest.fixture(autouse=True)
def as_in_the_exporter() -> Iterator[None]:
    usual = gc.get_threshold()
    gc.collect()
    collect_rarely()
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def test_a_scrape_of_a_thousand_resources_does_not_look_at_all_objects() -> None:
    looked: list[int] = []

    def look(phase: str, about: dict[str, int]) -> None:
        if phase == "start":
            looked.append(about["generation"])

    gc.callbacks.append(look)
    try:
        collected = Collected((drbd.SENT,))
        for number in range(60_000):
            collected.add(drbd.SENT, number, *(str(number) for _ in drbd.SENT.labels))
    finally:
        gc.callbacks.remove(look)
    assert len(looked) < 10, "how often, by default, is 150 times"
    assert 2 not in looked


def test_cycles_are_still_found() -> None:
    class Knot:
        def __init__(self) -> None:
            self.itself = self

    lost = weakref.ref(Knot())
    kept = [[] for _ in range(60_000)]  # type: ignore[var-annotated]  # whatever they hold
    assert lost() is None
    assert len(kept) == 60_000
