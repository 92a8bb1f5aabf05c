"""Text from a host, made fit for a terminal, a log and a message. A host may be hostile."""

from __future__ import annotations

from typing import Final

MESSAGE_LIMIT: Final = 600
"""Characters of a host's words in a message: drbdadm's longest refusal is about 400."""


def clean(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """One line without control characters (escape sequences, newlines), at most `limit` characters.

    Anything `str.isprintable` refuses becomes a space, direction overrides and lone surrogates included.
    """
    head = text[: limit * 4]  # no need to walk megabytes
    line = " ".join("".join(c if c.isprintable() else " " for c in head).split())
    return line if len(line) <= limit and len(head) == len(text) else line[: limit - 1] + "…"


def decode(data: bytes) -> str:
    """UTF-8; bytes that are none stay visible as `\\xNN` instead of vanishing or raising."""
    return data.decode("utf-8", "backslashreplace")
