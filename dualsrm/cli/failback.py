"""`dualsrm failback`: guests that a failover moved go back, live."""

from __future__ import annotations

import contextlib
import dataclasses

import click

from dualsrm.cli.migrate import lines
from dualsrm.cli.operation import print_end
from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.output import console, emit_json, finding_json, print_findings, print_plan, step_json
from dualsrm.cli.progress import progress_observer
from dualsrm.cli.session import Session
from dualsrm.cli.text import plain, text
from dualsrm.engine.failback import WayBack, Went, go_back, way_back
from dualsrm.engine.move import prepare_move, run_move
from dualsrm.errors import ExitCode
from dualsrm.model import Pair

_TOLD = ("operation", "seen", "fix", "total_s")


@click.command()
@click.argument("guest", required=False)
@click.option("--all", "everything", is_flag=True, help="Every guest that failovers of this manager have moved.")
@click.option("--dry-run", is_flag=True, help="Print the checks and the plan of each move; touch nothing.")
@json_option
@pass_session
def failback(session: Session, guest: str | None, *, everything: bool, dry_run: bool, as_json: bool) -> int:
    """Move GUEST, or all guests, back to the host that was lost, live, one after the other.

    After `dualsrm reprotect` of that host: until then each move is refused. A guest that has moved since, or does not
    run, is left where it is. The first move that does not end well is the last; run again, it goes on.
    """
    if (guest is None) is not everything:
        raise click.UsageError("name one GUEST, or say --all")
    pairs = tuple(session.settings.pairs.values()) if guest is None else (session.pair_for(guest),)
    if not dry_run:
        session.stop_on_signals()
    codes = [_one_pair(session, pair, guest, dry_run=dry_run, as_json=as_json) for pair in pairs]
    return max(codes, default=ExitCode.OK)


def _one_pair(session: Session, pair: Pair, guest: str | None, *, dry_run: bool, as_json: bool) -> ExitCode:
    state, convergence = session.state_directory, session.settings.migration.convergence
    with progress_observer(quiet=as_json) as observer:
        environment = session.environment([pair], observer)
        way = way_back(environment, pair, guest, state)
        if dry_run:
            went = tuple(
                Went(
                    one.guest,
                    one.lost,
                    prepare_move(
                        environment, pair, one.guest, one.lost, state_directory=state, convergence=convergence
                    ),
                    None,
                )
                for one in way.going
            )
        else:
            went = go_back(
                way,
                lambda one: run_move(
                    environment, pair, one.guest, one.lost, state_directory=state, convergence=convergence
                ),
            )
    left = [one.guest for one in way.going[len(went) :]]
    with contextlib.suppress(OSError):  # whoever listened may be gone; the exit code still says it
        if as_json:
            emit_json("failback", {"pair": pair.name, **_as_json(way, went, left)})
        else:
            _print(way, went, left)
    if dry_run:
        return ExitCode.REFUSED if any(one.refused for one in went) else ExitCode.OK
    return max((one.exit_code for one in went), default=ExitCode.OK)


def _as_json(way: WayBack, went: tuple[Went, ...], left: list[str]) -> dict[str, object]:
    return {
        "guests": [
            {
                "guest": one.guest,
                "target": one.target,
                "refused": one.refused,
                "findings": [finding_json(finding) for finding in one.prepared.findings if one.report is None],
                "plan": [step_json(step) for step in one.prepared.plan if one.report is None],
                "result": None
                if one.report is None
                else {field: getattr(one.report, field) for field in _TOLD}
                | {"state": one.report.state.value, "exit_code": int(one.exit_code)},
            }
            for one in went
        ],
        "staying": [dataclasses.asdict(one) for one in way.staying],
        "left": left,
    }


def _print(way: WayBack, went: tuple[Went, ...], left: list[str]) -> None:
    for one in went:
        if one.report is not None:
            print_end(one.report, lines(one.report))
            continue
        print_findings(f"{plain(one.guest)} back to {one.target}", one.prepared.findings, verbose=False)
        print_plan(one.prepared.plan)
    for stays in way.staying:
        console().print(text(f"{plain(stays.guest)} stays: {plain(stays.why)}"), soft_wrap=True)
    if left:
        console().print(text(f"not moved: {plain(', '.join(left))}", "bold red"), soft_wrap=True)
    if not way.going:
        console().print(text("nobody goes back: nothing to do", "green"))
