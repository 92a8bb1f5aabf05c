"""All benchmarks that need a lab, one after the other, on one page: `python -m benchmarks --page FILE`, about an hour.

The page is written after each, so that what was measured is not lost with what fails later.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from benchmarks import commands, evacuation, script_vs_dualsrm, script_vs_failover
from benchmarks.measured import Measured, as_markdown, machine, on_terminal
from tests.lab.handle import HOSTS, LabHandle, lab_of_our_own

_INTRODUCTION = """\
# Benchmarks

What safety costs, against what an administrator does without dualsrm, in turns, on one lab, in one run. Written by
`python -m benchmarks`; nothing here is edited by hand, and nothing is copied from elsewhere.

**The hosts are emulated** (User-mode Linux, one processor each, guests by QEMU without KVM): a fork takes 50 to 100 ms
there, a login half a second. Seconds say nothing about your hosts. The ratios say little more: what dualsrm adds
(looking at both hosts, agreeing on a lock, arming guards) is a constant made of forks and logins, while a copy is made
of memory, of which these guests have 96 MiB. Nobody has measured it with KVM.
"""
_VERSIONS = {
    "kernel": ("uname", "-r"),
    "DRBD": ("sh", "-c", "head -1 /proc/drbd"),
    "libvirt": ("virsh", "-q", "version", "--daemon"),
}


@contextmanager
def _lab(name: str | None) -> Iterator[LabHandle]:
    if name is not None:
        yield LabHandle(name)
        return
    with lab_of_our_own("b") as lab:
        yield lab


def _where(lab: LabHandle) -> Iterator[str]:
    """The machine and the versions, for the page."""
    yield machine()
    for what, command in _VERSIONS.items():
        said = lab.node(HOSTS[0], *command).strip().splitlines()
        yield f"- {what}: {'; '.join(line.strip() for line in said)}"


@click.command()
@click.option("--lab", "name", help="A lab that is up; without it one is booted, and taken down.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Runs of each way.")
@click.option("--page", type=click.Path(path_type=Path, dir_okay=False), help="Write the page there.")
def main(name: str | None, rounds: int, page: Path | None) -> None:
    """Run them all."""
    benchmarks: list[Callable[[LabHandle], Measured]] = [
        lambda lab: commands.measure(lab, rounds),
        lambda lab: script_vs_dualsrm.measure(lab, "web", rounds),
        lambda lab: script_vs_dualsrm.measure(lab, "db", rounds),
        lambda lab: evacuation.measure(lab, rounds),
        lambda lab: script_vs_failover.measure(lab, "web", rounds, confirm_off=True),
    ]
    with _lab(name) as lab:
        parts = [_INTRODUCTION, "\n".join(_where(lab)) + "\n"]
        for benchmark in benchmarks:
            measured = benchmark(lab)
            click.echo(f"{measured.title}\n{on_terminal(measured)}\n")
            parts.append(as_markdown(measured))
            if page is not None:
                page.write_text("\n".join(parts))


if __name__ == "__main__":
    sys.exit(main())
