"""What a benchmark found: numbers by who and what, and which of them are to be compared."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_WIDTH = 60


@dataclass(frozen=True, slots=True)
class Series:
    """One quantity of one way of doing it, once for each run."""

    who: str
    what: str
    values: tuple[float, ...]
    unit: str = "s"

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A median that is compared with another one of the same run."""

    what: str
    who: str
    to: str
    limit: float | None = None
    """What it is to stay below; None: nobody asked for anything."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One benchmark's end."""

    title: str
    about: str
    """What was done, in a sentence or two, for somebody who has not read the benchmark."""
    series: tuple[Series, ...]
    ratios: tuple[Ratio, ...] = ()

    def value(self, ratio: Ratio) -> float:
        """Of the medians of its two series."""
        medians = {one.who: one.median for one in self.series if one.what == ratio.what}
        return medians[ratio.who] / medians[ratio.to]


def machine() -> str:
    """When and on what it was measured, for a page."""
    words = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
    model = next((value.strip() for key, _, value in words if key.strip() == "model name"), "unknown processor")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return f"- {datetime.now(UTC):%Y-%m-%d}, commit {commit.stdout.strip()}; {os.cpu_count()} processors, {model}"


def on_terminal(measured: Measured) -> str:
    """Median and range of each, and the ratios."""
    wide = max(len(one.who) for one in measured.series)
    lines = [
        f"{one.who:{wide}} {one.what:12} {one.median:8.2f} {one.unit} [{min(one.values):.2f}-{max(one.values):.2f}]"
        for one in measured.series
    ]
    lines += [f"{one.who} / {one.to}, {one.what:12} {measured.value(one):5.2f}{_asked(one)}" for one in measured.ratios]
    return "\n".join(lines)


def as_markdown(measured: Measured) -> str:
    """A section: what was done, the numbers, a plot of them, the ratios."""
    parts = [f"## {measured.title}", measured.about, "\n".join(_table(measured.series)), "\n".join(_plots(measured))]
    if measured.ratios:
        rows = (
            f"| {one.what} | {one.who} / {one.to} | {measured.value(one):.2f} | {one.limit or ''} |"
            for one in measured.ratios
        )
        parts.append("\n".join(("| | medians of | ratio | at most |", "|---|---|---|---|", *rows)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _asked(ratio: Ratio) -> str:
    return "" if ratio.limit is None else f" (at most {ratio.limit:g})"


def _table(series: Iterable[Series]) -> Iterator[str]:
    yield "| | | median | from | to | runs |"
    yield "|---|---|---|---|---|---|"
    for one in series:
        numbers = " | ".join(
            f"{value:.2f} {one.unit}".rstrip() for value in (one.median, min(one.values), max(one.values))
        )
        yield f"| {one.what} | {one.who} | {numbers} | {len(one.values)} |"


def _plots(measured: Measured) -> Iterator[str]:
    """A line for each series, from its least to its greatest value, `●` at the median; each quantity has a scale."""
    wide = max(len(one.who) for one in measured.series)
    yield "```text"
    for what in dict.fromkeys(one.what for one in measured.series):
        alike = [one for one in measured.series if one.what == what]
        top = max(max(one.values) for one in alike)
        yield f"{what} (0 to {top:.2f} {alike[0].unit})"
        for one in alike:
            low, middle, high = (
                round(value / top * (_WIDTH - 1)) for value in (min(one.values), one.median, max(one.values))
            )
            line = "".join("●" if at == middle else "━" if low <= at <= high else " " for at in range(_WIDTH))
            yield f"  {one.who:{wide}} │{line}│"
    yield "```"
