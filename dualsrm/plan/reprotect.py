"""Taking a host back that was lost: connect, wait for the resync, see both sides whole, lift the quarantine.

Nothing is promoted, nothing discarded, nothing undone: run again, it goes on where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from dualsrm.model import AT_REST
from dualsrm.plan.peer_steps import AwaitResync, Lifted, LiftQuarantine
from dualsrm.plan.split_steps import Connect, Seeks
from dualsrm.plan.steps import FencingIs, Plan, Replicating, RoleIs, Step, TwoPrimariesIs

CONNECT_DEADLINE_S = 60.0
"""Two sides that seek each other meet within connect-int, 10 s unless configured."""


@dataclass(frozen=True, slots=True)
class Return:
    """Which host is back, and the resources of its pair."""

    host: str
    survivor: str
    resources: tuple[str, ...]
    apart: tuple[tuple[str, str], ...]
    """(host, resource) of sides that do not seek their peer."""
    kept: tuple[tuple[str, str], ...]
    """(keeper, host) of every record of a quarantine: that of an earlier failover the other way may be there too."""


def plan_reprotect(goal: Return, deadline_s: float) -> Plan:
    """`deadline_s`: for the resync of all of them."""
    sides = tuple((host, name) for host in (goal.survivor, goal.host) for name in goal.resources)
    connect = Step(
        name="connect",
        do=tuple(Connect(host, name) for host, name in goal.apart),
        verify=tuple(Seeks(host, name) for host, name in goal.apart),
        deadline_s=CONNECT_DEADLINE_S,
    )
    resync = Step(
        name="resync",
        do=(AwaitResync(goal.host, goal.resources),),
        verify=(
            *(Replicating(host, name) for host, name in sides),
            *(RoleIs(goal.host, name, primary=False) for name in goal.resources),
        ),
        deadline_s=deadline_s,
    )
    rest = Step(
        name="at rest",
        do=(),
        verify=(
            *(TwoPrimariesIs(host, name, allowed=False) for host, name in sides),
            *(FencingIs(host, name, AT_REST) for host, name in sides),
        ),
    )
    lift = Step(
        name="lift quarantine",
        do=tuple(LiftQuarantine(keeper, host) for keeper, host in goal.kept),
        verify=(
            *(Lifted(keeper, host) for keeper, host in goal.kept),
            # Seen once more: a link lost meanwhile would leave it behind again.
            *(Replicating(host, name) for host, name in sides),
        ),
    )
    return (*((connect,) if goal.apart else ()), resync, rest, lift)
