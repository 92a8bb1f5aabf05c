"""A click command and everything below it."""

from __future__ import annotations

import inspect

import click

from docs.reference.pages import Entry, Page, paragraphs, summary


def page(command: click.Command, parent: click.Context | None, name: str) -> Page:
    """Of this command, with those below it."""
    context = click.Context(command, parent=parent, info_name=name, **command.context_settings)
    words = tuple(context.command_path.split())
    text = inspect.cleandoc(command.help or "")
    below: tuple[Page, ...] = ()
    if isinstance(command, click.Group):
        below = tuple(page(one, context, word) for word, one in command.commands.items() if not one.hidden)
    return Page(
        words=words,
        section=1,
        summary=summary(text),
        usage=" ".join([*words, *command.collect_usage_pieces(context)]),
        description=paragraphs(text),
        options=_options(command, context),
        commands=tuple(Entry(one.words[-1], one.summary) for one in below),
        below=below,
    )


def _options(command: click.Command, context: click.Context) -> tuple[Entry, ...]:
    options = (one for one in command.get_params(context) if isinstance(one, click.Option))
    records = (one.get_help_record(context) for one in options)
    return tuple(Entry(names, " ".join(text.split())) for names, text in filter(None, records))
