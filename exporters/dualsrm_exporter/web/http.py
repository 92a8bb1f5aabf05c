"""Requests and answers on one connection. h11 knows HTTP; here are who may ask, the deadlines and the limits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import h11

from dualsrm_exporter.web.app import App, Response
from dualsrm_exporter.web.connections import Connection, Connections, Phase
from dualsrm_exporter.web.settings import Settings

_CHUNK: Final = 64 * 1024

_log = logging.getLogger(__name__)

_UNAUTHORIZED: Final = Response(
    401, b"wrong or no credentials\n", headers={"WWW-Authenticate": 'Basic realm="dualsrm-exporter", charset="UTF-8"'}
)
_FORBIDDEN: Final = Response(403, b"the certificate's names are not among client_allowed_sans\n")
_BROKEN: Final = Response(500, b"the exporter has a fault; its log says more\n")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a client may take for what, and how much it may say."""

    first_s: float = 10.0
    """Until it says something, and then once more for TLS' handshake."""
    head_s: float = 10.0
    """For a request, from its first byte to the end of its headers."""
    idle_s: float = 180.0
    """Between two requests: Prometheus keeps its connection from scrape to scrape."""
    write_s: float = 20.0
    """To take an answer."""
    head_limit: int = 16 * 1024


@dataclass(frozen=True, slots=True)
class Answering:
    """What answers."""

    app: App
    settings: Settings
    """As they are when the connection begins."""
    in_force: Callable[[], Settings]
    workers: Executor
    checkers: Executor


class Exchange:
    """One connection's requests, one after the other."""

    def __init__(
        self,
        answering: Answering,
        connections: Connections,
        connection: Connection,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        deadlines: Deadlines,
    ) -> None:
        self._answering = answering
        self._connections = connections
        self._connection = connection
        self._reader, self._writer = streams
        self._deadlines = deadlines
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=deadlines.head_limit)

    async def run(self) -> None:
        """Until one of the two wants no more. Raises `OSError` and `TimeoutError`."""
        idle_s, kept = self._deadlines.first_s, False
        while True:
            try:
                request = await self._request(idle_s)
            except h11.RemoteProtocolError as error:
                await self._complain(error)
                return
            if request is None:
                return
            if kept and self._answering.in_force() is not self._answering.settings:
                # Who may read has changed since: on a connection it had kept a client asks again, on a new one.
                return
            whole = isinstance(self._http.next_event(), h11.EndOfMessage)
            self._enter(Phase.WAITING)
            response = await self._answer(request)
            await self._send(response, close=not whole, head=request.method == b"HEAD")
            if not whole or self._http.our_state is not h11.DONE:
                return
            self._http.start_next_cycle()
            self._enter(Phase.WAITING)
            idle_s, kept = self._deadlines.idle_s, True

    async def _request(self, idle_s: float) -> h11.Request | None:
        """The next one; None when the client has no more."""
        loop = asyncio.get_running_loop()
        begun = False
        async with asyncio.timeout(idle_s) as deadline:
            while True:
                event = self._http.next_event()
                if isinstance(event, h11.Request):
                    return event
                if event is not h11.NEED_DATA:
                    return None
                data = await self._reader.read(_CHUNK)
                if data and not begun:
                    begun = True
                    deadline.reschedule(loop.time() + self._deadlines.head_s)
                self._http.receive_data(data)

    async def _answer(self, request: h11.Request) -> Response:
        loop = asyncio.get_running_loop()
        settings, app = self._answering.settings, self._answering.app
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        if not settings.allows(self._writer.get_extra_info("peercert")):
            return _FORBIDDEN
        given = headers.get("authorization", "")
        known = not settings.users.needed or settings.users.known(given)
        # Still in WAITING: guessing passwords must not keep others out.
        if not known and not await loop.run_in_executor(self._answering.checkers, settings.users.check, given):
            return _UNAUTHORIZED
        method, path = request.method.decode("latin-1"), request.target.decode("latin-1")
        if (response := app.respond_at_once(method, path)) is not None:
            return response
        self._enter(Phase.ANSWERING)
        try:
            return await loop.run_in_executor(self._answering.workers, app.respond, method, path, headers)
        except Exception:  # noqa: BLE001 - logged with its trace; the next request may fare better
            _log.exception("%s %r", method, path)
            return _BROKEN

    async def _send(self, response: Response, *, close: bool, head: bool) -> None:
        self._enter(Phase.WRITING)
        names = {
            "Content-Type": response.content_type,
            "Content-Length": str(len(response.body)),
            "Cache-Control": "no-store",
            **self._answering.settings.config.headers,
            **response.headers,
            **({"Connection": "close"} if close else {}),
        }
        async with asyncio.timeout(self._deadlines.write_s):
            await self._write(self._head(response.status, names))
            body = response.body
            for start in range(0, 0 if head else len(body), _CHUNK):
                # In pieces: what a slow reader has not taken stays ours, once, and is not copied for each of them.
                await self._write(h11.Data(data=body[start : start + _CHUNK]))
            await self._write(h11.EndOfMessage())

    def _head(self, status: int, headers: Mapping[str, str]) -> h11.Response:
        return h11.Response(status_code=status, reason=HTTPStatus(status).phrase, headers=list(headers.items()))

    async def _write(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            self._writer.write(data)
            await self._writer.drain()

    async def _complain(self, error: h11.RemoteProtocolError) -> None:
        """To a client that does not speak HTTP, if there is still a way to."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            with contextlib.suppress(h11.LocalProtocolError):
                await self._send(Response(error.error_status_hint, b"this is no request\n"), close=True, head=False)

    def _enter(self, phase: Phase) -> None:
        self._connections.enter(self._connection, phase)
