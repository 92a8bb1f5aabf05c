"""A group with a file system moves as one: all its guests stop, the file system changes sides, all are started there.

There is a way back until the first guest runs at the target: the file system is mounted at the source again and every
guest started there. After it there is none. A guest that wrote at the target is not ended by force because another one
does not start: what does not start is said, and the others run on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dualsrm.model import Filesystem
from dualsrm.plan.cold import (
    MOUNT_DEADLINE_S,
    START_DEADLINE_S,
    ColdGoal,
    Patience,
    bring_up,
    demote,
    shut_down,
    unmount,
)
from dualsrm.plan.filesystem_steps import Mount, MountedIs
from dualsrm.plan.steps import (
    Condition,
    CopyDefinition,
    GuestDefined,
    GuestGone,
    GuestRuns,
    Plan,
    Promote,
    Replicating,
    RoleIs,
    StartDomain,
    Step,
    TwoPrimariesIs,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A guest that moves with its group."""

    guest: str
    uuid: str
    patience: Patience
    resources: tuple[str, ...]
    """All below its disks: those it has besides the file system's move with it."""


@dataclass(frozen=True, slots=True)
class GroupGoal:
    """Guests in the order in which they are started, and what they lie on."""

    filesystem: Filesystem
    members: tuple[Member, ...]
    source: str
    target: str

    @property
    def resources(self) -> tuple[str, ...]:
        """The file system's, and all others of the guests."""
        others = (name for member in self.members for name in member.resources)
        return tuple(dict.fromkeys((self.filesystem.resource, *others)))

    def at_target(self, member: Member) -> ColdGoal:
        """One guest, seen from the target."""
        return ColdGoal(member.guest, member.uuid, self.resources, self.target, self.source, (self.filesystem,))


def plan_group_move(goal: GroupGoal) -> Plan:
    """All up to the first guest that runs at the target; what goes wrong is undone up to the guests that run again."""
    first = goal.at_target(goal.members[0])
    source = first.other_way
    sides = tuple((goal.source, name) for name in goal.resources)
    (leave,) = unmount(source, sides)
    idle_there = tuple(RoleIs(goal.target, name, primary=False) for name in goal.resources)
    primary_here = tuple(RoleIs(goal.source, name, primary=True) for name in goal.resources)
    replicating = tuple(Replicating(host, name) for host in (goal.source, goal.target) for name in goal.resources)
    return (
        _recheck(goal, (*idle_there, *primary_here, *replicating)),
        Step(
            name="define",
            do=tuple(CopyDefinition(goal.target, one.guest, goal.source) for one in goal.members),
            verify=tuple(GuestDefined(goal.target, one.guest) for one in goal.members),
        ),
        *(_shut_down(goal, one, (*idle_there, *primary_here)) for one in reversed(goal.members)),
        replace(
            leave,
            undo=(Mount(goal.source, goal.filesystem),),
            undo_needs=(*idle_there, *primary_here),
            undo_verify=(MountedIs(goal.source, goal.filesystem, mounted=True),),
            undo_deadline_s=MOUNT_DEADLINE_S,
        ),
        replace(
            demote(source, sides),
            undo=tuple(Promote(goal.source, name) for name in goal.resources),
            undo_needs=idle_there,
            undo_verify=primary_here,
        ),
        # A link that was away since the first look left writes behind, and DRBD promotes a disk that is being resynced.
        Step(name="replicated", do=(), verify=replicating),
        *bring_up(first, already=(), define=False),
    )


def plan_next(goal: GroupGoal, member: Member) -> Plan:
    """One more guest, at the target, where the file system is by now. Only its own start is undone."""
    everything = goal.at_target(member)
    return bring_up(everything, already=goal.resources, define=False, mounted=(goal.filesystem,))[-1:]


def plan_arrived(goal: GroupGoal, running: Sequence[str]) -> Plan:
    """The last look: what was started runs, on what is replicated."""
    return (
        Step(
            name="verify",
            do=(),
            verify=(
                *(GuestRuns(goal.target, guest) for guest in running),
                MountedIs(goal.target, goal.filesystem, mounted=True),
                *(Replicating(host, name) for host in (goal.source, goal.target) for name in goal.resources),
            ),
            persist=True,
        ),
    )


def _recheck(goal: GroupGoal, more: tuple[Condition, ...]) -> Step:
    """What the checks saw may be seconds old: look once more before a guest is stopped for it."""
    hosts = (goal.source, goal.target)
    return Step(
        name="recheck",
        do=(),
        verify=(
            *(GuestRuns(goal.source, one.guest) for one in goal.members),
            *(GuestGone(goal.target, one.guest, one.uuid) for one in goal.members),
            MountedIs(goal.source, goal.filesystem, mounted=True),
            *(TwoPrimariesIs(host, name, allowed=False) for host in hosts for name in goal.resources),
            *more,
        ),
        deadline_s=10.0,
    )


def _shut_down(goal: GroupGoal, member: Member, roles: tuple[Condition, ...]) -> Step:
    there = goal.at_target(member)
    return replace(
        shut_down(there.other_way, member.patience),
        undo=(StartDomain(goal.source, member.guest),),
        undo_needs=(
            GuestGone(goal.target, member.guest, member.uuid),
            *roles,
            MountedIs(goal.source, goal.filesystem, mounted=True),
        ),
        undo_verify=(GuestRuns(goal.source, member.guest),),
        undo_deadline_s=START_DEADLINE_S,
    )
