"""One host as its own programs see it.

`dualsrm.hostside.machine` is the real one; the tests' simulator is another, so that the very decisions that run on a
host at 3 a.m. run in every test. Every method carries its own deadline and raises `HostsideError` when it cannot do or
see what it was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dualsrm.model import Power, Quarantine, Resource, Window


class HostsideError(Exception):
    """Something on this host could not be done or seen; the text says what."""


class NotAsked(HostsideError):
    """A fence device was not told to switch off: it could not say what it is, so nobody could have seen it off."""


class GuestHere(StrEnum):
    """What this host has of a window's guest."""

    RUNS = "runs"
    """Its virtual CPUs run."""
    STANDS = "stands"
    """A QEMU exists whose virtual CPUs do not run: waiting for memory, or handing over."""
    SENDS = "still sends memory"
    """Post-copy: its virtual CPUs run on the peer and will never run here again, but they still need this QEMU."""
    ABSENT = "absent"
    """No QEMU."""


class Answer(StrEnum):
    """What a host says when its peer asks it to give way."""

    GAVE_WAY = "gave way"
    """Secondary and Outdated: it cannot write and cannot be promoted. The one asking may go on."""
    INCONSISTENT = "inconsistent"
    """The same, and its data was never whole."""
    OWNS = "owns"
    """The guest runs here: the one asking must give way."""
    NOT_YET = "not yet"
    """Undecided or under way: ask again."""
    SILENT = "silent"
    """It was reached and did not answer in time: neither given way nor gone."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with what was seen."""

    answer: Answer
    why: str


class Local(Protocol):
    """This host."""

    @property
    def name(self) -> str:
        """Its name, as DRBD and the window record have it (`uname -n`)."""

    # --- the window ---------------------------------------------------------------------------------------------------

    def windows(self) -> tuple[Window, ...]:
        """Records left on this host."""

    def owner(self, window: Window) -> str | None:
        """The host that was decided to go on with the guest, if that was decided here."""

    def decide(self, window: Window, owner: str) -> str:
        """Decide, for good: the first decision of an operation stands, and is what comes back."""

    def asked(self, window: Window) -> bool:
        """Whether the peer has asked this host to give way: proof that it lives and waits."""

    def note_asked(self, window: Window) -> None:
        """The peer has asked."""

    def lease_held(self, window: Window) -> bool:
        """Whether a manager's guard is alive here."""

    def forget(self, window: Window) -> None:
        """Remove the record and all that belongs to it."""

    # --- DRBD ---------------------------------------------------------------------------------------------------------

    def resource(self, name: str) -> Resource | None:
        """The resource as the kernel has it now; None when it is down."""

    def demote(self, resource: str) -> None:
        """`drbdadm secondary`."""

    def outdate(self, resource: str) -> None:
        """`drbdadm outdate`; refused by DRBD 9 while this side's own handler waits."""

    def connect(self, resource: str) -> None:
        """`drbdadm connect`, never with --discard-my-data."""

    def set_two_primaries(self, resource: str, *, allowed: bool) -> None:
        """The runtime option."""

    def set_fencing(self, resource: str, policy: str) -> None:
        """The runtime option; a disk option on 8.4, a net option on 9."""

    # --- the guest ----------------------------------------------------------------------------------------------------

    def guest(self, window: Window) -> GuestHere:
        """What is here of the guest."""

    def kill_unless_running(self, window: Window) -> GuestHere:
        """End the guest's QEMU if it only STANDS, and say what is left: RUNS, SENDS or ABSENT."""

    # --- the peer -----------------------------------------------------------------------------------------------------

    def ask(self, peer: str, resource: str, *, claims: bool) -> Reply | None:
        """Ask the peer to give way, over the management network. None: it cannot be reached.

        `claims`: the guest runs here, which was decided; otherwise the peer may answer that it runs there.
        """

    def met(self, peer: str, window: Window | None) -> None:
        """The link to the peer is back: that it once asked, or that somebody confirmed it off, means nothing any more.

        A target that still believed that its source asks would outdate the guest's last disk when the source then dies.
        """

    def confirmed_off(self, peer: str) -> str | None:
        """Who confirmed that the peer is off, if somebody did."""

    def tested_off(self, peer: str) -> str | None:
        """Who noted just now that the peer is off, put to the test: its power switch shows it, or it was silent."""

    def confirm_off(self, host: str, by: str, *, shown: bool = False) -> None:
        """Note that a host is off, and who says so: a person, or its power switch, which has `shown` it."""

    def quarantine(self, host: str, operation: str) -> None:
        """Write down, for longer than a boot, that a host was lost and its guests go on here."""

    def quarantined(self) -> tuple[Quarantine, ...]:
        """Hosts to which this one gives way in nothing."""

    def reach(self, peer: str) -> tuple[bool | None, str]:
        """Whether anything answers at the peer's address, over the way the handler takes; None: it could not be asked.

        A peer that answers is not off, whoever confirmed that.
        """

    def agent(self, peer: str) -> str:
        """The fence agent of the peer; empty when no device is configured."""

    def power(self, peer: str) -> tuple[Power, str]:
        """What the peer's fence device says of it, and why where that is nothing."""

    def fence(self, peer: str) -> Power | None:
        """Switch the peer off through its fence device and see it off: what it was. None: no device is configured.

        Raises `HostsideError` when there is one and it did not show the peer off; `NotAsked` when it was not even told
        to.
        """

    def lost_since(self) -> Mapping[str, str]:
        """By resource: when the kernel lost the peer last, as far as its log tells."""

    # --- telling people -----------------------------------------------------------------------------------------------

    def log(self, text: str) -> None:
        """A line in the system's log."""

    def raise_alarm(self, resource: str, why: str) -> bool:
        """Something needs a person: kept until cleared, for people and the exporter. Whether it is new."""

    def clear_alarm(self, resource: str) -> bool:
        """It needs nobody any more; whether it did."""
