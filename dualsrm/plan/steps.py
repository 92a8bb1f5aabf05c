"""Steps as data: what to do, how to know it was done, how to undo it.

A plan is a tuple of steps. `--dry-run` prints exactly this tuple; the journal stores it; the engine interprets it. No
command or condition carries behaviour, so a plan can be compared, stored and shown, and every interpreter is one
`match` in `dualsrm.engine`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from dualsrm.convergence import Convergence
from dualsrm.plan.filesystem_steps import FilesystemCommand, MountedIs
from dualsrm.plan.peer_steps import AwaitResync, PeerCommand, PeerCondition
from dualsrm.plan.rehearsal_steps import OnRehearsal, RehearsalCommand
from dualsrm.plan.split_steps import SplitCommand, SplitCondition

# --- commands -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arm:
    """Leave the window record on one host, with a guard that watches and a timer for when the manager is gone."""

    host: str
    pair: str
    guest: str
    uuid: str
    source: str
    target: str
    resources: tuple[str, ...]

    def __str__(self) -> str:
        return f"guard {self.guest} on {self.host}"


@dataclass(frozen=True, slots=True)
class Disarm:
    """Give the windows back to a host: it forgets those that are closed, and its timer closes the rest."""

    host: str

    def __str__(self) -> str:
        return f"end the guard on {self.host}"


@dataclass(frozen=True, slots=True)
class SetFencing:
    """Set the runtime option fencing of a resource on one host."""

    host: str
    resource: str
    policy: str

    def __str__(self) -> str:
        return f"set fencing={self.policy} for {self.resource} on {self.host}"


@dataclass(frozen=True, slots=True)
class SetTwoPrimaries:
    """Set the runtime option allow-two-primaries of a resource on one host."""

    host: str
    resource: str
    allowed: bool

    def __str__(self) -> str:
        return f"set allow-two-primaries={'yes' if self.allowed else 'no'} for {self.resource} on {self.host}"


@dataclass(frozen=True, slots=True)
class Promote:
    """Make a resource Primary on a host, never by force."""

    host: str
    resource: str

    def __str__(self) -> str:
        return f"promote {self.resource} on {self.host}"


@dataclass(frozen=True, slots=True)
class PromoteForced:
    """Make a resource Primary although its disk is not the newest: only what somebody accepted to lose is lost."""

    host: str
    resource: str

    def __str__(self) -> str:
        return f"promote {self.resource} on {self.host} by force: its disk lacks writes, which was accepted"


@dataclass(frozen=True, slots=True)
class Demote:
    """Make a resource Secondary on a host."""

    host: str
    resource: str

    def __str__(self) -> str:
        return f"demote {self.resource} on {self.host}"


DrbdChange: TypeAlias = SetFencing | SetTwoPrimaries | Promote | PromoteForced | Demote
"""What is done to one resource, and alike to all of a guest."""


@dataclass(frozen=True, slots=True)
class MigrateLive:
    """Move a running guest peer-to-peer; the outcome is read from both hosts, never from a return code."""

    guest: str
    uuid: str
    source: str
    target: str
    convergence: Convergence = field(default_factory=Convergence)
    """What to do when memory is not copied in time."""

    @property
    def host(self) -> str:
        """Where libvirt is asked to do it."""
        return self.source

    def __str__(self) -> str:
        return f"migrate {self.guest} live from {self.source} to {self.target}"


@dataclass(frozen=True, slots=True)
class DestroyDomain:
    """End the guest's QEMU on one host, where the outcome table proved it to be the side that must go."""

    host: str
    guest: str

    def __str__(self) -> str:
        return f"destroy the leftover of {self.guest} on {self.host}"


@dataclass(frozen=True, slots=True)
class ShutDown:
    """Have the guest shut itself down: asked through its agent and by ACPI in turn until its QEMU is gone."""

    host: str
    guest: str
    uuid: str
    destroy: bool = False
    """At the step's deadline, end its QEMU as a power cut would."""

    def __str__(self) -> str:
        return f"shut {self.guest} down on {self.host}" + (", by force when it is late" if self.destroy else "")


@dataclass(frozen=True, slots=True)
class CopyDefinition:
    """Define the guest on a host as the other one has it defined."""

    host: str
    guest: str
    origin: str

    def __str__(self) -> str:
        return f"define {self.guest} on {self.host} as on {self.origin}"


@dataclass(frozen=True, slots=True)
class StartDomain:
    """Start the guest on a host; nothing is done if it is active there."""

    host: str
    guest: str

    def __str__(self) -> str:
        return f"start {self.guest} on {self.host}"


