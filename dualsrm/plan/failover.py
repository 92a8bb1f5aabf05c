"""Bringing guests up beside a host that is lost: seen off first, then promoted and started.

The lost host cannot be asked for anything, so nothing here is verified on it: that it is off is what keeps it from
writing. A disk that is not the newest is promoted by a command of its own, which no other plan has.
"""

from __future__ import annotations

from dataclasses import replace

from dualsrm.model import AT_REST, Filesystem
from dualsrm.plan.cold import ColdGoal, bring_up
from dualsrm.plan.peer_steps import ConfirmOff, Fence, NotedOff
from dualsrm.plan.steps import (
    Alone,
    DisksAre,
    FencingIs,
    GuestGone,
    Plan,
    RoleIs,
    SetFencing,
    SetTwoPrimaries,
    Step,
    Thawed,
    TwoPrimariesIs,
)


def plan_fence(survivor: str, lost: str, by: str | None) -> Plan:
    """See the lost host off, once for all its guests; never undone. `by`: who says that it is off; None: the device."""
    act = Fence(survivor, lost) if by is None else ConfirmOff(survivor, lost, by)
    return (Step(name="fence", do=(act,), verify=(NotedOff(survivor, lost),)),)


def plan_failover(
    goal: ColdGoal,
    *,
    already: tuple[str, ...],
    forced: tuple[str, ...],
    opened: tuple[str, ...],
    frozen: tuple[str, ...],
    mounted: tuple[Filesystem, ...] = (),
) -> Plan:
    """`goal.here` survives, `goal.there` was seen off.

    `already`: Primary there. `forced`: not the newest, which somebody accepted. `opened`: a dead move left them open to
    two Primaries: closed before the lost host can come back to it. `frozen`: the handler waits to hear that it is off.
    """
    thaw = Step(name="thaw", do=(), verify=tuple(Thawed(goal.here, name) for name in frozen))
    recheck = Step(
        name="recheck",
        do=(),
        verify=(
            GuestGone(goal.here, goal.guest, goal.uuid),
            *(Alone(goal.here, name) for name in goal.resources),
            # The link may have been back meanwhile: then a resync began, and its target is not whole any more.
            *(DisksAre(goal.here, name, newest=name not in forced) for name in goal.resources),
            *(RoleIs(goal.here, name, primary=name in already) for name in goal.resources),
        ),
        deadline_s=10.0,
    )
    close = Step(
        name="close window",
        do=(
            *(SetTwoPrimaries(goal.here, name, allowed=False) for name in opened),
            *(SetFencing(goal.here, name, AT_REST) for name in opened),
        ),
        verify=(
            *(TwoPrimariesIs(goal.here, name, allowed=False) for name in opened),
            *(FencingIs(goal.here, name, AT_REST) for name in opened),
        ),
    )
    *up, start = bring_up(goal, already=already, define=False, forced=forced, mounted=mounted)
    # Only the survivor can be asked; the other one is off.
    start = replace(start, undo_verify=(GuestGone(goal.here, goal.guest, goal.uuid),))
    return (*((thaw,) if frozen else ()), recheck, *((close,) if opened else ()), *up, start)
