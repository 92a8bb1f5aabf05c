"""An operation in words: the same ones in the table, the text and the page."""

from __future__ import annotations

from dualsrm.cli.text import duration, size
from dualsrm.history.rows import Row
from dualsrm.history.story import Story
from dualsrm.history.words import Ending


def way(one: Row) -> str:
    """From where to where, as far as the journal says."""
    return f"{one.source} → {one.target}" if one.source and one.target else one.source or one.target


def outcome(one: Row) -> str:
    """In words, with what else a reader of one line has to know."""
    said = one.outcome
    if one.ending in (Ending.RUNNING, Ending.INTERRUPTED) and one.step:
        said += f" in step {one.step}"
    if one.confirmed_by:
        said += f"; {one.source} confirmed off by {one.confirmed_by}"
    if one.unreadable_lines:
        said += f"; {one.unreadable_lines} unreadable lines"
    return said


def headline(one: Row) -> str:
    """What it was, and what came of it."""
    where = f" ({way(one)})" if way(one) else ""
    return " ".join(f"{one.verb} {one.guest or one.pair}{where}: {outcome(one)}".split())


def facts(one: Row, story: Story) -> list[tuple[str, str]]:
    """Labels and values; those nobody knows are left out, and what is unknown and matters is said."""
    found = [
        ("operation", one.operation),
        ("pair", one.pair),
        ("method", one.method),
        ("begun", one.begun),
        ("by", one.by),
        ("inside", one.inside),
        ("took", "" if one.took_s is None else duration(one.took_s)),
        ("guest outage", "" if one.outage_s is None else duration(one.outage_s)),
        ("window", _window(one, story)),
        ("memory", _memory(story)),
        ("confirmed off", f"{one.source}, by {one.confirmed_by}" if one.confirmed_by else ""),
        ("seen", one.seen),
        ("unreadable", f"{one.unreadable_lines} lines of the journal" if one.unreadable_lines else ""),
    ]
    return [(label, value) for label, value in found if value]


def _window(one: Row, story: Story) -> str:
    if story.window_opened_s is None:
        return ""
    opened = f"opened at {story.window_opened_s:.1f} s"
    if story.window_closed_s is None:
        return f"{opened}, not seen closed by this operation"
    seconds = story.window_closed_s - story.window_opened_s if one.window_s is None else one.window_s
    return f"{opened}, seen closed at {story.window_closed_s:.1f} s: {duration(seconds)}"


def _memory(story: Story) -> str:
    if not story.samples:
        return ""
    left = [sample.remaining for sample in story.samples if sample.remaining is not None]
    total = story.samples[-1].total
    still = f", {size(int(left[-1]))} left at the last look" if left else ""
    return f"{size(int(total))}{still}"
