"""python -m tests.lab.faults: the long table, or a part of it.

Without --lab a lab of its own is booted and taken down. The first failing run ends it, with evidence, and leaves a lab
that was given as it is. Exit codes: 0 all runs as they must be, 1 one was not.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import click
from rich.console import Console

from tests.lab.faults import evidence, table
from tests.lab.faults.play import Run, choose, measure_span, play
from tests.lab.faults.rows import BY_NAME, ROWS, Row
from tests.lab.handle import LabHandle, lab_of_our_own


def _played(lab: LabHandle, row: Row, seed: int, span_s: float, kept: Path) -> Run:
    """One run, evidence kept if it failed; one that broke off leaves it too."""
    choice = choose(row, seed, span_s)
    again = f"--row {row.name} --seed {seed} --span {span_s:.1f} --runs 1"
    click.echo(f"{again}: {choice.journey.guest} from {choice.journey.source}, {choice.moment_s:.1f} s", err=True)
    directory = kept / f"{row.name}-{seed}"
    try:
        run = play(lab, row, seed, span_s)
    except BaseException:
        evidence.collect(lab, directory, lab.directory)
        click.echo(f"broke off; replay with {again}; evidence: {directory}", err=True)
        raise
    if run.complaints:
        evidence.collect(lab, directory, lab.directory)
        (directory / "dualsrm.stderr").write_text(run.told)
        click.echo(f"failed; replay with {again}; evidence: {directory}", err=True)
    return run


@click.command()
@click.option("--lab", "name", help="A lab that is up; default: one of its own.")
@click.option("--row", "names", multiple=True, type=click.Choice(list(BY_NAME)), help="Default: all of them.")
@click.option("--runs", type=click.IntRange(1), help="Of each row; default: as the row says.")
@click.option("--seed", default=1, show_default=True, help="Of the first run; the others count up from it.")
@click.option("--span", type=float, help="Seconds to choose moments from; default: an undisturbed move's, measured.")
@click.option("--jsonl", type=click.Path(path_type=Path), help="Append each run to this file.")
@click.option("--evidence", "kept", type=click.Path(path_type=Path), help="Where failed runs leave what was seen.")
@click.option("--merge", multiple=True, type=click.Path(path_type=Path, exists=True), help="Only show these files.")
def main(
    *,
    name: str | None,
    names: Sequence[str],
    runs: int | None,
    seed: int,
    span: float | None,
    jsonl: Path | None,
    kept: Path | None,
    merge: Sequence[Path],
) -> None:
    """Play rows of the fault table and judge them."""
    out = Console(highlight=False, width=200)
    done = [run for path in merge for run in table.read(path)]
    if not merge:
        kept = kept or Path(tempfile.mkdtemp(prefix="dualsrm-faults-"))
        with nullcontext(LabHandle(name)) if name else lab_of_our_own("f") as lab:
            span_s = span or round(measure_span(lab), 1)
            for row in [BY_NAME[name] for name in names] or ROWS:
                for number in range(runs or row.runs):
                    done.append(_played(lab, row, seed + number, span_s, kept))
                    if jsonl is not None:
                        table.write(jsonl, done[-1])
                    out.print(table.shown(done[-1:]))
                    if done[-1].complaints:
                        sys.exit(1)
    out.print(table.shown(done))
    out.print(table.summed(done))
    sys.exit(any(run.complaints for run in done))


if __name__ == "__main__":
    main()
