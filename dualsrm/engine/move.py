"""The live move from end to end: look, check, plan, lock, run, report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dualsrm.checks import blocking, check_move, resolve_move
from dualsrm.convergence import Convergence
from dualsrm.discovery import resources_of
from dualsrm.engine.environment import Environment
from dualsrm.engine.executor import Executor, Run
from dualsrm.engine.journal import FileJournal, interrupted, note
from dualsrm.engine.locks import pair_locked
from dualsrm.engine.observe import cpu_verdict, observe
from dualsrm.engine.report import MoveReport, report_move
from dualsrm.errors import DualsrmError, HostUnreachable, Refused
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


def call_in_guards(environment: Environment, pair: Pair) -> None:
    """Have the guards of a move started while it is still looked at: they take longer to come than all else to arm."""
    for host in pair.hosts:
        environment.ports[host].call_in_guard(environment.ports[pair.other(host)].host)


def prepare_move(
    environment: Environment,
    pair: Pair,
    guest: str,
    to: str | None,
    *,
    state_directory: Path,
    convergence: Convergence,
) -> Prepared:
    """Look and plan; touches nothing. Raises for a guest that cannot be meant."""
    snapshot = observe(environment, pair, guest=guest)
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


def run_move(environment: Environment, pair: Pair, prepared: Prepared, state_directory: Path) -> MoveReport:
    """Do a prepared move. Raises `Refused` or `HostUnreachable` before anything is touched, and nothing after."""
    if not prepared.plan:
        raise Refused("the checks do not allow this move", fix="run `dualsrm check` on the guest for each reason")
    started = environment.clock.monotonic()
    goal = prepared.goal
    journal = FileJournal.begin(state_directory, "migrate", environment.clock)
    try:
        journal.write(
            "intent",
            verb="migrate",
            pair=pair.name,
            guest=goal.guest,
            source=goal.source,
            target=goal.target,
            resources=list(goal.resources),
        )
        with pair_locked(environment, pair, journal.operation):
            run = Executor(environment, journal).run(prepared.plan)
            _raise_if_silent(run)
            report = report_move(journal.operation, goal, run, environment.clock.monotonic() - started)
            end = {"outcome": report.state.value, "seen": report.seen, "window_s": report.window_s}
            note(journal, environment.observer, "end", **end)
    except DualsrmError as error:
        note(journal, environment.observer, "end", outcome="refused", seen=error.seen)
        raise
    finally:
        journal.close()
    return report


def _raise_if_silent(run: Run) -> None:
    """A host that fell silent before anything was touched may be down, and the guest with it: not `untouched`."""
    if run.failure is not None and not run.touched and not all(one.asked for one in run.failure.unmet):
        raise HostUnreachable(
            run.failure.seen,
            why="nothing was touched, and whether the guest still runs is not known",
            fix="dualsrm status",
        )


def _domain(snapshot: Snapshot, host: str, guest: str) -> Domain:
    view = snapshot.view(host).libvirt
    domain = None if isinstance(view, Unknown) else view.domain(guest)
    if domain is None:
        raise Refused(f"libvirt on {host} does not show {guest} any more", fix="run the command again")
    return domain
