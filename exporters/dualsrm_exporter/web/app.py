"""What is answered to which request. Knows nothing of connections."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dualsrm_exporter.collected import Family
from dualsrm_exporter.render import Page, render, wants_gzip
from dualsrm_exporter.web.page import landing

_PAGES_KEPT: Final = 4
"""Of one scrape: Prometheus' format and OpenMetrics, with and without gzip."""
_TEXT: Final = "text/plain; charset=utf-8"
_LANDING_HEADERS: Final = {
    # There is nothing on it but its own style.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}


@dataclass(frozen=True, slots=True)
class Response:
    """Status, body, and headers beside those every answer has."""

    status: int
    body: bytes
    content_type: str = _TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


class App:
    """The three pages. Called from several threads."""

    def __init__(self, scrape: Callable[[], tuple[Family, ...]]) -> None:
        self._scrape = scrape
        self._lock = threading.Lock()
        self._families: Sequence[Family] = ()
        self._pages: dict[tuple[str, bool], Page] = {}
        self._landed: Sequence[Family] = ()
        self._landing = b""

    def respond(self, method: str, path: str, headers: Mapping[str, str]) -> Response:
        """The answer; `headers` have small letters. May take as long as a scrape."""
        if (response := self.respond_at_once(method, path)) is not None:
            return response
        if _page(path) == "/metrics":
            return self._metrics(headers.get("accept", ""), headers.get("accept-encoding", ""))
        families = self._scrape()
        with self._lock:
            if families is not self._landed:
                self._landed, self._landing = families, landing(families, os.uname().nodename).encode()
            return Response(200, self._landing, "text/html; charset=utf-8", _LANDING_HEADERS)

    def respond_at_once(self, method: str, path: str) -> Response | None:
        """The answer if it needs no scrape: whoever asks whether we live must not wait for DRBD."""
        if method not in ("GET", "HEAD"):
            return Response(405, b"only GET and HEAD\n", headers={"Allow": "GET, HEAD"})
        match _page(path):
            case "/" | "/metrics":
                return None
            case "/-/healthy":
                return Response(200, b"dualsrm-exporter is healthy\n")
            case _:
                return Response(404, b"there are /, /metrics and /-/healthy\n")

    def _metrics(self, accept: str, accept_encoding: str) -> Response:
        families = self._scrape()
        with self._lock:
            if families is not self._families or len(self._pages) >= _PAGES_KEPT:
                self._families = families
                self._pages.clear()
            key = (accept, wants_gzip(accept_encoding))
            if key not in self._pages:
                self._pages[key] = render(families, accept, "gzip" if key[1] else "")
            page = self._pages[key]
        headers = {"Vary": "Accept, Accept-Encoding", **({"Content-Encoding": "gzip"} if page.gzipped else {})}
        return Response(200, page.body, page.content_type, headers)


def _page(path: str) -> str:
    return path.partition("?")[0]
