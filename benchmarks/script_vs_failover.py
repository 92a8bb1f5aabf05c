"""What safety costs at 3 a.m.: guests of a host that lost power, by hand and by dualsrm, in turns, on one lab.

    vagrant/lab up && .venv/bin/python -m benchmarks.script_vs_failover [--lab NAME] [--rounds N]

By hand: the survivor is told that the host is off, then `drbdadm primary` and `virsh start` for one guest. By dualsrm:
the same guest, then three at once; the host is seen off by its fence device, or by your word with --confirm-off, and
then the hosts have no device.
`command` is the wall clock, `writes` the time until the last of the guests has announced a new record. Seconds mean
little on an emulated pair; the ratios are what to compare.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import click

from tests.lab.faults.command import Command
from tests.lab.handle import HOSTS, RESOURCES, LabHandle, wait_for

_BY_HAND = 'dualsrm-host peer-is-off "$1" && drbdadm primary $2 && virsh start "$3"'
_DEADLINE_S = 300.0
_HOST_TOML = "/etc/dualsrm/host.toml"


@dataclass(frozen=True, slots=True)
class Recovery:
    """One recovery, in seconds."""

    command_s: float
    writes_s: float


def by_hand(lab: LabHandle, guest: str, lost: str, here: str) -> Command:
    """What an administrator types."""
    return Command(lab, "ssh", here, "--", "sh", "-c", _BY_HAND, "sh", lost, " ".join(RESOURCES[guest]), guest)


def recover(lab: LabHandle, guests: Sequence[str], begin: Callable[[str, str], Command]) -> Recovery:
    """One loss of power and its end; a command that fails ends the benchmark, for its time would mean nothing."""
    lost = lab.host_of(guests[0])
    if lost is None or any(lab.host_of(guest) != lost for guest in RESOURCES):
        raise click.ClickException("the guests do not run on one host")
    here = lab.other(lost)
    lab.lab("power", "off", lost)
    wait_for(f"{here} to notice", lambda: not lab.connected(here))
    command = begin(lost, here)
    command.join(_DEADLINE_S)
    if command.ended is None or command.process.returncode != 0:
        raise click.ClickException(f"not recovered\n{command.out}\n{command.told}")
    lab.write_again(guests)
    writing = time.time()
    lab.lab("power", "on", lost)
    wait_for(f"{lost} to be resynced", lambda: lab.whole(here) and lab.whole(lost), _DEADLINE_S)
    if lab.dualsrm("reprotect", lost).exit != 0:
        raise click.ClickException(f"{lost} was not taken back")
    for guest in RESOURCES:
        if lab.host_of(guest) is None and lab.dualsrm("start", guest, "--on", here).exit != 0:
            raise click.ClickException(f"{guest} does not start")
    lab.write_again(RESOURCES)
    if any(score["lost"] for score in lab.score().values()):
        raise click.ClickException("acknowledged writes are lost")
    return Recovery(command.ended - command.began, writing - command.began)


@click.command()
@click.option("--lab", "name", default="lab", show_default=True)
@click.option("--guest", default="web", show_default=True, type=click.Choice(list(RESOURCES)))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100))
@click.option("--confirm-off", is_flag=True, help="Take the fence devices away, and say that the host is off.")
def main(name: str, guest: str, rounds: int, *, confirm_off: bool) -> None:
    """Print median and range of each, and the ratios."""
    lab = LabHandle(name)
    with _without_devices(lab) if confirm_off else nullcontext():
        _tell(_measure(lab, guest, rounds, confirm_off=confirm_off))


@contextmanager
def _without_devices(lab: LabHandle) -> Iterator[None]:
    """The fence sections are the last ones of the file."""
    for host in HOSTS:
        lab.lab("ssh", host, "--", "sed", "-i.kept", r"/^\[peers\.[^.]*\.fence\]/,$d", _HOST_TOML)
    try:
        yield
    finally:
        for host in HOSTS:
            lab.lab("ssh", host, "--", "mv", f"{_HOST_TOML}.kept", _HOST_TOML)


def _measure(lab: LabHandle, guest: str, rounds: int, *, confirm_off: bool) -> dict[str, list[Recovery]]:
    for one in RESOURCES:
        if lab.host_of(one) != lab.host_of(guest) and lab.migrate(one).exit != 0:
            raise click.ClickException(f"{one} cannot be moved to where {guest} is")

    def by_dualsrm(lost: str, here: str, *what: str) -> Command:
        return Command(
            lab, "dualsrm", "failover", *what, "--to", here, *(("--confirm-off", lost) if confirm_off else ())
        )

    ways: dict[str, tuple[Sequence[str], Callable[[str, str], Command]]] = {
        "by hand": ([guest], lambda lost, here: by_hand(lab, guest, lost, here)),
        "dualsrm": ([guest], lambda lost, here: by_dualsrm(lost, here, guest)),
        "dualsrm --all": (list(RESOURCES), lambda lost, here: by_dualsrm(lost, here, "--all")),
    }
    taken: dict[str, list[Recovery]] = {way: [] for way in ways}
    for number in range(rounds):
        for way in sorted(ways, reverse=number % 2 == 1):
            found = recover(lab, *ways[way])
            click.echo(f"{way:14} command {found.command_s:.1f} writes {found.writes_s:.1f}", err=True)
            taken[way].append(found)
    return taken


def _tell(taken: Mapping[str, Sequence[Recovery]]) -> None:
    medians = {}
    for way, all_of_it in taken.items():
        for field in ("command_s", "writes_s"):
            values = [getattr(one, field) for one in all_of_it]
            medians[way, field] = median = statistics.median(values)
            click.echo(f"{way:14} {field[:-2]:8} {median:6.1f} s [{min(values):.1f}-{max(values):.1f}]")
    for mine, theirs in (("dualsrm", "by hand"), ("dualsrm --all", "dualsrm")):
        for field in ("command_s", "writes_s"):
            click.echo(f"{mine} / {theirs}, {field[:-2]:8} {medians[mine, field] / medians[theirs, field]:5.2f}")


if __name__ == "__main__":
    sys.exit(main())
