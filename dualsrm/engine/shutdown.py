"""Shutting a guest down: ask, ask again, and believe the process table.

A guest that boots hears no power button, and one without an agent says so at once: so it is asked by both ways in
turn, until no QEMU of it exists. libvirt's word for *shut off* comes before QEMU has let go of the disks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Final

from dualsrm.engine.environment import Environment
from dualsrm.engine.ports import HostPort, StopWay
from dualsrm.engine.progress import Notice
from dualsrm.errors import CommandFailed, DualsrmError
from dualsrm.plan.steps import ShutDown

ASK_EVERY_S: Final = 10.0
"""Between two requests: an agent answers within seconds, and a guest that is busy shutting down takes no offence."""
LOOK_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How it took that."""

    seen: str
    """Why its QEMU is not gone; empty when it is."""
    asked: bool
    """It was asked, or may have been: it may stop at any later time."""


def shut_down(environment: Environment, command: ShutDown, deadline_s: float) -> Ended:
    """Shut it down."""
    port = environment.ports[command.host]
    ended = _ask_until_gone(environment, port, command, deadline_s)
    if not ended.seen or not command.destroy or environment.cancelled():
        return ended
    environment.observer(Notice(f"{ended.seen}: ending its QEMU"))
    try:
        port.destroy(command.guest)
    except DualsrmError as error:
        return Ended(f"{ended.seen}, and its QEMU could not be ended: {error.seen}", asked=True)
    return Ended("", asked=True)


def _ask_until_gone(environment: Environment, port: HostPort, command: ShutDown, deadline_s: float) -> Ended:
    clock = environment.clock
    began = ask_at = clock.monotonic()
    ways, refusals, asked = cycle(StopWay), dict[StopWay, DualsrmError | None](), False
    while True:
        left = _left(port, command)
        now = clock.monotonic()
        if not left:
            return Ended("", asked)
        if environment.cancelled():
            return Ended(f"the operator asked not to wait for {command.guest}", asked)
        if now - began >= deadline_s:
            return Ended(left + _how_asked(refusals, deadline_s), asked)
        if now >= ask_at:
            way = next(ways)
            refusals[way] = refused = _ask(environment, port, command.guest, way)
            asked = asked or not isinstance(refused, CommandFailed)
            # Refused, the other way is tried at once; refused both ways, there is nobody to hurry.
            all_refused = all(refusals.get(one) for one in StopWay)
            ask_at = now + ASK_EVERY_S if all_refused or not refused else now
            continue
        clock.sleep(LOOK_EVERY_S)


def _left(port: HostPort, command: ShutDown) -> str:
    """Why it does not count as gone; empty when it is."""
    try:
        return f"a QEMU of {command.guest} is on {command.host}" if port.qemu_alive(command.uuid) else ""
    except DualsrmError as error:
        return f"whether {command.guest} is gone from {command.host} cannot be seen ({error.seen})"


def _ask(environment: Environment, port: HostPort, guest: str, way: StopWay) -> DualsrmError | None:
    """Why it could not be asked; None when it was."""
    try:
        port.ask_to_stop(guest, way)
    except DualsrmError as error:
        return error
    environment.observer(Notice(f"{guest} was asked to shut down ({way.value})"))
    return None


def _how_asked(refusals: Mapping[StopWay, DualsrmError | None], deadline_s: float) -> str:
    refused = [error.seen for error in refusals.values() if error is not None]
    if len(refused) < len(refusals):
        return f" {deadline_s:g} s after it was asked to shut down"
    return f"; it could not be asked to shut down: {'; '.join(refused)}"
