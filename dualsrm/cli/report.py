"""`dualsrm report`: one operation, told from its journal, as text, JSON or a page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table

from dualsrm.cli.history import STYLES
from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.output import console, emit_json, write_whole
from dualsrm.cli.page import page
from dualsrm.cli.session import Session
from dualsrm.cli.telling import facts, headline
from dualsrm.cli.text import duration, plain, text
from dualsrm.engine.journal import lines_of, whole_history
from dualsrm.errors import ExitCode, UsageError
from dualsrm.history.reader import Operation
from dualsrm.history.rows import Row, row
from dualsrm.history.story import Story, tell

LAST = "last"


@click.command()
@click.argument("operation")
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it as one page that loads nothing else, whole or not at all, mode 0640.",
)
@click.option("--force", is_flag=True, help="With --html: replace the file if it is there.")
@json_option
@pass_session
def report(session: Session, *, operation: str, html: Path | None, force: bool, as_json: bool) -> int:
    """Tell OPERATION from its journal: steps, memory, the window, what was said.

    OPERATION is what `dualsrm history` shows, the beginning of it, or `last`. No host is asked. Exit code 0 whatever
    it came to.
    """
    if html is not None and as_json:
        raise UsageError("--html and --json were both given", why="they are two forms", fix="give one of them")
    known = whole_history(session.state_directory)
    one = _meant(known, operation)
    parts = [row(part) for part in known if part.inside == one.name]
    about, story = row(one), tell(one, lines_of(session.state_directory, one.name))
    if as_json:
        told = dataclasses.asdict(story)
        emit_json("report", {**dataclasses.asdict(about), **told, "parts": [part.operation for part in parts]})
    elif html is not None:
        write_whole(html, page(about, story, parts), why="there would be no report", replace=force)
    else:
        _print(about, story, parts)
    return ExitCode.OK


def _meant(known: Sequence[Operation], said: str) -> Operation:
    if said == LAST:
        found = [one for one in known if not one.inside][-1:]
    else:
        found = [one for one in known if one.name == said] or [one for one in known if one.name.startswith(said)]
    if len(found) == 1:
        return found[0]
    if not known:
        raise UsageError("no operation is in the journal", why="there is nothing to tell of", fix="dualsrm status")
    seen = f"{len(found)} operations begin with {said}" if found else f"no operation is, or begins with, {said}"
    raise UsageError(seen, why="a report is about one", fix="name one of those that `dualsrm history` shows")


def _print(one: Row, story: Story, parts: Sequence[Row]) -> None:
    out = console()
    out.print(text(headline(one), STYLES[one.ending]), soft_wrap=True)
    for label, value in facts(one, story):
        out.print(text(f"{label + ':':<14}{plain(value)}"), soft_wrap=True)
    if story.steps:
        table = Table("at", "took", "step", "on", "state", "seen")
        for step in story.steps:
            table.add_row(
                text(f"{step.begun_s:.1f} s"),
                text("" if step.ended_s is None else duration(step.ended_s - step.begun_s)),
                text(" ".join(filter(None, (step.guest, "undo" if step.undo else "", step.name)))),
                text(", ".join(step.on)),
                text(step.state, "green" if step.state == "done" else "bold red"),
                text(step.seen),
            )
        out.print(table)
    for said in story.notices:
        out.print(text(f"{said.at_s:.1f} s: {plain(said.text)}"), soft_wrap=True)
    for part in parts:
        out.print(text(f"inside: {plain(part.operation)}: {plain(headline(part))}"), soft_wrap=True)
