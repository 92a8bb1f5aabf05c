"""The command line: parse, call, render. Every foreseeable fault ends in three lines and a stable exit code."""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from dualsrm import __version__
from dualsrm.cli.check import check
from dualsrm.cli.cold import start, stop
from dualsrm.cli.evacuate import evacuate
from dualsrm.cli.failback import failback
from dualsrm.cli.failover import failover
from dualsrm.cli.history import history
from dualsrm.cli.init import init
from dualsrm.cli.migrate import migrate
from dualsrm.cli.output import print_error
from dualsrm.cli.recover import recover
from dualsrm.cli.rehearsal import test_failover
from dualsrm.cli.report import report
from dualsrm.cli.reprotect import reprotect
from dualsrm.cli.session import Session
from dualsrm.cli.split_brain import split_brain
from dualsrm.cli.status import status
from dualsrm.cli.text import plain
from dualsrm.config import DEFAULT_PATH, PATH_VARIABLE
from dualsrm.errors import DualsrmError, ExitCode


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    envvar=PATH_VARIABLE,
    default=DEFAULT_PATH,
    show_default=True,
    show_envvar=True,
    help="The configuration file.",
)
@click.version_option(__version__, prog_name="dualsrm")
@click.pass_context
def cli(context: click.Context, path: Path) -> None:
    """Move KVM guests between the two hosts of a DRBD pair, live, with dual-primary open only for the move."""
    make_session: Callable[[Path], Session] = context.obj
    context.obj = context.with_resource(make_session(path))


for command in (
    *(init, status, check, migrate, evacuate, stop, start, failover, test_failover),
    *(reprotect, failback, split_brain, recover, history, report),
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None, make_session: Callable[[Path], Session] = Session) -> None:
    """Entry point of the `dualsrm` program. The tests hand in a session of simulated hosts."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = cli.main(arguments, standalone_mode=False, obj=make_session)
    except DualsrmError as error:
        print_error(error, as_json="--json" in arguments)
        code = error.exit_code
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        usage = io.StringIO()
        error.show(usage)
        click.echo("\n".join(plain(line) for line in usage.getvalue().splitlines()), err=True)
        code = error.exit_code
    except Exception as error:  # noqa: BLE001 - Python's own exit code for it is 1, which says that nothing was touched
        print_error(_own_fault(error), as_json="--json" in arguments)
        code = ExitCode.INTERNAL
    sys.exit(int(code or 0))


def _own_fault(error: Exception) -> DualsrmError:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return DualsrmError(
        f"a fault of dualsrm itself: {type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})",
        why="an operation under way was left where it was",
        fix="run `dualsrm recover`, then report this together with the journal of the operation",
    )
