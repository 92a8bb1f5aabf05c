"""How long `status` and `check` take in a lab that is up, against the cheapest thing one can ask a node.

    vagrant/lab up && .venv/bin/python benchmarks/commands.py [--lab NAME] [--rounds N]

Seconds mean little on an emulated pair; the ratio to `ssh NODE true`, measured in the same rounds, is what to compare.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import click

LAB = Path(__file__).resolve().parents[1] / "vagrant" / "lab"
COMMANDS = {
    "ssh alpha true": ("ssh", "alpha", "--", "true"),
    "dualsrm --version": ("dualsrm", "--version"),
    "dualsrm status": ("dualsrm", "status", "--json"),
    "dualsrm check web": ("dualsrm", "check", "web", "--json"),
    "dualsrm check db": ("dualsrm", "check", "db", "--json"),
}
BASELINE = "ssh alpha true"


def seconds(lab: str, words: tuple[str, ...]) -> float:
    """One run; a command that fails ends the benchmark, for its time would mean nothing."""
    started = time.monotonic()
    subprocess.run([str(LAB), "--name", lab, *words], check=True, capture_output=True, timeout=120)
    return time.monotonic() - started


@click.command()
@click.option("--lab", default="lab", show_default=True)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100))
def main(lab: str, rounds: int) -> None:
    """Print median and range of each command, and its ratio to the baseline."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, words in COMMANDS.items():
            taken[name].append(seconds(lab, words))
    base = statistics.median(taken[BASELINE])
    for name, times in taken.items():
        median = statistics.median(times)
        click.echo(f"{name:20} {median:6.2f} s [{min(times):.2f}-{max(times):.2f}]  {median / base:5.1f} x {BASELINE}")


if __name__ == "__main__":
    sys.exit(main())
