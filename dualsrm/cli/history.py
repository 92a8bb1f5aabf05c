"""`dualsrm history`: what was done, from the journal of this manager."""

from __future__ import annotations

import csv
import dataclasses
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click
from rich.table import Column, Table
from rich.text import Text

from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.output import console, emit_json
from dualsrm.cli.session import Session
from dualsrm.cli.telling import outcome, way
from dualsrm.cli.text import duration, plain, text
from dualsrm.engine.journal import whole_history
from dualsrm.errors import ExitCode, UsageError
from dualsrm.history.rows import Row, Wanted, newest_first, row
from dualsrm.history.words import OUTCOMES, Ending

STYLES = {
    Ending.OK: "green",
    Ending.NOTHING: "yellow",
    Ending.FAILED: "bold red",
    Ending.RUNNING: "bold blue",
    Ending.INTERRUPTED: "bold red",
    Ending.RECOVERED: "yellow",
    Ending.UNKNOWN: "bold magenta",
}
_WIDE = 120
"""Columns of a terminal, from which on all is shown."""
_WIDE_ONLY = ("begun (UTC)", "took", "pair", "outage", "by")
"""An operation's identifier begins with when it began; the rest is in `report` and `--json`."""
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Since(click.ParamType):  # type: ignore[type-arg]  # click 8.1, Debian 12's, is not generic
    """A time, or how long ago: `2026-11-22`, `2026-11-22T14:00`, `36h`, `7d`."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """A time without a zone is this manager's own."""
        said = str(value)
        try:
            if ago := re.fullmatch(r"(\d{1,6})([mhdw])", said):
                return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            return datetime.fromisoformat(said).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"{said!r} is neither a time such as 2026-11-22T14:00 nor an age such as 36h or 7d", param, ctx)


@click.command()
@click.option("--pair", help="Only operations on this pair.")
@click.option("--guest", help="Only operations on this guest or group.")
@click.option("--verb", type=click.Choice(sorted(OUTCOMES)), help="Only operations of this kind.")
@click.option("--since", type=Since(), help="Only those begun since then: a time, or an age such as 36h or 7d.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="At most so many, those inside others not counted.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values on standard output.")
@json_option
@pass_session
def history(
    session: Session,
    *,
    pair: str | None,
    guest: str | None,
    verb: str | None,
    since: datetime | None,
    limit: int,
    as_csv: bool,
    as_json: bool,
) -> int:
    """Show what this manager has done, the newest first: refused, running and interrupted operations too.

    No host is asked. Exit code 0 whatever the operations came to.
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json were both given", why="there is one standard output", fix="give one of them")
    found, left_out = newest_first(whole_history(session.state_directory), Wanted(pair, guest, verb, since), limit)
    rows = [row(one) for one in found]
    if as_json:
        emit_json("history", {"operations": [dataclasses.asdict(one) for one in rows], "older": left_out})
    elif as_csv:
        _write_csv(rows)
    else:
        _print(rows, left_out)
    return ExitCode.OK


def _write_csv(rows: Sequence[Row]) -> None:
    names = [one.name for one in dataclasses.fields(Row)]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([[_cell(getattr(one, name)) for name in names] for one in rows])


def _cell(value: object) -> str:
    """One line. What a spreadsheet would take for a formula gets an apostrophe: names come from outside."""
    said = "" if value is None else plain(value.value if isinstance(value, Ending) else value)
    return f"'{said}" if isinstance(value, str) and said.startswith(("=", "+", "-", "@")) else said


def _print(rows: Sequence[Row], left_out: int) -> None:
    out = console()
    if not rows:
        out.print("no operation")
        return
    shown, wide = {one.operation for one in rows}, out.width >= _WIDE
    cells = [_cells(one, inside=one.inside in shown, wide=wide) for one in rows]
    names = [name for name in cells[0] if wide or name not in _WIDE_ONLY]
    # Folded, never cut short, and the identifier in one piece: it is there to be copied into `report`.
    table = Table(*(Column(name, overflow="fold", no_wrap=name == "operation") for name in names))
    for line in cells:
        table.add_row(*(line[name] for name in names))
    out.print(table)
    if left_out:
        out.print(text(f"{left_out} older not shown: --limit"))


def _cells(one: Row, *, inside: bool, wide: bool) -> dict[str, Text]:
    # Verbs have a column: the beginning is enough for `report`, which says so where it is not.
    name = plain(one.operation if wide else one.operation.partition(f"-{one.verb}-")[0])
    return {
        "operation": text(f"└ {name}" if inside else name),
        "begun (UTC)": text(one.begun.removesuffix("+00:00").replace("T", " ")),
        "took": text("" if one.took_s is None else duration(one.took_s)),
        "verb": text(f"{one.verb} {one.method}".strip()),
        "pair": text(one.pair),
        "guest": text(one.guest),
        "from → to": text(way(one)),
        "outcome": text(outcome(one), STYLES[one.ending]),
        "outage": text("" if one.outage_s is None else duration(one.outage_s)),
        "by": text(one.by),
    }
