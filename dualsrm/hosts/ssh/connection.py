"""The one SSH connection a host has, opened when first needed and kept.

`~/.ssh/config` is not read: what a host is called, where it is and which key opens it stand in dualsrm's own file, so
that an operation does the same from every account. Reading that file is fabric's default, and so is adding unknown
host keys silently; both are switched off here, in one place.
"""

from __future__ import annotations

import logging
import shlex
import socket
import threading
from collections.abc import Callable, Sequence
from shlex import quote
from typing import NoReturn, TypeVar

from fabric import Config, Connection
from paramiko import Channel, PKey, RejectPolicy, SSHClient, SSHException, Transport
from paramiko.hostkeys import InvalidHostKey

from dualsrm.errors import HostUnreachable
from dualsrm.hosts.calls import within
from dualsrm.hosts.deadlines import CONNECT_ALL_S, CONNECT_S, DEAD_PATH_S, KEEPALIVE_S, TCP_S
from dualsrm.hosts.ssh.execute import Completed, execute
from dualsrm.hosts.ssh.failures import UnknownHostKey, explain
from dualsrm.hosts.ssh.settings import SshSettings, usable_identity
from dualsrm.hosts.text import clean
from dualsrm.model import Host

T = TypeVar("T")

# paramiko reports what it also raises; without a handler Python would print it over the user's table.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _Strict(RejectPolicy):
    """Refuse an unknown key, and keep it so that the message can show its fingerprint."""

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> NoReturn:  # noqa: ARG002 - paramiko calls it so
        raise UnknownHostKey(key)


def command_line(argv: Sequence[str]) -> bytes:
    """The one place where words become a POSIX shell's command line. Raises ValueError for a NUL, which no argv has."""
    if any("\0" in word for word in argv):
        raise ValueError("a command's argument contains NUL")
    return shlex.join(argv).encode("utf-8", "surrogateescape")


class SshConnection:
    """SSH to one host, for any number of threads at once.

    A lost connection is opened anew for the *next* call, once; a command is never run a second time.
    """

    def __init__(self, host: Host, settings: SshSettings) -> None:
        self.host = host
        self._settings = settings
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def open(self) -> None:
        """Connect now, if not connected. Raises as `run` does."""
        within(lambda: self._explained(self._transport), CONNECT_ALL_S, f"ssh to {self.host.name}")

    def run(self, argv: Sequence[str], *, deadline_s: float, stdin: str | bytes | None = None) -> Completed:
        """Run a command and wait for its end, whatever its exit status.

        Raises `DeadlineExceeded`, or `HostUnreachable` when the host cannot be asked.
        """
        command = command_line(argv)
        data = stdin.encode() if isinstance(stdin, str) else stdin or b""
        what = f"`{argv[0]}` on {self.host.name}"

        def work() -> Completed:
            return execute(self._session(), command, data, deadline_s, what)

        return within(lambda: self._explained(work), deadline_s, what)

    def channel(self, argv: Sequence[str]) -> Channel:
        """Start a command and hand over its channel, for a conversation. The caller closes it.

        Takes as long as opening the connection and starting a process; callers put their own deadline around it.
        """
        command = command_line(argv)

        def work() -> Channel:
            session = self._session()
            session.exec_command(command)
            return session

        return self._explained(work)

    def close(self) -> None:
        """Close the connection; commands under way end with `HostUnreachable`. A later call opens a new one."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _explained(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (OSError, EOFError, SSHException) as error:
            raise explain(error, self.host, self._settings) from error

    def _session(self) -> Channel:
        transport = self._transport()
        try:
            return transport.open_session(timeout=CONNECT_S)
        except (EOFError, SSHException):
            if transport.is_active():
                raise
        # It was lost and nobody had noticed. Nothing has been asked over it, so nothing is asked twice.
        return self._transport().open_session(timeout=CONNECT_S)

    def _transport(self) -> Transport:
        with self._lock:
            if self._connection is None or not self._connection.is_connected:
                self._connection = self._connect()
            transport: Transport = self._connection.transport
            return transport

    def _connect(self) -> Connection:
        identity = usable_identity(self._settings)
        connection = Connection(
            self.host.address,
            user=self.host.user,
            port=self.host.port,
            config=Config(lazy=True),
            connect_timeout=int(TCP_S),
            connect_kwargs={
                "key_filename": [str(identity)] if identity else [],
                "allow_agent": identity is None,
                "look_for_keys": identity is None,
                "banner_timeout": CONNECT_S,
                "auth_timeout": CONNECT_S,
                "channel_timeout": CONNECT_S,
            },
        )
        connection.client.set_missing_host_key_policy(_Strict())
        self._trust(connection.client)
        try:
            connection.open()
        except ValueError as error:  # paramiko reads a key file as text before it looks whether it is one
            connection.client.close()
            raise SSHException(f"a private key cannot be read: {error}") from error
        except BaseException:
            connection.client.close()
            raise
        _keep_alive(connection)
        return connection

    def _trust(self, client: SSHClient) -> None:
        for path in self._settings.known_hosts_files:
            try:
                client.load_system_host_keys(str(path))
            except OSError as error:
                if self._settings.known_hosts is not None:
                    raise HostUnreachable(
                        f"the known hosts file {path} cannot be read: {error.strerror}",
                        why="no host can be told from an impostor without it",
                        fix="correct the path in the configuration, or make the file with ssh-keyscan and verify it",
                    ) from error
            except (InvalidHostKey, ValueError) as error:
                raise HostUnreachable(
                    f"the known hosts file {path} has a line that is damaged: {clean(str(error), 200)}",
                    why="the keys after it were not read, and no host can be told from an impostor without its key",
                    fix=f"take that line out; ssh-keygen -l -f {quote(str(path))} shows the keys that are left",
                ) from error


def _keep_alive(connection: Connection) -> None:
    transport = connection.transport
    transport.set_keepalive(int(KEEPALIVE_S))
    milliseconds = int(DEAD_PATH_S * 1000)
    transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
