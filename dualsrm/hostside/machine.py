"""The real host: DRBD, QEMU, the peer, the fence device and the files below /run/dualsrm."""

from __future__ import annotations

import os
import syslog
from collections.abc import Mapping

from dualsrm.hosts.text import clean
from dualsrm.hostside import fence_device, local_drbd, peer, qemu
from dualsrm.hostside.files import Files
from dualsrm.hostside.port import Answer, GuestHere, HostsideError, Reply
from dualsrm.hostside.settings import load_peer
from dualsrm.model import Power, Resource, Window


class Machine(Files):
    """This host, as `hostside.port.Local` asks for it."""

    @property
    def name(self) -> str:
        """As `uname -n` says: DRBD's own way to know which section is its own."""
        return os.uname().nodename

    def resource(self, name: str) -> Resource | None:
        """The resource as the kernel has it now."""
        return next((found for found in local_drbd.resources() if found.name == name), None)

    def demote(self, resource: str) -> None:
        """`drbdadm secondary`."""
        local_drbd.change("secondary", resource)

    def outdate(self, resource: str) -> None:
        """`drbdadm outdate`."""
        local_drbd.change("outdate", resource)

    def connect(self, resource: str) -> None:
        """`drbdadm connect`."""
        local_drbd.change("connect", resource)

    def set_two_primaries(self, resource: str, *, allowed: bool) -> None:
        """The runtime option."""
        local_drbd.change("net-options", f"--allow-two-primaries={'yes' if allowed else 'no'}", resource)

    def set_fencing(self, resource: str, policy: str) -> None:
        """The runtime option."""
        local_drbd.set_fencing(resource, policy)

    def guest(self, window: Window) -> GuestHere:
        """What is here of the guest."""
        return qemu.guest_here(window.guest, window.uuid)

    def kill_unless_running(self, window: Window) -> GuestHere:
        """End its QEMU if its virtual CPUs do not run."""
        return qemu.kill_unless_running(window.guest, window.uuid)

    def ask(self, peer_name: str, resource: str, *, claims: bool) -> Reply | None:
        """Ask the peer to give way; one that answers is not off."""
        reply = peer.ask(load_peer(peer_name), resource, claims=claims)
        if reply is not None and reply.answer is not Answer.SILENT:
            self.seen_alive(peer_name)
        return reply

    def note_asked(self, window: Window) -> None:
        """The peer has asked, so it is not off."""
        super().note_asked(window)
        self.seen_alive(window.peer_of(self.name))

    def reach(self, peer_name: str) -> tuple[bool | None, str]:
        """Over ssh, as the handler would."""
        reached, why = peer.reach(load_peer(peer_name))
        if reached:
            self.seen_alive(peer_name)
        elif reached is False:
            self.heard_nothing(peer_name)
        return reached, why

    def agent(self, peer_name: str) -> str:
        """The fence agent of the peer."""
        device = load_peer(peer_name).fence
        return device.agent if device is not None else ""

    def power(self, peer_name: str) -> tuple[Power, str]:
        """The status of its device."""
        device = load_peer(peer_name).fence
        return (Power.NO_DEVICE, "") if device is None else fence_device.power(device)

    def fence(self, peer_name: str) -> Power | None:
        """Switch the peer off and see it off."""
        device = load_peer(peer_name).fence
        if device is None:
            return None
        self.log(f"switching {peer_name} off with {device.agent}")
        return fence_device.power_off(device)

    def lost_since(self) -> Mapping[str, str]:
        """By the kernel's lines in the journal."""
        return local_drbd.lost_since()

    def log(self, text: str) -> None:
        """A line in the system's log."""
        syslog.syslog(syslog.LOG_NOTICE, clean(text))

    def raise_alarm(self, resource: str, why: str) -> bool:
        """Kept below /run/dualsrm/alarms, and logged when it says something new."""
        try:
            fresh = super().raise_alarm(resource, clean(why))
        except HostsideError:
            fresh = True  # /run is full, and the log is what is left
        if fresh:
            syslog.syslog(syslog.LOG_CRIT, f"{resource} needs a person: {clean(why)}")
        return fresh

    def clear_alarm(self, resource: str) -> bool:
        """The same, ended."""
        there = super().clear_alarm(resource)
        if there:
            self.log(f"{resource} needs nobody any more")
        return there
