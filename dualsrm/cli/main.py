"""The command line: parse, call, render. Every foreseeable fault ends in three lines and a stable exit code."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dualsrm import __version__
from dualsrm.cli.check import check
from dualsrm.cli.migrate import migrate
from dualsrm.cli.output import print_error
from dualsrm.cli.recover import recover
from dualsrm.cli.session import Session
from dualsrm.cli.status import status
from dualsrm.config import DEFAULT_PATH, PATH_VARIABLE
from dualsrm.errors import DualsrmError


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
    context.obj = context.with_resource(Session(path))


for command in (status, check, migrate, recover):
    cli.add_command(command)


def main() -> None:
    """Entry point of the `dualsrm` program."""
    try:
        code = cli.main(standalone_mode=False)
    except DualsrmError as error:
        print_error(error, as_json="--json" in sys.argv[1:])
        code = error.exit_code
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    sys.exit(int(code or 0))
