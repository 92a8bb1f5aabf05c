"""Runs as a table for people and as JSON lines that several invocations can be put together from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from tests.lab.faults.play import Run


def write(path: Path, run: Run) -> None:
    """Append one line."""
    with path.open("a") as out:
        out.write(json.dumps(asdict(run)) + "\n")


def read(path: Path) -> list[Run]:
    """All lines of a file."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [Run(**{**line, "complaints": tuple(line["complaints"])}) for line in lines]


def shown(runs: Sequence[Run]) -> Table:
    """One line a run, in the order of rows and moments."""
    table = Table("fault", "seed", "guest", "from", "at s", "reported", "exit", "outage s", "lost", "end", "verdict")
    for run in sorted(runs, key=lambda run: (run.row, run.moment_s)):
        table.add_row(
            run.row,
            str(run.seed),
            run.guest,
            run.source,
            f"{run.moment_s:.1f}{' (after its end)' if run.late else ''}",
            run.state,
            str(run.exit),
            "unknown" if run.outage_s is None else f"{run.outage_s:.1f}",
            "unknown" if run.lost is None else str(run.lost),
            run.end,
            escape("; ".join(run.complaints)) or "as it must",  # a message may name [sections]
        )
    return table


def summed(runs: Sequence[Run]) -> str:
    """The sentence that counts."""
    bad = sum(bool(run.complaints) for run in runs)
    lost = sum(run.lost or 0 for run in runs)
    unknown = sum(run.lost is None for run in runs)
    return f"{len(runs)} runs, {bad} not as they must be; acknowledged writes lost: {lost}" + (
        f", unknown in {unknown} runs" if unknown else ""
    )
