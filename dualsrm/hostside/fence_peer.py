"""The kernel's fence-peer handler: it holds its answer, and with it the freeze, until the answer is true.

Exit codes are DRBD's (drbd_nl.c, conn_try_outdate_peer; the same numbers in 8.4 and 9). Anything else leaves I/O frozen
until the connection is back. A verdict is never a guess: unreachable is not dead.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from dualsrm.hostside.port import Answer, GuestHere, HostsideError, Local, Reply
from dualsrm.hostside.yielding import close_own_side, decide_at_target, step_down, window_of
from dualsrm.model import Window
from dualsrm.replication import connected, given_way

FENCE_AFTER_S: Final = 30.0
"""How long nobody must have been there to ask before the peer's fence device is used. Frozen loses nothing; a loaded
host that was switched off loses its guests."""
ALARM_AFTER_S: Final = 30.0
"""How long a guest may stand frozen without a verdict before a person is called."""
PRIMARY_PATIENCE_S: Final = 60.0
"""How long a Primary outside a window, which is not frozen, tries to outdate its peer."""
PROMOTE_PATIENCE_S: Final = 8.0
"""How long a promotion outside a window waits for an answer; drbdadm waits with it."""


class Exit(IntEnum):
    """The handler's answers."""

    NONE = 1
    """No verdict: the link is back, or nothing is frozen and the peer could not be asked."""
    PEER_INCONSISTENT = 3
    PEER_OUTDATED = 4
    PEER_PRIMARY = 6
    """The peer goes on: this side outdates itself."""
    PEER_FENCED = 7


