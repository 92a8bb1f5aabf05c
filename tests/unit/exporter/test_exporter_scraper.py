"""One scrape: a collector that breaks, hangs or reads half takes only its own metrics."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import pytest

from dualsrm_exporter import scraper as module
from dualsrm_exporter.collected import Collected
from dualsrm_exporter.metrics import Kind, Metric, exporter
from dualsrm_exporter.scraper import Scraper
from tests.unit.exporter.rig import samples


class Fake:
    sources: Sequence[str] = ("one", "two")

    def __init__(self, name: str, work: Callable[[Collected], object] = lambda _collected: None) -> None:
        self.name = name
        self.metric = Metric(f"dualsrm_{name}", Kind.GAUGE, (), "A test.")
        self.metrics = (self.metric,)
        self.work = work
        self.calls = 0

    def collect(self, collected: Collected) -> None:
        self.calls += 1
        self.work(collected)
        collected.add(self.metric, 1)


@pytest.fixture(autouse=True)
def _not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHARED_S", -1.0)


def _break(collected: Collected) -> None:
    raise RuntimeError("broken")


def test_all_is_well() -> None:
    one = Fake("a")
    found = Scraper([one]).scrape()
    assert samples(found, exporter.SUCCESS) == {("a",): 1}
    assert samples(found, exporter.SOURCE_SUCCESS) == {("a", "one"): 1, ("a", "two"): 1}
    assert samples(found, one.metric) == {(): 1}
    assert 0 <= samples(found, exporter.DURATION)[("a",)] < 5
    assert len(samples(found, exporter.BUILD)) == 1


def test_without_a_thread_to_be_had_it_fails_and_works_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    scraper = Scraper([Fake("a")])

    def refuse(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert samples(scraper.scrape(), exporter.SUCCESS) == {("a",): 0}
    assert samples(scraper.scrape(), exporter.SUCCESS) == {("a",): 1}


def test_one_that_breaks_takes_only_its_own() -> None:
    good = Fake("good")
    found = Scraper([Fake("bad", _break), good]).scrape()
    assert samples(found, exporter.SUCCESS) == {("bad",): 0, ("good",): 1}
    assert samples(found, exporter.SOURCE_SUCCESS)["bad", "one"] == 0
    assert samples(found, good.metric) == {(): 1}


def test_half_a_collector_says_which_half() -> None:
    half = Fake("half", lambda collected: collected.failures.update(two="not there"))
    found = Scraper([half]).scrape()
    assert samples(found, exporter.SUCCESS) == {("half",): 0}
    assert samples(found, exporter.SOURCE_SUCCESS) == {("half", "one"): 1, ("half", "two"): 0}
    assert samples(found, half.metric) == {(): 1}


def test_one_that_hangs_is_left_behind_and_never_begun_twice() -> None:
    release = threading.Event()
    stuck, good = Fake("stuck", lambda _collected: release.wait(30)), Fake("good")
    scraper = Scraper([stuck, good], deadline_s=0.2)
    for _ in range(3):
        found = scraper.scrape()
        assert samples(found, exporter.SUCCESS) == {("stuck",): 0, ("good",): 1}
        assert samples(found, stuck.metric) == {}
        assert samples(found, good.metric) == {(): 1}
    assert stuck.calls == 1
    assert samples(found, exporter.DURATION)[("stuck",)] > 0.2
    release.set()
    assert scraper._jobs["stuck"].done.wait(5)
    assert samples(scraper.scrape(), exporter.SUCCESS) == {("stuck",): 1, ("good",): 1}


def test_those_who_ask_at_once_share_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHARED_S", 5.0)
    gate = threading.Event()
    one = Fake("one", lambda _collected: gate.wait(5))
    scraper = Scraper([one])
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(scraper.scrape())) for _ in range(8)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(10)
    assert one.calls == 1
    assert len(results) == 8
    assert all(result is results[0] for result in results)


def test_a_failure_is_said_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    one = Fake("one", _break)
    scraper = Scraper([one])
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            scraper.scrape()
        one.work = lambda _collected: None
        for _ in range(3):
            scraper.scrape()
    assert [record.getMessage() for record in caplog.records] == [
        "collector one: RuntimeError: broken",
        "collector one: works again",
    ]
