"""The families as a page, in Prometheus' format or in OpenMetrics; and as a file for node_exporter."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as ClientFamily
from prometheus_client.registry import Collector, CollectorRegistry

from dualsrm_exporter.client import sample_lines, to_client
from dualsrm_exporter.collected import Family
from dualsrm_exporter.metrics import Metric

_GZIP_LEVEL: Final = 2
"""A page is very repetitive: a thirtieth remains at this level, and twice the time saves little more."""
_ACCEPT_LIMIT: Final = 1024
_GZIP: Final = re.compile(r"\s*(?:gzip|x-gzip|\*)\s*(?:;\s*q\s*=\s*(?P<q>[0-9.]+))?\s*", re.IGNORECASE)
_OPENMETRICS: Final = "application/openmetrics-text"
_EOF: Final = "# EOF\n"
_Encode = Callable[[Collector], bytes]


@dataclass(frozen=True, slots=True)
class Page:
    """What is sent."""

    body: bytes
    content_type: str
    gzipped: bool = False


class _Fixed(Collector):
    """Families that are there already."""

    def __init__(self, *families: ClientFamily) -> None:
        self._families = families

    def collect(self) -> Iterable[ClientFamily]:
        """All of them."""
        return self._families


def render(families: Sequence[Family], accept: str = "", accept_encoding: str = "") -> Page:
    """The page for a request's `Accept` and `Accept-Encoding`."""
    _, content_type = _format(accept[:_ACCEPT_LIMIT])
    openmetrics = content_type.startswith(_OPENMETRICS)
    parts = []
    for family in families:
        parts += [_head(family.metric, openmetrics=openmetrics), sample_lines(family)]
    body = "".join([*parts, _EOF if openmetrics else ""]).encode()
    if wants_gzip(accept_encoding[:_ACCEPT_LIMIT]):
        return Page(gzip.compress(body, _GZIP_LEVEL, mtime=0), content_type, gzipped=True)
    return Page(body, content_type)


def render_by_client(families: Sequence[Family], accept: str = "") -> bytes:
    """The same page, all of it made by prometheus_client: what `render` is held to."""
    return _format(accept)[0](_registry(*map(to_client, families)))


def wants_gzip(accept_encoding: str) -> bool:
    """Whether the reader takes gzip. `gzip;q=0` says that it does not."""
    for part in accept_encoding.split(","):
        if found := _GZIP.fullmatch(part):
            return found["q"] is None or found["q"].strip("0.") != ""
    return False


def write_textfile(path: Path, families: Sequence[Family]) -> None:
    """For node_exporter's textfile collector: whole or not at all. Raises `OSError`."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")  # node_exporter reads what ends in .prom
    try:
        fresh.write_bytes(render(families).body)
        fresh.chmod(0o644)  # another user reads it
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _format(accept: str) -> tuple[_Encode, str]:
    try:
        return choose_encoder(accept)
    except (ValueError, TypeError):  # a version that is no number
        return choose_encoder("")


@lru_cache(maxsize=1024)
def _head(metric: Metric, *, openmetrics: bool) -> str:
    """What stands above a family's samples: the page of the family without any."""
    encode, _ = _format(_OPENMETRICS if openmetrics else "")
    return encode(_registry(to_client(Family(metric)))).decode().removesuffix(_EOF)


def _registry(*families: ClientFamily) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed(*families))
    return registry
