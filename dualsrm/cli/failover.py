"""`dualsrm failover`: a host is lost, its guests go on at the other one."""

from __future__ import annotations

import contextlib
import dataclasses

import click

from dualsrm.cli.operation import print_end
from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.output import console, emit_json, finding_json, print_findings, print_plan, step_json
from dualsrm.cli.progress import progress_observer
from dualsrm.cli.session import Session
from dualsrm.cli.text import duration, plain, text
from dualsrm.engine.failover import Prepared, PreparedGuest, Wanted, prepare_failover
from dualsrm.engine.failover_report import FailoverReport
from dualsrm.engine.failover_run import Outcome, run_failover
from dualsrm.engine.journal import who
from dualsrm.errors import UsageError


@click.command()
@click.argument("guest", required=False)
@click.option("--all", "everything", is_flag=True, help="Every guest that is defined on HOST and does not run there.")
@click.option("--to", metavar="HOST", required=True, help="The host that survived; the other one of its pair is lost.")
@click.option(
    "--confirm-off", metavar="LOST", help="You have seen that the lost host is off: written down as your word."
)
@click.option(
    "--accept-data-loss", is_flag=True, help="Go on with a disk that is not the newest: what it lacks is lost."
)
@click.option("--dry-run", is_flag=True, help="Print the checks and the plan; touch nothing.")
@json_option
@pass_session
def failover(
    session: Session,
    guest: str | None,
    to: str,
    *,
    everything: bool,
    confirm_off: str | None,
    accept_data_loss: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Bring GUEST, a group, or all guests of a lost host up on the other one, groups in their order.

    Refused while anything shows that the host lives. It is switched off by its fence device and seen off before
    anything is promoted; without a device you have to see it off and say so. Run again, it skips what is done.
    """
    if (guest is None) is not everything:
        raise click.UsageError("name one GUEST, or say --all")
    pair = session.pair_of(to)
    by = who()
    group = session.group(guest) if guest is not None else None
    if group is not None and group.pair != pair.name:
        raise UsageError(f"group {group.name} is of pair {group.pair}, and {to} is a host of {pair.name}")
    wanted = Wanted(guest, to, confirm_off, by, accept_data_loss, group.guests if group else ())
    with progress_observer(quiet=as_json) as observer:
        environment = session.environment([pair], observer)
        state = session.state_directory
        if dry_run:
            outcome = Outcome(prepare_failover(environment, pair, wanted, state_directory=state))
        else:
            session.stop_on_signals()
            groups = tuple(session.settings.groups.values())
            outcome = run_failover(environment, pair, wanted, state_directory=state, groups=groups)
    with contextlib.suppress(OSError):  # whoever listened may be gone; the exit code still says it
        if as_json:
            emit_json("failover", {"pair": pair.name, **_as_json(outcome)})
        else:
            _print(outcome)
    return outcome.exit_code


# --- JSON ---------------------------------------------------------------------------------------------------------


def _as_json(outcome: Outcome) -> dict[str, object]:
    prepared = outcome.prepared
    return {
        "host": prepared.ask.to,
        "lost": prepared.ask.lost,
        "refused": prepared.refused,
        "signs": prepared.signs,
        "power": prepared.power or None,
        "findings": [finding_json(finding) for finding in prepared.findings],
        "plan": [] if outcome.reports else [step_json(step) for step in prepared.fence],
        "guests": [_guest_json(one, _report_of(outcome, one)) for one in prepared.guests],
        "groups": [dataclasses.asdict(one) for one in outcome.groups],
    }


def _guest_json(one: PreparedGuest, report: FailoverReport | None) -> dict[str, object]:
    return {
        "guest": one.guest,
        "refused": one.refused,
        "findings": [finding_json(finding) for finding in one.findings],
        "plan": [step_json(step) for step in one.plan if report is None],
        "result": None if report is None else {**dataclasses.asdict(report), "exit_code": int(report.exit_code)},
    }


def _report_of(outcome: Outcome, one: PreparedGuest) -> FailoverReport | None:
    return next((report for report in outcome.reports if report.guest == one.guest), None)


# --- for people ---------------------------------------------------------------------------------------------------


def _print(outcome: Outcome) -> None:
    prepared, out = outcome.prepared, console()
    if prepared.findings and not outcome.reports:
        print_findings(f"failover from {prepared.ask.lost} to {prepared.ask.to}", prepared.findings, verbose=True)
    elif prepared.signs:
        out.print(text(f"{prepared.ask.lost} is lost: {'; '.join(prepared.signs)}"), soft_wrap=True)
    if not outcome.reports:
        print_plan(prepared.fence)
    for one in prepared.guests:
        report = _report_of(outcome, one)
        if report is None and prepared.refused and not one.refused:
            continue  # what is against it was said above
        if report is None:
            _print_prepared(prepared, one)
        else:
            print_end(report, _lines(report))
    for group in outcome.groups:
        if group.failed:
            out.print(text(f"group {plain(group.group)}: {plain(group.failed)}", "bold red"), soft_wrap=True)
    if not prepared.guests:
        out.print(text(f"no guest is waiting to start on {prepared.ask.to}: nothing to do", "green"))


def _print_prepared(prepared: Prepared, one: PreparedGuest) -> None:
    title = f"{plain(one.guest)} on {prepared.ask.to}"
    if one.findings:
        print_findings(title, one.findings, verbose=False)
    elif not one.plan and not prepared.refused:
        console().print(text(f"{title}: nothing to do", "green"))
    print_plan(one.plan)


def _lines(report: FailoverReport) -> list[str]:
    head = f"{plain(report.guest)}: {report.state.value} ({report.host}, {duration(report.total_s)})"
    steps = (("fence", report.fence_s), ("promote", report.promote_s), ("start", report.start_s))
    times = ", ".join(f"{name} {duration(seconds)}" for name, seconds in steps if seconds is not None)
    return [
        head,
        *([f"{times}; its boot is not in it"] if report.start_s is not None else [times] if times else []),
        *(f"warning: {plain(warning)}" for warning in report.warnings),
    ]
