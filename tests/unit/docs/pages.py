"""The pages as the tests read them: tables, sections, links."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
DOCS = REPOSITORY / "docs"


def sections(page: Path) -> dict[str, str]:
    """Text below each heading of the second level, by the heading without its backquotes."""
    parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)[1:]
    return {title.replace("`", ""): text for title, text in zip(parts[::2], parts[1::2], strict=True)}


def rows(text: str) -> list[tuple[str, ...]]:
    """Cells of every table row that begins with a name or a number in backquotes, without the backquotes."""
    lines = [line for line in text.splitlines() if re.match(r"\| `", line)]
    return [tuple(cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")) for line in lines]
