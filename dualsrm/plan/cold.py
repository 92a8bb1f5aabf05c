"""Stopping, starting, and moving with a stop between: what the classic site-recovery script does, made safe.

A Secondary cannot be opened for writing and a device in use cannot be demoted: so a guest is gone before its side is
demoted, and a side is Primary before its guest starts. Promotion is never forced: the kernel refuses a disk that is not
UpToDate, and asks the fence-peer handler when it has no peer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dualsrm.model import Filesystem, Fsck
from dualsrm.plan.filesystem_steps import CheckFilesystem, Mount, MountedIs, Unmount
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

MOUNT_DEADLINE_S = 120.0
"""Mounting replays a journal, unmounting writes out what the page cache still holds."""

FSCK_LOOK_S = 30.0
"""Besides what fsck itself may take: finding the device, and seeing that it is still not mounted."""


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
    filesystems: tuple[Filesystem, ...] = ()
    """Those among its resources' volumes that are mounted where the guest runs, and unmounted where it does not."""

    @property
    def other_way(self) -> ColdGoal:
        """The same seen from the other host."""
        return replace(self, here=self.there, there=self.here)


def plan_stop(goal: ColdGoal, patience: Patience) -> Plan:
    """Shut down, and give the devices back. Nothing is undone: a guest that was asked may stop at any later time."""
    return (shut_down(goal, patience), *plan_give_back(goal, tuple((goal.here, name) for name in goal.resources)))


def plan_give_back(goal: ColdGoal, sides: tuple[tuple[str, str], ...]) -> Plan:
    """Unmount and demote what a guest that is gone left Primary, as (host, resource)."""
    leave = tuple(replace(step, persist=True) for step in unmount(goal, sides))
    return (*leave, replace(demote(goal, sides), persist=True)) if sides else ()


def plan_start(
    goal: ColdGoal,
    *,
    primary_here: tuple[str, ...],
    primary_there: tuple[str, ...],
    defined: bool,
    mounted: tuple[Filesystem, ...] = (),
) -> Plan:
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
        *unmount(goal, give_up),
        *((replace(demote(goal, give_up), name="demote the idle side"),) if give_up else ()),
        *bring_up(goal, already=primary_here, define=not defined, mounted=mounted),
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
    leave = demote(goal, tuple((goal.here, name) for name in goal.resources))
    return (
        _recheck_move(goal),
        _define(there),
        replace(
            shut_down(goal, patience),
            undo=(StartDomain(goal.here, goal.guest),),
            undo_needs=(*harmless, *(RoleIs(goal.here, name, primary=True) for name in goal.resources)),
            undo_verify=(GuestRuns(goal.here, goal.guest),),
            undo_deadline_s=START_DEADLINE_S,
        ),
        replace(
            leave,
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


def shut_down(goal: ColdGoal, patience: Patience) -> Step:
    """Until no process of it is left."""
    return Step(
        name="shut down",
        do=(ShutDown(goal.here, goal.guest, goal.uuid, patience.destroy),),
        verify=(GuestGone(goal.here, goal.guest, goal.uuid),),
        deadline_s=patience.deadline_s,
    )


def demote(goal: ColdGoal, sides: tuple[tuple[str, str], ...]) -> Step:
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


def bring_up(
    goal: ColdGoal,
    *,
    already: tuple[str, ...],
    define: bool,
    forced: tuple[str, ...] = (),
    mounted: tuple[Filesystem, ...] = (),
) -> Plan:
    """Promote what is not Primary, mount what is not mounted, define, start.

    `forced`: disks that are not the newest, which somebody accepted. `mounted`: there already.
    """
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
            *(MountedIs(goal.here, one, mounted=True) for one in goal.filesystems),
        ),
        # A start that was late may yet have happened: no side is demoted below a guest.
        undo=(DestroyDomain(goal.here, goal.guest),),
        undo_verify=_nowhere(goal),
        deadline_s=START_DEADLINE_S,
    )
    mounts = _mount(goal.here, tuple(one for one in goal.filesystems if one not in mounted))
    return (promote, *mounts, *((_define(goal),) if define else ()), start)


def _mount(host: str, filesystems: tuple[Filesystem, ...]) -> Plan:
    """On a resource that is Primary there: check as configured, then mount."""
    checked = tuple(one for one in filesystems if one.fsck is not Fsck.NEVER)
    fsck = Step(
        name="fsck",
        do=tuple(CheckFilesystem(host, one) for one in checked),
        verify=tuple(MountedIs(host, one, mounted=False) for one in checked),
        deadline_s=FSCK_LOOK_S + sum(one.fsck_deadline_s for one in checked),
    )
    mount = Step(
        name="mount",
        do=tuple(Mount(host, one) for one in filesystems),
        verify=tuple(MountedIs(host, one, mounted=True) for one in filesystems),
        undo=tuple(Unmount(host, one) for one in filesystems),
        undo_verify=tuple(MountedIs(host, one, mounted=False) for one in filesystems),
        deadline_s=MOUNT_DEADLINE_S,
    )
    return (*((fsck,) if checked else ()), mount) if filesystems else ()


def unmount(goal: ColdGoal, sides: tuple[tuple[str, str], ...]) -> Plan:
    """Before a side is demoted: the kernel demotes no device that is mounted."""
    found = tuple((host, one) for host, name in sides for one in goal.filesystems if one.resource == name)
    step = Step(
        name="unmount",
        do=tuple(Unmount(host, one) for host, one in found),
        verify=tuple(MountedIs(host, one, mounted=False) for host, one in found),
        deadline_s=MOUNT_DEADLINE_S,
        insist=True,
    )
    return (step,) if found else ()
