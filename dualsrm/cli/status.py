"""`dualsrm status`: both hosts, both viewpoints, every guest."""

from __future__ import annotations

import dataclasses

import click
from rich.table import Table
from rich.text import Text

from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.output import console, emit_json, finding_json
from dualsrm.cli.session import Session
from dualsrm.cli.text import plain, text
from dualsrm.engine.journal import interrupted
from dualsrm.engine.observe import observe
from dualsrm.errors import ExitCode
from dualsrm.overview import GuestLine, PairOverview, ResourceLine, overview


@click.command()
@json_option
@pass_session
def status(session: Session, *, as_json: bool) -> int:
    """Show hosts, guests and replication of every pair. Exit code 0 only if every guest could move now.

    Ready to migrate means that every check passes which needs no question from one host to the other; `dualsrm check`
    asks those too.
    """
    pairs = tuple(session.settings.pairs.values())
    environment = session.environment(pairs)
    left = interrupted(session.state_directory)
    unfinished = left[0].operation if left else None
    seen = [overview(observe(environment, pair), unfinished) for pair in pairs]
    if as_json:
        emit_json("status", {"healthy": all(pair.healthy for pair in seen), "pairs": [_as_json(pair) for pair in seen]})
    else:
        for pair in seen:
            _print(pair)
    return ExitCode.OK if all(pair.healthy for pair in seen) else ExitCode.REFUSED


def _as_json(pair: PairOverview) -> dict[str, object]:
    body = dataclasses.asdict(pair)
    body["healthy"] = pair.healthy
    for line, guest in zip(body["guests"], pair.guests, strict=True):
        line["blockers"] = [finding_json(finding) for finding in guest.blockers]
    return body


def _print(pair: PairOverview) -> None:
    out = console()
    for host in pair.hosts:
        for trouble in host.trouble:
            out.print(text(f"{host.host}: {plain(trouble)}", "bold red"), soft_wrap=True)
    names = [host.host for host in pair.hosts]
    table = Table("guest", *names, "resource", "role", "connection", "disks", "ready to migrate", title_justify="left")
    table.title = text(f"pair {pair.pair}")
    for guest in pair.guests:
        _add_guest(table, guest, names)
    out.print(table)
    if pair.locked_by is not None:
        lock = pair.locked_by
        out.print(
            text(f"locked by {plain(lock.operation)} of {plain(lock.manager)} since {plain(lock.since)}", "yellow"),
            soft_wrap=True,
        )
    for guest in pair.guests:
        for finding in guest.blockers:
            out.print(text(f"{plain(guest.guest)}: {plain(finding.seen)}", "bold red"), soft_wrap=True)
            out.print(text(f"  fix: {plain(finding.fix)}"), soft_wrap=True)


def _add_guest(table: Table, guest: GuestLine, hosts: list[str]) -> None:
    ready = text("yes", "green") if guest.ready_to_migrate else text("no", "bold red")
    lines = guest.resources or (ResourceLine("-", ()),)
    for number, line in enumerate(lines):
        states = [_state(guest.states[host]) if number == 0 else Text() for host in hosts]
        table.add_row(
            text(guest.guest if number == 0 else ""),
            *states,
            text(line.resource),
            text(_agreed(tuple(point.role for point in line.viewpoints), always_both=True)),
            text(_agreed(tuple(point.connection for point in line.viewpoints))),
            text(_agreed(tuple("/".join((*point.disks, *point.peer_disks)) for point in line.viewpoints))),
            ready if number == 0 else Text(),
        )


def _state(word: str) -> Text:
    style = {"running": "green", "absent": "dim", "shutoff": "dim"}.get(word, "bold magenta")
    return text(word, style)


def _agreed(words: tuple[str, ...], *, always_both: bool = False) -> str:
    """One word where both hosts say the same, both where they differ: a difference is what an operator must see."""
    if not always_both and len(set(words)) == 1:
        return words[0]
    return " | ".join(words)
