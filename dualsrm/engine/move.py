"""The live move from end to end: lock, look, check, plan, run, report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dualsrm.checks import blocking, check_move, resolve_move
from dualsrm.convergence import Convergence
from dualsrm.discovery import resources_of
from dualsrm.engine.environment import Environment
from dualsrm.engine.executor import Executor
from dualsrm.engine.journal import FileJournal, interrupted, note
from dualsrm.engine.locks import pair_locked
from dualsrm.engine.observe import cpu_verdict, observe
from dualsrm.engine.report import MoveReport, report_move
from dualsrm.errors import DualsrmError, Refused
from dualsrm.model import Domain, Finding, MoveFacts, Pair, Snapshot, Unknown
from dualsrm.plan.move import MoveGoal, plan_move
from dualsrm.plan.steps import Plan


@dataclass(frozen=True, slots=True)
class Prepared:
    """A move that was looked at and not yet begun."""

    goal: MoveGoal
    findings: tuple[Finding, ...]
    plan: Plan
    """Empty when a finding blocks: there is nothing to plan around."""


def prepare_move(
    environment: Environment,
    pair: Pair,
    guest: str,
    to: str | None,
    *,
    state_directory: Path,
    convergence: Convergence,
    under_lock: bool = False,
) -> Prepared:
    """Look and plan; touches nothing. Raises for a guest that cannot be meant."""
    snapshot = observe(environment, pair, guest=guest, under_lock=under_lock)
    move = resolve_move(snapshot, guest, to)
    facts = MoveFacts(
        cpu=cpu_verdict(environment, snapshot, guest, move.source, move.target),
        peer_link=snapshot.view(move.source).peer_link or Unknown(f"{move.source} was not asked"),
    )
    unfinished = interrupted(state_directory, pair.name)
    findings = check_move(snapshot, move, facts, unfinished[0].operation if unfinished else None)
    domain = _domain(snapshot, move.source, guest)
    goal = MoveGoal(
        pair=pair.name,
        guest=guest,
        uuid=domain.uuid,
        resources=resources_of(domain, snapshot.view(move.source)),
        source=move.source,
        target=move.target,
        deadline_s=convergence.deadline_for(domain.memory_bytes),
        convergence=convergence,
    )
    return Prepared(goal, findings, () if blocking(findings) else plan_move(goal))


def run_move(
    environment: Environment,
    pair: Pair,
    guest: str,
    to: str | None,
    *,
    state_directory: Path,
    convergence: Convergence,
) -> tuple[Prepared, MoveReport | None]:
    """Lock, look, and move if no check is against it; without a report nothing was touched, and the findings say why.

    Raises `Refused` or `HostUnreachable` before anything is touched, and nothing after.
    """
    started = environment.clock.monotonic()
    journal = FileJournal.begin(state_directory, "migrate", environment.clock)
    try:
        journal.write("intent", verb="migrate", pair=pair.name, guest=guest)
        _call_in_guards(environment, pair)
        with pair_locked(environment, pair, journal.operation):
            prepared = prepare_move(
                environment,
                pair,
                guest,
                to,
                state_directory=state_directory,
                convergence=convergence,
                under_lock=True,
            )
            if not prepared.plan:
                note(journal, environment.observer, "end", outcome="refused", seen=_against(prepared.findings))
                return prepared, None
            goal = prepared.goal
            journal.write("intent", source=goal.source, target=goal.target, resources=list(goal.resources))
            run = Executor(environment, journal).run(prepared.plan)
            report = report_move(journal.operation, goal, run, environment.clock.monotonic() - started)
            end = {"outcome": report.state.value, "seen": report.seen, "window_s": report.window_s}
            note(journal, environment.observer, "end", **end)
    except DualsrmError as error:
        note(journal, environment.observer, "end", outcome="refused", seen=error.seen)
        raise
    finally:
        journal.close()
    return prepared, report


def _call_in_guards(environment: Environment, pair: Pair) -> None:
    """Have the guards of a move started while it is still looked at: they take longer to come than all else to arm."""
    for host in pair.hosts:
        environment.ports[host].call_in_guard(environment.ports[pair.other(host)].host)


def _against(findings: tuple[Finding, ...]) -> str:
    return "; ".join(f"{finding.subject}: {finding.seen}" for finding in blocking(findings))


def _domain(snapshot: Snapshot, host: str, guest: str) -> Domain:
    view = snapshot.view(host).libvirt
    domain = None if isinstance(view, Unknown) else view.domain(guest)
    if domain is None:
        raise Refused(f"libvirt on {host} does not show {guest} any more", fix="run the command again")
    return domain
