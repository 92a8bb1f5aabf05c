"""Taking a host back after a failover, from end to end: lock, look, check, plan, run, report."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path

from dualsrm.checks import blocking
from dualsrm.checks.quarantine import quarantine_of, records
from dualsrm.checks.reprotect import check_never_lost, check_reprotect, names_of
from dualsrm.engine.environment import Environment
from dualsrm.engine.observe import observe
from dualsrm.engine.operation import carry_out
from dualsrm.engine.run import Run
from dualsrm.errors import ExitCode, HostUnreachable
from dualsrm.generations import stands_alone
from dualsrm.model import DrbdView, Finding, Pair, Snapshot, Unknown
from dualsrm.plan.reprotect import Return, plan_reprotect
from dualsrm.plan.steps import Plan
from dualsrm.replication import replication_differs


class ReprotectState(Enum):
    """Named states it can end in."""

    PROTECTED = "protected"
    """Both sides UpToDate and Connected, nothing open, the quarantine lifted: a failover to it would lose nothing."""
    ALREADY = "nothing to do"
    UNTOUCHED = "untouched"
    RESYNCING = "resyncing"
    """The resync goes on; the host is in quarantine."""
    NOT_PROTECTED = "not protected"
    """Something was in the way; the host is in quarantine unless the last step alone went wrong."""


EXIT_CODES = {
    ReprotectState.PROTECTED: ExitCode.OK,
    ReprotectState.ALREADY: ExitCode.OK,
    ReprotectState.UNTOUCHED: ExitCode.REFUSED,
    ReprotectState.RESYNCING: ExitCode.NEEDS_ATTENTION,
    ReprotectState.NOT_PROTECTED: ExitCode.NEEDS_ATTENTION,
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """Looked at and not yet begun."""

    host: str
    survivor: str
    findings: tuple[Finding, ...]
    plan: Plan
    resources: tuple[str, ...]
    since: str | None
    """When it was put in quarantine; None: it is in none."""

    @property
    def intent(self) -> Mapping[str, object]:
        """For the journal."""
        return {"host": self.host, "survivor": self.survivor, "resources": list(self.resources), "since": self.since}


@dataclass(frozen=True, slots=True)
class ReprotectReport:
    """How it ended."""

    operation: str
    host: str
    survivor: str
    state: ReprotectState
    seen: str
    fix: str
    resync_s: float | None
    total_s: float

    @property
    def exit_code(self) -> ExitCode:
        """The stable exit code of this end."""
        return EXIT_CODES[self.state]


def prepare_reprotect(
    environment: Environment, pair: Pair, host: str, deadline_s: float, *, under_lock: bool = False
) -> Prepared:
    """Look, check and plan; touches nothing."""
    snapshot = observe(environment, pair, under_lock=under_lock)
    for one in pair.hosts:
        view = snapshot.view(one)
        for part in (view.drbd, view.system):
            if isinstance(part, Unknown):
                fix = f"make {one} answer, then run it again"
                raise HostUnreachable(
                    f"{one} cannot be seen: {part.why}", why="both sides have to be seen whole", fix=fix
                )
    survivor, names = pair.other(host), names_of(snapshot)
    held = quarantine_of(snapshot, host)
    if held is None:
        # What is said to a host in quarantine, to end its guests above all, must not be said to one that is healthy.
        findings = check_never_lost(host) if _behind(snapshot, names) else ()
        return Prepared(host, survivor, findings, (), names, None)
    findings = check_reprotect(snapshot, host)
    kept = tuple((keeper, one.host) for keeper, one in records(snapshot))
    goal = Return(host, survivor, names, tuple(_apart(snapshot, names)), kept)
    plan = () if blocking(findings) else plan_reprotect(goal, deadline_s)
    return Prepared(host, survivor, findings, plan, names, held.since)


def run_reprotect(
    environment: Environment, pair: Pair, host: str, deadline_s: float, *, state_directory: Path
) -> tuple[Prepared, ReprotectReport | None]:
    """Lock, look, take it back; without a report the findings say why not.

    Raises `Refused` or `HostUnreachable` before anything is touched, and nothing after.
    """
    prepare = partial(prepare_reprotect, environment, pair, host, deadline_s)
    prepared, report = carry_out(
        environment, pair, state_directory, verb="reprotect", guest="", prepare=prepare, report=_report
    )
    if report is None and not blocking(prepared.findings):
        report = ReprotectReport("", host, prepared.survivor, ReprotectState.ALREADY, "", "", None, 0.0)
    return prepared, report


def _behind(snapshot: Snapshot, names: tuple[str, ...]) -> bool:
    views = [snapshot.view(host).drbd for host in snapshot.pair.hosts]
    found = [view.resource(name) for view in views if isinstance(view, DrbdView) for name in names]
    return any(one is None or replication_differs(one) for one in found)


def _apart(snapshot: Snapshot, names: tuple[str, ...]) -> list[tuple[str, str]]:
    found = []
    for host in snapshot.pair.hosts:
        drbd = snapshot.view(host).drbd
        for name in names:
            resource = drbd.resource(name) if isinstance(drbd, DrbdView) else None
            if resource is not None and stands_alone(resource):
                found.append((host, name))
    return found


def _report(operation: str, prepared: Prepared, run: Run, total_s: float) -> ReprotectReport:
    state = _state(run)
    again = shlex.join(("dualsrm", "reprotect", "--", prepared.host))
    return ReprotectReport(
        operation=operation,
        host=prepared.host,
        survivor=prepared.survivor,
        state=state,
        seen=run.seen,
        fix=_NEXT[state].format(again=again),
        resync_s=run.seconds.get("resync"),
        total_s=total_s,
    )


def _state(run: Run) -> ReprotectState:
    if run.failure is None:
        return ReprotectState.PROTECTED
    if run.failure.step == "resync":
        return ReprotectState.RESYNCING
    return ReprotectState.NOT_PROTECTED if run.touched else ReprotectState.UNTOUCHED


_NEXT: Mapping[ReprotectState, str] = {
    ReprotectState.PROTECTED: "",
    ReprotectState.ALREADY: "",
    ReprotectState.UNTOUCHED: "run `dualsrm status`, then `{again}`",
    ReprotectState.RESYNCING: "`{again}` waits for its end",
    ReprotectState.NOT_PROTECTED: "mend what is named, then `{again}`: it looks first",
}
"""The exact next command of each end."""
