"""`dualsrm recover`: after an interrupted operation."""

from __future__ import annotations

import contextlib
import shlex

import click

from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.output import console, emit_json, error_json, print_error
from dualsrm.cli.progress import progress_observer
from dualsrm.cli.session import Session
from dualsrm.cli.text import plain, text
from dualsrm.engine.recover import RecoveryReport
from dualsrm.engine.recover import recover as recover_pair
from dualsrm.errors import DualsrmError, ExitCode


@click.command()
@click.option("--take-over", is_flag=True, help="Also release the lock of a manager that is certainly dead.")
@json_option
@pass_session
def recover(session: Session, *, take_over: bool, as_json: bool) -> int:
    """Make quiet what an interrupted operation left: idle sides Secondary, windows closed, locks released.

    Plans from what is seen now on both hosts; a second run finds nothing to do.
    """
    reports: list[RecoveryReport] = []
    errors: list[tuple[str, DualsrmError]] = []
    for pair in session.settings.pairs.values():
        with progress_observer(quiet=as_json) as observer:
            environment = session.environment([pair], observer)
            try:
                reports.append(recover_pair(environment, pair, session.state_directory, take_over=take_over))
            except DualsrmError as error:  # one pair's trouble must hide neither what was done for the others nor it
                errors.append((pair.name, error))
    with contextlib.suppress(OSError):  # whoever listened may be gone; the exit code still says it
        _tell(reports, errors, as_json=as_json)
    codes = [report.exit_code for report in reports] + [error.exit_code for _, error in errors]
    return max(codes, default=ExitCode.OK)


def _tell(reports: list[RecoveryReport], errors: list[tuple[str, DualsrmError]], *, as_json: bool) -> None:
    if as_json:
        body = {
            "pairs": [_as_json(report) for report in reports],
            "errors": [{"pair": pair, **error_json(error)} for pair, error in errors],
        }
        emit_json("recover", body)
        return
    for report in reports:
        _print(report)
    for pair, error in errors:
        console(stderr=True).print(text(f"pair {pair}", "bold red"))
        print_error(error, as_json=False)


def _as_json(report: RecoveryReport) -> dict[str, object]:
    return {
        "pair": report.pair,
        "settled": report.settled,
        "refused": [{"guest": one.subject, "why": one.refusal, "fix": one.fix} for one in report.refused],
        "failed": [{"guest": guest, "seen": seen} for guest, seen in report.failed],
        "closed_operations": report.closed_operations,
        "down": report.down,
    }


def _print(report: RecoveryReport) -> None:
    out = console()
    for guest in report.settled:
        out.print(text(f"{plain(guest)}: settled", "green"))
    for one in report.refused:
        out.print(text(f"{plain(one.subject)}: not touched: {plain(one.refusal)}", "bold red"), soft_wrap=True)
        out.print(text(f"  fix: {plain(one.fix)}"), soft_wrap=True)
    for guest, seen in report.failed:
        out.print(text(f"{plain(guest)}: {plain(seen)}", "bold red"), soft_wrap=True)
    for guest in report.down:
        out.print(text(f"{plain(guest)}: runs nowhere", "bold yellow"))
        out.print(text(f"  fix: {plain(shlex.join(('dualsrm', 'start', '--', guest)))}"), soft_wrap=True)
    if not (report.refused or report.failed):
        for operation in report.closed_operations:
            out.print(
                text(f"{report.pair}: {plain(operation)} was interrupted; it is over now", "green"), soft_wrap=True
            )
    if not (report.settled or report.refused or report.failed or report.down or report.closed_operations):
        out.print(text(f"{report.pair}: nothing to do", "green"))
