"""`dualsrm reprotect`: a host that was lost is taken back."""

from __future__ import annotations

import click

from dualsrm.cli.operation import Operation, operate
from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.session import Session
from dualsrm.cli.text import duration
from dualsrm.engine.reprotect import Prepared, ReprotectReport, prepare_reprotect, run_reprotect


@click.command()
@click.argument("host")
@click.option("--deadline", metavar="SECONDS", type=click.IntRange(10, 604_800), default=86_400, help="For the resync.")
@click.option("--dry-run", is_flag=True, help="Print the checks and the plan; touch nothing.")
@json_option
@pass_session
def reprotect(session: Session, host: str, *, deadline: int, dry_run: bool, as_json: bool) -> int:
    """Take HOST back, which was lost: resync it, see both sides whole, lift its quarantine.

    Nothing is promoted there and nothing discarded. Run again, it goes on where it is.
    """
    operation: Operation[Prepared, ReprotectReport] = Operation(
        kind="reprotect",
        prepare=lambda environment, pair: prepare_reprotect(environment, pair, host, deadline),
        run=lambda environment, pair: run_reprotect(
            environment, pair, host, deadline, state_directory=session.state_directory
        ),
        subject=lambda prepared: {"host": prepared.host, "survivor": prepared.survivor},
        title=lambda prepared: f"{prepared.host} beside {prepared.survivor}",
        lines=_lines,
    )
    return operate(session, "", operation, dry_run=dry_run, as_json=as_json, pair=session.pair_of(host))


def _lines(report: ReprotectReport) -> list[str]:
    took = "" if report.resync_s is None else f"resynced in {duration(report.resync_s)}, "
    return [f"{report.host}: {report.state.value}", f"{took}total {duration(report.total_s)}"]
