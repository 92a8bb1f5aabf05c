"""The commands: parse, call, show. Nothing else."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.table import Table

from uml import demo as demo_module
from uml import image, scores
from uml import lab as lab_module
from uml import storage as storage_module
from uml.bmc import Mood
from uml.errors import LabError
from uml.facts import MANAGER, NETWORKS, NODES, REPOSITORY
from uml.lab import MEMORY, Lab
from uml.layout import Layout
from uml.outside import printable

_OUT = Console(highlight=False)
#: A command's own words begin with dashes too; what follows its first word is not for click.
_PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}

_BMC_ACTS = {"break": Mood.BROKEN, "lie": Mood.LIES, "slow": Mood.SLOW, "mend": Mood.WORKS}

_node = click.argument("node", type=click.Choice(NODES))


class _Clock:
    """Prints what is done with the seconds since the command began, on stderr: stdout is for results."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, text: str) -> None:
        click.echo(f"[{time.monotonic() - self._began:6.1f} s] {text}", err=True)


def _words(command: tuple[str, ...]) -> tuple[str, ...]:
    """A command without the -- that separates it from ours: click leaves it in once it has seen an argument."""
    return command[1:] if command[:1] == ("--",) else command


def _become(argv: Sequence[str]) -> NoReturn:
    """Replace this process, so that exit code, signals and terminal are the command's own."""
    sys.stdout.flush()
    os.execvp(argv[0], list(argv))  # noqa: S606 - an argv list, no shell


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--name", help="Which lab; default: lab (for the demo: demo).")
@click.pass_context
def lab(context: click.Context, name: str | None) -> None:
    """Two real nodes with DRBD, libvirt and guests, as processes of this machine."""
    chosen = name or ("demo" if context.invoked_subcommand == "demo" else "lab")
    context.obj = Lab(Layout(chosen), _Clock())


@lab.command()
@click.option("--nodes", type=click.IntRange(2, 2), default=2, show_default=True, help="A pair has two.")
@click.option("--fencing/--no-fencing", default=True, show_default=True, help="A power switch (BMC) for each node.")
@click.option("--memory", type=click.IntRange(1024), default=MEMORY, show_default=True, help="MiB for each node.")
@click.pass_obj
def up(the: Lab, nodes: int, memory: int, *, fencing: bool) -> None:
    """Boot the nodes, connect replication, start the guests."""
    assert nodes == len(the.nodes)  # noqa: S101 - click has checked it
    the.up(fencing=fencing, memory=memory)


@lab.command()
@click.pass_obj
def storage(the: Lab) -> None:
    """Add a storage guest that exports a disk by NFS, and two guests that mount it, to the lab that runs."""
    storage_module.add(the)


@lab.command()
@click.pass_obj
def down(the: Lab) -> None:
    """End every process, network and file of this lab, also of one that crashed."""
    the.down()


@lab.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def status(the: Lab, *, as_json: bool) -> None:
    """Show power, logins, cut networks and where guests run."""
    seen = the.status()
    if as_json:
        click.echo(json.dumps(seen))
        return
    _OUT.print(_status_table(seen))


def _status_table(seen: dict[str, Any]) -> Table:
    table = Table("node", "power", "bmc", "ssh", "cut from", "guests", title=f"lab {seen['name']}")
    for node, facts in seen["nodes"].items():
        cuts = ", ".join(network for network, where in seen["cuts"] if where == node)
        running = ", ".join(guest for guest, host in seen["guests"].items() if host == node)
        login = "answers" if facts["ssh"] else "no answer"
        table.add_row(node, facts["power"], facts["bmc"] or "-", login, cuts or "-", running or "-")
    return table


@lab.command(context_settings=_PASS_ON)
@_node
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def ssh(the: Lab, node: str, command: tuple[str, ...]) -> None:
    """Log in on NODE, or run COMMAND there; its exit code is ours."""
    the.require_up()
    _become(the.access.argv(node, _words(command)))


@lab.command(name="exec", context_settings=_PASS_ON)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def execute(the: Lab, command: tuple[str, ...]) -> None:
    """Run COMMAND on this machine, but in the lab's network: the manager's side."""
    _become(the.inside(_words(command)))


@lab.command(context_settings={**_PASS_ON, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def dualsrm(the: Lab, arguments: tuple[str, ...]) -> None:
    """Run dualsrm ARGUMENTS with this lab's configuration, on the manager's side."""
    program = str(REPOSITORY / ".venv" / "bin" / "dualsrm")
    _become(the.inside([program, "--config", str(the.layout.settings), *arguments]))


@lab.command()
@click.argument("network", type=click.Choice([*NETWORKS, MANAGER]))
@_node
@click.pass_obj
def cut(the: Lab, network: str, node: str) -> None:
    """Take NODE off NETWORK, as pulling the cable would; `manager`: only manager and NODE lose each other."""
    the.cut(network, node)


@lab.command()
@click.pass_obj
def heal(the: Lab) -> None:
    """Undo every cut."""
    the.heal()


@lab.command()
@click.argument("state", type=click.Choice(["on", "off"]))
@_node
@click.pass_obj
def power(the: Lab, state: str, node: str) -> None:
    """Kill NODE without warning, or boot it with the disks it had."""
    the.power(node, on=state == "on")


@lab.command()
@click.argument("act", type=click.Choice(list(_BMC_ACTS)))
@_node
@click.pass_obj
def bmc(the: Lab, act: str, node: str) -> None:
    """Make NODE's power switch unreachable, lying (it says done and does nothing) or slow, or whole again."""
    the.set_bmc(node, _BMC_ACTS[act])


@lab.command()
@_node
@click.pass_obj
def console(the: Lab, node: str) -> None:
    """Follow NODE's kernel console."""
    the.require_console(node)
    _become(["tail", "--lines=50", "--follow=name", str(the.layout.console(node))])


@lab.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object by guest.")
@click.option("--reset", is_flag=True, help="Begin a new measurement instead.")
@click.option("--heard", is_flag=True, help="Only when each guest told last of a write, as JSON; no guest is asked.")
@click.pass_obj
def score(the: Lab, *, as_json: bool, reset: bool, heard: bool) -> None:
    """Say for each guest how many acknowledged writes were lost since the measurement began."""
    if reset:
        scores.reset(the)
        return
    if heard:
        click.echo(json.dumps(scores.heard(the)))
        return
    results = scores.judge(the)
    if as_json:
        click.echo(json.dumps(results))
    else:
        _OUT.print(scores.table(results))


@lab.command()
@click.pass_obj
def demo(the: Lab) -> None:
    """Boot, move every guest there and back, count lost writes, and clean up."""
    sys.exit(demo_module.run(the, _OUT))


@lab.command()
@click.pass_obj
def clean(the: Lab) -> None:
    """Remove stopped labs' remains and every cached image."""
    labs = [Lab(Layout(name), the.say) for name in lab_module.existing()]
    running = [each.layout.name for each in labs if each.is_up()]
    if running:
        raise LabError(
            f"running: {', '.join(running)}",
            "their nodes read the cached image",
            f"vagrant/lab --name {running[0]} down",
        )
    for each in labs:
        each.down()
    lab_module.forget_all()
    image.remove_cache()


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


def main() -> None:
    """Run the command line; errors meant for the user end in exit code 1 without a traceback."""
    signal.signal(signal.SIGTERM, _terminated)  # so that cleaning up runs, as it does for Ctrl-C
    try:
        lab(prog_name="vagrant/lab")
    except LabError as error:
        click.echo(f"vagrant/lab: {printable(str(error))}", err=True)
        sys.exit(1)
