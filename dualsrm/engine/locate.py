"""Which pair a guest belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from dualsrm.engine.environment import Environment
from dualsrm.engine.observe import observe
from dualsrm.errors import HostUnreachable, UsageError
from dualsrm.model import Pair, Snapshot, Unknown


def find_pair(environment: Environment, pairs: Sequence[Pair], guest: str) -> Pair:
    """The one pair whose libvirtds know the guest. A name known to two pairs is refused, not guessed."""
    snapshots = [observe(environment, pair) for pair in pairs]
    knowing = [snapshot.pair for snapshot in snapshots if _knows(snapshot, guest)]
    if len(knowing) == 1:
        return knowing[0]
    if knowing:
        names = ", ".join(pair.name for pair in knowing)
        raise UsageError(f"a guest {guest!r} exists in several pairs: {names}", fix="rename one of them")
    silent = [host for snapshot in snapshots for host in snapshot.views if _silent(snapshot, host)]
    if silent:
        raise HostUnreachable(
            f"no host that answers knows a guest {guest!r}, and {', '.join(silent)} did not answer",
            why="the guest may be there",
            fix="run `dualsrm status` for the reason",
        )
    raise UsageError(f"no host knows a guest {guest!r}", fix="run `dualsrm status` for the guests there are")


def _knows(snapshot: Snapshot, guest: str) -> bool:
    return any(
        not isinstance(view.libvirt, Unknown) and view.libvirt.domain(guest) is not None
        for view in snapshot.views.values()
    )


def _silent(snapshot: Snapshot, host: str) -> bool:
    return isinstance(snapshot.view(host).libvirt, Unknown)
