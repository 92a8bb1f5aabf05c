"""`dualsrm test-failover`: a failover rehearsed on copies, and all of it away again."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence

import click
from rich.table import Table

from dualsrm.cli.operation import print_end
from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.output import console, emit_json, finding_json, print_findings, print_plan, step_json
from dualsrm.cli.progress import progress_observer
from dualsrm.cli.session import Session
from dualsrm.cli.text import duration, plain, size, text
from dualsrm.engine.rehearsal import Prepared, Wanted, prepare_rehearsal
from dualsrm.engine.rehearsal_cleanup import Standing, run_cleanup, standing
from dualsrm.engine.rehearsal_report import CleanupReport, CleanupState, RehearsalReport
from dualsrm.engine.rehearsal_run import order_of_clones, run_rehearsal
from dualsrm.errors import ExitCode, UsageError
from dualsrm.model import Group, Pair, Unknown
from dualsrm.plan.rehearsal import plan_clone

_DRY_RUN = "dry-run-000000"
"""In the place of an operation's name."""


@click.group("test-failover")
def test_failover() -> None:
    """Rehearse a failover: clones on snapshots of the standby's disks, in networks that lead nowhere."""


@test_failover.command("start")
@click.argument("plan", required=False)
@click.option("--all", "everything", is_flag=True, help="Every guest that a failover to HOST would bring up.")
@click.option("--to", metavar="HOST", help="The host that would be the survivor. Default: where PLAN does not run.")
@click.option(
    "--snapshot-size", metavar="MIB", type=click.IntRange(4, 1 << 30), help="Of each. Default: as configured."
)
@click.option("--dry-run", is_flag=True, help="Print the checks and the plan; touch nothing.")
@json_option
@pass_session
def start_command(
    session: Session,
    plan: str | None,
    to: str | None,
    *,
    everything: bool,
    snapshot_size: int | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Start clones of the guests of PLAN, a guest or a group, in the order of a failover.

    The guests run on and replicate on. What was started stands until `test-failover cleanup`.
    """
    group = session.group(plan) if plan is not None else None
    pair = _pair(session, plan, to, group, everything=everything)
    settings = session.settings.rehearsal
    wanted = Wanted(
        plan,
        to,
        group.guests if group else (),
        settings.snapshot_percent,
        settings.snapshot_min_mib << 20,
        snapshot_size and snapshot_size << 20,
    )
    groups = tuple(session.settings.groups.values())
    report: RehearsalReport | None = None
    with progress_observer(quiet=as_json) as observer:
        environment = session.environment([pair], observer)
        if dry_run:
            prepared = prepare_rehearsal(environment, pair, wanted, _DRY_RUN)
        else:
            session.stop_on_signals()
            prepared, report = run_rehearsal(
                environment, pair, wanted, state_directory=session.state_directory, groups=groups
            )
    _, not_asked = order_of_clones(groups if wanted.several else (), pair, prepared.clones)
    # Whoever listened may be gone; how it ended is still in the exit code and in the journal.
    with contextlib.nullcontext() if report is None else contextlib.suppress(OSError):
        if as_json:
            emit_json("test-failover", {"pair": pair.name, "plan": plan, **_as_json(prepared, report, not_asked)})
        elif report is not None:
            print_end(report, _lines(report, prepared))
        else:
            _print_prepared(prepared, not_asked)
    if report is not None:
        return report.exit_code
    return ExitCode.REFUSED if prepared.refused else ExitCode.OK


def _pair(session: Session, plan: str | None, to: str | None, group: Group | None, *, everything: bool) -> Pair:
    if (plan is None) is not everything:
        raise click.UsageError("name one PLAN, a guest or a group, or say --all")
    if to is None and everything:
        raise click.UsageError("with --all, say which host would be the survivor: --to HOST")
    pair = session.pair_of(to) if to is not None else None
    if group is not None and pair is not None and group.pair != pair.name:
        raise UsageError(f"group {group.name} is of pair {group.pair}, and {to} is a host of {pair.name}")
    if pair is not None:
        return pair
    return session.settings.pairs[group.pair] if group else session.pair_for(plan or "")


def _as_json(prepared: Prepared, report: RehearsalReport | None, not_asked: Sequence[str]) -> dict[str, object]:
    shown = report is None
    steps = (*prepared.plan, *(step for clone in prepared.clones for step in plan_clone(prepared.host, clone)))
    return {
        "host": prepared.host,
        "refused": prepared.refused,
        "findings": [finding_json(finding) for finding in prepared.findings],
        "plan_steps": [step_json(step) for step in steps if shown],
        "clones": [{"guest": one.guest, "name": one.name, "uuid": one.uuid} for one in prepared.clones],
        "staying": list(prepared.staying),
        "not_asked": list(not_asked),
        "result": None if report is None else _result_json(report),
    }


_OF_A_GUEST = ("guest", "group", "state", "seen", "total_s")


def _result_json(report: RehearsalReport) -> dict[str, object]:
    guests = [{key: getattr(one, key) for key in _OF_A_GUEST} for one in report.guests]
    return {
        "operation": report.operation,
        "state": report.state.value,
        "seen": report.seen,
        "fix": report.fix,
        "guests": guests,
        "groups": [dataclasses.asdict(one) for one in report.groups],
        "left": [{"guest": one.guest, "why": one.why} for one in report.left],
        "total_s": report.total_s,
        "exit_code": int(report.exit_code),
    }


def _print_prepared(prepared: Prepared, not_asked: Sequence[str]) -> None:
    print_findings(f"rehearsal on {prepared.host}", prepared.findings, verbose=False)
    print_plan(prepared.plan)
    for clone in prepared.clones:
        print_plan(plan_clone(prepared.host, clone))
    for line in (*_staying(prepared), *_not_asked(not_asked)):
        console().print(text(line), soft_wrap=True)


def _lines(report: RehearsalReport, prepared: Prepared) -> list[str]:
    head = f"rehearsal on {report.host}: {report.state.value} ({duration(report.total_s)})"
    names = {clone.guest: clone.name for clone in prepared.clones}
    lines = [
        f"  {plain(one.guest)}: {one.state}, as {plain(names[one.guest])} ({duration(one.total_s)})"
        for one in report.guests
    ]
    lines += [
        f"  group {plain(one.group)}: {plain(one.failed) or f'ready after {duration(one.ready_s)}'}"
        for one in report.groups
        if one.failed or one.ready
    ]
    stands = ["  it stands until: dualsrm test-failover cleanup"] if report.guests else []
    return [head, *lines, *_staying(prepared), *_not_asked(report.not_asked), *stands]


def _staying(prepared: Prepared) -> list[str]:
    return [f"  {plain(one)} runs on {prepared.host} already: nothing to rehearse" for one in prepared.staying]


def _not_asked(readiness: Sequence[str]) -> list[str]:
    return [f"  not asked, the live guest would answer: {plain(one)}" for one in readiness]


# --- status -------------------------------------------------------------------------------------------------------


@test_failover.command("status")
@click.argument("plan", required=False)
@json_option
@pass_session
def status_command(session: Session, plan: str | None, *, as_json: bool) -> int:
    """Show what there is of rehearsals on the hosts of PLAN, a pair, a group or a guest, or on all.

    Exit code 4 if a snapshot ran full or a clone does not run, 6 if a host did not answer.
    """
    pairs = _pairs(session, plan)
    environment = session.environment(pairs)
    seen = [(pair, one) for pair in pairs for one in standing(environment, pair)]
    if as_json:
        emit_json("test-failover-status", {"hosts": [_standing_json(pair, one) for pair, one in seen]})
    else:
        for _, one in seen:
            _print_standing(one)
    if any(isinstance(one.view, Unknown) for _, one in seen):
        return ExitCode.UNREACHABLE
    return ExitCode.NEEDS_ATTENTION if any(one.broken for _, one in seen) else ExitCode.OK


def _pairs(session: Session, plan: str | None) -> tuple[Pair, ...]:
    """Of a pair's, a group's or a guest's name; None: all."""
    pairs = session.settings.pairs
    if plan is None:
        return tuple(pairs.values())
    if plan in pairs:
        return (pairs[plan],)
    group = session.group(plan)
    return (pairs[group.pair] if group else session.pair_for(plan),)


def _standing_json(pair: Pair, one: Standing) -> dict[str, object]:
    known = None if isinstance(one.view, Unknown) else one.view
    return {
        "pair": pair.name,
        "host": one.host,
        "trouble": one.view.why if isinstance(one.view, Unknown) else None,
        "operations": list(known.operations) if known else [],
        "clones": [
            {**dataclasses.asdict(clone), "agent": one.agents[clone.name]} for clone in (known.clones if known else ())
        ],
        "snapshots": [dataclasses.asdict(snapshot) for snapshot in (known.snapshots if known else ())],
        "networks": list(known.networks) if known else [],
        "broken": list(one.broken),
    }


def _print_standing(one: Standing) -> None:
    out = console()
    if isinstance(one.view, Unknown):
        out.print(text(f"{one.host}: {plain(one.view.why)}", "bold red"), soft_wrap=True)
        return
    if one.view.empty:
        out.print(text(f"{one.host}: no rehearsal", "green"))
        return
    title = f"{one.host}: {', '.join(plain(name) for name in one.view.operations)}"
    table = Table("what", "name", "state", title=text(title), title_justify="left", expand=False)
    for clone in one.view.clones:
        read = "not known" if clone.read_bytes is None else size(clone.read_bytes)
        agent = ", its agent answers" if one.agents[clone.name] else ""
        table.add_row(text(f"clone of {clone.guest}"), text(clone.name), text(f"{clone.state}, read {read}{agent}"))
    for snapshot in one.view.snapshots:
        fill = "fill not known" if snapshot.fill_percent is None else f"{snapshot.fill_percent:.0f} % full"
        state = f"{fill} of {size(snapshot.size_bytes)}" if snapshot.valid else "ran full: lost"
        table.add_row(
            text(f"snapshot of {snapshot.origin}"),
            text(f"{snapshot.group}/{snapshot.name}"),
            text(state, "" if snapshot.valid else "bold red"),
        )
    for network in one.view.networks:
        table.add_row(text("network"), text(network), text("isolated"))
    out.print(table)


# --- cleanup ------------------------------------------------------------------------------------------------------


@test_failover.command("cleanup")
@click.argument("plan", required=False)
@json_option
@pass_session
def cleanup_command(session: Session, plan: str | None, *, as_json: bool) -> int:
    """End every clone and remove every snapshot and network of rehearsals, of PLAN's pair or of all pairs.

    It goes by what is there: after a crash, and again, it does the same. Guests are not touched.
    """
    pairs = _pairs(session, plan)
    with progress_observer(quiet=as_json) as observer:
        environment = session.environment(pairs, observer)
        reports = [run_cleanup(environment, pair, state_directory=session.state_directory) for pair in pairs]
    with contextlib.suppress(OSError):
        if as_json:
            emit_json("test-failover-cleanup", {"pairs": [_cleanup_json(one) for one in reports]})
        else:
            for one in reports:
                print_end(one, _cleanup_lines(one))
    return max((one.exit_code for one in reports), default=ExitCode.OK)


def _cleanup_json(report: CleanupReport) -> dict[str, object]:
    return {**dataclasses.asdict(report), "state": report.state.value, "exit_code": int(report.exit_code)}


def _cleanup_lines(report: CleanupReport) -> list[str]:
    took = "" if report.state is CleanupState.ALREADY else f" ({duration(report.total_s)})"
    return [f"{report.pair}: {report.state.value}{took}", *(f"  removed: {plain(one)}" for one in report.removed)]
