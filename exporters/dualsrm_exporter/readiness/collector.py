"""The collector: the manager's last look, as long as it is young enough to be believed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from dualsrm_exporter.collected import Collected
from dualsrm_exporter.metrics import READINESS, Metric
from dualsrm_exporter.metrics import readiness as m
from dualsrm_exporter.readiness.document import DocumentError, GuestSeen, read

FILE: Final = "readiness.json"
"""In the manager's state directory; dualsrm-readiness.service writes it."""
TOO_OLD_S: Final = 600.0
_AHEAD_S: Final = 60.0
"""A clock may be set back a little; a look from the future would be believed until then."""


class ReadinessCollector:
    """What the manager of this machine saw."""

    name: Final = "readiness"
    metrics: Sequence[Metric] = READINESS
    sources: Sequence[str] = ("readiness",)

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now

    def collect(self, collected: Collected) -> None:
        """Read the file."""
        try:
            look = read(self._path)
        except (OSError, DocumentError) as error:
            collected.failures["readiness"] = f"{self._path} cannot be read: {error}"
            return
        if look is None:
            return  # no manager here, or none that looks
        fresh = -_AHEAD_S <= self._now() - look.at <= TOO_OLD_S
        for pair in look.pairs:
            collected.add(m.LOOKED, look.at, pair.pair)
            for host, seen in pair.hosts.items() if fresh else ():
                collected.add(m.HOST_SEEN, seen, pair.pair, host)
            for guest in pair.guests if fresh else ():
                _report(collected, pair.pair, guest)


def _report(collected: Collected, pair: str, guest: GuestSeen) -> None:
    collected.add(m.WANTED, guest.wanted_running, pair, guest.guest)
    collected.add(m.ACTIVE, guest.active_hosts if guest.everywhere else None, pair, guest.guest)
    if guest.active_hosts:
        collected.add(m.MIGRATION, guest.to_migrate, pair, guest.guest)
        collected.add(m.FAILOVER, guest.to_fail_over, pair, guest.guest)
    for one in guest.blockers:
        collected.add_info(m.BLOCKER, {"severity": one.severity}, pair, guest.guest, one.ready, one.check)
