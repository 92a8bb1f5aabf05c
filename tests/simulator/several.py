"""Several guests at once on the simulated pair: estates, groups, and an evacuation in as many lanes as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from dualsrm.engine.environment import Environment
from dualsrm.engine.evacuate import Asked, PreparedMoves, prepare_moves
from dualsrm.engine.group_report import SeveralReport
from dualsrm.engine.group_run import Frame, Policy, run_moves
from dualsrm.model import Group
from dualsrm.plan.cold import Patience
from tests.simulator.driving import Manager
from tests.simulator.pair import ALPHA, GuestSpec, SimPair
from tests.simulator.turns import Turns

NAMES = ("db", "app", "web")


def estate(dialect: str = "8.4", names: Sequence[str] = NAMES, runs_on: str | None = ALPHA) -> SimPair:
    """Guests with a resource each."""
    return SimPair(dialect, [GuestSpec(name, ((name, 0),), runs_on=runs_on) for name in names])


def chain(pair: SimPair, *names: str) -> tuple[Group, ...]:
    """Groups of one guest each, every one after the one before it."""
    groups = []
    for number, name in enumerate(names):
        after = (f"g-{names[number - 1]}",) if number else ()
        groups.append(Group(f"g-{name}", pair.pair.name, (name,), after=after))
    return tuple(groups)


def worlds(manager: Manager, jobs: int, seed: int = 1) -> tuple[Environment, list[Environment]]:
    """One for the whole, one for each lane."""
    turns, world = Turns(manager.pair, seed), manager.environment
    outer = replace(world, gather=turns.gather, clock=turns) if jobs > 1 else world
    lanes = [replace(world, ports=manager.pair.lane(), clock=turns) for _ in range(jobs)] if jobs > 1 else [world]
    return outer, lanes


def policy(manager: Manager) -> Policy:
    """As the tests' managers are."""
    return Policy(manager.convergence, Patience(60.0))


def evacuate(
    manager: Manager,
    target: str,
    groups: Sequence[Group] = (),
    *,
    jobs: int = 1,
    keep_going: bool = False,
    seed: int = 1,
) -> tuple[PreparedMoves, SeveralReport | None]:
    """A whole evacuation, and the end of the process that did it."""
    outer, lanes = worlds(manager, jobs, seed)
    pair = manager.pair.pair
    asked = Asked(target, None, keep_going, jobs)
    # The look and the lock are the whole operation's own, one call after the other.
    look = partial(
        prepare_moves, manager.environment, pair, asked, groups, state_directory=manager.state, under_lock=True
    )
    frame = Frame(outer, lanes, pair, manager.state, "evacuate", {"host": pair.other(target)})
    return manager.ending(lambda: run_moves(frame, look, policy(manager), keep_going=keep_going))
