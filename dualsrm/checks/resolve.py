"""From what a person typed to a move: which guest, from where, to where. Never guessed."""

from __future__ import annotations

import difflib
import shlex

from dualsrm.checks.case import PROBE, Move, on
from dualsrm.discovery import GuestLocation, guest_location, guests, libvirt_of
from dualsrm.errors import HostUnreachable, Refused, UsageError
from dualsrm.model import LockHolder, Snapshot, Unknown


def resolve_move(snapshot: Snapshot, guest: str, to: str | None) -> Move:
    """The move that is meant; raises when there is none, or when nobody can tell."""
    pair = snapshot.pair
    if to is not None and to not in pair.hosts:
        raise UsageError(
            f"{to} is no host of pair {pair.name}",
            why="A guest moves between the two hosts that replicate its disks.",
            fix=f"name {pair.hosts[0]} or {pair.hosts[1]}",
        )
    _refuse_unknown(snapshot, guest)
    location = guest_location(snapshot, guest)
    if not location.known:
        raise no_such_guest(snapshot, guest)
    source = _only_host(snapshot, location)
    target = to or pair.other(source)
    if target == source:
        raise Refused(
            f"{guest} runs on {target} already",
            why="There is nothing to move.",
            fix=_migrate(guest, pair.other(source)),
        )
    return Move(guest, source, target)


def _migrate(guest: str, to: str) -> str:
    return shlex.join(("dualsrm", "migrate", "--to", to, "--", guest))


def _refuse_unknown(snapshot: Snapshot, guest: str) -> None:
    """Where a guest is, is known only when both hosts answer: the silent one may run it too."""
    for host in snapshot.pair.hosts:
        libvirt = libvirt_of(snapshot, host)
        if isinstance(libvirt, Unknown):
            raise HostUnreachable(
                f"where {guest} is, is not known: libvirt on {host} gave no answer: {libvirt.why}",
                why=f"It may run on {host}; a guest is never moved from or to where nobody can look.",
                fix=libvirt.fix or on(host, *PROBE["libvirt"]),
            )


def no_such_guest(snapshot: Snapshot, guest: str) -> UsageError:
    """The error for a name no host that answered knows, with the nearest that one does."""
    names = [location.name for location in guests(snapshot)]
    close = difflib.get_close_matches(guest, names, n=1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    first, second = snapshot.pair.hosts
    return UsageError(
        f"neither {first} nor {second} knows a guest {guest}{meant}",
        why=f"Guests of pair {snapshot.pair.name}: {', '.join(names) or 'none'}.",
        fix="dualsrm status",
    )


def _only_host(snapshot: Snapshot, location: GuestLocation) -> str:
    match location.active_on:
        case (host,):
            return host
        case ():
            raise Refused(
                f"{location.name} is shut off (defined on {' and '.join(location.defined_on)})",
                why="Only a guest that runs can be moved.",
                fix=shlex.join(("dualsrm", "start", "--", location.name)),
            )
        case _:
            for holder in snapshot.locks.values():
                if isinstance(holder, LockHolder):
                    raise Refused(
                        f"{location.name} is active on {' and '.join(location.active_on)}, and {holder.operation} of "
                        f"the manager on {holder.manager} is at work on this pair since {holder.since}",
                        why="While a guest is moved it has a QEMU on both hosts.",
                        fix="wait until that operation ends; if its manager died: dualsrm recover",
                    )
            raise Refused(
                f"{location.name} is active on {' and '.join(location.active_on)}",
                why="Two QEMUs of one guest: which of them is the guest has to be settled first.",
                fix="dualsrm recover",
            )
