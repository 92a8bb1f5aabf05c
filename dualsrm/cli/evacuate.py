"""`dualsrm evacuate`, and `dualsrm migrate` of a group: several guests of a pair to the other host."""

from __future__ import annotations

import dataclasses
from functools import partial

import click

from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.progress import progress_observer
from dualsrm.cli.session import Session
from dualsrm.cli.several import Planned, Shown, policy_of, tell
from dualsrm.engine.evacuate import Asked, PreparedMoves, prepare_moves, target_of
from dualsrm.engine.group_report import SeveralReport
from dualsrm.engine.group_run import Frame, run_moves
from dualsrm.errors import UsageError
from dualsrm.model import Group, Pair

jobs_option = click.option(
    "--jobs", metavar="N", type=click.IntRange(1, 8), help="How many are moved at once. Default: as configured."
)
keep_going_option = click.option(
    "--keep-going", is_flag=True, help="Move all that can be moved; else the first that cannot is the last."
)


@click.command()
@click.argument("host")
@jobs_option
@keep_going_option
@click.option("--dry-run", is_flag=True, help="Print who goes when, and how long it may take; touch nothing.")
@json_option
@pass_session
def evacuate(session: Session, host: str, *, jobs: int | None, keep_going: bool, dry_run: bool, as_json: bool) -> int:
    """Move every guest off HOST to the other host of its pair, live, in the order of their groups.

    Refused while one of them cannot move, unless --keep-going is given. After a failure nothing more is begun; run
    again, it goes on with those that are still there. Ctrl-C ends what is under way as it ends a single move.
    """
    pair = session.pair_of(host)
    asked = Asked(pair.other(host), None, keep_going, jobs or session.settings.evacuation.jobs)
    return move_several(session, pair, asked, None, dry_run=dry_run, as_json=as_json)


def migrate_group(
    session: Session,
    group: Group,
    to: str | None,
    *,
    jobs: int | None,
    keep_going: bool,
    cold: bool,
    cold_after_live: bool | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Every guest of a group to the other host, or to that one."""
    pair = session.settings.pairs[group.pair]
    if to is not None and to not in pair.hosts:
        first, second = pair.hosts
        raise UsageError(f"{to} is no host of pair {pair.name}", fix=f"name {first} or {second}")
    target = to or target_of(session.environment([pair]), pair, group)
    asked = Asked(target, group.guests, keep_going, jobs or session.settings.evacuation.jobs, cold)
    return move_several(session, pair, asked, group, cold_after_live=cold_after_live, dry_run=dry_run, as_json=as_json)


def move_several(
    session: Session,
    pair: Pair,
    asked: Asked,
    group: Group | None,
    *,
    dry_run: bool,
    as_json: bool,
    cold_after_live: bool | None = None,
) -> int:
    """Look and show, or look and do."""
    groups, state = tuple(session.settings.groups.values()), session.state_directory
    policy = dataclasses.replace(policy_of(session, cold_after_live=cold_after_live), said_cold=asked.cold)
    with progress_observer(quiet=as_json) as observer:
        environment = session.environment([pair], observer)
        look = partial(prepare_moves, environment, pair, asked, groups, state_directory=state)
        if dry_run:
            prepared, report = look(), None
        else:
            session.stop_on_signals()
            source, verb = pair.other(asked.target), "migrate-group" if group else "evacuate"
            about = {"group": group.name, "target": asked.target} if group else {"host": source}
            lanes = session.lanes(asked.jobs, pair, observer)
            frame = Frame(environment, lanes, pair, state, verb, about)
            prepared, report = run_moves(frame, partial(look, under_lock=True), policy, keep_going=asked.keep_going)
    return tell(_shown(pair, group, prepared, report), as_json=as_json)


def _shown(pair: Pair, group: Group | None, prepared: PreparedMoves, report: SeveralReport | None) -> Shown:
    slots = {slot.guest: slot for slot in prepared.slots}
    planned = [
        Planned(
            guest=one.guest,
            group=one.group,
            method=one.method,
            findings=one.against,
            seconds=one.seconds,
            begins_s=slots[one.guest].begins_s if one.guest in slots else None,
            ends_s=slots[one.guest].ends_s if one.guest in slots else None,
        )
        for one in prepared.going
    ]
    way = f"from {prepared.source} to {prepared.target}"
    return Shown(
        kind="migrate-group" if group else "evacuate",
        title=f"group {group.name} {way}" if group else f"every guest {way}",
        about={
            "pair": pair.name,
            **({"group": group.name} if group else {}),
            "source": prepared.source,
            "target": prepared.target,
        },
        moves=True,
        against=prepared.against,
        fix=prepared.fix,
        planned=planned,
        staying=[(one.guest, one.why) for one in prepared.staying],
        report=report,
    )
