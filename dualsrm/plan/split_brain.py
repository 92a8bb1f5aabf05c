"""Settling a split brain: one side's writes are discarded, the other's are resynced onto it.

The victim is Secondary, no QEMU of a guest on these disks is there, and the other side is UpToDate: seen once more
right before the first command. Both sides are disconnected first, so that only the victim's `--discard-my-data`
decides which way the resync goes; one that runs the other way is cut at once. At the end the victim has the other
side's generation.
"""

from __future__ import annotations

from dataclasses import dataclass

from dualsrm.model import Generation
from dualsrm.plan.split_steps import (
    Connect,
    DataIs,
    Disconnect,
    Follows,
    Seeks,
    SnapshotTaken,
    StandsAlone,
    TakeSnapshot,
    Target,
)
from dualsrm.plan.steps import Alone, DisksAre, GuestGone, Plan, Replicating, RoleIs, Step

CONNECT_DEADLINE_S = 60.0
"""Two sides that seek each other meet within connect-int, 10 s unless configured."""


@dataclass(frozen=True, slots=True)
class Split:
    """One resource in split brain, its identifiers as seen on each side."""

    resource: str
    victims: tuple[Generation, ...]
    kept: tuple[Generation, ...]


@dataclass(frozen=True, slots=True)
class Resolution:
    """Who gives way on which resources, and which guests (name, UUID) lie on them."""

    victim: str
    survivor: str
    splits: tuple[Split, ...]
    guests: tuple[tuple[str, str], ...]
    snapshots: tuple[TakeSnapshot, ...] = ()

    @property
    def resources(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(split.resource for split in self.splits)


def plan_resolve(goal: Resolution, deadline_s: float) -> Plan:
    """`deadline_s`: for each resync."""
    victim, survivor = goal.victim, goal.survivor
    recheck = Step(
        name="recheck",
        do=(),
        verify=(
            *(GuestGone(victim, guest, uuid) for guest, uuid in goal.guests),
            *(RoleIs(victim, name, primary=False) for name in goal.resources),
            *(DisksAre(survivor, name, newest=True) for name in goal.resources),
            *(Alone(host, name) for host in (victim, survivor) for name in goal.resources),
            *(DataIs(victim, split.resource, split.victims) for split in goal.splits),
            *(DataIs(survivor, split.resource, split.kept) for split in goal.splits),
        ),
        deadline_s=10.0,
    )
    keep = Step(
        name="snapshot",
        do=goal.snapshots,
        verify=tuple(SnapshotTaken(one.host, one.group, one.origin, one.name) for one in goal.snapshots),
    )
    settle = tuple(step for split in goal.splits for step in _settle(goal, split, deadline_s))
    return (recheck, *((keep,) if goal.snapshots else ()), *settle)


def plan_wait(victim: str, survivor: str, names: tuple[str, ...], deadline_s: float) -> Plan:
    """Wait for a resync that runs onto the victim."""
    return tuple(
        Step(
            name=f"resync {name}",
            do=(),
            verify=(
                Target(survivor, name, wanted=False),
                *(Replicating(host, name) for host in (victim, survivor)),
            ),
            deadline_s=deadline_s,
        )
        for name in names
    )


def _settle(goal: Resolution, split: Split, deadline_s: float) -> Plan:
    victim, survivor, name = goal.victim, goal.survivor, split.resource
    apart = tuple(Disconnect(host, name) for host in (victim, survivor))
    alone = tuple(StandsAlone(host, name) for host in (victim, survivor))
    return (
        Step(name=f"disconnect {name}", do=apart, verify=alone),
        Step(
            name=f"discard {name}",
            do=(Connect(victim, name, discard=True),),
            verify=(Seeks(victim, name), RoleIs(victim, name, primary=False)),
        ),
        Step(
            name=f"connect {name}",
            do=(Connect(survivor, name),),
            verify=(Target(survivor, name, wanted=False), Follows(victim, name)),
            undo=apart,
            undo_needs=(Target(survivor, name, wanted=True),),
            undo_verify=alone,
            deadline_s=CONNECT_DEADLINE_S,
        ),
        Step(
            name=f"resync {name}",
            do=(),
            verify=(
                Target(survivor, name, wanted=False),
                *(Replicating(host, name) for host in (victim, survivor)),
                DataIs(victim, name, split.kept),
                DataIs(survivor, name, split.kept),
            ),
            undo=apart,
            undo_needs=(Target(survivor, name, wanted=True),),
            undo_verify=alone,
            deadline_s=deadline_s,
            undo_deadline_s=30.0,
        ),
    )
