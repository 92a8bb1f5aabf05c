"""A move from end to end: lock, look, check, plan, run, report."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dualsrm.checks import LIVE_ONLY, blocking, check_move, resolve_move
from dualsrm.convergence import Convergence
from dualsrm.discovery import resources_of
from dualsrm.engine.environment import Environment
from dualsrm.engine.journal import interrupted
from dualsrm.engine.observe import cpu_verdict, observe
from dualsrm.engine.operation import carry_out
from dualsrm.engine.progress import Notice
from dualsrm.engine.report import MoveReport, MoveState, report_move
from dualsrm.errors import DualsrmError, Refused
from dualsrm.model import Domain, Finding, MoveFacts, Pair, Snapshot, Unknown
from dualsrm.plan.cold import ColdGoal, Patience, plan_cold_move
from dualsrm.plan.move import MoveGoal, plan_move
from dualsrm.plan.steps import Plan


@dataclass(frozen=True, slots=True)
class Prepared:
    """A move that was looked at and not yet begun."""

    goal: MoveGoal
    findings: tuple[Finding, ...]
    plan: Plan
    """Empty when a finding blocks: there is nothing to plan around."""
    cold: bool = False

    @property
    def intent(self) -> Mapping[str, object]:
        """What is to be done, from where to where."""
        goal = self.goal
        return {
            "method": "cold" if self.cold else "live",
            "source": goal.source,
            "target": goal.target,
            "resources": list(goal.resources),
        }


def prepare_move(
    environment: Environment,
    pair: Pair,
    guest: str,
    to: str | None,
    *,
    state_directory: Path,
    convergence: Convergence,
    cold: Patience | None = None,
    beside: frozenset[str] = frozenset(),
    under_lock: bool = False,
) -> Prepared:
    """Look and plan; touches nothing. Raises for a guest that cannot be meant. `cold`: with a stop between.

    `beside`: resources of guests that the same operation moves.
    """
    snapshot = observe(environment, pair, guest=guest, under_lock=under_lock)
    move = resolve_move(snapshot, guest, to)
    facts = MoveFacts(
        cpu=cpu_verdict(environment, snapshot, guest, move.source, move.target),
        peer_link=snapshot.view(move.source).peer_link or Unknown(f"{move.source} was not asked"),
        beside=beside,
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
    if cold is None:
        return Prepared(goal, findings, () if blocking(findings) else plan_move(goal))
    must_be_persistent(domain, move.source)
    findings = tuple(finding for finding in findings if finding.check not in LIVE_ONLY)
    plan = () if blocking(findings) else plan_cold_move(_cold_goal(goal), cold)
    return Prepared(goal, findings, plan, cold=True)


def run_move(
    environment: Environment,
    pair: Pair,
    guest: str,
    to: str | None,
    *,
    state_directory: Path,
    convergence: Convergence,
    cold: Patience | None = None,
    inside: str | None = None,
    beside: frozenset[str] = frozenset(),
) -> tuple[Prepared, MoveReport | None]:
    """Lock, look, and move if no check is against it; without a report nothing was touched, and the findings say why.

    Raises `Refused` or `HostUnreachable` before anything is touched, and nothing after. `inside`: `carry_out` says.
    """
    look = partial(
        prepare_move,
        environment,
        pair,
        guest,
        to,
        state_directory=state_directory,
        convergence=convergence,
        cold=cold,
        beside=beside,
    )

    def call_in_and_look(*, under_lock: bool) -> Prepared:
        # Not before its turn to look has come: a guard waits for its window, but not for others' looks as well.
        if cold is None and inside is not None:
            _call_in_guards(environment, pair)
        return look(under_lock=under_lock)

    if cold is None and inside is None:
        _call_in_guards(environment, pair)
    return carry_out(
        environment,
        pair,
        state_directory,
        verb="migrate",
        guest=guest,
        prepare=call_in_and_look,
        report=lambda operation, prepared, run, total_s: report_move(
            operation, prepared.goal, run, total_s, cold=prepared.cold
        ),
        inside=inside,
    )


def fall_back(
    environment: Environment,
    pair: Pair,
    live: Prepared,
    report: MoveReport,
    *,
    patience: Patience,
    state_directory: Path,
    inside: str | None = None,
    beside: frozenset[str] = frozenset(),
) -> MoveReport:
    """Move it cold after a live move that was rolled back, and only then; otherwise the report as it is.

    Not for a guest that stopped by itself, nor when the operator asked to stop, nor where the checks do not allow it.
    """
    if report.state is not MoveState.ROLLED_BACK or environment.cancelled():
        return report
    environment.observer(Notice(f"the live move was rolled back ({report.seen}); now cold"))
    goal = live.goal
    try:
        prepared, cold = run_move(
            environment,
            pair,
            goal.guest,
            goal.target,
            state_directory=state_directory,
            convergence=goal.convergence,
            cold=patience,
            inside=inside,
            beside=beside,
        )
        if cold is None:
            raise Refused("; ".join(finding.seen for finding in blocking(prepared.findings)))
    except DualsrmError as error:  # raised only before anything was touched again
        return replace(report, seen=f"{report.seen}; not moved cold: {error.seen}")
    why = f"live: {report.seen}; cold: {cold.seen}" if cold.seen else f"live: {report.seen}"
    return replace(report if cold.state is MoveState.UNTOUCHED else cold, seen=why)


def _call_in_guards(environment: Environment, pair: Pair) -> None:
    """Have the guards of a move started while it is still looked at: they take longer to come than all else to arm."""
    for host in pair.hosts:
        environment.ports[host].call_in_guard(environment.ports[pair.other(host)].host)


def must_be_persistent(domain: Domain, host: str) -> None:
    """A guest that is not defined is forgotten, disks and all, when it stops."""
    if not domain.persistent:
        name = shlex.quote(domain.name)
        raise Refused(
            f"{domain.name} is not defined on {host}, it only runs there",
            why="Once stopped, nobody would know how to start it.",
            fix=f"on {host}: virsh dumpxml {name} > FILE; virsh define FILE",
        )


def _cold_goal(goal: MoveGoal) -> ColdGoal:
    return ColdGoal(goal.guest, goal.uuid, goal.resources, goal.source, goal.target)


def _domain(snapshot: Snapshot, host: str, guest: str) -> Domain:
    view = snapshot.view(host).libvirt
    domain = None if isinstance(view, Unknown) else view.domain(guest)
    if domain is None:
        raise Refused(f"libvirt on {host} does not show {guest} any more", fix="run the command again")
    return domain
