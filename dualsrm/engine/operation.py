"""The frame of an operation that does a plan on one pair: journal, lock, look, run, report, end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from dualsrm.checks import blocking
from dualsrm.engine.environment import Environment
from dualsrm.engine.executor import Executor
from dualsrm.engine.journal import FileJournal, Journal, ended_operations, note
from dualsrm.engine.locks import pair_locked
from dualsrm.engine.run import Run
from dualsrm.errors import DualsrmError, HostUnreachable
from dualsrm.model import Finding, Pair
from dualsrm.plan.steps import Plan


class Prepared(Protocol):
    """What was looked at and not yet begun."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One that blocks, and nothing is touched."""

    @property
    def plan(self) -> Plan:
        """What would be done; empty when a finding blocks, or when there is nothing to do."""

    @property
    def intent(self) -> Mapping[str, object]:
        """For the journal: what is to be done, from where to where."""


class Report(Protocol):
    """How an operation ended."""

    @property
    def state(self) -> Enum:
        """A named state."""

    @property
    def seen(self) -> str:
        """What went wrong, in words."""

    @property
    def total_s(self) -> float | None:
        """How long all of it took."""


P = TypeVar("P", bound=Prepared)
P_co = TypeVar("P_co", bound=Prepared, covariant=True)
R = TypeVar("R", bound=Report)


class Prepare(Protocol[P_co]):
    """Look and plan; touch nothing."""

    def __call__(self, *, under_lock: bool) -> P_co:
        """Under the pair's lock nobody is asked who holds it."""


def carry_out(
    environment: Environment,
    pair: Pair,
    state_directory: Path,
    *,
    verb: str,
    guest: str,
    prepare: Prepare[P],
    report: Callable[[str, P, Run, float], R],
    run: Callable[[Environment, FileJournal, P], Run] | None = None,
    inside: str | None = None,
) -> tuple[P, R | None]:
    """Lock, look, and do the plan; without a report nothing was touched, because of the findings or for want of a plan.

    Raises `Refused` or `HostUnreachable` before anything is touched, and nothing after. `prepare` looks and plans.
    `run`: how it is done, where there is more than one plan.
    `report` is given the operation, what was prepared, how the plan ended, and its seconds. `inside`: an operation that
    does several and holds the lock for all of them; each has its own journal and its own window all the same.
    """
    started = environment.clock.monotonic()
    journal = FileJournal.begin(state_directory, verb, environment.clock)
    looked = False
    try:
        part = {} if inside is None else {"inside": inside}
        journal.write("intent", verb=verb, pair=pair.name, guest=guest, **part)
        with _locked(environment, pair, journal, inside, state_directory):
            looked = True
            with environment.one_look():
                prepared = prepare(under_lock=True)
            if not prepared.plan:
                against = "; ".join(f"{one.subject}: {one.seen}" for one in blocking(prepared.findings))
                outcome = "refused" if against else "nothing to do"
                note(journal, environment.observer, "end", outcome=outcome, seen=against)
                return prepared, None
            journal.write("intent", **prepared.intent)
            ran = (run or _run)(environment, journal, prepared)
            _raise_if_silent(ran)
            end = report(journal.operation, prepared, ran, environment.clock.monotonic() - started)
            note(
                journal,
                environment.observer,
                "end",
                outcome=end.state.value,
                seen=end.seen,
                window_s=ran.window_s,
                outage_s=getattr(end, "outage_s", None),
                total_s=end.total_s,
            )
    except DualsrmError as error:
        note(journal, environment.observer, "end", outcome="refused", seen=error.seen)
        if not looked and isinstance(error, HostUnreachable):
            # A look says more about a host that is silent than that its lock could not be taken.
            prepared = prepare(under_lock=False)
            if blocking(prepared.findings):
                return prepared, None
        raise
    finally:
        journal.close()
    return prepared, end


def _run(environment: Environment, journal: FileJournal, prepared: Prepared) -> Run:
    return Executor(environment, journal).run(prepared.plan)


@contextmanager
def _locked(
    environment: Environment, pair: Pair, journal: Journal, inside: str | None, state_directory: Path
) -> Iterator[None]:
    if inside is not None:
        yield
        return
    with pair_locked(environment, pair, journal, leftovers=partial(ended_operations, state_directory, pair.name)):
        yield


def _raise_if_silent(run: Run) -> None:
    """A host that fell silent before anything was touched may be down, and the guest with it: not `untouched`."""
    if run.failure is not None and not run.touched and not all(one.asked for one in run.failure.unmet):
        raise HostUnreachable(
            run.failure.seen,
            why="nothing was touched, and whether the guest still runs is not known",
            fix="dualsrm status",
        )
