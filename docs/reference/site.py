"""mkdocs hooks: pages that lie outside docs/, and links as both a repository's reader and the site's need them.

In the repository links lead from file to file. The site has some files under other names, and no sources: a link to
what it does not have becomes the text it had.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY: Final = Path(__file__).resolve().parents[2]
OUTSIDE: Final[Mapping[str, str]] = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "policy.md",
    "vagrant/README.md": "lab.md",
}
"""Path in the repository to the site's."""
_SOURCE: Final = {site: source for source, site in OUTSIDE.items()}
_LINK: Final = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])+)\]\(([^)\s]+)\)")
_FENCED: Final = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_PIPED: Final = re.compile(r"`([^`]*\\\|[^`]*)`")
_ELSEWHERE: Final = re.compile(r"[a-z]+:|#")


def on_config(config: MkDocsConfig) -> None:
    """Runbooks are many and small: they name themselves."""
    runbooks = sorted(path.name for path in (REPOSITORY / "docs" / "runbooks").glob("*.md"))
    nav: list[dict[str, Any]] = config.nav or []
    for entry in nav:
        if "Runbooks" in entry:
            entry["Runbooks"] = [f"runbooks/{name}" for name in runbooks]
    config.nav = [entry for entry in nav if all(entry.values())]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """The pages beside the README."""
    for source, site in OUTSIDE.items():
        files.append(File.generated(config, site, content=(REPOSITORY / source).read_text(encoding="utf-8")))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Its links, as the site has the files."""
    del config
    site = page.file.src_uri
    source = _SOURCE.get(site, f"docs/{site}")
    parts = _FENCED.split(markdown)
    return "".join(
        part if number % 2 else _unpiped(_relinked(part, source, site, files)) for number, part in enumerate(parts)
    )


def _unpiped(text: str) -> str:
    """A bar in code in a table: repositories take the backslash before it away, Python's Markdown would show it."""

    def code(found: re.Match[str]) -> str:
        shown = html.escape(found[1]).replace("\\|", "&#124;")
        return f"<code>{shown}</code>"

    return _PIPED.sub(code, text)


def _relinked(text: str, source: str, site: str, files: Files) -> str:
    def link(found: re.Match[str]) -> str:
        said, target = found.groups()
        if _ELSEWHERE.match(target):
            return found[0]
        name, _, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
        there = OUTSIDE.get(path, path.removeprefix("docs/") if path.startswith("docs/") else "")
        if files.get_file_from_path(there) is None:
            return str(said)
        to = posixpath.relpath(there, posixpath.dirname(site) or ".")
        return f"[{said}]({to}{'#' if anchor else ''}{anchor})"

    return _LINK.sub(link, text)
