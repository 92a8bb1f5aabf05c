"""Giving way: what a host does when its peer, cut off from it, asks to go on alone.

The target decides (design.md section 3). Its incoming QEMU is ended: from that moment it can never run the guest, so
the source owns it. If the guest already runs on the target, the target owns it, and the source gives way in the same
manner. A side that gives way demotes *before* it outdates itself: in that order its generation identifier is not
rotated, and the pair reconnects without a split brain (tried on 8.4.11 and 9.2.18).

Every function makes one attempt and says how far it came; whoever calls it calls again.
"""

from __future__ import annotations

from dualsrm.hostside.port import Answer, GuestHere, HostsideError, Local, Reply
from dualsrm.model import DiskState, Resource, Role, Unknown, Window
from dualsrm.replication import connected, given_way


def window_of(local: Local, resource: str) -> Window | None:
    """The window a resource belongs to, if one is open around it."""
    return next((window for window in local.windows() if resource in window.resources), None)


def answer_peer(local: Local, resource: str, *, peer_claims: bool) -> Reply:
    """The peer asks this host to give way. Never raises: what cannot be seen is not yet given."""
    try:
        window = window_of(local, resource)
        if window is None:
            return _give_way_without_window(local, resource)
        if peer_claims or local.name == window.source:
            owner = _accept(local, window) if peer_claims else local.owner(window)
        else:
            owner = decide_at_target(local, window)
        if owner is None and _handed_over(local, window, resource):
            return _give_way_without_window(local, resource)
        if owner is None:
            return Reply(Answer.NOT_YET, f"{window.target} has not said that {window.guest} runs there")
        if owner == local.name:
            return Reply(Answer.OWNS, f"{window.guest} is {local.name}'s")
        local.note_asked(window)
        return give_way(local, window, resource)
    except HostsideError as error:
        return Reply(Answer.NOT_YET, str(error))


def decide_at_target(local: Local, window: Window) -> str:
    """Whose guest it is, decided once. Afterwards this host either runs the guest or has no QEMU of it."""
    owner = local.owner(window)
    if owner is None:
        left = local.kill_unless_running(window)
        # Anything left has been given the guest: also a post-copy that failed, which says SENDS on both sides.
        owner = local.decide(window, window.source if left is GuestHere.ABSENT else local.name)
        local.log(f"{window.guest}: {left} here when replication was lost, so it is {owner}'s")
    return owner


def _handed_over(local: Local, window: Window, resource: str) -> bool:
    """Whether this source is done: demoted, no QEMU left. Its peer may have closed the window already."""
    found = local.resource(resource)
    return found is not None and found.role == Role.SECONDARY and local.guest(window) is GuestHere.ABSENT


def _accept(local: Local, window: Window) -> str | None:
    """The peer says that the guest runs there. Believed unless it runs here: then neither side may go on."""
    owner = local.owner(window)
    if owner is not None:
        return owner
    if local.guest(window) is GuestHere.RUNS:
        raise HostsideError(f"{window.guest} runs on {local.name} too: a person has to decide")
    return local.decide(window, window.peer_of(local.name))


def step_down(local: Local, window: Window, resource: str) -> str:
    """No QEMU of the guest and Secondary, or what is still in the way. Gives nothing away that cannot be taken back."""
    left = local.kill_unless_running(window)
    if left is not GuestHere.ABSENT:
        return f"{window.guest} {left} on {local.name}"
    found = local.resource(resource)
    if found is None or found.role != Role.PRIMARY:
        return ""
    if connected(found):
        return f"{local.name} still believes that {resource} is connected"
    local.demote(resource)
    return ""


def close_own_side(local: Local, resource: str) -> None:
    """Forbid two Primaries here, in the exchange itself: DRBD refuses a handshake of sides that differ in this."""
    found = local.resource(resource)
    if found is not None and not connected(found) and allows_two_primaries(found):
        local.set_two_primaries(resource, allowed=False)


def give_way(local: Local, window: Window, resource: str) -> Reply:
    """Give way for one resource of a window whose guest the peer owns."""
    if in_the_way := step_down(local, window, resource):
        return Reply(Answer.NOT_YET, in_the_way)
    close_own_side(local, resource)
    try:
        return _outdate(local, resource)
    except HostsideError as error:
        # DRBD 9 refuses while this side's own handler waits, and takes that one's answer 6 instead.
        return Reply(Answer.NOT_YET, str(error))


def _give_way_without_window(local: Local, resource: str) -> Reply:
    """Outside a window a Secondary outdates itself for a peer that goes on alone; a Primary is nobody's to demote."""
    found = local.resource(resource)
    if found is not None and found.role == Role.PRIMARY:
        return Reply(Answer.OWNS, f"{resource} is Primary on {local.name}")
    # The guest may be stopped here for a moment: a host that was lost still has the older data.
    if held := local.quarantined():
        return Reply(Answer.OWNS, f"{held[0].host} is in quarantine: dualsrm reprotect {held[0].host}")
    return _outdate(local, resource)


def _outdate(local: Local, resource: str) -> Reply:
    """Of a resource that is down, `outdate` works on its metadata."""
    found = local.resource(resource)
    if found is not None and connected(found):
        return Reply(Answer.NOT_YET, f"{local.name} still believes that {resource} is connected")
    if found is None or not given_way(found):
        local.outdate(resource)
        found = local.resource(resource)
    if found is None:
        return Reply(Answer.GAVE_WAY, f"{resource} is down on {local.name}")
    if not given_way(found):
        return Reply(Answer.NOT_YET, f"{resource} is not Outdated on {local.name} yet")
    if any(volume.disk == DiskState.INCONSISTENT for volume in found.volumes):
        return Reply(Answer.INCONSISTENT, f"{resource} is Secondary and Inconsistent on {local.name}")
    return Reply(Answer.GAVE_WAY, f"{resource} is Secondary and Outdated on {local.name}")


def allows_two_primaries(resource: Resource) -> bool:
    """Whether the option is set, or nobody can tell."""
    return isinstance(resource.options, Unknown) or resource.options.allow_two_primaries
