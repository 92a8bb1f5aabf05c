"""A group, or all guests of a host, from end to end: lock the pair, look, do guest by guest in order, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

from dualsrm.convergence import Convergence
from dualsrm.engine.cold import run_start, run_stop
from dualsrm.engine.environment import Environment
from dualsrm.engine.evacuate import PreparedMoves
from dualsrm.engine.group_move import run_group_move
from dualsrm.engine.group_report import GuestEnd, SeveralReport, cold_end, error_end, move_end, refused_end
from dualsrm.engine.journal import FileJournal, ended_operations, note
from dualsrm.engine.locks import pair_locked
from dualsrm.engine.move import fall_back, run_move
from dualsrm.engine.progress import Notice
from dualsrm.engine.several import Work, do_several
from dualsrm.errors import DualsrmError, Refused
from dualsrm.model import ColdMove, Group, GroupVerb, Pair, Shutdown
from dualsrm.plan.cold import Patience
from dualsrm.plan.dispatch import Rules
from dualsrm.plan.order import Unit

LOOKS = 3
"""Each ends at its own deadlines, half a minute at most where a host is silent."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How guests are moved and stopped, as configured or as asked for."""

    convergence: Convergence
    patience: Patience
    """Of guests that no group says anything else about."""
    cold_after_live: bool = False
    """Move cold what was rolled back live, whatever its group says."""
    said_deadline_s: float | None = None
    said_destroy: bool = False
    """Said for once: they go before what a group says."""
    said_cold: bool = False
    """Groups with a file system may move cold, whatever they say."""

    def patience_of(self, group: Group | None, guest: str) -> Patience:
        """How one guest is stopped."""
        own = (group.shutdown.get(guest) if group else None) or Shutdown()
        late = self.patience.destroy if own.destroy is None else own.destroy
        deadline_s = self.said_deadline_s or own.deadline_s or self.patience.deadline_s
        return Patience(deadline_s, self.said_destroy or late)


class Prepared(Protocol):
    """What was looked at, under the lock, and not yet begun."""

    @property
    def against(self) -> str:
        """Why nothing is begun; empty: go on."""

    @property
    def fix(self) -> str:
        """What mends it."""

    @property
    def guests(self) -> tuple[str, ...]:
        """Those something is to be done to; none: there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What every operation on several guests has around it."""

    environment: Environment
    lanes: Sequence[Environment]
    """One for each guest that is worked on at once."""
    pair: Pair
    state_directory: Path
    verb: str
    about: Mapping[str, object] = field(default_factory=dict)
    """For the journal: the group, or the host that is emptied."""


P = TypeVar("P", bound=Prepared)
Act: TypeAlias = Callable[[Environment, Unit, str], GuestEnd]


def carry_out_several(
    frame: Frame, prepare: Callable[[], P], work: Callable[[P, str], Work]
) -> tuple[P, SeveralReport | None]:
    """Lock, look, do; without a report nothing was touched, because something is against it or there is nothing to do.

    Raises `Refused` or `HostUnreachable` before anything is touched, and nothing after. `work` is given what was
    prepared and the operation.
    """
    environment, clock = frame.environment, frame.environment.clock
    started = clock.monotonic()
    journal = FileJournal.begin(frame.state_directory, frame.verb, clock)
    end = partial(note, journal, environment.observer, "end")
    try:
        journal.write("intent", verb=frame.verb, pair=frame.pair.name, **frame.about)
        leftovers = partial(ended_operations, frame.state_directory, frame.pair.name)
        with pair_locked(environment, frame.pair, journal, leftovers=leftovers):
            prepared = prepare()
            if prepared.against or not prepared.guests:
                end(outcome="refused" if prepared.against else "nothing to do", seen=prepared.against)
                return prepared, None
            journal.write("intent", guests=list(prepared.guests), jobs=len(frame.lanes))
            ended = do_several(environment, frame.lanes, work(prepared, journal.operation))
            took = clock.monotonic() - started
            report = SeveralReport(journal.operation, ended.guests, ended.groups, ended.left, took, len(frame.lanes))
            states = {one.guest: one.state for one in report.guests}
            end(outcome=report.exit_code.name.lower(), guests=states, total_s=took)
    except DualsrmError as error:
        end(outcome="refused", seen=error.seen)
        raise
    finally:
        journal.close()
    return prepared, report


