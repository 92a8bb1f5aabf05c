"""The live move: open the window, promote, migrate, demote, close; and how to settle a pair afterwards.

The order is the kernel's: a Secondary cannot be opened for writing, so promoting precedes the incoming QEMU; clearing
allow-two-primaries is refused (164) while both sides are Primary, so demoting precedes closing. On 8.4 a link lost
while both are Primary rotates both generation identifiers, so the target is promoted as late as possible.

The way a guest crosses over is a method behind `plan_move`; this is the plain window. A second method adds a function
that returns other steps before `settle`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dualsrm.convergence import Convergence
from dualsrm.model import AT_REST, IN_WINDOW
from dualsrm.plan.steps import (
    Arm,
    Command,
    Condition,
    Demote,
    Disarm,
    FencingIs,
    GuestGone,
    GuestRuns,
    MigrateLive,
    Plan,
    Promote,
    Replicating,
    RoleIs,
    SafeToPart,
    SetFencing,
    SetTwoPrimaries,
    Step,
    TwoPrimariesIs,
)

VERDICT_DEADLINE_S = 120.0
"""A dead link is noticed after 6 to 10 s (ping-int), on the other side up to 10 s later; then the hosts talk."""

DEMOTE_DEADLINE_S = 60.0
"""QEMU needs seconds to exit on a loaded host, and udev may look at the device after it (Ganeti waits 60 s too)."""


@dataclass(frozen=True, slots=True)
class MoveGoal:
    """A guest, all the resources below its disks, and where it goes."""

    pair: str
    guest: str
    uuid: str
    resources: tuple[str, ...]
    source: str
    target: str
    deadline_s: float
    """For the memory copy, in seconds; then it is aborted, or the guest paused."""
    convergence: Convergence = field(default_factory=Convergence)


def plan_move(goal: MoveGoal) -> Plan:
    """Steps of a planned live move. All resources of the guest move, or none."""
    return (
        _arm(goal),
        _open_window(goal),
        _promote_target(goal),
        Step(
            name="migrate",
            do=(MigrateLive(goal.guest, goal.uuid, goal.source, goal.target, goal.convergence),),
            verify=(),
            deadline_s=goal.deadline_s,
        ),
        *plan_settle(goal.guest, goal.uuid, goal.resources, runs_on=goal.target, other=goal.source),
    )


def plan_settle(guest: str, uuid: str, resources: tuple[str, ...], *, runs_on: str, other: str) -> Plan:
    """Steps that make the pair quiet around a guest: the other host Secondary, the window closed on both.

    The tail of a move and the whole of a recovery. None of it can be undone, all of it can be repeated. Nothing is
    demoted while replication is interrupted and the hosts have not agreed: the idle side might hold the only copy of
    the last writes.
    """
    hosts = (runs_on, other)
    return (
        Step(
            name="leave source",
            do=(),
            verify=(
                GuestGone(other, guest, uuid),
                *(SafeToPart(host, resource) for host in hosts for resource in resources),
            ),
            deadline_s=VERDICT_DEADLINE_S,
            persist=True,
        ),
        Step(
            name="demote",
            do=tuple(Demote(other, resource) for resource in resources),
            verify=tuple(RoleIs(other, resource, primary=False) for resource in resources),
            deadline_s=DEMOTE_DEADLINE_S,
            persist=True,
        ),
        close_window(tuple((host, resource) for host in hosts for resource in resources)),
        disarm(hosts),
        Step(
            name="verify",
            do=(),
            verify=(
                GuestRuns(runs_on, guest),
                *(RoleIs(runs_on, resource, primary=True) for resource in resources),
                *(Replicating(host, resource) for host in hosts for resource in resources),
            ),
            persist=True,
        ),
    )


def close_window(sides: tuple[tuple[str, str], ...]) -> Step:
    """One Primary at most and nothing that freezes, for each (host, resource)."""
    return Step(
        name="close window",
        do=(
            *(SetTwoPrimaries(host, resource, allowed=False) for host, resource in sides),
            *(SetFencing(host, resource, AT_REST) for host, resource in sides),
        ),
        verify=(
            *(TwoPrimariesIs(host, resource, allowed=False) for host, resource in sides),
            *(FencingIs(host, resource, AT_REST) for host, resource in sides),
        ),
        persist=True,
    )


def disarm(hosts: tuple[str, str]) -> Step:
    """The hosts forget windows that are closed; what is not, their timers close when it can be closed."""
    return Step(name="disarm", do=tuple(Disarm(host) for host in hosts), verify=(), persist=True)


def _arm(goal: MoveGoal) -> Step:
    """From here on both hosts know what to do about a lost link."""
    hosts = (goal.target, goal.source)
    return Step(
        name="arm",
        do=tuple(
            Arm(host, goal.pair, goal.guest, goal.uuid, goal.source, goal.target, goal.resources) for host in hosts
        ),
        verify=(),
        # The hosts also take the freeze of the next step back, when nothing is frozen and no second Primary is left.
        undo=tuple(Disarm(host) for host in hosts),
        undo_verify=_fencing_is(hosts, goal.resources, AT_REST),
    )


def _open_window(goal: MoveGoal) -> Step:
    """A second Primary is allowed, and a lost link freezes whoever writes.

    The connected peer adopts two Primaries by itself; setting it on both hosts makes that visible and verifiable.
    What the checks saw is seconds old by now: what can change is looked at once more before anything is promoted.
    """
    hosts = (goal.target, goal.source)
    return Step(
        name="open window",
        do=(
            *(SetFencing(host, resource, IN_WINDOW) for host in hosts for resource in goal.resources),
            *_set_window(hosts, goal.resources, allowed=True),
        ),
        verify=(
            *_fencing_is(hosts, goal.resources, IN_WINDOW),
            *_window_is(hosts, goal.resources, allowed=True),
            GuestRuns(goal.source, goal.guest),
            GuestGone(goal.target, goal.guest, goal.uuid),
            *(RoleIs(goal.source, resource, primary=True) for resource in goal.resources),
            *(RoleIs(goal.target, resource, primary=False) for resource in goal.resources),
            *(Replicating(host, resource) for host in hosts for resource in goal.resources),
        ),
        undo=_set_window(hosts, goal.resources, allowed=False),
        undo_verify=_window_is(hosts, goal.resources, allowed=False),
    )


def _promote_target(goal: MoveGoal) -> Step:
    return Step(
        name="promote",
        do=tuple(Promote(goal.target, resource) for resource in goal.resources),
        verify=tuple(RoleIs(goal.target, resource, primary=True) for resource in goal.resources),
        undo=tuple(Demote(goal.target, resource) for resource in goal.resources),
        undo_verify=tuple(RoleIs(goal.target, resource, primary=False) for resource in goal.resources),
        deadline_s=DEMOTE_DEADLINE_S,
    )


def _set_window(hosts: tuple[str, str], resources: tuple[str, ...], *, allowed: bool) -> tuple[Command, ...]:
    return tuple(SetTwoPrimaries(host, resource, allowed) for host in hosts for resource in resources)


def _fencing_is(hosts: tuple[str, str], resources: tuple[str, ...], policy: str) -> tuple[Condition, ...]:
    return tuple(FencingIs(host, resource, policy) for host in hosts for resource in resources)


def _window_is(hosts: tuple[str, str], resources: tuple[str, ...], *, allowed: bool) -> tuple[Condition, ...]:
    return tuple(TwoPrimariesIs(host, resource, allowed) for host in hosts for resource in resources)
