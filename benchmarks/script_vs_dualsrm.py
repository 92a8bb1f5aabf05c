"""What safety costs: the same guest moved by the usual script and by dualsrm, in turns, on one lab, with no fault.

    vagrant/lab up && .venv/bin/python -m benchmarks.script_vs_dualsrm [--lab NAME] [--guest NAME] [--moves N]

Both are started on the manager's side. `total` is the command's wall clock. `window` is for how long both hosts were
Primary, by the source's kernel log: the same measure for both. The script logs in anew for each of its commands, as it
would in anybody's shell; with --shared-logins it uses a connection that stands already, which dualsrm never does.
Seconds mean little on an emulated pair; the ratios are what to compare. What dualsrm adds does not grow with the
guest, so the ratio of the totals is another one for a bigger guest: --copy-mib-s has both copy memory at that speed, as
if there were more of it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.measured import Measured, Series, on_terminal
from tests.lab.faults import usual
from tests.lab.faults.command import Command
from tests.lab.faults.judge import Journey
from tests.lab.faults.look import MINORS
from tests.lab.faults.play import directory_of
from tests.lab.handle import RESOURCES, LabHandle

#: One kernel's words, so one clock: the other host became Primary; this one stopped being it.
_BEGAN = re.compile(r"\[ *([0-9.]+)\] block drbd(\d+): .*peer\( Secondary -> Primary \)")
_ENDED = re.compile(r"\[ *([0-9.]+)\] block drbd(\d+): .*role\( Primary -> Secondary \)")


TOTAL_LIMIT, WINDOW_LIMIT = 1.1, 1.0
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


@contextmanager
def copying_at(lab: LabHandle, guest: str, mib_s: int) -> Iterator[tuple[str, ...]]:
    """Memory is copied at this speed (0: as fast as it goes). virsh takes what is set; dualsrm gets options."""
    if not mib_s:
        yield ()
        return
    usual = (directory_of(lab) / "dualsrm.toml").read_text()
    with TemporaryDirectory() as scratch:
        config = Path(scratch) / "dualsrm.toml"
        config.write_text(usual.replace("[migration]\n", f"[migration]\nbandwidth_mib_s = {mib_s}\n"))
        config.chmod(0o600)
        source = str(lab.host_of(guest))
        before = lab.node(source, "virsh", "migrate-getspeed", guest).strip()
        lab.node(source, "virsh", "migrate-setspeed", guest, str(mib_s))
        try:
            yield "--config", str(config)
        finally:
            lab.node(source, "virsh", "migrate-setspeed", guest, before)


def move(lab: LabHandle, guest: str, *, by_script: bool, shared_logins: bool, options: tuple[str, ...] = ()) -> Move:
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
        command = Command(lab, "dualsrm", *options, "migrate", guest, "--json")
    command.join(300)
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


def measure(lab: LabHandle, guest: str, moves: int, *, shared_logins: bool = False, copy_mib_s: int = 0) -> Measured:
    """So many moves by each, in turns."""
    taken: dict[str, list[Move]] = {"script": [], "dualsrm": []}
    for number in range(moves):
        # Turns change, so that neither always has the direction, or the quiet machine, of the other.
        for who in sorted(taken, reverse=number % 2 == 0):
            with copying_at(lab, guest, copy_mib_s) as options:
                one = move(lab, guest, by_script=who == "script", shared_logins=shared_logins, options=options)
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
    speed = f", memory copied at {copy_mib_s} MiB/s by both" if copy_mib_s else ""
    measured = Measured(f"A live move, {disks}{speed}", _ABOUT, tuple(series))
    limits = {"total": TOTAL_LIMIT, "window": WINDOW_LIMIT, "outage": None}
    ratios = tuple(measured.ratio(what, "dualsrm", "script", limit) for what, limit in limits.items())
    return replace(measured, ratios=ratios)


@click.command()
@click.option("--lab", "name", default="lab", show_default=True)
@click.option("--guest", default="web", show_default=True, type=click.Choice(list(RESOURCES)))
@click.option("--moves", default=5, show_default=True, type=click.IntRange(1, 100), help="By each of the two.")
@click.option("--shared-logins", is_flag=True, help="Let the script use a connection that stands already.")
@click.option(
    "--copy-mib-s", default=0, type=click.IntRange(0, 10_000), help="Speed of the copy; 0: as fast as it goes."
)
def main(name: str, guest: str, moves: int, copy_mib_s: int, *, shared_logins: bool) -> None:
    """Print median and range of each, and the ratios."""
    lab = LabHandle(name)
    click.echo(on_terminal(measure(lab, guest, moves, shared_logins=shared_logins, copy_mib_s=copy_mib_s)))


if __name__ == "__main__":
    sys.exit(main())
