"""When things happened on a lab, by what its guests announced and by the manager's journals."""

from __future__ import annotations

import json
from datetime import datetime

from score.spool import read
from score.wire import Kind
from tests.lab.handle import LabHandle
from uml.layout import Layout


def started_at(lab: LabHandle, operation: str) -> float:
    """When an operation began, by its journal: seconds since the epoch."""
    path = Layout(lab.name).directory / "state" / "operations" / f"{operation}.jsonl"
    first = json.loads(path.read_text().splitlines()[0])
    return datetime.fromisoformat(first["at"]).timestamp()


def announced(lab: LabHandle, guest: str, kind: Kind, since: float) -> list[float]:
    """When the guest announced such a thing since then, in seconds since the epoch."""
    said = ((entry.said, entry.wall_ns / 1e9) for entry in read(Layout(lab.name).spool))
    return [at for one, at in said if at > since and (one.name, one.kind) == (guest, kind)]
