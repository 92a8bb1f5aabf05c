"""Names from outside may hold control sequences and line breaks; nothing shows them as they are."""

from __future__ import annotations


def plain(value: object) -> str:
    """The value as one line of printable text; control characters are shown, not sent."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(value))
