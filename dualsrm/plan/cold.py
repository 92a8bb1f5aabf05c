"""Stopping, starting, and moving with a stop between: what the classic site-recovery script does, made safe.

A Secondary cannot be opened for writing and a device in use cannot be demoted: so a guest is gone before its side is
demoted, and a side is Primary before its guest starts. Promotion is never forced: the kernel refuses a disk that is not
UpToDate, and asks the fence-peer handler when it has no peer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dualsrm.plan.move import DEMOTE_DEADLINE_S
from dualsrm.plan.steps import (
    Condition,
    CopyDefinition,
    Demote,
    DestroyDomain,
    GuestDefined,
    GuestGone,
    GuestRuns,
    Plan,
    Promote,
    PromoteForced,
    Replicating,
    RoleIs,
    ShutDown,
    StartDomain,
    Step,
    TwoPrimariesIs,
)

START_DEADLINE_S = 120.0
"""libvirt's start returns when QEMU runs: seconds, and half a minute on a loaded host without KVM."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a guest may take to shut itself down, in seconds, and what then."""

    deadline_s: float
    destroy: bool = False


@dataclass(frozen=True, slots=True)
class ColdGoal:
    """A guest, the resources below its disks, and the two hosts."""

    guest: str
    uuid: str
    resources: tuple[str, ...]
    """Those that change their role with it: what another guest uses as well stays as it is."""
    here: str
    """Where it runs, or is to run."""
    there: str
    """The other host."""

    @property
    def other_way(self) -> ColdGoal:
        """The same seen from the other host."""
        return replace(self, here=self.there, there=self.here)


def plan_stop(goal: ColdGoal, patience: Patience) -> Plan:
    """Shut down, and give the devices back. Nothing is undone: a guest that was asked may stop at any later time."""
    return (_shut_down(goal, patience), *plan_give_back(goal, tuple((goal.here, name) for name in goal.resources)))


def plan_give_back(goal: ColdGoal, sides: tuple[tuple[str, str], ...]) -> Plan:
    """Demote what a guest that is gone left Primary, as (host, resource)."""
    return (replace(_demote(goal, sides), persist=True),) if sides else ()


def plan_start(goal: ColdGoal, *, primary_here: tuple[str, ...], primary_there: tuple[str, ...], defined: bool) -> Plan:
    """Promote, define, start; undone when it does not start. What the idle side has Primary it gives up first."""
    give_up = tuple((goal.there, name) for name in primary_there)
    primary = {*((goal.here, name) for name in primary_here), *give_up}
    roles = tuple(
        RoleIs(host, name, primary=(host, name) in primary)
        for host in (goal.here, goal.there)
        for name in goal.resources
    )
    return (
        Step(name="recheck", do=(), verify=(*_nowhere(goal), *_one_primary(goal), *roles), deadline_s=10.0),
        *((replace(_demote(goal, give_up), name="demote the idle side"),) if give_up else ()),
        *bring_up(goal, already=primary_here, define=not defined),
    )


def plan_cold_move(goal: ColdGoal, patience: Patience) -> Plan:
    """Stop it here, start it there. What goes wrong is undone up to the guest that runs here again.

    Its definition goes along, as in a live move, and goes first: one that the target refuses costs no outage.
    """
    there = goal.other_way
    harmless: tuple[Condition, ...] = (
        GuestGone(goal.there, goal.guest, goal.uuid),
        *(RoleIs(goal.there, name, primary=False) for name in goal.resources),
    )
    demote = _demote(goal, tuple((goal.here, name) for name in goal.resources))
    return (
        _recheck_move(goal),
        _define(there),
        replace(
            _shut_down(goal, patience),
            undo=(StartDomain(goal.here, goal.guest),),
            undo_needs=(*harmless, *(RoleIs(goal.here, name, primary=True) for name in goal.resources)),
            undo_verify=(GuestRuns(goal.here, goal.guest),),
            undo_deadline_s=START_DEADLINE_S,
        ),
        replace(
            demote,
            undo=tuple(Promote(goal.here, name) for name in goal.resources),
            undo_needs=harmless,
            undo_verify=tuple(RoleIs(goal.here, name, primary=True) for name in goal.resources),
        ),
        # A link that was away since the first look left writes behind, and DRBD promotes a disk that is being resynced.
        Step(name="replicated", do=(), verify=_replicating(goal)),
        *bring_up(there, already=(), define=False),
        Step(name="verify", do=(), verify=(GuestRuns(goal.there, goal.guest), *_replicating(there)), persist=True),
    )


