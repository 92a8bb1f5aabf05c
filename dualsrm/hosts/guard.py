"""The manager's end of a guard: `dualsrm-host guard` on a host, over the SSH connection that is open anyway."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

from paramiko import Channel

from dualsrm.engine.ports import Disturbance
from dualsrm.errors import CommandFailed, DeadlineExceeded, DualsrmError
from dualsrm.hosts.calls import begin, finish
from dualsrm.hosts.deadlines import CONNECT_ALL_S, GUARD_ARM_S, GUARD_BEAT_S, GUARD_RELEASE_S
from dualsrm.hosts.ssh import SshConnection
from dualsrm.hosts.text import clean, decode
from dualsrm.model import Window

_PROGRAM: Final = "dualsrm-host"
_LINE_LIMIT: Final = 64 * 1024
_READ: Final = 4096


class HostGuards:
    """The guard of one host; at most one, because a manager holds the pair's lock."""

    def __init__(self, ssh: SshConnection) -> None:
        self._ssh = ssh
        self._guard: _Guard | None = None
        self._coming: Future[_Guard] | None = None

    def call_in(self, peer: str) -> None:
        """Start a guard and do not wait for it."""
        self._coming = self._begin(peer)

    def arm(self, window: Window) -> None:
        """Give the guard its window, starting it if that was not done, and wait until it says that it is armed."""
        host = self._ssh.host.name
        coming, self._coming = self._coming or self._begin(window.peer_of(host)), None
        guard = finish(coming, CONNECT_ALL_S, f"`{_PROGRAM} guard` on {host}")
        try:
            guard.arm(window)
        except DualsrmError:
            guard.close()
            raise
        self._guard = guard

    def disarm(self) -> None:
        """Release the guard, which settles its window; without one, have the host settle what is left."""
        guard, self._guard = self._guard, None
        if guard is not None and guard.release():
            return
        done = self._ssh.run([_PROGRAM, "settle"], deadline_s=GUARD_RELEASE_S)
        if done.exit != 0:
            raise _failed(self._ssh.host.name, "settle", done.stderr or done.stdout)

    def disturbance(self) -> Disturbance | None:
        """What the guard said last. One that is not heard any more says nothing: unknown is not broken."""
        return self._guard.says() if self._guard is not None else None

    def close(self) -> None:
        """Let go of the guard without releasing it: its lease runs out, and the host settles by itself."""
        if self._guard is not None:
            self._guard.close()

    def _begin(self, peer: str) -> Future[_Guard]:
        host = self._ssh.host.name
        return begin(lambda: _Guard(self._ssh.channel([_PROGRAM, "guard", peer]), host), f"guard on {host}")


class _Guard:
    """One conversation. A thread reads, another beats; both end with the channel."""

    def __init__(self, channel: Channel, host: str) -> None:
        self._channel = channel
        self._host = host
        self._heard: list[dict[str, Any]] = []
        self._more = threading.Condition()
        self._ended = False
        self._errors = b""
        self.disturbance: Disturbance | None = None
        self._start(self._listen, "guard listening")

    def arm(self, window: Window) -> None:
        """Hand over the record; raises what the host says against it."""
        with suppress(OSError):  # a program that is not there has ended already: what it said comes below
            self._channel.sendall(window.to_json().encode() + b"\n")
        self._start(self._beat, "guard beating")
        answer = self._await("armed", GUARD_ARM_S)
        if answer.get("armed") is not True:
            raise _failed(self._host, "guard", str(answer.get("why", "")))

    def release(self) -> bool:
        """Give the window back; whether the guard was there to take it."""
        try:
            self._channel.sendall(b"release\n")
            self._await("released", GUARD_RELEASE_S)
        except (OSError, DualsrmError):
            return False
        finally:
            self.close()
        return True

    def says(self) -> Disturbance | None:
        """Its last word; or that it died although its host can be heard, so that nobody watches there any more."""
        if self._ended and (transport := self._channel.get_transport()) is not None and transport.is_active():
            return Disturbance("the guard of the window ended", link=False)
        return self.disturbance

    def close(self) -> None:
        """End the conversation."""
        self._channel.close()

    def _await(self, key: str, deadline_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + deadline_s
        with self._more:
            while True:
                found = next((message for message in self._heard if key in message), None)
                if found is not None:
                    return found
                if self._ended:
                    raise _failed(self._host, "guard", decode(self._errors))
                if not self._more.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise DeadlineExceeded(
                        f"`{_PROGRAM} guard` on {self._host} did not answer within {deadline_s:g} s",
                        why="without it nobody would close the window if this manager died",
                        fix=f"on {self._host}: journalctl -t dualsrm-host; {_PROGRAM} version",
                    )

    def _listen(self) -> None:
        rest = b""
        try:
            while (data := self._channel.recv(_READ)) and len(rest) < _LINE_LIMIT:
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._hear(line)
            self._errors = self._channel.recv_stderr(_READ)
        except OSError:
            pass  # the connection ended; what counts is that nothing more is heard
        with self._more:
            self._ended = True
            self._more.notify_all()

    def _hear(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        if "differs" in message:
            seen = clean(str(message["differs"]))
            self.disturbance = Disturbance(seen, link=message.get("link") is True) if seen else None
            return
        with self._more:
            self._heard.append(message)
            self._more.notify_all()

    def _beat(self) -> None:
        try:
            while not self._channel.closed:
                time.sleep(GUARD_BEAT_S)
                self._channel.sendall(b"beat\n")
        except OSError:
            return

    def _start(self, work: Callable[[], None], what: str) -> None:
        threading.Thread(target=work, name=f"{what} on {self._host}", daemon=True).start()


def _failed(host: str, verb: str, said: str) -> CommandFailed:
    return CommandFailed(
        f"`{_PROGRAM} {verb}` on {host}: {clean(said) or 'it ended without a word'}",
        why="the window is guarded by the hosts themselves: without that, a lost link could lose writes",
        fix=f"on {host}: {_PROGRAM} version; journalctl -t dualsrm-host; `dualsrm check` names what is missing",
    )
