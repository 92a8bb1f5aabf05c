"""`dualsrm status`: both hosts, both viewpoints, every guest."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
from rich.text import Text

from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.output import console, emit_json, finding_json
from dualsrm.cli.seen import look, shown
from dualsrm.cli.session import Session
from dualsrm.cli.watch import watch
from dualsrm.errors import ExitCode, UsageError
from dualsrm.overview import PairOverview


@click.command()
@json_option
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --json: write the document there, whole or not at all, mode 0640.",
)
@click.option("--watch", "watching", is_flag=True, help="Show it anew, with its age, until Ctrl-C.")
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.IntRange(1, 3600),
    default=5,
    show_default=True,
    help="With --watch: how often the hosts are asked.",
)
@pass_session
def status(session: Session, *, as_json: bool, output: Path | None, watching: bool, interval: int) -> int:
    """Show hosts, guests and replication of every pair. Exit code 0 only if every guest that runs could move now.

    Ready to migrate means that every check passes which needs no question from one host to the other; `dualsrm check`
    asks those too.
    """
    if output is not None and not as_json:
        raise UsageError("--output was given without --json", why="only the document is written", fix="--json --output")
    if watching and as_json:
        raise UsageError(
            "--watch was given with --json", why="a document is written once, at its end", fix="dualsrm status --json"
        )
    if watching:
        watch(session, interval)
        return ExitCode.OK
    pairs = tuple(session.settings.pairs.values())
    environment = session.environment(pairs)
    looked_at = environment.clock.now_iso()  # before: what is read off it must not seem younger than it is
    seen = [look(session, environment, pair) for pair in pairs]
    if as_json:
        healthy = all(pair.healthy for pair in seen)
        body = {"healthy": healthy, "looked_at": looked_at, "pairs": [_as_json(pair) for pair in seen]}
        emit_json("status", body, output)
    else:
        for pair in seen:
            _print(pair)
    return ExitCode.OK if all(pair.healthy for pair in seen) else ExitCode.REFUSED


def _as_json(pair: PairOverview) -> dict[str, object]:
    body = dataclasses.asdict(pair)
    body["healthy"] = pair.healthy
    for line, guest in zip(body["guests"], pair.guests, strict=True):
        line["blockers"] = [finding_json(finding) for finding in guest.blockers]
        line["failover_blockers"] = [finding_json(finding) for finding in guest.failover_blockers]
    return body


def _print(pair: PairOverview) -> None:
    out = console()
    for item in shown(pair):
        out.print(item, soft_wrap=isinstance(item, Text))
