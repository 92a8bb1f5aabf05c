"""web.yml, read and ready for use."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dualsrm_exporter.web.auth import Users, names_in
from dualsrm_exporter.web.config import WebConfig, WebConfigError, load_web_config, make_context

Signature = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """One reading of the file."""

    config: WebConfig
    users: Users
    context: ssl.SSLContext | None
    read_signature: Signature = ()
    """`signature` as it was when the files were read."""

    def allows(self, certificate: Mapping[str, Any] | None) -> bool:
        """Whether a client with this verified certificate may ask at all."""
        wanted = self.config.tls.client_allowed_sans if self.config.tls else frozenset()
        return not wanted or not wanted.isdisjoint(names_in(certificate))

    def signature(self) -> Signature:
        """What changes when one of the files does."""
        return _signature(self.config)


def read_settings(path: Path | None) -> Settings:
    """Read web.yml; raises `WebConfigError`. Without a path: plain HTTP, no users."""
    if path is None:
        return Settings(WebConfig(), Users({}), None)
    config = load_web_config(path)
    # Taken in between, and compared with what is there then: a file that changes just now is one that changed.
    signature = _signature(config)
    if load_web_config(path) != config:
        raise WebConfigError(f"{path} changes while it is read")
    context = make_context(config.tls) if config.tls is not None else None
    return Settings(config, Users(config.users), context, signature)


def _signature(config: WebConfig) -> Signature:
    found = []
    for path in config.files:
        with contextlib.suppress(OSError):
            status = path.stat()
            found.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(found)
