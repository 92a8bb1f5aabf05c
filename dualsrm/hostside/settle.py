"""The dead-man: what a host closes by itself when the manager that opened a window is gone.

Run by a timer on both hosts, and once by the guard when the manager gives the window back. Safe unattended, because
DRBD refuses what would be wrong: to demote a device that is open, to forbid two Primaries while there are two.
"""

from __future__ import annotations

from dualsrm.hostside.port import GuestHere, HostsideError, Local
from dualsrm.hostside.yielding import allows_two_primaries
from dualsrm.model import AT_REST, ConnectionState, Resource, Role, Unknown, Window
from dualsrm.replication import connected, given_way, peer_given_way


def settle(local: Local) -> tuple[str, ...]:
    """Settle every window whose manager is gone; says what is still in the way, one text for each resource."""
    return tuple(text for window in local.windows() if not local.lease_held(window) for text in _settle(local, window))


def _settle(local: Local, window: Window) -> list[str]:
    left = []
    for resource in window.resources:
        try:
            in_the_way = _close(local, window, resource)
        except HostsideError as error:
            in_the_way = str(error)
        if in_the_way:
            left.append(f"{resource}: {in_the_way}")
    if not left:
        local.forget(window)
        local.log(f"the window around {window.guest} ({window.operation}) is closed here")
    return left


def _close(local: Local, window: Window, name: str) -> str:
    """Close one resource's window here; what is in the way, or an empty string."""
    found = local.resource(name)
    if found is None:
        return ""  # down: it comes up with the options of its file
    if not connected(found):
        return _while_apart(local, window, found)
    both_primary = found.role == Role.PRIMARY and _peer_is_primary(found)
    if both_primary and local.guest(window) is GuestHere.ABSENT:
        local.demote(name)
        both_primary = False
    if both_primary:
        return "Primary on both sides"
    _restore(local, found)
    return ""


def _while_apart(local: Local, window: Window, found: Resource) -> str:
    """The record stays until the pair has met again: the handshake may fail for an option that differs.

    8.4 shows no peer at all when it stands alone: then the decision taken here tells who goes on.
    """
    standing_alone = found.connection is None or found.connection.state == ConnectionState.STANDALONE
    ours = found.role == Role.PRIMARY and not found.suspended and local.owner(window) == local.name
    agreed = given_way(found) or peer_given_way(found) or ours
    if agreed or (found.role == Role.SECONDARY and not found.suspended):
        _restore(local, found)
    if standing_alone and agreed:
        local.connect(found.name)
    return "frozen" if found.suspended else "not connected"


def _restore(local: Local, found: Resource) -> None:
    if allows_two_primaries(found):
        local.set_two_primaries(found.name, allowed=False)
    if isinstance(found.options, Unknown) or found.options.fencing != AT_REST:
        local.set_fencing(found.name, AT_REST)


def _peer_is_primary(found: Resource) -> bool:
    return found.connection is not None and found.connection.peer_role == Role.PRIMARY
