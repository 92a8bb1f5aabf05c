"""One kept connection to a host's libvirtd; every call on it has a deadline.

libvirt's calls block without a limit: anything that needs a guest's QEMU hangs for as long as the guest's I/O is
frozen. Each is made in a thread of its own (several may be under way on one connection), and the caller goes on when
the time is up. libvirt's keepalive is not used: it needs an event loop of its own, and says nothing that the deadlines
and the SSH connection's TCP_USER_TIMEOUT do not say; when SSH dies the pump ends, and every pending call with it.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

import libvirt

from dualsrm.errors import CommandFailed, DeadlineExceeded, DualsrmError, HostUnreachable
from dualsrm.hosts.calls import begin, finish, within
from dualsrm.hosts.deadlines import CLOSE_S, LIBVIRT_OPEN_S
from dualsrm.hosts.libvirt.pump import Pump
from dualsrm.hosts.scripts import script_argv
from dualsrm.hosts.ssh import SshConnection
from dualsrm.hosts.text import clean

T = TypeVar("T")
Virt: TypeAlias = Any
"""libvirt.virConnect and its relatives: libvirt-python publishes no types."""

SYSTEM_URI: Final = "qemu:///system"

# Without this libvirt prints every error to standard error, over the user's table.
libvirt.registerErrorHandler(lambda _context, _error: None, None)


class LibvirtConnection:
    """libvirtd on one host, opened when first needed, opened anew for the next call when it was lost."""

    def __init__(self, ssh: SshConnection, uri: str = SYSTEM_URI) -> None:
        self._ssh = ssh
        self._uri = uri
        self._lock = threading.Lock()
        self._connection: Virt = None
        self._pump: Pump | None = None
        self._opening: Future[Virt] | None = None
        self._under_way: set[Future[Any]] = set()

    @property
    def host(self) -> str:
        """The host's name, for messages."""
        return self._ssh.host.name

    def call(self, function: Callable[[Virt], T], *, deadline_s: float, what: str) -> T:
        """Call `function` with the virConnect and wait for it.

        Raises `DeadlineExceeded` after `deadline_s` seconds (opening the connection has its own, added once),
        `CommandFailed` with libvirt's words when libvirt refuses, `HostUnreachable` when it cannot be asked.
        """
        connection = self._opened()
        return finish(self._begun(connection, function, what), deadline_s, f"{what} on {self.host}")

    def begin(self, function: Callable[[Virt], T], *, what: str) -> Future[T]:
        """Start a call that may take long, such as a migration. Raises only when the connection cannot be opened."""
        return self._begun(self._opened(), function, what)

    def close(self) -> None:
        """Close the connection. Calls under way end with an error; a later call opens a new one."""
        atexit.unregister(self.close)
        with self._lock:
            connection, pump = self._connection, self._pump
            self._connection = self._pump = self._opening = None
        if pump is not None:
            pump.close()  # first: what waits for an answer on this connection ends
        # Closed below a call that is inside it, libvirt would go on with what it freed: then it is left as it is.
        if connection is not None and not wait(set(self._under_way), timeout=CLOSE_S).not_done:
            with contextlib.suppress(DeadlineExceeded, libvirt.libvirtError):
                within(connection.close, CLOSE_S, f"closing libvirt on {self.host}")

    def _begun(self, connection: Virt, function: Callable[[Virt], T], what: str) -> Future[T]:
        def work() -> T:
            try:
                return function(connection)
            except libvirt.libvirtError as error:
                raise explain(error, f"{what} on {self.host}", lost=_is_lost(connection)) from error

        call = begin(work, what)
        self._under_way.add(call)
        call.add_done_callback(self._under_way.discard)
        return call

    def _opened(self) -> Virt:
        with self._lock:
            if self._connection is not None and self._pump is not None and not self._pump.ended:
                return self._connection
            if self._opening is None or self._opening.done():
                self._opening = begin(self._open, f"opening libvirt on {self.host}")
            opening = self._opening
        return finish(opening, LIBVIRT_OPEN_S, f"libvirt on {self.host}")

    def _open(self) -> Virt:
        pump = Pump(self._ssh.channel(script_argv("libvirt", self._uri)))
        try:
            connection = libvirt.open(_through(self._uri, pump))
        except libvirt.libvirtError as error:
            pump.close()
            raise self._unopened(f"{error} {pump.complaint()}") from error
        with self._lock:
            lost, self._connection, self._pump = self._pump, connection, pump
        # Left open, libvirt would say goodbye while Python winds up, through a pump whose threads no longer run.
        atexit.register(self.close)
        if lost is not None:
            lost.close()
        return connection

    def _unopened(self, said: str) -> DualsrmError:
        return HostUnreachable(
            f"libvirt on {self.host} does not answer: {clean(said)}",
            why="which guests run there is unknown",
            fix=f"on {self.host}: virsh -c {self._uri} list; systemctl status libvirtd virtqemud",
        )


def _is_lost(connection: Virt) -> bool:
    """Whether the connection is gone. One that was closed meanwhile does not answer even that question."""
    try:
        return not connection.isAlive()
    except libvirt.libvirtError:
        return True


def explain(error: Exception, what: str, *, lost: bool = False) -> DualsrmError:
    """libvirt's error as ours, with libvirt's own words. `lost`: the connection to libvirtd went with it."""
    seen = f"{what}: {clean(str(error))}"
    if lost:
        return HostUnreachable(
            seen, why="whether the call took effect is unknown", fix="systemctl status libvirtd virtqemud"
        )
    return CommandFailed(seen, why="libvirt refused, or QEMU did", fix="journalctl -u libvirtd -u virtqemud -n 50")


def error_code(error: DualsrmError) -> int | None:
    """libvirt's code behind an error made by `explain`, e.g. VIR_ERR_NO_DOMAIN."""
    cause = error.__cause__
    code: int | None = cause.get_error_code() if isinstance(cause, libvirt.libvirtError) else None
    return code


def _through(uri: str, pump: Pump) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}+unix://{parts.path}?socket={quote(str(pump.path))}"
