"""The listening sockets and their connections: one event loop, the work in threads, a deadline for everything.

A connection costs next to nothing until its client has said something: only then does TLS begin.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from dualsrm_exporter.web.app import App
from dualsrm_exporter.web.config import WebConfigError
from dualsrm_exporter.web.connections import Connection, Connections
from dualsrm_exporter.web.http import Answering, Deadlines, Exchange
from dualsrm_exporter.web.settings import Settings, read_settings

_BACKLOG: Final = 256
_LOOK_AT_FILES_S: Final = 5.0
_WORKERS: Final = 4

_log = logging.getLogger(__name__)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; an empty host is every address. Raises `OSError`."""
    everywhere = not host
    family = socket.AF_INET6 if ":" in host or (everywhere and socket.has_dualstack_ipv6()) else socket.AF_INET
    return socket.create_server(
        (host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=everywhere and family == socket.AF_INET6
    )


class Server:
    """Answers until it is told to stop."""

    def __init__(
        self, app: App, sockets: Sequence[socket.socket], web_config: Path | None, deadlines: Deadlines | None = None
    ) -> None:
        self._app = app
        self._sockets = sockets
        self._path = web_config
        self._settings = read_settings(web_config)
        self._signature = self._settings.read_signature
        self._deadlines = deadlines or Deadlines()
        self.connections = Connections()
        self._tasks: set[asyncio.Task[None]] = set()
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="answer")
        # One at a time: whoever guesses passwords gets one core at most, and not the threads that scrape.
        self._checkers = ThreadPoolExecutor(1, thread_name_prefix="password")

    @property
    def encrypted(self) -> bool:
        """Whether connections are in TLS."""
        return self._settings.context is not None

    async def run(self, stop: asyncio.Event) -> None:
        """Serve."""
        accepting = [asyncio.create_task(self._accept(one)) for one in self._sockets]
        accepting.append(asyncio.create_task(self._reload()))
        try:
            await stop.wait()
        finally:
            ending = [*accepting, *self._tasks]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            for one in self._sockets:
                one.close()
            self._workers.shutdown(wait=False, cancel_futures=True)
            self._checkers.shutdown(wait=False, cancel_futures=True)

    async def _accept(self, listening: socket.socket) -> None:
        listening.settimeout(0)
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:
                # No descriptors left, most likely. It passes.
                _log.warning("no connection can be taken: %s", error.strerror)
                await asyncio.sleep(1.0)
                continue
            accepted.settimeout(0)
            task = asyncio.create_task(self._serve(accepted, str(address[0])))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, accepted: socket.socket, address: str) -> None:
        """One connection, from its first byte to its end."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is a coroutine
        connection = Connection(address, _canceller(task))
        writer: asyncio.StreamWriter | None = None
        try:
            if not self.connections.admit(connection):
                return
            async with asyncio.timeout(self._deadlines.first_s):
                await _readable(accepted)
            settings = self._settings
            reader, writer = await self._wrap(accepted, settings.context)
            answering = Answering(self._app, settings, lambda: self._settings, self._workers, self._checkers)
            await Exchange(answering, self.connections, connection, (reader, writer), self._deadlines).run()
            writer.close()
            async with asyncio.timeout(self._deadlines.write_s):
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.CancelledError) as error:
            # ssl.SSLError is an OSError. What a client does wrong is its own matter; at debug it can be seen.
            _log.debug("%s: %s", address, error or type(error).__name__)
        finally:
            self.connections.leave(connection)
            if writer is not None:
                writer.transport.abort()
            else:
                accepted.close()

    async def _wrap(
        self, accepted: socket.socket, context: ssl.SSLContext | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Plain or in TLS, with the certificate as it is now."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=self._deadlines.head_limit, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            accepted,
            ssl=context,
            ssl_handshake_timeout=self._deadlines.first_s if context else None,
            ssl_shutdown_timeout=self._deadlines.first_s if context else None,
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _reload(self) -> None:
        """Take up a changed web.yml or certificate, once it has stopped changing: half a file may say less than all."""
        seen = self._signature
        while self._path is not None:
            await asyncio.sleep(_LOOK_AT_FILES_S)
            before, seen = seen, self._settings.signature()
            if seen == self._signature or seen != before:
                continue
            self._signature = seen
            try:
                self._take_up(read_settings(self._path))
                _log.info("%s was read again", self._path)
            except WebConfigError as error:
                _log.error("%s; what was read before stays in force", error)

    def _take_up(self, fresh: Settings) -> None:
        """An emptied file must not open the door: to serve without what protects now takes a restart."""
        if self._settings.context is not None and fresh.context is None:
            raise WebConfigError(
                f"{self._path} has no tls_server_config any more; restart the exporter if that is meant"
            )
        if self._settings.users.needed and not fresh.users.needed:
            raise WebConfigError(
                f"{self._path} has no basic_auth_users any more; restart the exporter if that is meant"
            )
        self._settings = fresh
        # Other files may be named now. Those that changed meanwhile will be seen to.
        self._signature = fresh.read_signature


async def _readable(sock: socket.socket) -> None:
    """Until there is something to read, or the other side is gone."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def is_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock, is_ready)
    try:
        await ready
    finally:
        loop.remove_reader(sock)


def _canceller(task: asyncio.Task[None]) -> Callable[[], None]:
    def drop() -> None:
        task.cancel()

    return drop
