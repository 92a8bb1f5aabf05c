"""A pair with one file system for two guests' image files, and a third guest with a device of its own."""

from __future__ import annotations

from functools import partial

from dualsrm.engine.evacuate import Asked, PreparedMoves, prepare_moves
from dualsrm.engine.group_look import Estate, PreparedGroup, apart_of, look_before_start, look_before_stop
from dualsrm.engine.group_move import Prepared, run_group_move
from dualsrm.engine.group_report import SeveralReport
from dualsrm.engine.group_run import Frame, carry_out_several, run_moves, starting, stopping
from dualsrm.engine.report import MoveReport
from dualsrm.engine.several import Work
from dualsrm.model import ColdMove, Filesystem, Fsck, Group, GroupVerb
from dualsrm.plan.cold import Patience
from dualsrm.plan.dispatch import Rules
from tests.simulator.driving import Manager, done
from tests.simulator.pair import ALPHA, BETA, WEB, GuestSpec, SimPair
from tests.simulator.several import policy, worlds

MEMBERS = ("mail", "wiki")
FILES = Filesystem("office", "files", 0, "/srv/files", "ext4", MEMBERS, fsck=Fsck.PREEN)
OFFICE = Group("office", "pair", MEMBERS, cold=ColdMove.IF_NOT_LIVE, filesystem=FILES)


def office(dialect: str = "8.4", runs_on: str | None = ALPHA) -> SimPair:
    """Both on one host."""
    guests = [GuestSpec(name, (("files", 0),), runs_on=runs_on) for name in MEMBERS]
    return SimPair(dialect, [*guests, WEB], filesystems=(FILES,))


def migrate(manager: Manager, to: str = BETA, *, group: Group = OFFICE, cold: bool = False) -> MoveReport:
    """A whole move of the group, or the findings against it as an error."""
    return done(*try_to_migrate(manager, to, group=group, cold=cold))


def try_to_migrate(
    manager: Manager, to: str = BETA, *, group: Group = OFFICE, cold: bool = False
) -> tuple[Prepared, MoveReport | None]:
    """A move of the group, or the findings against it."""
    return manager.ending(
        lambda: run_group_move(
            manager.environment,
            manager.pair.pair,
            group,
            to,
            patience_of=lambda _guest: Patience(60.0),
            state_directory=manager.state,
            cold=cold,
        )
    )


def in_one(manager: Manager, verb: GroupVerb, host: str | None = None, jobs: int = 1) -> SeveralReport | None:
    """`dualsrm start` or `stop` of the group."""
    outer, lanes = worlds(manager, jobs)
    estate = Estate({"pair": manager.pair.pair}, {"office": OFFICE})
    frame = Frame(outer, lanes, manager.pair.pair, manager.state, f"{verb.value}-group", {"group": "office"})
    look = look_before_start if verb is GroupVerb.START else look_before_stop

    def work(prepared: PreparedGroup, operation: str) -> Work:
        act = (
            starting(frame, host, operation) if verb is GroupVerb.START else stopping(frame, policy(manager), operation)
        )
        return Work(estate.pairs, verb, prepared.order, Rules(), act, host=host, apart=apart_of(OFFICE))

    look_now = partial(look, manager.environment, estate, OFFICE, under_lock=True)
    return manager.ending(lambda: carry_out_several(frame, look_now, work))[1]


def evacuate(manager: Manager, group: Group = OFFICE) -> tuple[PreparedMoves, SeveralReport | None]:
    """`dualsrm evacuate alpha`."""
    outer, lanes = worlds(manager, 1)
    pair, asked = manager.pair.pair, Asked(BETA)
    look = partial(
        prepare_moves, manager.environment, pair, asked, (group,), state_directory=manager.state, under_lock=True
    )
    frame = Frame(outer, lanes, pair, manager.state, "evacuate", {"host": ALPHA})
    return manager.ending(lambda: run_moves(frame, look, policy(manager), keep_going=False))


def mounted_on(pair: SimPair) -> list[str]:
    """Hosts that have it mounted."""
    return [host for host, machine in pair.machines.items() if "files" in machine.mounts]
