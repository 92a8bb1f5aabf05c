"""How long `status` and `check` take in a lab that is up, against the cheapest thing one can ask a node.

    vagrant/lab up && .venv/bin/python -m benchmarks.commands [--lab NAME] [--rounds N]

Seconds mean little on an emulated pair; the ratio to `ssh NODE true`, measured in the same rounds, is what to compare.
"""

from __future__ import annotations

import sys
import time

import click

from benchmarks.measured import Measured, Ratio, Series, on_terminal
from tests.lab.handle import LabHandle

COMMANDS = {
    "ssh alpha true": ("ssh", "alpha", "--", "true"),
    "dualsrm --version": ("dualsrm", "--version"),
    "dualsrm status": ("dualsrm", "status", "--json"),
    "dualsrm check web": ("dualsrm", "check", "web", "--json"),
    "dualsrm check db": ("dualsrm", "check", "db", "--json"),
}
BASELINE = "ssh alpha true"


def seconds(lab: LabHandle, words: tuple[str, ...]) -> float:
    """One run; a command that fails ends the benchmark, for its time would mean nothing."""
    started = time.monotonic()
    lab.lab(*words, deadline_s=120)
    return time.monotonic() - started


def measure(lab: LabHandle, rounds: int) -> Measured:
    """Each command once a round."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, words in COMMANDS.items():
            taken[name].append(seconds(lab, words))
    return Measured(
        "Looking",
        "Commands that touch nothing, against a login on a node that does nothing.",
        tuple(Series(name, "command", tuple(times)) for name, times in taken.items()),
        tuple(Ratio("command", name, BASELINE) for name in COMMANDS if name != BASELINE),
    )


@click.command()
@click.option("--lab", "name", default="lab", show_default=True)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100))
def main(name: str, rounds: int) -> None:
    """Print median and range of each command, and its ratio to the baseline."""
    click.echo(on_terminal(measure(LabHandle(name), rounds)))


if __name__ == "__main__":
    sys.exit(main())
