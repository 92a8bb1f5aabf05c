"""Links between pages lead somewhere, headings too; the README names the commands and the parts of the tests."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from dualsrm.cli.main import cli
from tests.unit.docs.pages import DOCS, REPOSITORY, rows, sections

README = REPOSITORY / "README.md"
OUTSIDE = re.compile(r"[a-z]+:")


def _pages() -> list[Path]:
    """Every page that is or will be committed."""
    listed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    found = [REPOSITORY / name for name in listed] or [*REPOSITORY.glob("*.md"), *DOCS.glob("*.md")]
    return [page for page in found if page.exists()]


def _prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def _anchors(page: Path) -> set[str]:
    """Anchors as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if OUTSIDE.match(target):
            continue
        name, _, anchor = target.partition("#")
        to = (page.parent / name).resolve() if name else page
        assert to.exists(), f"{target}: there is no {name}"
        assert to.is_relative_to(REPOSITORY), f"{target} leads out of the repository"
        assert not anchor or anchor in _anchors(to), f"{target}: {to.name} has no such heading"


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", README.read_text())}
    assert {f"docs/{page.name}" for page in DOCS.glob("*.md")} <= linked


def test_the_readme_names_every_command_and_no_other() -> None:
    table = rows(sections(README)["Commands"])
    assert [words.split()[1] for words, _ in table] == list(cli.commands)


def test_the_readme_names_every_part_of_the_tests() -> None:
    said = re.search(r"parts are ([a-z, ]+)\"", (REPOSITORY / "tests" / "run").read_text())
    assert said is not None
    assert [part for part, _ in rows(sections(README)["Try it"])] == said[1].split(", ")
