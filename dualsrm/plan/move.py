"""The live move: open the window, promote, migrate, demote, close; and how to settle a pair afterwards.

The order is the kernel's: a Secondary cannot be opened for writing, so promoting precedes the incoming QEMU; clearing
allow-two-primaries is refused (164) while both sides are Primary, so demoting precedes closing. On 8.4 a link lost
while both are Primary rotates both generation identifiers, so the target is promoted as late as possible.

The way a guest crosses over is a method behind `plan_move`; this is the plain window. A second method adds a function
that returns other steps between `recheck` and `settle`.
"""

from __future__ import annotations

from dataclasses import dataclass

from dualsrm.plan.steps import (
    Command,
    Condition,
    Demote,
    GuestGone,
    GuestRuns,
    MigrateLive,
    Plan,
    Promote,
    Replicating,
    RoleIs,
    SetTwoPrimaries,
    Step,
    TwoPrimariesIs,
)

DEMOTE_DEADLINE_S = 60.0
"""QEMU needs seconds to exit on a loaded host, and udev may look at the device after it (Ganeti waits 60 s too)."""


@dataclass(frozen=True, slots=True)
class MoveGoal:
    """A guest, all the resources below its disks, and where it goes."""

    guest: str
    uuid: str
    resources: tuple[str, ...]
    source: str
    target: str
    deadline_s: float
    """For the memory copy, in seconds; then it is aborted."""


def plan_move(goal: MoveGoal) -> Plan:
    """Steps of a planned live move. All resources of the guest move, or none."""
    return (
        _recheck(goal),
        _open_window(goal),
        _promote_target(goal),
        Step(
            name="migrate",
            do=(MigrateLive(goal.guest, goal.uuid, goal.source, goal.target),),
            verify=(),
            deadline_s=goal.deadline_s,
        ),
        *plan_settle(goal.guest, goal.uuid, goal.resources, runs_on=goal.target, other=goal.source),
    )


def plan_settle(guest: str, uuid: str, resources: tuple[str, ...], *, runs_on: str, other: str) -> Plan:
    """Steps that make the pair quiet around a guest: the other host Secondary, the window closed on both.

    The tail of a move and the whole of a recovery. None of it can be undone, all of it can be repeated. Nothing is
    demoted while replication is interrupted: the idle side might hold the only copy of the last writes.
    """
    hosts = (runs_on, other)
    replicating = tuple(Replicating(host, resource) for host in hosts for resource in resources)
    return (
        Step(
            name="leave source",
            do=(),
            verify=(GuestGone(other, guest, uuid), *replicating),
            deadline_s=DEMOTE_DEADLINE_S,
            persist=True,
        ),
        Step(
            name="demote",
            do=tuple(Demote(other, resource) for resource in resources),
            verify=tuple(RoleIs(other, resource, primary=False) for resource in resources),
            deadline_s=DEMOTE_DEADLINE_S,
            persist=True,
        ),
        Step(
            name="close window",
            do=_set_window(hosts, resources, allowed=False),
            verify=_window_is(hosts, resources, allowed=False),
            persist=True,
        ),
        Step(
            name="verify",
            do=(),
            verify=(
                GuestRuns(runs_on, guest),
                *(RoleIs(runs_on, resource, primary=True) for resource in resources),
                *replicating,
            ),
            persist=True,
        ),
    )


def _recheck(goal: MoveGoal) -> Step:
    """What the checks saw may be seconds old: look once more at what can change, right before acting."""
    hosts = (goal.source, goal.target)
    return Step(
        name="recheck",
        do=(),
        verify=(
            GuestRuns(goal.source, goal.guest),
            GuestGone(goal.target, goal.guest, goal.uuid),
            *(RoleIs(goal.source, resource, primary=True) for resource in goal.resources),
            *(RoleIs(goal.target, resource, primary=False) for resource in goal.resources),
            *(Replicating(host, resource) for host in hosts for resource in goal.resources),
            *_window_is(hosts, goal.resources, allowed=False),
        ),
        deadline_s=10.0,
    )


def _open_window(goal: MoveGoal) -> Step:
    """The connected peer adopts the option by itself; setting it on both hosts makes that visible and verifiable."""
    hosts = (goal.target, goal.source)
    return Step(
        name="open window",
        do=_set_window(hosts, goal.resources, allowed=True),
        verify=_window_is(hosts, goal.resources, allowed=True),
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


def _window_is(hosts: tuple[str, str], resources: tuple[str, ...], *, allowed: bool) -> tuple[Condition, ...]:
    return tuple(TwoPrimariesIs(host, resource, allowed) for host in hosts for resource in resources)
