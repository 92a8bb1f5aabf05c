"""`dualsrm recover`: after an interrupted operation."""

from __future__ import annotations

import click

from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.output import console, emit_json
from dualsrm.cli.progress import progress_observer
from dualsrm.cli.session import Session
from dualsrm.cli.text import plain, text
from dualsrm.engine.recover import RecoveryReport
from dualsrm.engine.recover import recover as recover_pair
from dualsrm.errors import ExitCode


@click.command()
@click.option("--take-over", is_flag=True, help="Also release the lock of a manager that is certainly dead.")
@json_option
@pass_session
def recover(session: Session, *, take_over: bool, as_json: bool) -> int:
    """Make quiet what an interrupted operation left: idle sides Secondary, windows closed, locks released.

    Plans from what is seen now on both hosts; a second run finds nothing to do.
    """
    reports = []
    for pair in session.settings.pairs.values():
        with progress_observer(quiet=as_json) as observer:
            environment = session.environment([pair], observer)
            reports.append(recover_pair(environment, pair, session.state_directory, take_over=take_over))
    if as_json:
        emit_json("recover", {"pairs": [_as_json(report) for report in reports]})
    else:
        for report in reports:
            _print(report)
    return max((report.exit_code for report in reports), default=ExitCode.OK)


def _as_json(report: RecoveryReport) -> dict[str, object]:
    return {
        "pair": report.pair,
        "settled": report.settled,
        "refused": [{"guest": guest, "why": why} for guest, why in report.refused],
        "failed": [{"guest": guest, "seen": seen} for guest, seen in report.failed],
        "closed_operations": report.closed_operations,
    }


def _print(report: RecoveryReport) -> None:
    out = console()
    for guest in report.settled:
        out.print(text(f"{plain(guest)}: settled", "green"))
    for guest, why in report.refused:
        out.print(text(f"{plain(guest)}: not touched: {plain(why)}", "bold red"), soft_wrap=True)
    for guest, seen in report.failed:
        out.print(text(f"{plain(guest)}: {plain(seen)}", "bold red"), soft_wrap=True)
    if not (report.settled or report.refused or report.failed):
        out.print(text(f"{report.pair}: nothing to do", "green"))
