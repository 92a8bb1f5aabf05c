"""What safety costs: the same guest moved by the usual script and by dualsrm, in turns, on one lab, with no fault.

    vagrant/lab up && .venv/bin/python -m benchmarks.script_vs_dualsrm [--lab NAME] [--guest NAME] [--moves N]

Both are started on the manager's side. `total` is the command's wall clock. `window` is for how long both hosts were
Primary, by the source's kernel log: the same measure for both. The script logs in anew for each of its commands, as it
would in anybody's shell; with --shared-logins it uses a connection that stands already, which dualsrm never does.
Seconds mean little on an emulated pair; the ratios are what to compare. What dualsrm adds does not grow with the guest:
it was 6 s for one with 384 MiB, too, which are copied in a few seconds here.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click

from benchmarks.measured import Measured, Ratio, Series, on_terminal
from tests.lab.faults import usual
from tests.lab.faults.command import Command
from tests.lab.faults.judge import Journey
from tests.lab.faults.look import MINORS
from tests.lab.handle import RESOURCES, LabHandle

#: One kernel's words, so one clock: the other host became Primary; this one stopped being it.
_BEGAN = re.compile(r"\[ *([0-9.]+)\] block drbd(\d+): .*peer\( Secondary -> Primary \)")
_ENDED = re.compile(r"\[ *([0-9.]+)\] block drbd(\d+): .*role\( Primary -> Secondary \)")


TOTAL_LIMIT, WINDOW_LIMIT = 1.1, 1.0
_DEADLINE_S = 600.0
_ABOUT = """\
The same guest moved with no fault by [the usual script](../tests/lab/faults/usual-procedure.sh) and by
`dualsrm migrate`, in turns. *total* is the command's wall clock; *window* is for how long both hosts were Primary, by
the source's kernel log; *outage* is the longest time between two acknowledged writes of the guest."""


@dataclass(frozen=True, slots=True)
class Move:
    """One move, in seconds."""

    total_s: float
    window_s: float
    outage_s: float
    """Longest time between two acknowledged writes."""
    own_window_s: float | None
    """dualsrm's own figure: from asking to open until seen closed on both hosts."""


def move(lab: LabHandle, guest: str, *, by_script: bool, shared_logins: bool) -> Move:
    """One move; a command that fails ends the benchmark, for its time would mean nothing."""
    source = lab.host_of(guest)
    if source is None:
        raise click.ClickException(f"{guest} runs nowhere")
    journey = Journey(guest, source, lab.other(source))
    lab.lab("score", "--reset")
    earlier = set(lab.node(source, "dmesg").splitlines())
    if by_script:
        command = usual.begin(lab, journey, shared=shared_logins)
    else:
        command = Command(lab, "dualsrm", "migrate", guest, "--json")
    command.join(_DEADLINE_S)
    score = lab.score()[guest]
    if (
        command.ended is None
        or command.process.returncode != 0
        or score["host"] != journey.target
        or score["lost"] != 0
    ):
        raise click.ClickException(f"{guest} was not moved: {score}\n{command.out}\n{command.told}")
    log = [line for line in lab.node(source, "dmesg").splitlines() if line not in earlier]
    result = None if by_script else json.loads(command.out)["result"]
    return Move(
        total_s=command.ended - command.began,
        window_s=both_primary_s(log, [MINORS[resource] for resource in RESOURCES[guest]]),
        outage_s=score["longest_gap_ms"] / 1000,
        own_window_s=result["window_s"] if result else None,
    )


def both_primary_s(log: Sequence[str], minors: Sequence[str]) -> float:
    """Seconds from the first resource with two Primaries to the last without, in the source's kernel log."""
    began, ended = ([(float(m[1]), m[2]) for line in log if (m := words.match(line))] for words in (_BEGAN, _ENDED))
    first = [at for at, minor in began if minor in minors]
    last = [at for at, minor in ended if minor in minors]
    if not len(first) == len(last) == len(minors):
        raise click.ClickException("the source's kernel log does not show one window for each resource")
    return max(last) - min(first)


def measure(lab: LabHandle, guest: str, moves: int, *, shared_logins: bool = False) -> Measured:
    """So many moves by each, in turns."""
    taken: dict[str, list[Move]] = {"script": [], "dualsrm": []}
    for number in range(moves):
        # Turns change, so that neither always has the direction, or the quiet machine, of the other.
        for who in sorted(taken, reverse=number % 2 == 0):
            one = move(lab, guest, by_script=who == "script", shared_logins=shared_logins)
            click.echo(f"{who:8} total {one.total_s:.2f} window {one.window_s:.2f} outage {one.outage_s:.2f}", err=True)
            taken[who].append(one)
    series = [
        Series(who, what, tuple(getattr(one, f"{what}_s") for one in all_moves))
        for what in ("total", "window", "outage")
        for who, all_moves in taken.items()
    ]
    own = tuple(one.own_window_s for one in taken["dualsrm"] if one.own_window_s is not None)
    series.append(Series("dualsrm", "window, reported", own))
    disks = f"{len(RESOURCES[guest])} disk{'s' if len(RESOURCES[guest]) > 1 else ''}"
    title = f"A live move, {disks}"
    limits = {"total": TOTAL_LIMIT, "window": WINDOW_LIMIT, "outage": None}
    ratios = tuple(Ratio(what, "dualsrm", "script", limit) for what, limit in limits.items())
    return Measured(title, _ABOUT, tuple(series), ratios)


@click.command()
@click.option("--lab", "name", default="lab", show_default=True)
@click.option("--guest", default="web", show_default=True, type=click.Choice(list(RESOURCES)))
@click.option("--moves", default=5, show_default=True, type=click.IntRange(1, 100), help="By each of the two.")
@click.option("--shared-logins", is_flag=True, help="Let the script use a connection that stands already.")
def main(name: str, guest: str, moves: int, *, shared_logins: bool) -> None:
    """Print median and range of each, and the ratios."""
    lab = LabHandle(name)
    click.echo(on_terminal(measure(lab, guest, moves, shared_logins=shared_logins)))


if __name__ == "__main__":
    sys.exit(main())
