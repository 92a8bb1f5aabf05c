"""The frame of `migrate`, `stop` and `start`: look, show or do, say how it ended."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from dualsrm.checks import blocking
from dualsrm.cli.output import console, emit_json, finding_json, print_findings, print_plan, step_json
from dualsrm.cli.progress import progress_observer
from dualsrm.cli.session import Session
from dualsrm.cli.text import plain, text
from dualsrm.engine.environment import Environment
from dualsrm.errors import ExitCode
from dualsrm.model import Finding, Pair
from dualsrm.plan.steps import Plan


class Prepared(Protocol):
    """What was looked at and not yet begun."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One that blocks, and nothing is touched."""

    @property
    def plan(self) -> Plan:
        """What would be done."""


class Report(Protocol):
    """How it ended."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def state(self) -> Enum:
        """A named state."""

    @property
    def seen(self) -> str:
        """What went wrong."""

    @property
    def fix(self) -> str:
        """The exact next command."""

    @property
    def exit_code(self) -> ExitCode:
        """The command's exit code."""


P = TypeVar("P", bound=Prepared)
R = TypeVar("R", bound=Report)


@dataclasses.dataclass(frozen=True, slots=True)
class Operation(Generic[P, R]):
    """What is particular to a command."""

    kind: str
    """Of its JSON document."""
    prepare: Callable[[Environment, Pair], P]
    """Look only."""
    run: Callable[[Environment, Pair], tuple[P, R | None]]
    """Look under the lock, and do it if nothing is against it."""
    subject: Callable[[P], dict[str, str]]
    """The guest and its hosts, as the JSON document names them."""
    title: Callable[[P], str]
    lines: Callable[[R], Sequence[str]]
    """How it ended, for people."""


def operate(
    session: Session, guest: str, operation: Operation[P, R], *, dry_run: bool, as_json: bool, pair: Pair | None = None
) -> int:
    """Do it, or show what would be done; the exit code. `pair`: where that is not the guest's to say."""
    pair = pair or session.pair_for(guest)
    with progress_observer(quiet=as_json) as observer:
        environment = session.environment([pair], observer)
        if dry_run:
            prepared, report = operation.prepare(environment, pair), None
        else:
            session.stop_on_signals()
            prepared, report = operation.run(environment, pair)
    refused = bool(blocking(prepared.findings))
    # Whoever listened may be gone; how it ended is still in the exit code and in the journal.
    with contextlib.nullcontext() if report is None else contextlib.suppress(OSError):
        if as_json:
            emit_json(operation.kind, operation.subject(prepared) | _body(prepared, report, refused=refused))
        elif report is not None:
            print_end(report, operation.lines(report))
        else:
            _print_prepared(prepared, operation.title(prepared))
    if report is not None:
        return report.exit_code
    return ExitCode.REFUSED if refused else ExitCode.OK


def _body(prepared: Prepared, report: Report | None, *, refused: bool) -> dict[str, object]:
    shown = report is None
    return {
        "refused": refused,
        "findings": [finding_json(finding) for finding in prepared.findings if shown],
        "plan": [step_json(step) for step in prepared.plan if shown],
        "result": None if report is None else {**dataclasses.asdict(report), "exit_code": int(report.exit_code)},
    }


def _print_prepared(prepared: Prepared, title: str) -> None:
    if prepared.findings:
        print_findings(title, prepared.findings, verbose=False)
    elif not prepared.plan:
        console().print(text(f"{title}: nothing to do", "green"))
    print_plan(prepared.plan)


def print_end(report: Report, lines: Sequence[str]) -> None:
    """How it ended, for people: its lines, what was seen, the exact next command."""
    out = console()
    for number, line in enumerate(lines):
        style = "" if number else "green" if report.exit_code is ExitCode.OK else "bold red"
        out.print(text(line, style), soft_wrap=True)
    for label, value in (("seen: ", report.seen), ("fix:  ", report.fix)):
        if value:
            out.print(text(f"{label}{plain(value)}"), soft_wrap=True)
