"""How long a host's guests take to leave it: by the usual script, one after the other, and several at once, on one lab.

    vagrant/lab up && .venv/bin/python -m benchmarks.evacuation [--lab NAME] [--rounds N]

One, two and three guests are a group each, moved by `dualsrm migrate GROUP` with --jobs 1 and with as many jobs as
guests: what `dualsrm evacuate` does with them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.measured import Measured, Ratio, Series, on_terminal
from tests.lab.faults import usual
from tests.lab.faults.judge import Journey
from tests.lab.handle import RESOURCES, LabHandle

_WAYS = ("script", "dualsrm, one by one", "dualsrm, at once")
_ABOUT = """\
Guests that run on one host, moved live to the other: by [the usual script](../tests/lab/faults/usual-procedure.sh),
one after the other; by `dualsrm migrate GROUP --jobs 1`; and with as many jobs as guests. A node has one emulated
processor, so copies at once share what one copy has: what is gained is the waiting."""
_DEADLINE_S = 600.0


@contextmanager
def _groups(lab: LabHandle) -> Iterator[Path]:
    """The lab's configuration with a group for each number of guests."""
    guests = list(RESOURCES)
    groups = (
        f'\n[groups.first-{count}]\npair = "lab"\nguests = {guests[:count]}\n' for count in range(1, len(guests) + 1)
    )
    with TemporaryDirectory() as scratch:
        yield lab.settings_with(Path(scratch) / "dualsrm.toml", "".join(groups))


def _empty(lab: LabHandle, config: Path, way: str, guests: Sequence[str], source: str) -> float:
    """Seconds until the last of them is on the other host; a failure ends the benchmark."""
    target = lab.other(source)
    began = time.monotonic()
    if way == "script":
        for guest in guests:
            command = usual.begin(lab, Journey(guest, source, target))
            command.join(_DEADLINE_S)
            if command.process.returncode != 0:
                raise click.ClickException(f"{guest} was not moved: {command.told}")
    else:
        jobs = "1" if way == "dualsrm, one by one" else str(len(guests))
        group = f"first-{len(guests)}"
        answer = lab.dualsrm("--config", str(config), "migrate", group, "--to", target, "--jobs", jobs)
        if answer.exit != 0:
            raise click.ClickException(f"{group} was not moved: {answer}")
    return time.monotonic() - began


def measure(lab: LabHandle, rounds: int) -> Measured:
    """Each number of guests by each way, in turns."""
    guests = list(RESOURCES)
    taken: dict[tuple[int, str], list[float]] = {}
    with _groups(lab) as config:
        for count in range(1, len(guests) + 1):
            lab.all_on(str(lab.host_of(guests[0])))
            for number in range(rounds):
                # A single guest is moved at once or one by one, which is the same.
                ways = _WAYS if count > 1 else _WAYS[:2]
                for way in sorted(ways, reverse=number % 2 == 1):
                    source = str(lab.host_of(guests[0]))
                    seconds = _empty(lab, config, way, guests[:count], source)
                    click.echo(f"{count} {way:20} {seconds:.1f}", err=True)
                    taken.setdefault((count, way), []).append(seconds)
    if any(score["lost"] for score in lab.score().values()):
        raise click.ClickException("acknowledged writes are lost")
    series = tuple(Series(way, _guests(count), tuple(values)) for (count, way), values in taken.items())
    pairs = [(count, "dualsrm, one by one", "script") for count in range(1, len(guests) + 1)]
    pairs += [(count, "dualsrm, at once", "dualsrm, one by one") for count in range(2, len(guests) + 1)]
    ratios = tuple(Ratio(_guests(count), who, to) for count, who, to in pairs)
    return Measured("Emptying a host", _ABOUT, series, ratios)


def _guests(count: int) -> str:
    return "1 guest" if count == 1 else f"{count} guests"


@click.command()
@click.option("--lab", "name", default="lab", show_default=True)
@click.option("--rounds", default=2, show_default=True, type=click.IntRange(1, 100))
def main(name: str, rounds: int) -> None:
    """Print median and range of each, and the ratios."""
    click.echo(on_terminal(measure(LabHandle(name), rounds)))


if __name__ == "__main__":
    sys.exit(main())
