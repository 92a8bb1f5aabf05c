"""`dualsrm migrate`: a planned live move."""

from __future__ import annotations

import contextlib
import dataclasses

import click

from dualsrm.checks import blocking
from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.output import console, emit_json, finding_json, print_findings
from dualsrm.cli.progress import progress_observer
from dualsrm.cli.session import Session
from dualsrm.cli.text import duration, plain, size, text
from dualsrm.engine.move import Prepared, prepare_move, run_move
from dualsrm.engine.report import MoveReport
from dualsrm.errors import ExitCode
from dualsrm.plan.steps import Step


@click.command()
@click.argument("guest")
@click.option("--to", metavar="HOST", help="Where it goes; the other host of its pair by default.")
@click.option("--dry-run", is_flag=True, help="Print the checks and the plan; touch nothing.")
@json_option
@pass_session
def migrate(session: Session, guest: str, to: str | None, *, dry_run: bool, as_json: bool) -> int:
    """Move GUEST live to the other host, or leave it running where it is.

    Dual-primary is open only for the move and verified closed on both hosts after it. Ctrl-C asks to stop: before the
    hand-over the move is called off and rolled back, after it it is finished.
    """
    pair = session.pair_for(guest)
    with progress_observer(quiet=as_json) as observer:
        environment = session.environment([pair], observer)
        state, convergence = session.state_directory, session.settings.migration.convergence
        report = None
        if dry_run:
            prepared = prepare_move(environment, pair, guest, to, state_directory=state, convergence=convergence)
        else:
            session.stop_on_signals()
            prepared, report = run_move(environment, pair, guest, to, state_directory=state, convergence=convergence)
    refused = bool(blocking(prepared.findings))
    # Whoever listened may be gone; how the move ended is still in the exit code and in the journal.
    with contextlib.nullcontext() if report is None else contextlib.suppress(OSError):
        if as_json:
            _emit(prepared, report, refused=refused)
        elif report is not None:
            _print_report(report)
        else:
            _print_plan(prepared)
    if report is not None:
        return report.exit_code
    return ExitCode.REFUSED if refused else ExitCode.OK


def _emit(prepared: Prepared, report: MoveReport | None, *, refused: bool) -> None:
    body: dict[str, object] = {
        "guest": prepared.goal.guest,
        "source": prepared.goal.source,
        "target": prepared.goal.target,
        "refused": refused,
        "findings": [finding_json(finding) for finding in prepared.findings if refused or report is None],
        "plan": [] if report else [_step_json(step) for step in prepared.plan],
        "result": None,
    }
    if report is not None:
        body["result"] = {**dataclasses.asdict(report), "exit_code": int(report.exit_code)}
    emit_json("migrate", body)


def _step_json(step: Step) -> dict[str, object]:
    return {
        "name": step.name,
        "do": [str(command) for command in step.do],
        "verify": [str(condition) for condition in step.verify],
        "undo": [str(command) for command in step.undo],
        "deadline_s": step.deadline_s,
    }


def _print_plan(prepared: Prepared) -> None:
    goal = prepared.goal
    print_findings(f"{plain(goal.guest)} from {goal.source} to {goal.target}", prepared.findings, verbose=False)
    out = console()
    for number, step in enumerate(prepared.plan, start=1):
        out.print(text(f"{number}. {step.name}", "bold"))
        for label, lines in (("do", step.do), ("verify", step.verify), ("undo", step.undo)):
            for line in lines:
                out.print(text(f"   {label:<7}{plain(line)}"), soft_wrap=True)


def _print_report(report: MoveReport) -> None:
    out = console()
    style = "green" if report.exit_code is ExitCode.OK else "bold red"
    line = f"{plain(report.guest)}: {report.state.value} ({report.source} -> {report.target})"
    numbers = (
        f"outage about {duration(report.outage_s)}, {size(report.memory_bytes)} of memory copied, "
        f"window {duration(report.window_s)}, total {duration(report.total_s)}"
    )
    out.print(text(line, style), soft_wrap=True)
    out.print(text(numbers), soft_wrap=True)
    if report.seen:
        out.print(text(f"seen: {plain(report.seen)}"), soft_wrap=True)
    if report.fix:
        out.print(text(f"fix:  {plain(report.fix)}"), soft_wrap=True)