def _recheck_move(goal: ColdGoal) -> Step:
    """What the checks saw may be seconds old: look once more before a guest is stopped for it."""
    return Step(
        name="recheck",
        do=(),
        verify=(
            GuestRuns(goal.here, goal.guest),
            GuestGone(goal.there, goal.guest, goal.uuid),
            *(RoleIs(goal.there, name, primary=False) for name in goal.resources),
            *_replicating(goal),
            *_one_primary(goal),
        ),
        deadline_s=10.0,
    )


def _replicating(goal: ColdGoal) -> tuple[Condition, ...]:
    return tuple(Replicating(host, name) for host in (goal.here, goal.there) for name in goal.resources)


def _nowhere(goal: ColdGoal) -> tuple[Condition, ...]:
    return tuple(GuestGone(host, goal.guest, goal.uuid) for host in (goal.here, goal.there))


def _one_primary(goal: ColdGoal) -> tuple[Condition, ...]:
    """Then the kernels themselves keep a second host from writing."""
    hosts = (goal.here, goal.there)
    return tuple(TwoPrimariesIs(host, name, allowed=False) for host in hosts for name in goal.resources)


def _shut_down(goal: ColdGoal, patience: Patience) -> Step:
    return Step(
        name="shut down",
        do=(ShutDown(goal.here, goal.guest, goal.uuid, patience.destroy),),
        verify=(GuestGone(goal.here, goal.guest, goal.uuid),),
        deadline_s=patience.deadline_s,
    )


def _demote(goal: ColdGoal, sides: tuple[tuple[str, str], ...]) -> Step:
    """Below no QEMU: somebody may have started the guest again."""
    hosts = dict.fromkeys(host for host, _ in sides)
    return Step(
        name="demote",
        do=tuple(Demote(host, name) for host, name in sides),
        verify=(
            *(GuestGone(host, goal.guest, goal.uuid) for host in hosts),
            *(RoleIs(host, name, primary=False) for host, name in sides),
        ),
        deadline_s=DEMOTE_DEADLINE_S,
        insist=True,
    )


def _define(goal: ColdGoal) -> Step:
    return Step(
        name="define",
        do=(CopyDefinition(goal.here, goal.guest, goal.there),),
        verify=(GuestDefined(goal.here, goal.guest),),
    )


def bring_up(goal: ColdGoal, *, already: tuple[str, ...], define: bool, forced: tuple[str, ...] = ()) -> Plan:
    """Promote what is not Primary, define, start. `forced`: disks that are not the newest, which somebody accepted."""
    names = tuple(name for name in goal.resources if name not in already)
    promote = Step(
        name="promote",
        do=tuple(PromoteForced(goal.here, name) if name in forced else Promote(goal.here, name) for name in names),
        verify=tuple(RoleIs(goal.here, name, primary=True) for name in goal.resources),
        undo=tuple(Demote(goal.here, name) for name in names),
        undo_verify=tuple(RoleIs(goal.here, name, primary=False) for name in names),
        deadline_s=DEMOTE_DEADLINE_S,
    )
    start = Step(
        name="start",
        do=(StartDomain(goal.here, goal.guest),),
        verify=(
            GuestRuns(goal.here, goal.guest),
            *(RoleIs(goal.here, name, primary=True) for name in goal.resources),
        ),
        # A start that was late may yet have happened: no side is demoted below a guest.
        undo=(DestroyDomain(goal.here, goal.guest),),
        undo_verify=_nowhere(goal),
        deadline_s=START_DEADLINE_S,
    )
    return (promote, *((_define(goal),) if define else ()), start)
