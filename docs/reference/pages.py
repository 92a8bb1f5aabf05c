"""What a page says, whatever it is written in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """An option, an argument or a command, and what it is for."""

    names: str
    help: str


@dataclass(frozen=True)
class Page:
    """One command."""

    words: tuple[str, ...]
    """As it is typed: `dualsrm split-brain show`."""
    section: int
    summary: str
    usage: str
    description: tuple[str, ...] = ()
    """Paragraphs; the first one has the summary in full."""
    options: tuple[Entry, ...] = ()
    commands: tuple[Entry, ...] = ()
    below: tuple[Page, ...] = ()

    @property
    def name(self) -> str:
        """Of the man page."""
        return "-".join(self.words)


def paragraphs(text: str) -> tuple[str, ...]:
    """Each as one line."""
    return tuple(" ".join(part.split()) for part in text.strip().split("\n\n") if part.strip())


def summary(text: str) -> str:
    """The first sentence, for NAME and for lists."""
    first = (paragraphs(text) or ("",))[0]
    return first.partition(". ")[0].rstrip(".")
