"""The exporter's landing page in a real browser, over HTTP: what it shows, where it leads, its style allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dualsrm.hosts.drbd import Dialect
from dualsrm.hostside.run import ENVIRONMENT
from dualsrm_exporter.operations.collector import OperationsCollector
from dualsrm_exporter.scraper import Scraper
from dualsrm_exporter.web import page
from tests.browser.chromium import browse, picture
from tests.unit.exporter.rig import FakeHost
from tests.unit.exporter.serving import serving
from tests.unit.hostside.host import Tools


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host whose resource is Primary on both sides."""
    tools = Tools(tmp_path / "bin")
    tools.directory.mkdir()
    monkeypatch.setitem(ENVIRONMENT, "PATH", tools.path)
    host = FakeHost(tools, tmp_path, Dialect.V84)
    host.files("vm1")
    host.shows("12-dual-primary.node1")
    scraper = Scraper((host.collector(), OperationsCollector(tmp_path / "journal")))
    with serving(scraper.scrape) as running:
        yield f"http://127.0.0.1:{running.port}/"
    host.stop()


def test_it_is_shown(url: str, tmp_path: Path) -> None:
    shown = browse(url, tmp_path, "--dump-dom")
    assert "<h1>dualsrm on " in shown
    assert "Primary on both sides" in shown
    assert '<a href="/metrics">' in shown
    assert "dualsrm_drbd_role{" in browse(f"{url}metrics", tmp_path, "--dump-dom")


def test_its_policy_allows_its_own_style(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_style = picture(url, tmp_path / "landing.png")
    monkeypatch.setattr(page, "_STYLE", "")
    assert with_style != picture(url, tmp_path / "bare.png")
