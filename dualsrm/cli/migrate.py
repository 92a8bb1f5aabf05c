"""`dualsrm migrate`: a planned move, live or cold."""

from __future__ import annotations

import click

from dualsrm.cli.evacuate import jobs_option, keep_going_option, migrate_group
from dualsrm.cli.operation import Operation, operate
from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.session import Session
from dualsrm.cli.several import policy_of
from dualsrm.cli.text import duration, plain, size
from dualsrm.engine.environment import Environment
from dualsrm.engine.move import Prepared, fall_back, prepare_move, run_move
from dualsrm.engine.report import MoveReport
from dualsrm.model import Pair


@click.command()
@click.argument("guest")
@click.option("--to", metavar="HOST", help="Where it goes; the other host of its pair by default.")
@click.option("--cold", is_flag=True, help="Shut it down here and start it there.")
@click.option(
    "--on-failure",
    type=click.Choice(["rollback", "cold"]),
    help="After a live move that was rolled back: leave it running, or move it cold. Default: as configured.",
)
@jobs_option
@keep_going_option
@click.option("--dry-run", is_flag=True, help="Print the checks and the plan; touch nothing.")
@json_option
@pass_session
def migrate(
    session: Session,
    guest: str,
    to: str | None,
    *,
    cold: bool,
    on_failure: str | None,
    jobs: int | None,
    keep_going: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Move GUEST live to the other host, or leave it running where it is.

    Dual-primary is open only for the move and verified closed on both hosts after it. Ctrl-C asks to stop: before the
    hand-over the move is called off and rolled back, after it it is finished.

    With --cold it is shut down and started there; if it does not start, it is started here again.

    Every guest of a group, in --jobs at once: as its group says, live or cold. A group with a file system moves as one,
    cold: all its guests are shut down, it is unmounted here and mounted there, and they are started.
    """
    if (group := session.group(guest)) is not None:
        if cold and group.filesystem is None:
            raise click.UsageError(
                "--cold is for one GUEST or a group with a file system; another group says `cold` in the configuration"
            )
        return migrate_group(
            session,
            group,
            to,
            jobs=jobs,
            keep_going=keep_going,
            cold=cold,
            cold_after_live=None if on_failure is None else on_failure == "cold",
            dry_run=dry_run,
            as_json=as_json,
        )
    if jobs is not None or keep_going:
        raise click.UsageError("--jobs and --keep-going are for a group")
    settings, state = session.settings, session.state_directory
    patience = policy_of(session).patience_of(session.group_of(guest), guest)
    convergence, patient = settings.migration.convergence, patience if cold else None

    def prepare(environment: Environment, pair: Pair) -> Prepared:
        return prepare_move(environment, pair, guest, to, state_directory=state, convergence=convergence, cold=patient)

    def run(environment: Environment, pair: Pair) -> tuple[Prepared, MoveReport | None]:
        prepared, report = run_move(
            environment, pair, guest, to, state_directory=state, convergence=convergence, cold=patient
        )
        if report is None or cold or (on_failure or settings.migration.on_failure) != "cold":
            return prepared, report
        return prepared, fall_back(environment, pair, prepared, report, patience=patience, state_directory=state)

    operation = Operation("migrate", prepare, run, subject=_subject, title=_title, lines=lines)
    return operate(session, guest, operation, dry_run=dry_run, as_json=as_json)


def _subject(prepared: Prepared) -> dict[str, str]:
    goal = prepared.goal
    return {"guest": goal.guest, "source": goal.source, "target": goal.target}


def _title(prepared: Prepared) -> str:
    goal = prepared.goal
    return f"{plain(goal.guest)} from {goal.source} to {goal.target}"


def lines(report: MoveReport) -> tuple[str, str]:
    """How it ended, for people."""
    ended, total = f"{plain(report.guest)}: {report.state.value}", f"total {duration(report.total_s)}"
    way = f"({report.source} -> {report.target})"
    if report.method == "cold":
        return f"{ended}, cold {way}", f"without a QEMU for {duration(report.outage_s)}, {total}"
    return (
        f"{ended} {way}",
        f"outage about {duration(report.outage_s)}, {size(report.memory_bytes)} of memory copied, "
        f"window {duration(report.window_s)}, {total}",
    )
