"""`dualsrm start` and `dualsrm stop` of a group."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

from dualsrm.cli.progress import progress_observer
from dualsrm.cli.session import Session
from dualsrm.cli.several import Planned, Shown, policy_of, tell
from dualsrm.engine.group_look import Estate, PreparedGroup, apart_of, look_before_start, look_before_stop
from dualsrm.engine.group_run import Act, Frame, carry_out_several, starting, stopping
from dualsrm.engine.several import Work
from dualsrm.errors import UsageError
from dualsrm.model import Group, GroupVerb
from dualsrm.plan.dispatch import Rules

SIDE_BY_SIDE = 3
"""Starts and stops at once, each with its own connection to both hosts."""


def start_group(session: Session, group: Group, host: str | None, *, dry_run: bool, as_json: bool) -> int:
    """Start every guest of it, there or where each says itself."""
    pair = session.settings.pairs[group.pair]
    if host is not None and host not in pair.hosts:
        raise UsageError(f"{host} is no host of pair {pair.name}", fix=f"name {pair.hosts[0]} or {pair.hosts[1]}")
    return _do(
        session,
        group,
        GroupVerb.START,
        look_before_start,
        lambda frame, operation: starting(frame, host, operation),
        host=host,
        dry_run=dry_run,
        as_json=as_json,
    )


def stop_group(
    session: Session, group: Group, *, destroy: bool, deadline: int | None, dry_run: bool, as_json: bool
) -> int:
    """Stop every guest of it, the last first. What is said here goes before what the group says."""
    policy = dataclasses.replace(policy_of(session), said_deadline_s=deadline, said_destroy=destroy)
    return _do(
        session,
        group,
        GroupVerb.STOP,
        look_before_stop,
        lambda frame, operation: stopping(frame, policy, operation),
        host=None,
        dry_run=dry_run,
        as_json=as_json,
    )


def _do(
    session: Session,
    group: Group,
    verb: GroupVerb,
    look: Callable[..., PreparedGroup],
    act: Callable[[Frame, str], Act],
    *,
    host: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    settings = session.settings
    estate, pair = Estate(settings.pairs, settings.groups), settings.pairs[group.pair]
    others = estate.awaited(group) if verb is GroupVerb.START else estate.dependants(group)
    with progress_observer(quiet=as_json) as observer:
        environment = session.environment(estate.pairs_of((group, *others)), observer)
        if dry_run:
            prepared, report = look(environment, estate, group), None
        else:
            session.stop_on_signals()
            lanes = session.lanes(min(SIDE_BY_SIDE, len(group.guests)), pair, observer)
            kind, about = f"{verb.value}-group", {"group": group.name}
            frame = Frame(environment, lanes, pair, session.state_directory, kind, about)

            def work(prepared: PreparedGroup, operation: str) -> Work:
                return Work(
                    pairs=settings.pairs,
                    verb=verb,
                    order=prepared.order,
                    rules=Rules(delays=verb is GroupVerb.START),
                    act=act(frame, operation),
                    host=host,
                    await_ready=verb is GroupVerb.START,
                    apart=apart_of(group),
                )

            prepared, report = carry_out_several(
                frame, partial(look, environment, estate, group, under_lock=True), work
            )
    shown = Shown(
        kind=f"{verb.value}-group",
        title=f"{verb.value} group {group.name}",
        about={"pair": group.pair, "group": group.name, **({"host": host} if verb is GroupVerb.START else {})},
        moves=False,
        against=prepared.against,
        fix=prepared.fix,
        planned=[Planned(guest, group.name, verb.value) for guest in prepared.guests],
        staying=(),
        report=report,
    )
    return tell(shown, as_json=as_json)
