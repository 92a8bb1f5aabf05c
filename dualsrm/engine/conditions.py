"""Whether conditions of a step hold, by a fresh look at the hosts.

One look at DRBD per host answers all conditions on its resources; all looks happen side by side, because most of them
lie inside the window. A host that cannot be asked makes its conditions not hold, with the reason: unknown is never
taken for done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from dualsrm.engine.environment import Environment
from dualsrm.engine.filesystem_acts import mount_differs
from dualsrm.engine.ports import HostPort
from dualsrm.engine.rehearsal_acts import rehearsal_differs
from dualsrm.engine.split_acts import kept_differs, split_differs
from dualsrm.errors import DualsrmError
from dualsrm.model import DrbdView, Host, Resource, Role, Unknown
from dualsrm.plan.filesystem_steps import MountedIs
from dualsrm.plan.peer_steps import Lifted, PeerCondition
from dualsrm.plan.rehearsal_steps import OnRehearsal, SnapshotGone
from dualsrm.plan.split_steps import DataIs, SnapshotTaken, SplitOnDrbd
from dualsrm.plan.steps import (
    Alone,
    Condition,
    DisksAre,
    FencingIs,
    GuestDefined,
    GuestGone,
    GuestRuns,
    Replicating,
    RoleIs,
    SafeToPart,
    Thawed,
    TwoPrimariesIs,
)
from dualsrm.replication import connected, disks_differ, replication_differs, settled_differs, whole

OnDrbd: TypeAlias = (
    FencingIs | TwoPrimariesIs | RoleIs | Replicating | SafeToPart | Alone | DisksAre | Thawed | SplitOnDrbd
)
OnGuest: TypeAlias = GuestRuns | GuestDefined | GuestGone


@dataclass(frozen=True, slots=True)
class Unmet:
    """A condition that does not hold, and what was seen instead."""

    condition: Condition
    seen: str
    asked: bool = True
    """False when the host gave no answer: then the condition may hold all the same."""

    def __str__(self) -> str:
        return f"expected that {self.condition}, but {self.seen}"


def unmet(environment: Environment, conditions: Sequence[Condition]) -> tuple[Unmet, ...]:
    """Those of the conditions that do not hold now."""
    about_drbd: dict[str, list[OnDrbd]] = {}
    about_rehearsal: dict[str, list[OnRehearsal]] = {}
    looks: list[Callable[[], list[Unmet]]] = []
    for condition in conditions:
        port = environment.ports[condition.host]
        if isinstance(condition, OnGuest):
            looks.append(partial(_look, condition, partial(_guest_differs, condition, port)))
        elif isinstance(condition, MountedIs):
            looks.append(partial(_look, condition, partial(mount_differs, condition, port)))
        elif isinstance(condition, SnapshotTaken | DataIs):
            looks.append(partial(_look, condition, partial(kept_differs, condition, port)))
        elif isinstance(condition, OnRehearsal):
            about_rehearsal.setdefault(condition.host, []).append(condition)
        elif isinstance(condition, PeerCondition):
            peer = environment.ports[condition.peer].host
            looks.append(partial(_look, condition, partial(_note_differs, condition, port, peer)))
        else:
            about_drbd.setdefault(condition.host, []).append(condition)
    looks += [partial(_look_at_drbd, environment.ports[host], asked) for host, asked in about_drbd.items()]
    looks += [partial(_look_at_rehearsal, environment.ports[host], asked) for host, asked in about_rehearsal.items()]
    return tuple(failure for failures in environment.gather(looks) for failure in failures)


def _look_at_drbd(port: HostPort, conditions: Sequence[OnDrbd]) -> list[Unmet]:
    try:
        view = port.drbd()
    except DualsrmError as error:
        return [Unmet(condition, error.seen, asked=False) for condition in conditions]
    return [Unmet(condition, seen) for condition in conditions if (seen := _drbd_differs(condition, view))]


def _look_at_rehearsal(port: HostPort, conditions: Sequence[OnRehearsal]) -> list[Unmet]:
    try:
        view = port.rehearsal.look(snapshots=any(isinstance(one, SnapshotGone) for one in conditions))
    except DualsrmError as error:
        return [Unmet(condition, error.seen, asked=False) for condition in conditions]
    return [Unmet(condition, seen) for condition in conditions if (seen := rehearsal_differs(condition, view))]


def _look(condition: Condition, differs: Callable[[], str]) -> list[Unmet]:
    try:
        seen = differs()
    except DualsrmError as error:
        return [Unmet(condition, error.seen, asked=False)]
    return [Unmet(condition, seen)] if seen else []


def _note_differs(condition: PeerCondition, port: HostPort, known_as: Host) -> str:
    host, peer, noted = condition.host, condition.peer, port.noted(known_as)
    if isinstance(condition, Lifted):
        return f"{peer} is in quarantine, as noted on {host}" if noted.quarantined else ""
    if noted.off_by is None:
        return f"{host} has no such note: {peer} may have answered it"
    return "" if noted.quarantined else f"{host} has not put {peer} in quarantine"


def _guest_differs(condition: OnGuest, port: HostPort) -> str:
    """What is seen when the condition does not hold; empty when it holds."""
    match condition:
        case GuestRuns(host=host, guest=guest):
            status = port.domain_status(guest)
            if status.state is None:
                return f"libvirt on {host} does not know {guest}"
            return "" if status.state.active else f"{guest} is {status.state} on {host}"
        case GuestDefined(host=host, guest=guest):
            return f"libvirt on {host} does not know {guest}" if port.domain_status(guest).state is None else ""
        case GuestGone(host=host, guest=guest, uuid=uuid):
            return f"a QEMU of {guest} exists on {host}" if port.qemu_alive(uuid) else ""


def _drbd_differs(condition: OnDrbd, view: DrbdView) -> str:
    """What is seen when the condition does not hold; empty when it holds."""
    resource = view.resource(condition.resource)
    if resource is None:
        return f"{condition.resource} is not up on {condition.host}"
    match condition:
        case TwoPrimariesIs() | FencingIs():
            seen = _option_differs(resource, condition)
        case RoleIs(primary=primary):
            wanted = Role.PRIMARY if primary else Role.SECONDARY
            seen = "" if resource.role == wanted else f"{resource.name} is {resource.role}"
        case Replicating():
            seen = replication_differs(resource)
        case SafeToPart():
            seen = settled_differs(resource)
        case Alone():
            seen = f"{resource.name} is Connected" if connected(resource) else ""
        case DisksAre(newest=newest):
            seen = "" if whole(resource) and not newest else disks_differ(resource)
        case Thawed():
            seen = f"it is suspended ({', '.join(resource.suspended)})" if resource.suspended else ""
        case _:
            seen = split_differs(condition, resource)
    return seen


def _option_differs(resource: Resource, condition: TwoPrimariesIs | FencingIs) -> str:
    options = resource.options
    if isinstance(options, Unknown):
        return options.why
    if isinstance(condition, FencingIs):
        return "" if options.fencing == condition.policy else f"fencing of {resource.name} is {options.fencing}"
    found = options.allow_two_primaries
    return "" if found == condition.allowed else f"allow-two-primaries of {resource.name} is {'yes' if found else 'no'}"
