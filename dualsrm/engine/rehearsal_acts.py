"""Doing and seeing what a rehearsal is made of, on one host."""

from __future__ import annotations

from dualsrm.engine.ports import HostPort
from dualsrm.model import DomainState, RehearsalView
from dualsrm.plan.rehearsal_steps import (
    BOOTED_BYTES,
    CloneReads,
    CloneRuns,
    EndClone,
    MakeNetwork,
    NetworkIs,
    OnRehearsal,
    RehearsalCommand,
    RemoveNetwork,
    RemoveSnapshot,
    SnapshotGone,
    StartClone,
)


def rehearse(port: HostPort, command: RehearsalCommand) -> None:
    """Do one command; raises what the host says against it."""
    match command:
        case MakeNetwork(name=name):
            port.rehearsal.make_network(name)
        case RemoveNetwork(name=name):
            port.rehearsal.remove_network(name)
        case RemoveSnapshot(group=group, name=name):
            port.rehearsal.remove_snapshot(group, name)
        case StartClone(clone=clone):
            port.rehearsal.start_clone(clone)
        case EndClone(name=name):
            port.destroy(name)


def rehearsal_differs(condition: OnRehearsal, view: RehearsalView) -> str:
    """What is seen when the condition does not hold; empty when it holds."""
    match condition:
        case NetworkIs(name=name, there=there):
            return "" if (name in view.networks) is there else f"it is {'not ' if there else ''}there"
        case SnapshotGone(group=group, name=name):
            there = any((one.group, one.name) == (group, name) for one in view.snapshots)
            return f"{group}/{name} is there" if there else ""
        case CloneRuns(name=name) | CloneReads(name=name):
            return _clone_differs(view, name, reads=isinstance(condition, CloneReads))


def _clone_differs(view: RehearsalView, name: str, *, reads: bool) -> str:
    clone = next((one for one in view.clones if one.name == name), None)
    if clone is None:
        return f"there is no {name}"
    if clone.state is not DomainState.RUNNING:
        return f"{name} is {clone.state}"
    if reads and (clone.read_bytes or 0) < BOOTED_BYTES:
        read = "an unknown number of" if clone.read_bytes is None else clone.read_bytes
        return f"{name} has read {read} bytes from its disks"
    return ""
