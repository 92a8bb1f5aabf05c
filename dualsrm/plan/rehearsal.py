"""A rehearsal: snapshots below the standby's volumes, networks that lead nowhere, clones; and all of it away again.

DRBD is read and never told anything. No step names what a live guest has: its device, its network, its name, its files.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from dualsrm.model import Clone, CloneDisk, CloneNic, Domain, RehearsalView, clone_name, short_name
from dualsrm.model.rehearsal import NETWORK_PREFIX
from dualsrm.plan.rehearsal_steps import (
    CloneReads,
    CloneRuns,
    EndClone,
    MakeNetwork,
    NetworkIs,
    RemoveNetwork,
    RemoveSnapshot,
    SnapshotGone,
    StartClone,
)
from dualsrm.plan.split_steps import SnapshotTaken, TakeSnapshot, Target
from dualsrm.plan.steps import Condition, DisksAre, GuestGone, Plan, RoleIs, Step

BOOT_S = 600.0
"""From a clone's start until it has read its disks: firmware, a boot loader, a menu that waits."""


@dataclass(frozen=True, slots=True)
class RehearsalGoal:
    """Where, and what has to be there before a clone can start."""

    host: str
    resources: tuple[str, ...]
    networks: tuple[str, ...]
    snapshots: tuple[TakeSnapshot, ...]


def plan_rehearsal(goal: RehearsalGoal) -> Plan:
    """All but the clones, and undone as a whole."""
    standing_by: tuple[Condition, ...] = (
        *(DisksAre(goal.host, name, newest=True) for name in goal.resources),
        *(Target(goal.host, name, wanted=False) for name in goal.resources),
    )
    network = Step(
        name="network",
        do=tuple(MakeNetwork(goal.host, name) for name in goal.networks),
        verify=tuple(NetworkIs(goal.host, name, there=True) for name in goal.networks),
        undo=tuple(RemoveNetwork(goal.host, name) for name in goal.networks),
        undo_verify=tuple(NetworkIs(goal.host, name, there=False) for name in goal.networks),
        deadline_s=60.0,
    )
    return (
        Step(
            name="recheck",
            do=(),
            verify=(*standing_by, *(RoleIs(goal.host, name, primary=False) for name in goal.resources)),
            deadline_s=10.0,
        ),
        *((network,) if goal.networks else ()),
        # Side by side with nothing: between the disks of one guest lies one lvcreate and no more.
        Step(
            name="snapshot",
            do=goal.snapshots,
            verify=(
                *(SnapshotTaken(one.host, one.group, one.origin, one.name) for one in goal.snapshots),
                # A resync that began meanwhile would have made them of two moments.
                *standing_by,
            ),
            undo=tuple(RemoveSnapshot(one.host, one.group, one.name) for one in goal.snapshots),
            undo_verify=tuple(SnapshotGone(one.host, one.group, one.name) for one in goal.snapshots),
            deadline_s=30.0 + 5.0 * len(goal.snapshots),
        ),
    )


def plan_clone(host: str, clone: Clone) -> Plan:
    """One clone. Nothing is undone: what did not come up is there to be looked at, until the cleanup."""
    return (
        Step(name="start", do=(StartClone(host, clone),), verify=(CloneRuns(host, clone.name),), deadline_s=90.0),
        Step(name="boot", do=(), verify=(CloneReads(host, clone.name),), deadline_s=BOOT_S),
    )


def plan_cleanup(view: RehearsalView) -> tuple[Plan, ...]:
    """Everything away, in this order; each is a plan of its own, for one that fails is not to spare the others."""
    host = view.host
    return (
        *(
            (
                Step(
                    name=f"end {one.name}",
                    do=(EndClone(host, one.name),),
                    verify=(GuestGone(host, one.name, one.uuid),),
                    deadline_s=60.0,
                    insist=True,
                ),
            )
            for one in view.clones
        ),
        *(
            (
                Step(
                    name=f"remove {one.name}",
                    do=(RemoveSnapshot(host, one.group, one.name),),
                    verify=(SnapshotGone(host, one.group, one.name),),
                    insist=True,  # something may look at the device for a moment
                ),
            )
            for one in view.snapshots
        ),
        *(
            (
                Step(
                    name=f"remove {name}",
                    do=(RemoveNetwork(host, name),),
                    verify=(NetworkIs(host, name, there=False),),
                    insist=True,
                ),
            )
            for name in view.networks
        ),
    )


def networks_of(domains: Sequence[Domain], operation: str) -> dict[tuple[str, str | None], str]:
    """One isolated network for each that the guests have: who is apart in life stays apart."""
    wanted = dict.fromkeys((nic.kind, nic.source) for domain in domains for nic in domain.nics)
    return {key: f"{NETWORK_PREFIX}{short_name(operation)}-{number}" for number, key in enumerate(wanted, start=1)}


def clone_of(
    domain: Domain,
    operation: str,
    disks: tuple[CloneDisk, ...],
    networks: dict[tuple[str, str | None], str],
) -> Clone:
    """The clone of a guest; its UUID and its addresses follow from the operation, and are nobody else's."""
    return Clone(
        guest=domain.name,
        name=clone_name(domain.name, operation),
        uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, f"dualsrm:{operation}/{domain.uuid}")),
        operation=operation,
        disks=disks,
        nics=tuple(
            CloneNic(_mac(f"{operation}/{domain.uuid}/{number}"), networks[nic.kind, nic.source])
            for number, nic in enumerate(domain.nics)
        ),
    )


def _mac(seed: str) -> str:
    """In QEMU's own range."""
    return ":".join(("52", "54", "00", *(f"{byte:02x}" for byte in sha256(seed.encode()).digest()[:3])))
