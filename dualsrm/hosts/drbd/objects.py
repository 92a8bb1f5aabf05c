"""What the lines of events2 are about: the identity of each object in the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

from dualsrm.hosts.drbd.events2 import Event
from dualsrm.hosts.drbd.units import to_int
from dualsrm.hosts.drbd.version import Dialect

Values: TypeAlias = Mapping[str, str]

_WITH_PEER: Final = ("connection", "peer-device", "path")
_WITH_VOLUME: Final = ("device", "peer-device")
KINDS: Final = ("resource", "device", "connection", "peer-device", "path")


class Key(NamedTuple):
    """Identity of one object."""

    kind: str
    resource: str
    peer: int | None = None
    """Peer's node id on 9. None on 8.4: there is one peer, and what 8.4 prints about it comes and goes (`conn-name` is
    missing while StandAlone), so keying on it would make two objects of one peer."""
    volume: int | None = None
    path: str = ""


def key_of(event: Event, dialect: Dialect) -> Key | None:
    """Identity of what the event is about; None when it is no object of the kernel (a helper, an unknown kind)."""
    kind, values = event.kind, event.values
    if kind not in KINDS:
        return None
    return Key(
        kind,
        values["name"],
        to_int(values.get("peer-node-id")) if kind in _WITH_PEER and dialect is Dialect.V9 else None,
        to_int(values["volume"]) if kind in _WITH_VOLUME else None,
        f"{values['local']} {values['peer']}" if kind == "path" else "",
    )
