"""`dualsrm check`: every precheck of a live move, nothing touched."""

from __future__ import annotations

import click

from dualsrm.checks import blocking
from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.output import emit_json, finding_json, print_findings
from dualsrm.cli.session import Session
from dualsrm.cli.text import plain
from dualsrm.engine.move import prepare_move
from dualsrm.errors import ExitCode


@click.command()
@click.argument("guest")
@click.option("--to", metavar="HOST", help="Where it would go; the other host of its pair by default.")
@click.option("-v", "--verbose", is_flag=True, help="Show the checks that pass as well.")
@json_option
@pass_session
def check(session: Session, guest: str, to: str | None, *, verbose: bool, as_json: bool) -> int:
    """Check whether GUEST could move live now. Exit code 0 only if none is failed or unknown."""
    pair = session.pair_for(guest)
    prepared = prepare_move(
        session.environment([pair]),
        pair,
        guest,
        to,
        state_directory=session.state_directory,
        convergence=session.settings.migration.convergence,
    )
    blocked = blocking(prepared.findings)
    if as_json:
        body = {
            "guest": guest,
            "source": prepared.goal.source,
            "target": prepared.goal.target,
            "ready": not blocked,
            "findings": [finding_json(finding) for finding in prepared.findings],
        }
        emit_json("check", body)
    else:
        title = f"{plain(guest)} from {prepared.goal.source} to {prepared.goal.target}"
        print_findings(title, prepared.findings, verbose=verbose)
    return ExitCode.REFUSED if blocked else ExitCode.OK
