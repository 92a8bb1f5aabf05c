"""The guest's QEMU on this host: the process table says whether there is one, libvirt whether its CPUs run."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Final

from dualsrm.hostside.port import GuestHere, HostsideError
from dualsrm.hostside.run import must

_PROC: Final = Path("/proc")
_ASK_S: Final = 10.0
_GONE_S: Final = 10.0
_STOPPED_S: Final = 2.0
_LOOK_S: Final = 0.05
_STANDING: Final = frozenset({"paused (migrating)", "paused (starting up)"})
"""libvirt's words for a guest on its way in, or handed over and not yet cleared away. Paused for any other reason
(by its owner, on an I/O error) it has arrived here."""
_SENDING: Final = frozenset({"paused (post-copy)", "paused (post-copy failed)"})


def pids(uuid: str, proc: Path = _PROC) -> tuple[int, ...]:
    """Processes with the arguments `-uuid UUID`, which is how libvirt starts QEMU."""
    wanted = uuid.lower().encode()
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended meanwhile
        if any(word == b"-uuid" and value.lower() == wanted for word, value in pairwise(words)):
            found.append(int(entry.name))
    return tuple(found)


def guest_here(guest: str, uuid: str) -> GuestHere:
    """What is here of the guest. Raises when libvirt does not say whether a QEMU's virtual CPUs run."""
    if not pids(uuid):
        return GuestHere.ABSENT
    state = must(["virsh", "-q", "-c", "qemu:///system", "domstate", "--reason", uuid], deadline_s=_ASK_S).strip()
    if state.startswith("shut off"):
        # A QEMU outlives its domain by seconds: neither running nor ended yet.
        raise HostsideError(f"the QEMU of {guest} is still exiting")
    if state in _SENDING:
        return GuestHere.SENDS
    return GuestHere.STANDS if state in _STANDING else GuestHere.RUNS


def kill_unless_running(guest: str, uuid: str) -> GuestHere:
    """End the QEMU if the guest only stands here; RUNS, SENDS or ABSENT is what is left.

    It is stopped before libvirt is asked: a hand-over that is under way cannot slip in between the look and the kill.
    SIGKILL needs neither libvirtd nor a device that answers.
    """
    found = pids(uuid)
    if not found:
        return GuestHere.ABSENT
    if (left := guest_here(guest, uuid)) is not GuestHere.STANDS:
        return left
    _signal(found, signal.SIGSTOP)
    _wait_until_stopped(found)
    try:
        left = guest_here(guest, uuid)
    except HostsideError:
        _signal(found, signal.SIGCONT)
        raise
    if left is not GuestHere.STANDS:
        _signal(found, signal.SIGCONT)
        return left
    _signal(found, signal.SIGKILL)
    return _wait_until_gone(guest, uuid)


def _wait_until_stopped(found: tuple[int, ...]) -> None:
    """A signal takes effect when the process next runs; one that waits in the kernel cannot, so not for ever."""
    deadline = time.monotonic() + _STOPPED_S
    while time.monotonic() < deadline and not all(_state(pid) in "TtZX" for pid in found):
        time.sleep(_LOOK_S)


def _state(pid: int) -> str:
    """As in proc(5); a process that is gone is dead."""
    try:
        return (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "X"


def _wait_until_gone(guest: str, uuid: str) -> GuestHere:
    deadline = time.monotonic() + _GONE_S
    while pids(uuid):
        if time.monotonic() >= deadline:
            raise HostsideError(f"the QEMU of {guest} did not end within {_GONE_S:g} s of SIGKILL")
        time.sleep(_LOOK_S)
    return GuestHere.ABSENT


def _signal(found: tuple[int, ...], number: signal.Signals) -> None:
    for pid in found:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
