"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from dualsrm.cli.session import Session

F = TypeVar("F", bound=Callable[..., object])

json_option: Callable[[F], F] = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on standard output (docs/json.md)."
)
pass_session = click.make_pass_decorator(Session)
