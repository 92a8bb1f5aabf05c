"""Text for a terminal: names from outside may hold control sequences, so they never reach it as they are."""

from __future__ import annotations

from rich.text import Text

from dualsrm.model.text import plain

__all__ = ["duration", "plain", "size", "text"]


def text(value: object, style: str = "") -> Text:
    """The same as a rich text, which no square bracket in a name can style."""
    return Text(plain(value), style=style)


def duration(seconds: float | None) -> str:
    """Seconds for a person."""
    if seconds is None:
        return "unknown"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def size(count: int | None) -> str:
    """Bytes for a person, in binary units."""
    if count is None:
        return "unknown"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:  # noqa: PLR2004 - the base of binary units
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
