"""Output shared by the commands: tables for people, JSON for programs, errors for 3 a.m."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from dualsrm.cli.text import plain, text
from dualsrm.errors import DualsrmError, UsageError
from dualsrm.model import Finding, Severity
from dualsrm.plan.steps import Plan, Step

JSON_FORMAT = 1
"""Changes only when a program that reads the older form would misread the newer one; docs/json.md."""

_STYLES = {
    Severity.PASSED: "green",
    Severity.WARNING: "yellow",
    Severity.FAILED: "bold red",
    Severity.UNKNOWN: "bold magenta",
}


def console(*, stderr: bool = False) -> Console:
    """A console that colours only a terminal and is as wide as it is."""
    return Console(stderr=stderr, highlight=False, soft_wrap=False)


def emit_json(kind: str, body: Mapping[str, object], output: Path | None = None) -> None:
    """One JSON document on standard output, or in a file. Raises `UsageError` when that cannot be written."""
    document = json.dumps({"format": JSON_FORMAT, "kind": kind, **body}, indent=2, default=_encode)
    if output is None:
        click.echo(document)
    else:
        write_whole(output, document + "\n", why="whoever reads it would take an older look for this one", replace=True)


def write_whole(output: Path, content: str, *, why: str, replace: bool) -> None:
    """Write a file whole or not at all, mode 0640. Raises `UsageError` when it cannot, or when it is there already."""
    try:
        with whole_file(output, content, 0o640) as fresh:
            if replace:
                fresh.replace(output)
            else:
                output.hardlink_to(fresh)  # unlike a rename it fails when there is one
    except OSError as error:
        if isinstance(error, FileExistsError) and not replace:
            seen, lost = f"{output} is there already", "what it says would be lost"
            raise UsageError(seen, why=lost, fix="name another file, or add --force") from error
        raise UsageError(
            f"{output} cannot be written: {error.strerror or error}",
            why=why,
            fix=f"make {output.parent} a directory this user may write to",
        ) from error


@contextlib.contextmanager
def whole_file(path: Path, text: str, mode: int) -> Iterator[Path]:
    """A file beside `path` with all of the text on disk, to be given its name; else removed. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield fresh
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def _encode(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)


def finding_json(finding: Finding) -> dict[str, object]:
    """One finding as the JSON documents carry it."""
    return {**dataclasses.asdict(finding), "severity": finding.severity.value}


def error_json(error: DualsrmError) -> dict[str, object]:
    """An error as the JSON documents carry it."""
    return {"seen": error.seen, "why": error.why, "fix": error.fix, "exit_code": int(error.exit_code)}


def print_error(error: DualsrmError, *, as_json: bool) -> None:
    """Seen, why, fix: on standard error for people, on standard output for programs."""
    if as_json:
        emit_json("error", {"error": error_json(error)})
        return
    out = console(stderr=True)
    for label, value in (("error", error.seen), ("why", error.why), ("fix", error.fix)):
        for number, line in enumerate(value.splitlines()):
            head = f"{label}:" if number == 0 else ""
            out.print(text(f"{head:<7}{plain(line)}", "bold red" if label == "error" else ""), soft_wrap=True)


def print_findings(title: str, findings: Sequence[Finding], *, verbose: bool) -> None:
    """What does not pass in full, what passes as a count or, if asked for, as rows."""
    out = console()
    troubles = [finding for finding in findings if finding.severity is not Severity.PASSED]
    shown = list(findings) if verbose else troubles
    if shown:
        table = Table("", "check", "about", "seen", title=text(title), title_justify="left", expand=False)
        for finding in shown:
            style = _STYLES[finding.severity]
            table.add_row(
                text(finding.severity.value, style), text(finding.check), text(finding.subject), text(finding.seen)
            )
        out.print(table)
    for finding in troubles:
        _print_cure(finding, f"{finding.check} ({finding.subject})")
    passed = sum(finding.severity is Severity.PASSED for finding in findings)
    blocked = sum(finding.severity.blocks for finding in findings)
    verdict = "ready" if not blocked else f"not ready: {blocked} of {len(findings)} checks do not pass"
    out.print(text(f"{title}: {verdict} ({passed} passed)", "green" if not blocked else "bold red"))


def print_trouble(finding: Finding) -> None:
    """One finding that does not pass: what was seen, why it matters, what mends it."""
    _print_cure(finding, f"{finding.check} ({plain(finding.subject)}): {finding.seen}")


def _print_cure(finding: Finding, head: str) -> None:
    out = console()
    out.print(text(head, _STYLES[finding.severity]), soft_wrap=True)
    for label, value in (("why", finding.why), ("fix", finding.fix)):
        if value:
            out.print(text(f"  {label}: {plain(value)}"), soft_wrap=True)


def step_json(step: Step) -> dict[str, object]:
    """One step of a plan as the JSON documents carry it."""
    return {
        "name": step.name,
        "do": [str(command) for command in step.do],
        "verify": [str(condition) for condition in step.verify],
        "undo": [str(command) for command in step.undo],
        "deadline_s": step.deadline_s,
    }


def print_plan(plan: Plan) -> None:
    """What would be done, verified and undone."""
    out = console()
    for number, step in enumerate(plan, start=1):
        out.print(text(f"{number}. {step.name}", "bold"))
        for label, lines in (("do", step.do), ("verify", step.verify), ("undo", step.undo)):
            for line in lines:
                out.print(text(f"   {label:<7}{plain(line)}"), soft_wrap=True)


def on_terminal() -> bool:
    """Whether a person watches standard error."""
    return sys.stderr.isatty()
