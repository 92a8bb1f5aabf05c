"""docs/commands.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from docs.reference.pages import Entry, Page
from docs.reference.programs import Program

_HEAD = """\
# Commands

This page is made from the programs, in the checkout: `python -m docs.reference commands >docs/commands.md`. The same
is in `--help` and in the man pages, `man dualsrm-migrate` for `dualsrm migrate`. What each
[exit code](exit-codes.md) means, and each field of the [JSON documents](json.md), has a page of its own.
"""


def render(programs: Iterable[Program]) -> str:
    """The whole page."""
    parts = [_HEAD]
    for program in programs:
        parts.extend(_page(program.page))
    return "\n".join(parts)


def _page(page: Page) -> Iterator[str]:
    yield f"## `{' '.join(page.words)}`\n"
    yield f"    {page.usage}\n"
    yield from (f"{text}\n" for text in page.description)
    yield from _table("command", page.commands)
    yield from _table("option", page.options)
    for one in page.below:
        yield from _page(one)


def _table(kind: str, entries: tuple[Entry, ...]) -> Iterator[str]:
    if not entries:
        return
    yield f"| {kind} | |\n|---|---|"
    yield "\n".join(f"| `{_cell(entry.names)}` | {_cell(entry.help)} |" for entry in entries) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
