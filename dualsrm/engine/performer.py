"""What each command of a step is on a host. Only the executor calls it, and verifies what it did by looking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import groupby

from dualsrm.engine.environment import Environment
from dualsrm.engine.filesystem_acts import on_filesystem
from dualsrm.engine.journal import Journal, note
from dualsrm.engine.ports import HostPort
from dualsrm.engine.rehearsal_acts import rehearse
from dualsrm.engine.split_acts import act
from dualsrm.errors import CommandFailed
from dualsrm.model import Fenced, Window
from dualsrm.plan.filesystem_steps import CheckFilesystem, Mount, Unmount
from dualsrm.plan.peer_steps import AwaitResync, ConfirmOff, Fence, LiftQuarantine, PeerCommand
from dualsrm.plan.split_steps import Connect, Disconnect, TakeSnapshot
from dualsrm.plan.steps import (
    Arm,
    Command,
    CopyDefinition,
    Demote,
    DestroyDomain,
    Disarm,
    DrbdChange,
    MigrateLive,
    Promote,
    PromoteForced,
    SetFencing,
    SetTwoPrimaries,
    ShutDown,
    StartDomain,
)


class Performer:
    """Of one operation."""

    def __init__(self, environment: Environment, journal: Journal) -> None:
        self._environment = environment
        self._journal = journal
        self.fenced: Fenced | None = None
        """What the last fence device said."""

    def perform(self, port: HostPort, commands: Sequence[Command]) -> None:
        """In this order, neighbours in one call where they can be; raises what the host says against it."""
        for command, resources in together(commands):
            match command:
                case Arm() | Disarm():
                    self._guard(port, command)
                case SetFencing() | SetTwoPrimaries() | Promote() | PromoteForced() | Demote():
                    _change(port, command, resources)
                case DestroyDomain() | CopyDefinition() | StartDomain():
                    self._about_guest(port, command)
                case Fence() | ConfirmOff() | LiftQuarantine():
                    self._about_peer(port, command)
                case CheckFilesystem() | Mount() | Unmount():
                    on_filesystem(port, command)
                case TakeSnapshot() | Disconnect() | Connect():
                    act(port, command)
                case MigrateLive() | ShutDown() | AwaitResync():
                    raise AssertionError(f"`{command}` stands alone in its step")
                case _:
                    rehearse(port, command)

    def _guard(self, port: HostPort, command: Arm | Disarm) -> None:
        if isinstance(command, Arm):
            port.arm(self._window_of(command))
        else:
            port.disarm()

    def _about_guest(self, port: HostPort, command: DestroyDomain | CopyDefinition | StartDomain) -> None:
        match command:
            case DestroyDomain(guest=guest):
                port.destroy(guest)
            case CopyDefinition(guest=guest, origin=origin):
                port.define(self._environment.ports[origin].definition(guest))
            case StartDomain(guest=guest):
                port.start(guest)

    def _about_peer(self, port: HostPort, command: PeerCommand) -> None:
        peer = self._environment.ports[command.peer].host
        if isinstance(command, LiftQuarantine):
            port.lift_quarantine(peer)
            return
        if isinstance(command, ConfirmOff):
            port.confirm_off(peer, command.by, self._journal.operation)
            return
        self.fenced = fenced = port.fence(peer, self._journal.operation)
        note(self._journal, self._environment.observer, "fenced", peer=command.peer, **asdict(fenced))
        if not fenced.off:
            raise CommandFailed(f"{command.peer} was not seen off: {fenced.why}")

    def _window_of(self, command: Arm) -> Window:
        return Window(
            operation=self._journal.operation,
            pair=command.pair,
            guest=command.guest,
            uuid=command.uuid,
            source=command.source,
            target=command.target,
            resources=command.resources,
            since=self._environment.clock.now_iso(),
        )


def _change(port: HostPort, command: DrbdChange, resources: tuple[str, ...]) -> None:
    match command:
        case SetFencing(policy=policy):
            port.set_fencing(*resources, policy=policy)
        case SetTwoPrimaries(allowed=allowed):
            port.set_two_primaries(*resources, allowed=allowed)
        case Promote():
            port.promote(*resources)
        case PromoteForced():
            port.promote_forced(*resources)
        case Demote():
            port.demote(*resources)


def together(commands: Sequence[Command]) -> Iterator[tuple[Command, tuple[str, ...]]]:
    """Neighbours that differ in their resource only are one call: in the window each costs a process on the host."""
    for _, alike in groupby(commands, lambda one: replace(one, resource="") if isinstance(one, DrbdChange) else one):
        first, *more = alike
        yield first, tuple(one.resource for one in (first, *more) if isinstance(one, DrbdChange))
