"""The frame of commands about several guests: one view while they run, one document or one table at the end."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence

from rich.table import Table

from dualsrm.cli.output import console, emit_json, finding_json
from dualsrm.cli.session import Session
from dualsrm.cli.text import duration, plain, text
from dualsrm.engine.group_report import SeveralReport
from dualsrm.engine.group_run import Policy
from dualsrm.errors import ExitCode
from dualsrm.model import Finding
from dualsrm.plan.cold import Patience


@dataclasses.dataclass(frozen=True, slots=True)
class Planned:
    """One guest that something is to be done to, for people and programs."""

    guest: str
    group: str | None
    method: str
    """live, cold, start or stop."""
    findings: tuple[Finding, ...] = ()
    seconds: float | None = None
    begins_s: float | None = None
    ends_s: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """All of it."""

    kind: str
    title: str
    """What is done, for people."""
    about: Mapping[str, object]
    """Pair, group and hosts, as the document names them."""
    moves: bool
    """Else a start or a stop: what is seen against it, and how long it may take, is not known before."""
    against: str
    fix: str
    planned: Sequence[Planned]
    staying: Sequence[tuple[str, str]]
    """Guest and why."""
    report: SeveralReport | None

    @property
    def exit_code(self) -> ExitCode:
        """Of what was done, or of what would be."""
        if self.report is not None:
            return self.report.exit_code
        return ExitCode.REFUSED if self.against else ExitCode.OK


def policy_of(session: Session, *, cold_after_live: bool | None = None) -> Policy:
    """As configured."""
    settings = session.settings
    after = settings.migration.on_failure == "cold" if cold_after_live is None else cold_after_live
    patience = Patience(settings.shutdown.deadline_s, settings.shutdown.destroy)
    return Policy(settings.migration.convergence, patience, after)


def tell(shown: Shown, *, as_json: bool) -> ExitCode:
    """Say how it ended, or what would be done; the exit code."""
    # Whoever listened may be gone; how it ended is still in the exit code and in the journal.
    with contextlib.nullcontext() if shown.report is None else contextlib.suppress(OSError):
        if as_json:
            emit_json(shown.kind, _as_json(shown))
        else:
            _print(shown)
    return shown.exit_code


def _as_json(shown: Shown) -> dict[str, object]:
    document = {
        **shown.about,
        "refused": bool(shown.against),
        "against": shown.against,
        "fix": shown.fix,
        "guests": [_planned_json(shown, one) for one in shown.planned],
        "result": None if shown.report is None else _result_json(shown, shown.report),
    }
    if shown.moves and "group" in shown.about:
        document["staying"] = [{"guest": guest, "why": why} for guest, why in shown.staying]
    return document


def _planned_json(shown: Shown, one: Planned) -> dict[str, object]:
    if not shown.moves:
        return {"guest": one.guest}
    times = {"seconds": one.seconds, "begins_s": one.begins_s, "ends_s": one.ends_s}
    findings = [finding_json(finding) for finding in one.findings]
    group = {} if "group" in shown.about else {"group": one.group}
    return {"guest": one.guest, **group, "method": one.method, "findings": findings, **times}


_UNSAID = ("group", "silent")


def _result_json(shown: Shown, report: SeveralReport) -> dict[str, object]:
    guests = [
        {key: value for key, value in dataclasses.asdict(one).items() if key not in _UNSAID} for one in report.guests
    ]
    asked = shown.kind == "start-group"
    return {
        "operation": report.operation,
        "guests": guests,
        "groups": [
            dataclasses.asdict(one) if asked else {"group": one.group, "failed": one.failed} for one in report.groups
        ],
        "left": [{"guest": one.guest, "why": one.why} for one in report.left],
        "jobs": report.jobs,
        "total_s": report.total_s,
        "exit_code": int(report.exit_code),
    }


# --- for people ---------------------------------------------------------------------------------------------------


def _print(shown: Shown) -> None:
    out = console()
    for guest, why in shown.staying:
        out.print(text(f"{plain(guest)} stays: {plain(why)}"), soft_wrap=True)
    if shown.report is not None:
        _print_report(shown, shown.report)
        return
    if shown.planned:
        out.print(_schedule(shown))
    for label, value in (("against it: ", shown.against), ("fix: ", shown.fix)):
        if value:
            out.print(text(f"{label}{plain(value)}", "bold red" if label == "against it: " else ""), soft_wrap=True)
    if not shown.planned and not shown.against:
        out.print(text(f"{shown.title}: nothing to do", "green"))


def _schedule(shown: Shown) -> Table:
    columns = ("", "guest", "group", "how", "begins", "takes", "against it")
    table = Table(*columns, title=text(shown.title), title_justify="left", expand=False)
    for number, one in enumerate(shown.planned, start=1):
        begins = "unknown" if one.begins_s is None else f"+{duration(one.begins_s)}"
        seen = "; ".join(f"{finding.check}: {finding.seen}" for finding in one.findings)
        cells = (str(number), one.guest, one.group or "", one.method, begins, duration(one.seconds), seen)
        table.add_row(*(text(cell) for cell in cells))
    ends = [one.ends_s for one in shown.planned if one.ends_s is not None]
    table.caption = f"done after about {duration(max(ends))}" if len(ends) == len(shown.planned) else None
    return table


def _print_report(shown: Shown, report: SeveralReport) -> None:
    out = console()
    for one in report.guests:
        how = f" ({one.method}, {duration(one.total_s)})" if one.method else f" ({duration(one.total_s)})"
        line = f"{plain(one.guest)}: {one.state}{how if one.total_s is not None else ''}"
        out.print(text(line, "green" if one.exit_code is ExitCode.OK else "bold red"), soft_wrap=True)
        for label, value in (("  seen: ", one.seen), ("  fix:  ", one.fix)):
            if value:
                out.print(text(f"{label}{plain(value)}"), soft_wrap=True)
    for group in report.groups:
        if group.failed:
            out.print(text(f"group {plain(group.group)}: {plain(group.failed)}", "bold red"), soft_wrap=True)
        elif group.ready:
            out.print(text(f"group {plain(group.group)}: ready after {duration(group.ready_s)}", "green"))
    for left in report.left:
        out.print(text(f"{plain(left.guest)}: not begun: {plain(left.why)}", "bold yellow"), soft_wrap=True)
    well = sum(one.exit_code is ExitCode.OK for one in report.guests)
    count = len(report.guests) + len(report.left)
    style = "green" if report.exit_code is ExitCode.OK else "bold red"
    said = f"{shown.title}: {well} of {count} done in {duration(report.total_s)}"
    out.print(text(f"{said}, up to {report.jobs} at once" if report.jobs > 1 else said, style), soft_wrap=True)
