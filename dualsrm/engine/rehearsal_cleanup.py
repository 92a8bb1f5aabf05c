"""What is there of rehearsals, and away with it. Both go by what the hosts show, never by a journal.

No lock is taken: a cleanup must be possible at any time, beside a move and beside a failover. It touches nothing but
what is marked, and of two at once each finds done what the other did.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dualsrm.engine.environment import Environment
from dualsrm.engine.executor import Executor
from dualsrm.engine.journal import FileJournal, interrupted_rehearsals, note, settle_interrupted
from dualsrm.engine.locks import release
from dualsrm.engine.rehearsal import look_everywhere
from dualsrm.engine.rehearsal_report import CLEANUP_COMMAND, CleanupReport, CleanupState
from dualsrm.errors import DualsrmError
from dualsrm.model import Maybe, Pair, RehearsalView, Unknown
from dualsrm.plan.rehearsal import plan_cleanup

VERB = "test-failover-cleanup"
_ROUNDS = 3
"""A rehearsal that is still being started may add something behind the first look."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is on one host, and whether the agents in its clones answer."""

    host: str
    view: Maybe[RehearsalView]
    agents: Mapping[str, bool]

    @property
    def broken(self) -> tuple[str, ...]:
        """What of it can no longer be relied on, in words."""
        if isinstance(self.view, Unknown):
            return ()
        full = [
            f"{one.group}/{one.name} ran full: what was on it is lost" for one in self.view.snapshots if not one.valid
        ]
        return (*full, *(f"{one.name} is {one.state}" for one in self.view.clones if one.state != "running"))


def standing(environment: Environment, pair: Pair) -> tuple[Standing, ...]:
    """What there is, host by host. Raises nothing."""
    views = look_everywhere(environment, pair)
    return tuple(Standing(host, view, _agents(environment, host, view)) for host, view in views.items())


def _agents(environment: Environment, host: str, view: Maybe[RehearsalView]) -> Mapping[str, bool]:
    names = () if isinstance(view, Unknown) else tuple(one.name for one in view.clones)
    return dict(zip(names, environment.gather([partial(_agent, environment, host, one) for one in names]), strict=True))


def _agent(environment: Environment, host: str, name: str) -> bool:
    try:
        return not environment.ports[host].agent_answers(name)
    except DualsrmError:
        return False


def run_cleanup(environment: Environment, pair: Pair, *, state_directory: Path) -> CleanupReport:
    """End every clone, remove every snapshot and network that is marked, on both hosts; look again.

    Raises `Refused` only when the journal cannot be written at all.
    """
    started = environment.clock.monotonic()
    views = look_everywhere(environment, pair)
    if not _left(views):
        _settle(environment, pair, state_directory, by="a look")
        return CleanupReport("", pair.name, CleanupState.ALREADY, (), "", "", 0.0)
    journal = FileJournal.begin(state_directory, VERB, environment.clock)
    try:
        there = list(_things(views))
        journal.write("intent", verb=VERB, pair=pair.name, there=there)
        failures: list[str] = []
        for _ in range(_ROUNDS):
            failures = _remove(environment, views, journal)
            views = look_everywhere(environment, pair)
            if not list(_things(views)):
                break
        left = _left(views)
        report = CleanupReport(
            operation=journal.operation,
            pair=pair.name,
            state=CleanupState.LEFT if left else CleanupState.CLEAN,
            removed=tuple(one for one in there if one not in left),
            seen="; ".join((*failures, *left)) if left else "",
            fix=f"mend what is named, then again: {CLEANUP_COMMAND} {shlex.quote(pair.name)}" if left else "",
            total_s=environment.clock.monotonic() - started,
        )
        note(journal, environment.observer, "end", outcome=report.state.value, seen=report.seen, total_s=report.total_s)
    finally:
        journal.close()
    if report.state is CleanupState.CLEAN:
        _settle(environment, pair, state_directory, by=journal.operation)
    return report


def _remove(environment: Environment, views: Mapping[str, Maybe[RehearsalView]], journal: FileJournal) -> list[str]:
    """Everything that is seen; what could not be removed, in words."""
    failures = []
    for view in views.values():
        for plan in () if isinstance(view, Unknown) else plan_cleanup(view):
            run = Executor(environment, journal).run(plan)
            failures += [run.seen] if run.failure else []
    return failures


def _settle(environment: Environment, pair: Pair, state_directory: Path, *, by: str) -> None:
    """Rehearsals of this manager that died hold nothing any more: their locks go, and their journals have an end."""
    for one in interrupted_rehearsals(state_directory, pair.name):
        environment.gather([partial(release, environment, pair, host, one.operation) for host in pair.hosts])
        settle_interrupted(state_directory, one.operation, by, environment.clock)


def _things(views: Mapping[str, Maybe[RehearsalView]]) -> Iterator[str]:
    for host, view in views.items():
        if not isinstance(view, Unknown):
            yield from (f"{one.name} on {host}" for one in view.clones)
            yield from (f"{one.group}/{one.name} on {host}" for one in view.snapshots)
            yield from (f"network {name} on {host}" for name in view.networks)


def _left(views: Mapping[str, Maybe[RehearsalView]]) -> list[str]:
    """What is there, and hosts that nobody could ask."""
    unknown = [f"{host} could not be asked: {view.why}" for host, view in views.items() if isinstance(view, Unknown)]
    return [*_things(views), *unknown]
