"""The page of a report in a real browser: it shows what it should, its own style is allowed, and no name in it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualsrm.cli.page import page
from dualsrm.history.reader import read_history, read_lines
from dualsrm.history.rows import row
from dualsrm.history.story import tell
from tests.browser.chromium import browse, picture
from tests.simulator.driving import Manager
from tests.simulator.pair import GuestSpec, SimPair

HOSTILE = "<img src=x onerror=\"document.body.id='owned'\"><script>document.body.id='owned'</script>"


def _dom(source: Path) -> str:
    return browse(source.as_uri(), source.parent, "--dump-dom")


def _shot(source: Path) -> bytes:
    return picture(source.as_uri(), source.with_suffix(".png"))


def _page_of_a_move(directory: Path, guest: str) -> str:
    pair = SimPair("9", [GuestSpec(guest, (("data", 0),))])
    pair.clock.advance(20)
    Manager(pair, directory).migrate(guest)
    (one,) = read_history(directory)
    return page(row(one), tell(one, read_lines(directory, one.name)), [])


@pytest.fixture
def written(tmp_path: Path) -> Path:
    source = tmp_path / "report.html"
    source.write_text(_page_of_a_move(tmp_path, "web"))
    return source


def test_it_is_shown(written: Path) -> None:
    shown = _dom(written)
    assert '<h1 class="ok">migrate web (alpha → beta): moved</h1>' in shown
    assert shown.count("<polyline") == 2


def test_its_policy_allows_its_own_style(written: Path) -> None:
    with_style = _shot(written)
    bare = written.with_name("bare.html")
    bare.write_text(
        written.read_text().replace("style-src 'sha256-", "style-src 'sha256-x").replace("&#39;sha256-", "x")
    )
    assert with_style != _shot(bare)


def test_a_name_that_is_a_script_is_text(tmp_path: Path) -> None:
    source = tmp_path / "hostile.html"
    source.write_text(_page_of_a_move(tmp_path, HOSTILE))
    shown = _dom(source)
    assert "<img" not in shown
    assert "<script" not in shown
    assert "<body>" in shown, "nobody gave it an id"
    assert "&lt;img src=x" in shown
