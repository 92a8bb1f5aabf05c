"""What safety costs at 3 a.m.: guests of a host that lost power, by hand and by dualsrm, in turns, on one lab.

    vagrant/lab up && .venv/bin/python -m benchmarks.script_vs_failover [--lab NAME] [--rounds N]

By hand: the survivor is told that the host is off, then `drbdadm primary` and `virsh start`, for one guest and for
three. By dualsrm: the same; the host is seen off by its fence device, or by your word with --confirm-off, and then the
hosts have no device.
`command` is the wall clock, `writes` the time until the last of the guests has announced a new record. Seconds mean
little on an emulated pair; the ratios are what to compare. Three against one says how much of a guest's start is
waiting: a lab node has one processor, on which three guests boot in three times what one needs, by hand as well.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import click

from benchmarks.measured import Measured, Ratio, Series, on_terminal
from tests.lab.faults.command import Command
from tests.lab.handle import HOSTS, RESOURCES, LabHandle, wait_for

_BY_HAND = (
    'dualsrm-host peer-is-off "$1" && drbdadm primary $2 && for guest in $3; do virsh start "$guest" || exit; done'
)
_DEADLINE_S = 300.0
_HOST_TOML = "/etc/dualsrm/host.toml"
ONE_LIMIT, ALL_LIMIT = 1.2, 1.6
_ABOUT = """\
The host of all guests loses power. *by hand*: the other one is told that it is off, then `drbdadm primary` and
`virsh start` for one guest; *by hand, all*: for three. *dualsrm*: `dualsrm failover` of the same guest; *--all*: of
three. *command* is its wall clock, *writes* the time until the last of the guests has announced a new record."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """One recovery, in seconds."""

    command_s: float
    writes_s: float


def by_hand(lab: LabHandle, guests: Sequence[str], lost: str, here: str) -> Command:
    """What an administrator types."""
    resources = " ".join(name for guest in guests for name in RESOURCES[guest])
    return Command(lab, "ssh", here, "--", "sh", "-c", _BY_HAND, "sh", lost, resources, " ".join(guests))


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


def measure(lab: LabHandle, guest: str, rounds: int, *, confirm_off: bool) -> Measured:
    """So many losses for each way, in turns."""
    with _without_devices(lab) if confirm_off else nullcontext():
        taken = _recoveries(lab, guest, rounds, confirm_off=confirm_off)
    series = tuple(
        Series(way, what, tuple(getattr(one, f"{what}_s") for one in all_of_it))
        for what in ("command", "writes")
        for way, all_of_it in taken.items()
    )
    pairs: tuple[tuple[str, str, float | None], ...] = (
        ("dualsrm", "by hand", ONE_LIMIT),
        ("dualsrm --all", "by hand, all", ONE_LIMIT),
        ("dualsrm --all", "dualsrm", ALL_LIMIT),
        ("by hand, all", "by hand", None),
    )
    ratios = tuple(Ratio(what, *pair) for what in ("command", "writes") for pair in pairs)
    title = "A host that lost power" + (", its end confirmed" if confirm_off else "")
    return Measured(title, _ABOUT, series, ratios)


def _recoveries(lab: LabHandle, guest: str, rounds: int, *, confirm_off: bool) -> dict[str, list[Recovery]]:
    lab.all_on(str(lab.host_of(guest)))

    def by_dualsrm(lost: str, here: str, *what: str) -> Command:
        return Command(
            lab, "dualsrm", "failover", *what, "--to", here, *(("--confirm-off", lost) if confirm_off else ())
        )

    ways: dict[str, tuple[Sequence[str], Callable[[str, str], Command]]] = {
        "by hand": ([guest], lambda lost, here: by_hand(lab, [guest], lost, here)),
        "by hand, all": (list(RESOURCES), lambda lost, here: by_hand(lab, list(RESOURCES), lost, here)),
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


@click.command()
@click.option("--lab", "name", default="lab", show_default=True)
@click.option("--guest", default="web", show_default=True, type=click.Choice(list(RESOURCES)))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100))
@click.option("--confirm-off", is_flag=True, help="Take the fence devices away, and say that the host is off.")
def main(name: str, guest: str, rounds: int, *, confirm_off: bool) -> None:
    """Print median and range of each, and the ratios."""
    click.echo(on_terminal(measure(LabHandle(name), guest, rounds, confirm_off=confirm_off)))


if __name__ == "__main__":
    sys.exit(main())
