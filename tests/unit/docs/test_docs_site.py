"""The pages as a site: built strictly; every link and heading in it is there, and nothing is loaded from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs.reference.site import OUTSIDE
from tests.unit.docs.pages import DOCS, REPOSITORY

BUILD_DEADLINE_S = 110
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src"}


class _Reader(HTMLParser):
    """What a page has and wants: its anchors, its links, what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in LOADS and LOADS[tag] in found:
            self.loads.append(found[LOADS[tag]])
        if tag == "link" and found.get("rel") in {"stylesheet", "icon", "preload"}:
            self.loads.append(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(where)],
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_DEADLINE_S,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    return where


@pytest.fixture(scope="module")
def read(site: Path) -> dict[Path, _Reader]:
    return {path.relative_to(site): _Reader(path.read_text()) for path in site.rglob("*.html") if path.stem != "404"}


def test_every_page_is_there(read: dict[Path, _Reader]) -> None:
    wanted = {page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")}
    assert set(read) == wanted | {Path(name).with_suffix(".html") for name in OUTSIDE.values()}


def _broken(site: Path, read: dict[Path, _Reader]) -> Iterator[str]:
    for path, page in read.items():
        for link in page.links:
            target = urlsplit(link)
            if target.scheme or target.netloc:
                continue
            there = Path(os.path.normpath(path.parent / unquote(target.path))) if target.path else path
            if there in read:
                if target.fragment and unquote(target.fragment) not in read[there].anchors:
                    yield f"{path}: {link}: no such heading"
            elif not (site / there).exists():
                yield f"{path}: {link}: no such file"


def test_every_link_and_heading_is_there(site: Path, read: dict[Path, _Reader]) -> None:
    assert list(_broken(site, read)) == []


def test_nothing_is_loaded_from_elsewhere(read: dict[Path, _Reader]) -> None:
    loads = [load for page in read.values() for load in page.loads]
    assert loads
    assert [load for load in loads if urlsplit(load).netloc] == []


def test_links_to_what_the_site_does_not_have_are_text(read: dict[Path, _Reader]) -> None:
    local = [(path, urlsplit(link)) for path, page in read.items() for link in page.links]
    assert not [
        (path, link.path)
        for path, link in local
        if not link.scheme and os.path.normpath(path.parent / unquote(link.path)).startswith("..")
    ]


def test_bars_in_tables_are_bars(site: Path) -> None:
    assert "<code>--on-failure [rollback&#124;cold]</code>" in (site / "commands.html").read_text()
