"""The guard: started by the manager on both hosts before a window opens, it lives as long as the manager is heard.

It makes sure that the peer's counterpart can be reached, which the manager need not wait for; given the record, it
leaves it, arms the dead-man timer, then watches DRBD and says what goes wrong. While it lives it holds the lease; when
heartbeats stop, it ends, and the timer takes over.

    stdin:   the window record, then `beat` lines, at last `release`
    stdout:  {"armed": true}, {"differs": TEXT, "link": BOOL} whenever that changes, {"released": true, "left": [...]}
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from typing import Final

from dualsrm import __version__
from dualsrm.hosts.drbd import Store
from dualsrm.hosts.drbd.show import ShowSyntaxError, read_show
from dualsrm.hosts.text import clean, decode
from dualsrm.hostside import local_drbd, peer
from dualsrm.hostside.machine import Machine
from dualsrm.hostside.port import HostsideError
from dualsrm.hostside.run import must, run, start
from dualsrm.hostside.settings import load_peer
from dualsrm.hostside.settle import settle
from dualsrm.hostside.watching import Watch
from dualsrm.model import Window, WindowError, parse_window

LEASE_S: Final = 30.0
"""How long without a heartbeat before the manager counts as gone. It beats every 5 s."""
SETTLE_EVERY_S: Final = 15
"""How often the timer looks whether a window without a manager can be closed."""
_LOOK_AT_OPTIONS_S: Final = 2.0
"""DRBD sends no event when an option changes."""
_RECORD_S: Final = 120.0
"""The manager looks at both hosts meanwhile; one that goes away is noticed at once."""
_RECORD_LIMIT: Final = 64 * 1024
_UNIT_S: Final = 20.0


def guard(peer_name: str) -> int:
    """Run the guard on this process's standard input and output; its exit status."""
    machine = Machine()
    lines = _Lines(sys.stdin.fileno())
    try:
        _meet(peer_name)
        window = _read_window(lines, machine, peer_name)
        lease = machine.take_lease(window)
        machine.leave(window)
        machine.seen_alive(peer_name)
        _start_timer(window)
        guarding = _Guarding(window, lines)
    except HostsideError as error:
        _say({"armed": False, "why": str(error)})
        return 1
    _say({"armed": True})
    released = guarding.until_released()
    os.close(lease)
    if released:
        _say({"released": True, "left": settle(machine)})
    return 0


def timer_unit(operation: str) -> str:
    """The name of the transient timer of a window."""
    return f"dualsrm-window-{''.join(c if c.isalnum() or c in '-_.' else '_' for c in operation)}"


def stop_timer(operation: str) -> None:
    """The window is closed: its timer ends. A timer that is gone already is what was wanted."""
    run(["systemctl", "--quiet", "stop", f"{timer_unit(operation)}.timer"], deadline_s=_UNIT_S)


def _meet(peer_name: str) -> None:
    """Take the way to the peer that the handler will take."""
    if (version := peer.version(load_peer(peer_name))) != f"{peer.PROGRAM} {__version__}":
        raise HostsideError(f"{peer_name} has {version}, this host {peer.PROGRAM} {__version__}")


def _read_window(lines: _Lines, machine: Machine, peer_name: str) -> Window:
    deadline = time.monotonic() + _RECORD_S
    while not (found := lines.read(max(0.0, deadline - time.monotonic()))):
        if lines.ended or time.monotonic() >= deadline:
            raise HostsideError("no window record came")
    try:
        window = parse_window(found[0])
    except WindowError as error:
        raise HostsideError(f"the window record cannot be used: {error}") from error
    if {machine.name, peer_name} != {window.source, window.target}:
        pair = f"{machine.name}, the peer {peer_name}"
        raise HostsideError(f"this host calls itself {pair}: not {window.source} and {window.target}")
    return window


def _start_timer(window: Window) -> None:
    """The dead-man. Before a lease has run out there is nothing for it to do."""
    must(
        [
            "systemd-run",
            "--quiet",
            "--collect",
            f"--unit={timer_unit(window.operation)}",
            f"--description=Close the window around {clean(window.guest)} if its manager is gone",
            f"--on-active={LEASE_S:g}",
            f"--on-unit-inactive={SETTLE_EVERY_S}",
            "--timer-property=AccuracySec=1s",
            "--",
            peer.PROGRAM,
            "settle",
            "--operation",
            window.operation,
        ],
        deadline_s=_UNIT_S,
    )


class _Guarding:
    """The loop. Raises `HostsideError` at once when DRBD cannot be followed."""

    def __init__(self, window: Window, lines: _Lines) -> None:
        self._window = window
        self._lines = lines
        self._watch = Watch(window)
        self._store = Store(local_drbd.dialect())
        self._said: dict[str, object] = {}
        self._events = start(["drbdsetup", "events2"])

    def until_released(self) -> bool:
        """Watch until the manager releases the window (True), or is not heard for LEASE_S or ends (False)."""
        assert self._events.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            return self._loop(_Lines(self._events.stdout.fileno()))
        finally:
            # Not waited for, as in `run`: this process holds the lease, and must not hang with a drbdsetup that does.
            self._events.kill()

    def _loop(self, events: _Lines) -> bool:
        heard = looked = time.monotonic()
        while True:
            ready, _, _ = select.select([self._lines, *([] if events.ended else [events])], [], [], _LOOK_AT_OPTIONS_S)
            now = time.monotonic()
            if self._lines in ready:
                words = self._lines.read(0)
                if "release" in words:
                    return True
                heard = now if words else heard
            if self._lines.ended or now - heard >= LEASE_S:
                return False
            if events in ready:
                self._store.feed_all(events.read(0))
            if events.ended:
                self._tell("DRBD's event stream ended", link=False)
                continue
            if now - looked >= _LOOK_AT_OPTIONS_S:
                looked = now
                self._look_at_options()
            if self._store.complete:
                differs, link = self._watch.differs(self._store.resources())
                self._tell(differs, link=link)

    def _look_at_options(self) -> None:
        try:
            self._watch.see_options(read_show(must(["drbdsetup", "show"], deadline_s=5.0), self._store.dialect))
        except (HostsideError, ShowSyntaxError):
            return  # a look that failed has seen nothing

    def _tell(self, differs: str, *, link: bool) -> None:
        news: dict[str, object] = {"differs": differs, "link": link}
        if news != self._said and (differs or self._said):
            _say(news)
            self._said = news


class _Lines:
    """Lines from a descriptor, as they come."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self.ended = False

    def fileno(self) -> int:
        """For select."""
        return self._descriptor

    def read(self, wait_s: float) -> list[str]:
        """What is there, after waiting at most so long; half a line waits for its other half."""
        ready, _, _ = select.select([self._descriptor], [], [], wait_s)
        if not ready:
            return []
        data = os.read(self._descriptor, _RECORD_LIMIT)
        self.ended = not data
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _RECORD_LIMIT:
            self.ended = True
        return [decode(line) for line in whole]


def _say(message: dict[str, object]) -> None:
    """To the manager; if it hears no more, the next read says so."""
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