def starting(frame: Frame, host: str | None, operation: str) -> Act:
    """Start a guest there, or where it says itself, or where its group prefers."""

    def act(world: Environment, unit: Unit, guest: str) -> GuestEnd:
        prepared, report = run_start(
            world,
            frame.pair,
            guest,
            host,
            state_directory=frame.state_directory,
            prefer=unit.group.prefer if unit.group else None,
            inside=operation,
        )
        return refused_end(_name(unit), guest, prepared.findings) if report is None else cold_end(_name(unit), report)

    return _without_raising(act)


def stopping(frame: Frame, policy: Policy, operation: str) -> Act:
    """Stop a guest as its group says."""

    def act(world: Environment, unit: Unit, guest: str) -> GuestEnd:
        patience = policy.patience_of(unit.group, guest)
        state = frame.state_directory
        _, report = run_stop(world, frame.pair, guest, patience, state_directory=state, inside=operation)
        if report is None:
            raise Refused("nothing is known against it, and it was not stopped")
        return cold_end(_name(unit), report)

    return _without_raising(act)


def moving(frame: Frame, policy: Policy, target: str, operation: str, beside: frozenset[str]) -> Act:
    """Move a guest live, or cold where its group says so; a group with a file system as one.

    `beside`: resources of all that are moved.
    """

    def _move_group(world: Environment, group: Group) -> GuestEnd:
        prepared, report = run_group_move(
            world,
            frame.pair,
            group,
            target,
            patience_of=partial(policy.patience_of, group),
            state_directory=frame.state_directory,
            cold=policy.said_cold,
            inside=operation,
        )
        if report is None:
            return refused_end(group.name, group.name, prepared.findings)
        return move_end(group.name, group.name, report)

    def act(world: Environment, unit: Unit, guest: str) -> GuestEnd:
        if unit.group is not None and unit.group.filesystem is not None:
            return _move_group(world, unit.group)
        cold = unit.group.cold if unit.group else ColdMove.NEVER
        patience = policy.patience_of(unit.group, guest)
        move = partial(
            run_move,
            world,
            frame.pair,
            guest,
            target,
            state_directory=frame.state_directory,
            convergence=policy.convergence,
            inside=operation,
            beside=beside,
        )
        prepared, report = move(cold=patience if cold is ColdMove.ALWAYS else None)
        if report is None and cold is ColdMove.IF_NOT_LIVE:
            prepared, report = move(cold=patience)
        elif report is not None and not prepared.cold and (policy.cold_after_live or cold is ColdMove.IF_NOT_LIVE):
            report = fall_back(
                world,
                frame.pair,
                prepared,
                report,
                patience=patience,
                state_directory=frame.state_directory,
                inside=operation,
                beside=beside,
            )
        if report is None:
            return refused_end(_name(unit), guest, prepared.findings)
        return move_end(_name(unit), guest, report)

    return _without_raising(act)


def run_moves(
    frame: Frame, look: Callable[[], PreparedMoves], policy: Policy, *, keep_going: bool
) -> tuple[PreparedMoves, SeveralReport | None]:
    """Under the lock, in order, as many at once as there are lanes."""

    def work(prepared: PreparedMoves, operation: str) -> Work:
        return Work(
            pairs={frame.pair.name: frame.pair},
            verb=GroupVerb.MIGRATE,
            order=prepared.order,
            rules=Rules(dependent=False, stop_at_first=not keep_going),
            act=moving(frame, policy, prepared.target, operation, prepared.resources),
            host=prepared.target,
            at_once=1 if prepared.one_at_a_time else None,
        )

    return carry_out_several(frame, look, work)


def _without_raising(act: Act) -> Act:
    """Such an error comes before a guest is touched; the others are not to suffer from it.

    A host that is silent may only be busy with the guests before: it is looked at again, a few times.
    """

    def quiet(world: Environment, unit: Unit, guest: str) -> GuestEnd:
        for _ in range(LOOKS - 1):
            end = once(world, unit, guest)
            if not end.silent or world.cancelled():
                return end
            world.observer(Notice("a host did not answer in time; looking again"))
        return once(world, unit, guest)

    def once(world: Environment, unit: Unit, guest: str) -> GuestEnd:
        try:
            return act(world, unit, guest)
        except DualsrmError as error:
            return error_end(_name(unit), guest, error)

    return quiet


def _name(unit: Unit) -> str | None:
    return unit.group.name if unit.group else None