class FencePeer:
    """One call of the handler, for one resource.

    `promoting`: a Secondary without its peer is being promoted, and the promotion waits for the answer. It holds the
    resource's lock in the kernel meanwhile: any other change waits for that, with netlink's lock in its hand, and from
    then on every drbdsetup of this host hangs (seen on 8.4.11). So the answer comes soon, and without a look at DRBD.
    """

    def __init__(self, local: Local, resource: str, peer: str, now: float, *, promoting: bool) -> None:
        self._local = local
        self._resource = resource
        self._peer = peer
        self._promoting = promoting
        self._began = now
        self._silent_since: float | None = None

    def attempt(self, now: float) -> Exit | None:
        """One attempt at a verdict; None: try again."""
        try:
            verdict, why = self._verdict(now)
        except (HostsideError, OSError) as error:
            verdict, why = self._given_up(now), str(error)
        if verdict is not None:
            self._local.clear_alarm(self._resource)
            self._local.log(f"{self._resource}: {why}; fence-peer answers {int(verdict)}")
        elif now - self._began >= ALARM_AFTER_S and window_of(self._local, self._resource) is not None:
            self._local.raise_alarm(self._resource, why)
        return verdict

    def _given_up(self, now: float) -> Exit | None:
        """Something could not be done or seen: tried again for ever where a guest is frozen, and only there.

        A promotion holds the resource's lock meanwhile, and what cannot be seen may be waiting for just that lock.
        """
        waited = now - self._began
        if self._promoting:
            return Exit.NONE if waited >= PROMOTE_PATIENCE_S else None
        if waited >= PRIMARY_PATIENCE_S and window_of(self._local, self._resource) is None:
            return Exit.NONE
        return None

    def _verdict(self, now: float) -> tuple[Exit | None, str]:
        local, resource = self._local, self._resource
        window = window_of(local, resource)
        if self._promoting:
            return self._promotion(window, late=now - self._began >= PROMOTE_PATIENCE_S)
        if window is not None and (by := self._last_disk(window)):
            return self._confirmed(by)
        found = local.resource(resource)
        if found is not None and connected(found):
            local.met(self._peer, window)
        if found is None or connected(found):
            return Exit.NONE, "the link is back" if found else "the resource is down"
        if window is None:
            return self._outside_window(late=now - self._began >= PRIMARY_PATIENCE_S)
        return self._in_window(window, now)

    def _in_window(self, window: Window, now: float) -> tuple[Exit | None, str]:
        local = self._local
        owner = decide_at_target(local, window) if local.name == window.target else local.owner(window)
        if owner not in (None, local.name):
            return self._leave_it_to_peer(window)
        return self._go_on(window, now)

    def _promotion(self, window: Window | None, *, late: bool) -> tuple[Exit | None, str]:
        """A Secondary is to be promoted without its peer: when the peer is off, or gives way outside a window."""
        if late:
            return Exit.NONE, f"{self._peer} has neither given way nor been confirmed off"
        if window is None:
            # To ask a host that is gone takes 3 to 10 s for each resource. A person's word is put to the test once.
            if by := self._local.tested_off(self._peer):
                return self._confirmed(by)
            return self._outside_window(late=False)
        # Nobody is asked: a source works on the question for 8 s, the kernel calls four times, and all else waits.
        if by := self._local.confirmed_off(self._peer):
            return self._confirmed(by)
        return Exit.NONE, f"nothing is promoted while {self._peer} is cut off in {window.guest}'s window"

    def _outside_window(self, *, late: bool) -> tuple[Exit | None, str]:
        """Nothing is frozen: the peer is outdated if it can be asked."""
        reply = self._local.ask(self._peer, self._resource, claims=False)
        if reply is None or reply.answer is Answer.SILENT:
            if by := self._local.confirmed_off(self._peer):
                return self._confirmed(by)
            return (Exit.NONE if late else None), f"{self._peer} cannot be asked over the management network"
        if reply.answer is Answer.OWNS:
            return Exit.PEER_PRIMARY, reply.why
        return _gave_way(reply) or (Exit.NONE if late else None), reply.why

    def _confirmed(self, by: str) -> tuple[Exit, str]:
        """Not 5, "assumed dead": the kernel ignores that while this side's disk is only Consistent, as after a boot."""
        return Exit.PEER_FENCED, f"{by} confirmed that {self._peer} is off"

    def _last_disk(self, window: Window) -> str | None:
        """Who confirmed that the source is off whose guest this target ended: its own disk is the guest's last.

        Looked at first of all: whoever confirms it promotes next, and then DRBD may not answer here any more.
        """
        local = self._local
        if local.name != window.target or local.owner(window) != self._peer or local.asked(window):
            return None
        return local.confirmed_off(self._peer)

    def _leave_it_to_peer(self, window: Window) -> tuple[Exit | None, str]:
        """The peer owns the guest: out of its way, and Outdated once it is known to live.

        A target outdates itself only for a source that asked: if the source is dead, the target's disk is the guest's
        last and must stay UpToDate.
        """
        local, resource = self._local, self._resource
        if in_the_way := step_down(local, window, resource):
            return None, in_the_way
        found = local.resource(resource)
        if local.name == window.source or local.asked(window) or (found is not None and given_way(found)):
            close_own_side(local, resource)
            return Exit.PEER_PRIMARY, f"{window.guest} is {self._peer}'s"
        return None, f"{window.guest} is {self._peer}'s, which has not been heard of since"

    def _go_on(self, window: Window, now: float) -> tuple[Exit | None, str]:
        """The guest is ours, or (at the source) nobody said otherwise yet: the peer has to give way."""
        local = self._local
        reply = local.ask(self._peer, self._resource, claims=local.name == window.target)
        if reply is None or reply.answer is Answer.SILENT:
            return self._without_answer(window, now, reply)
        self._silent_since = None
        if verdict := _gave_way(reply):
            return self._alone(window, verdict), reply.why
        if reply.answer is Answer.OWNS and local.name == window.source:
            if local.guest(window) is GuestHere.RUNS:
                return None, f"{window.guest} runs on both hosts: decide which one lives and destroy the other"
            local.decide(window, self._peer)
        return None, reply.why

    def _without_answer(self, window: Window, now: float, reply: Reply | None) -> tuple[Exit | None, str]:
        """Off and seen off is a verdict; silent is not. One that was reached (`reply`) is only slow, and never shot."""
        local = self._local
        hint = f"; if it is off: dualsrm-host peer-is-off {self._peer}"
        if by := local.confirmed_off(self._peer):
            verdict, why = self._confirmed(by)
            return self._alone(window, verdict), why
        if reply is not None:
            self._silent_since = None
            return None, reply.why + hint
        if self._silent_since is None:
            self._silent_since = now
        silent = f"{self._peer} cannot be asked over the management network"
        # Only for a guest that runs here: one that is being handed over may run there.
        if now - self._silent_since >= FENCE_AFTER_S and local.guest(window) is GuestHere.RUNS:
            # Before the shot: a peer that comes back while it is under way is told whose the guest is.
            if local.decide(window, local.name) != local.name:
                return None, f"{window.guest} was decided to be {self._peer}'s"
            if local.fence(self._peer) is not None:
                return self._alone(window, Exit.PEER_FENCED), f"{self._peer} was switched off and seen off"
            silent += " and has no fence device"
        return None, silent + hint

    def _alone(self, window: Window, verdict: Exit) -> Exit:
        """This side goes on alone. Written down: when it stands alone later, that tells whose data counts."""
        if self._local.decide(window, self._local.name) != self._local.name:
            raise HostsideError(f"{window.guest} was decided to be {self._peer}'s meanwhile")
        close_own_side(self._local, self._resource)
        return verdict


def _gave_way(reply: Reply) -> Exit | None:
    return {Answer.GAVE_WAY: Exit.PEER_OUTDATED, Answer.INCONSISTENT: Exit.PEER_INCONSISTENT}.get(reply.answer)