Command: TypeAlias = (
    Arm
    | Disarm
    | DrbdChange
    | MigrateLive
    | DestroyDomain
    | ShutDown
    | CopyDefinition
    | StartDomain
    | FilesystemCommand
    | PeerCommand
    | SplitCommand
    | RehearsalCommand
    | AwaitResync
)


# --- conditions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TwoPrimariesIs:
    """The runtime option, as `drbdsetup show` on that host says, has this value."""

    host: str
    resource: str
    allowed: bool

    def __str__(self) -> str:
        value = "yes" if self.allowed else "no"
        return f"drbdsetup show on {self.host} says allow-two-primaries={value} for {self.resource}"


@dataclass(frozen=True, slots=True)
class FencingIs:
    """The runtime option, as `drbdsetup show` on that host says, has this value."""

    host: str
    resource: str
    policy: str

    def __str__(self) -> str:
        return f"drbdsetup show on {self.host} says fencing={self.policy} for {self.resource}"


@dataclass(frozen=True, slots=True)
class RoleIs:
    """The resource has this role on that host."""

    host: str
    resource: str
    primary: bool

    def __str__(self) -> str:
        return f"{self.resource} is {'Primary' if self.primary else 'Secondary'} on {self.host}"


@dataclass(frozen=True, slots=True)
class Replicating:
    """Seen from that host: Connected, Established, UpToDate on both sides, nothing suspended."""

    host: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource} is Connected and UpToDate on both sides, seen from {self.host}"


@dataclass(frozen=True, slots=True)
class SafeToPart:
    """Seen from that host: replicating, or the hosts have agreed whose data counts and one of them gave way."""

    host: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource} on {self.host} is replicating, or the hosts have agreed whose data counts"


@dataclass(frozen=True, slots=True)
class GuestRuns:
    """The guest is active on this host: running, or paused as it was."""

    host: str
    guest: str

    def __str__(self) -> str:
        return f"{self.guest} is active on {self.host}"


@dataclass(frozen=True, slots=True)
class GuestDefined:
    """libvirt on this host knows the guest."""

    host: str
    guest: str

    def __str__(self) -> str:
        return f"{self.guest} is defined on {self.host}"


@dataclass(frozen=True, slots=True)
class GuestGone:
    """No QEMU process of the guest exists on this host: the process table decides, not libvirt's word."""

    host: str
    guest: str
    uuid: str

    def __str__(self) -> str:
        return f"no QEMU of {self.guest} on {self.host}"


@dataclass(frozen=True, slots=True)
class Alone:
    """Seen from that host: the resource has no peer. A resync from a peer that is back would be cut by a failover."""

    host: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource} on {self.host} is without its peer"


@dataclass(frozen=True, slots=True)
class DisksAre:
    """Every disk of the resource on this host is UpToDate, or at least whole.

    DRBD itself would promote one that is only Consistent, and by force one that is Inconsistent.
    """

    host: str
    resource: str
    newest: bool

    def __str__(self) -> str:
        return f"every disk of {self.resource} on {self.host} is {'UpToDate' if self.newest else 'whole'}"


@dataclass(frozen=True, slots=True)
class Thawed:
    """The resource's I/O does not stand still on this host: the handler that held it has its answer."""

    host: str
    resource: str

    def __str__(self) -> str:
        return f"I/O of {self.resource} runs on {self.host}"


Condition: TypeAlias = (
    FencingIs
    | TwoPrimariesIs
    | RoleIs
    | Replicating
    | SafeToPart
    | GuestRuns
    | GuestDefined
    | GuestGone
    | MountedIs
    | PeerCondition
    | Alone
    | DisksAre
    | Thawed
    | SplitCondition
    | OnRehearsal
)


# --- steps ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One step. Its commands are idempotent, but for `MigrateLive`; that, `ShutDown` and `StartDomain` stand alone."""

    name: str
    do: tuple[Command, ...]
    """Commands on different hosts run side by side, those on one host in this order; empty: the step only verifies."""
    verify: tuple[Condition, ...]
    undo: tuple[Command, ...] = ()
    """Runs when this step or a later one fails, also when this step failed half-way."""
    undo_verify: tuple[Condition, ...] = ()
    undo_needs: tuple[Condition, ...] = ()
    """What must be seen before the undo: without it, undoing would be a guess, and is left out."""
    deadline_s: float = 30.0
    """For doing and verifying together, and again for undoing."""
    undo_deadline_s: float | None = None
    """For undoing, where that takes another time."""
    insist: bool = False
    """Give the commands again until it is verified or the deadline is over: DRBD may refuse for a moment."""
    persist: bool = False
    """There is no way back from here: insist, and go on when the operator asks to stop."""


Plan: TypeAlias = tuple[Step, ...]
