"""`dualsrm stop` and `dualsrm start`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import click

from dualsrm.cli.group import start_group, stop_group
from dualsrm.cli.operation import Operation, operate
from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.session import Session
from dualsrm.cli.several import policy_of
from dualsrm.cli.text import duration, plain
from dualsrm.engine.cold import ColdReport, Prepared, Verb, prepare_start, prepare_stop, run_start, run_stop
from dualsrm.engine.environment import Environment
from dualsrm.model import Pair


@click.command()
@click.argument("guest")
@click.option("--destroy", is_flag=True, help="When it is late, end its QEMU as a power cut would.")
@click.option("--deadline", metavar="SECONDS", type=click.IntRange(1, 86_400), help="How long it may take.")
@click.option("--dry-run", is_flag=True, help="Print the plan; touch nothing.")
@json_option
@pass_session
def stop(session: Session, guest: str, *, destroy: bool, deadline: int | None, dry_run: bool, as_json: bool) -> int:
    """Shut GUEST, or every guest of a group, down and make its resources Secondary.

    It is asked through its agent and by ACPI in turn until no process of it is left. One that does not stop in time
    runs on, unless --destroy is given or configured.
    """
    if (group := session.group(guest)) is not None:
        return stop_group(session, group, destroy=destroy, deadline=deadline, dry_run=dry_run, as_json=as_json)
    state = session.state_directory
    policy = dataclasses.replace(policy_of(session), said_deadline_s=deadline, said_destroy=destroy)
    patience = policy.patience_of(session.group_of(guest), guest)
    operation = _operation(
        Verb.STOP,
        lambda environment, pair: prepare_stop(environment, pair, guest, patience),
        lambda environment, pair: run_stop(environment, pair, guest, patience, state_directory=state),
    )
    return operate(session, guest, operation, dry_run=dry_run, as_json=as_json)


@click.command()
@click.argument("guest")
@click.option(
    "--on", "host", metavar="HOST", help="Where; by default where its resources are Primary or it is defined."
)
@click.option("--dry-run", is_flag=True, help="Print the checks and the plan; touch nothing.")
@json_option
@pass_session
def start(session: Session, guest: str, *, host: str | None, dry_run: bool, as_json: bool) -> int:
    """Make GUEST's resources Primary, never by force, and start it; or every guest of a group, until it is ready.

    Refused while it may run elsewhere, or while the other host's disks may be newer. If it does not start, what was
    Secondary is again.
    """

    if (group := session.group(guest)) is not None:
        return start_group(session, group, host, dry_run=dry_run, as_json=as_json)
    state, own = session.state_directory, session.group_of(guest)
    prefer = own.prefer if own else None
    operation = _operation(
        Verb.START,
        lambda environment, pair: prepare_start(environment, pair, guest, host, state_directory=state, prefer=prefer),
        lambda environment, pair: run_start(environment, pair, guest, host, state_directory=state, prefer=prefer),
    )
    return operate(session, guest, operation, dry_run=dry_run, as_json=as_json)


def _operation(
    verb: Verb,
    prepare: Callable[[Environment, Pair], Prepared],
    run: Callable[[Environment, Pair], tuple[Prepared, ColdReport | None]],
) -> Operation[Prepared, ColdReport]:
    return Operation(
        kind=verb.value,
        prepare=prepare,
        run=run,
        subject=lambda prepared: {"guest": prepared.goal.guest, "host": prepared.goal.here},
        title=lambda prepared: f"{plain(prepared.goal.guest)} on {prepared.goal.here}",
        lines=lambda report: [f"{plain(report.guest)}: {report.state.value} ({_where_and_how_long(report)})"],
    )


def _where_and_how_long(report: ColdReport) -> str:
    return f"{report.host}, {duration(report.total_s)}" if report.operation else report.host
