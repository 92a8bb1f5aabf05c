"""The guests that a failover brought to the survivor, moved back: each by a planned move like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dualsrm.checks import blocking
from dualsrm.discovery import guest_location
from dualsrm.engine.environment import Environment
from dualsrm.engine.journal import Moved, failed_over
from dualsrm.engine.move import Prepared
from dualsrm.engine.observe import observe
from dualsrm.engine.report import MoveReport
from dualsrm.errors import ExitCode, UsageError
from dualsrm.model import Pair


@dataclass(frozen=True, slots=True)
class Stays:
    """A guest that is not moved, and why."""

    guest: str
    why: str


@dataclass(frozen=True, slots=True)
class WayBack:
    """Who goes back, in the order in which they came, and who does not."""

    going: tuple[Moved, ...]
    staying: tuple[Stays, ...]


@dataclass(frozen=True, slots=True)
class Went:
    """One move of it."""

    guest: str
    target: str
    prepared: Prepared
    report: MoveReport | None
    """None: refused, the findings say why; or only looked at."""

    @property
    def refused(self) -> bool:
        """Whether something is against it."""
        return bool(blocking(self.prepared.findings))

    @property
    def exit_code(self) -> ExitCode:
        """Of this move."""
        return ExitCode.REFUSED if self.report is None else self.report.exit_code


def way_back(environment: Environment, pair: Pair, guest: str | None, state_directory: Path) -> WayBack:
    """By this manager's journals, and by where the guests are now. `guest`: this one only; None: all.

    Raises `UsageError` for a guest that no failover of this manager has moved.
    """
    last = {one.guest: one for one in failed_over(state_directory, pair.name)}
    if guest is not None and guest not in last:
        raise UsageError(
            f"no failover of this manager has moved {guest}",
            why="failback undoes failovers; from where a guest came is in the journal of whoever moved it",
            fix="dualsrm migrate --to HOST -- GUEST",
        )
    snapshot = observe(environment, pair)
    going, staying = list[Moved](), list[Stays]()
    for one in last.values() if guest is None else (last[guest],):
        active_on = guest_location(snapshot, one.guest).active_on
        if active_on == (one.to,):
            going.append(one)
        else:
            staying.append(Stays(one.guest, f"it is active on {' and '.join(active_on) or 'no host that was seen'}"))
    return WayBack(tuple(going), tuple(staying))


def go_back(way: WayBack, move: Callable[[Moved], tuple[Prepared, MoveReport | None]]) -> tuple[Went, ...]:
    """One after the other; the first that does not end well is the last."""
    went = list[Went]()
    for one in way.going:
        went.append(Went(one.guest, one.lost, *move(one)))
        if went[-1].exit_code is not ExitCode.OK:
            break
    return tuple(went)
