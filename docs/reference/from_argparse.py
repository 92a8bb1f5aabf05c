"""An argparse parser and its commands, on one page: they are few and short.

argparse tells what it has in its help text only; the attributes read here have been the same in every Python 3.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from docs.reference.pages import Entry, Page, paragraphs, summary


def page(parser: argparse.ArgumentParser, about: str) -> Page:
    """Of this program; `about` says what it is, in a paragraph or more."""
    return Page(
        words=(parser.prog,),
        section=8,
        summary=summary(about),
        usage=_usage(parser),
        description=paragraphs(about),
        options=tuple(_options(parser)),
        commands=tuple(_commands(parser)),
    )


def _usage(parser: argparse.ArgumentParser) -> str:
    every_command = re.compile(r"\{[^}]*\}")  # they have a section of their own
    return every_command.sub("COMMAND", " ".join(parser.format_usage().removeprefix("usage: ").split()))


def _expanded(action: argparse.Action) -> str:
    values = {**vars(action), "prog": ""}
    return " ".join(((action.help or "") % values).split())


def _names(action: argparse.Action) -> str:
    names = ", ".join(action.option_strings)
    if action.nargs == 0:
        return names
    return f"{names} {action.metavar or action.dest.upper()}" if names else str(action.metavar or action.dest).upper()


def _options(parser: argparse.ArgumentParser) -> Iterator[Entry]:
    for action in parser._actions:
        if action.option_strings:
            yield Entry(_names(action), _expanded(action))


def _commands(parser: argparse.ArgumentParser) -> Iterator[Entry]:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        for said in action._choices_actions:
            command = action.choices[said.dest]
            arguments = _usage(command).removeprefix(f"{command.prog} ").removeprefix("[-h]").strip()
            options = "; ".join(f"{one.names}: {one.help}" for one in _options(command) if "--help" not in one.names)
            text = _expanded(said) + (f". {options}" if options else "")
            yield Entry(f"{said.dest} {arguments}".strip(), text)
