"""`dualsrm split-brain show` and `dualsrm split-brain resolve`."""

from __future__ import annotations

import dataclasses

import click

from dualsrm.cli.operation import Operation, operate
from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.output import console, emit_json
from dualsrm.cli.session import Session
from dualsrm.cli.text import duration, plain, size, text
from dualsrm.engine.journal import who
from dualsrm.engine.resolve import Prepared, ResolveReport, Wanted, prepare_resolve, run_resolve
from dualsrm.engine.split_brain import Side, SplitShown, show
from dualsrm.errors import ExitCode


@click.group("split-brain")
def split_brain() -> None:
    """Show both histories side by side; give up one of them by name. Nothing is ever discarded unasked."""


@split_brain.command("show")
@click.argument("name", metavar="[GUEST|RESOURCE]", required=False)
@json_option
@pass_session
def show_command(session: Session, name: str | None, *, as_json: bool) -> int:
    """Show what stands alone, and what each choice would lose. Exit code 1 if there is a split brain."""
    pairs = tuple(session.settings.pairs.values())
    environment = session.environment(pairs)
    found = [one for pair in pairs for one in show(environment, pair, name, session.state_directory)]
    split = any(one.split for one in found)
    if as_json:
        emit_json("split-brain", {"split": split, "resources": [_as_json(one) for one in found]})
    else:
        for one in found:
            _print(one)
        if not split:
            console().print(text("no split brain", "green"))
    return ExitCode.REFUSED if split else ExitCode.OK


def _as_json(shown: SplitShown) -> dict[str, object]:
    guests = [{"guest": guest, "active_on": list(hosts)} for guest, hosts in shown.guests.items()]
    return {**dataclasses.asdict(shown), "guests": guests}


def _print(shown: SplitShown) -> None:
    lines = [text(f"{shown.resource}: {shown.relation}", "bold red" if shown.split else "bold magenta")]
    lines += [text(line) for side in shown.sides for line in _side(side)]
    for guest, hosts in shown.guests.items():
        lines.append(text(f"  {plain(guest)} is active on {' and '.join(hosts) or 'neither'}"))
    for one in shown.past:
        lines.append(
            text(f"  {plain(one.guest)} was failed over from {one.lost} to {one.to} by {one.at} ({one.operation})")
        )
    for choice in shown.choices:
        lines.append(text(f"  victim {choice.victim}: loses {plain(choice.loses)}"))
        lines.append(text(f"    {plain(choice.command)}"))
    if not shown.split:
        lines.append(text("  connected, DRBD settles it by itself, or says why not: dualsrm status"))
    for line in lines:
        console().print(line, soft_wrap=True)


def _side(side: Side) -> list[str]:
    disks = ", ".join(side.disks) or "unknown"
    since = side.lost_since or "unknown"
    return [
        f"  {side.host}: {side.role}, {side.connection}, {disks}; changed alone: {size(side.changed_bytes)}; "
        f"peer lost: {since}",
        *(f"    {one}" for one in side.generations),
    ]


@split_brain.command("resolve")
@click.argument("resources", metavar="RESOURCE...", nargs=-1, required=True)
@click.option("--victim", metavar="HOST", required=True, help="The side whose own writes are discarded.")
@click.option("--snapshot", is_flag=True, help="First keep what the victim has, in an LVM snapshot.")
@click.option(
    "--snapshot-size", metavar="MIB", type=click.IntRange(4, 1 << 30), help="Default: as large as its origin."
)
@click.option("--deadline", metavar="SECONDS", type=click.IntRange(10, 604_800), default=3600, help="For each resync.")
@click.option("--dry-run", is_flag=True, help="Print the checks and the plan; touch nothing.")
@json_option
@pass_session
def resolve_command(
    session: Session,
    resources: tuple[str, ...],
    *,
    victim: str,
    snapshot: bool,
    snapshot_size: int | None,
    deadline: int,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Discard what HOST wrote alone on each RESOURCE, and resync it from the other side.

    Refused unless a split brain is proved on both sides, no guest runs on HOST on these disks, HOST is Secondary and
    the other side UpToDate. All volumes of a resource, and all split resources of a guest, go together.
    """
    kept = snapshot or snapshot_size is not None
    wanted = Wanted(
        victim,
        tuple(dict.fromkeys(resources)),
        who(),
        kept,
        snapshot_size and snapshot_size << 20,
        float(deadline),
    )
    operation: Operation[Prepared, ResolveReport] = Operation(
        kind="split-brain-resolve",
        prepare=lambda environment, pair: prepare_resolve(environment, pair, wanted),
        run=lambda environment, pair: run_resolve(environment, pair, wanted, state_directory=session.state_directory),
        subject=lambda prepared: {"victim": prepared.wanted.victim, "survivor": prepared.survivor},
        title=lambda prepared: f"{plain(', '.join(prepared.wanted.resources))}, victim {prepared.wanted.victim}",
        lines=_lines,
    )
    return operate(session, "", operation, dry_run=dry_run, as_json=as_json, pair=session.pair_of(victim))


def _lines(report: ResolveReport) -> list[str]:
    head = f"{plain(', '.join(report.resources))}: {report.state.value} ({duration(report.total_s)})"
    lost = [f"discarded on {report.victim}: {size(one.bytes)} of {plain(one.resource)}" for one in report.discarded]
    return [head, *lost, *(f"kept on {report.victim}: {plain(one)}" for one in report.snapshots)]
