"""A page as roff, for man(1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from docs.reference.pages import Entry, Page
from docs.reference.programs import Program

_CODE = re.compile(r"`([^`]+)`")


def write(programs: Iterable[Program], directory: Path, version: str, date: str) -> list[Path]:
    """One file for each command; `date` as a page shows it, empty for none."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for program in programs:
        for page, above in _with_parents(program.page, None):
            path = directory / f"{page.name}.{page.section}"
            path.write_text(render(program, page, above, version, date), encoding="utf-8")
            written.append(path)
    return written


def _with_parents(page: Page, above: Page | None) -> Iterator[tuple[Page, Page | None]]:
    yield page, above
    for one in page.below:
        yield from _with_parents(one, page)


def render(program: Program, page: Page, above: Page | None, version: str, date: str) -> str:
    """One page."""
    name = _literal(page.name)
    lines = [
        f'.TH "{page.name.upper()}" "{page.section}" "{date}" "dualsrm {version}" "dualsrm"',
        ".SH NAME",
        f"{name} \\- {_text(page.summary)}",
        ".SH SYNOPSIS",
        f".B {_literal(page.usage)}",
        ".SH DESCRIPTION",
        *_paragraphs(page.description),
        *_entries("COMMANDS", page.commands),
        *_entries("OPTIONS", page.options),
        *_entries("EXIT STATUS", program.exit_status),
        *_entries("ENVIRONMENT", program.environment),
        *_entries("FILES", program.files),
        ".SH SEE ALSO",
        ",\n".join(_reference(one) for one in _see_also(program, page, above)),
    ]
    return "\n".join(lines) + "\n"


def _see_also(program: Program, page: Page, above: Page | None) -> list[str]:
    up = [f"{above.name}({above.section})"] if above else []
    return [*up, *(f"{one.name}({one.section})" for one in page.below), *program.see_also]


def _reference(text: str) -> str:
    name, _, section = text.partition("(")
    return f"\\fB{_literal(name)}\\fR({section}"


def _paragraphs(paragraphs: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(paragraphs):
        if number:
            yield ".PP"
        yield _text(text)


def _entries(title: str, entries: tuple[Entry, ...]) -> Iterator[str]:
    if entries:
        yield f".SH {title}"
    for entry in entries:
        yield ".TP"
        yield f"\\fB{_literal(entry.names)}\\fR"
        yield _text(entry.help)


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\e")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def _literal(text: str) -> str:
    """What is typed: hyphens stay what they are when they are copied."""
    return _escaped(text).replace("-", "\\-")


def _text(text: str) -> str:
    parts = _CODE.split(text)
    return "".join(f"\\fB{_literal(part)}\\fR" if number % 2 else _escaped(part) for number, part in enumerate(parts))
