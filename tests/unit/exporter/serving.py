"""A real server on loopback, and clients for it."""

from __future__ import annotations

import asyncio
import http.client
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dualsrm_exporter.collected import Family
from dualsrm_exporter.web.app import App
from dualsrm_exporter.web.http import Deadlines
from dualsrm_exporter.web.server import Server, listen

FAST = Deadlines(first_s=2, head_s=2, idle_s=5, write_s=2)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Running:
    """A server in a thread of its own."""

    server: Server
    port: int
    loop: asyncio.AbstractEventLoop
    tls: ssl.SSLContext | None = None

    def get(
        self,
        path: str = "/-/healthy",
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Reply:
        """One request on a connection of its own."""
        connection: http.client.HTTPConnection
        if self.tls is not None:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self.tls)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def say(self, data: bytes) -> bytes:
        """All the server answers to these bytes until it closes."""
        with self.connect() as connection:
            connection.sendall(data)
            return _all_of(connection)

    def open_now(self) -> int:
        """Connections the server counts."""
        return asyncio.run_coroutine_threadsafe(_count(self.server), self.loop).result(10)


async def _count(server: Server) -> int:
    return len(server.connections)


def _all_of(connection: socket.socket) -> bytes:
    parts = []
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)


@contextmanager
def serving(
    scrape: Callable[[], tuple[Family, ...]] = tuple,
    web_config: Path | None = None,
    *,
    deadlines: Deadlines = FAST,
    tls: ssl.SSLContext | None = None,
    app: App | None = None,
    port: int = 0,
) -> Iterator[Running]:
    """Serve until the block ends; port 0: any."""
    listening = listen("127.0.0.1", port)
    server = Server(app or App(scrape), [listening], web_config, deadlines)
    made: queue.Queue[tuple[asyncio.Event, asyncio.AbstractEventLoop]] = queue.Queue()

    async def run() -> None:
        stopping = asyncio.Event()
        made.put((stopping, asyncio.get_running_loop()))
        await server.run(stopping)

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    stop, loop = made.get(timeout=10)
    try:
        yield Running(server, listening.getsockname()[1], loop, tls)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()
