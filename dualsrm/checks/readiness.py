"""Whether a guest would come up on the other host if the one it runs on were lost this moment. Pure.

A failover asks these questions when one host is silent and nobody can mend the answers any more. Most of them a live
move asks as well: those findings are taken from it, with their reasons and their cures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from dualsrm.checks.case import Move, failed, on
from dualsrm.model import Finding, Snapshot, Unknown

OF_A_MOVE: Final = frozenset(
    {
        "host-answers",  # what nobody sees is not taken for ready
        "quarantine",
        "guest-not-on-target",
        "guest-same-uuid",
        "disks-on-drbd",
        "disks-same-on-target",
        "read-only-disks",
        "filesystem",
        "resource-up",
        "replication-connected",
        "disks-up-to-date",
        "machine-type",
        "memory",
        "networks",
    }
)
"""Checks of a move without which a failover does not bring the guest up either, or not with all it wrote.

A resync that goes on, a lock, a window and such do not keep it from that. Nor does a missing fence device: then a
person has to say that the lost host is off.
"""
DEFINED: Final = "defined-there"


def check_failover_ready(snapshot: Snapshot, move: Move, of_move: Sequence[Finding]) -> tuple[Finding, ...]:
    """`move`: from where it runs to the other host; `of_move`: what its checks found."""
    kept = tuple(finding for finding in of_move if finding.check in OF_A_MOVE)
    return (*kept, *(replace(finding, check=DEFINED) for finding in _defined(snapshot, move)))


def _defined(snapshot: Snapshot, move: Move) -> Iterator[Finding]:
    """A live move brings the definition along; a failover finds what is there."""
    there = snapshot.view(move.target).libvirt
    if not isinstance(there, Unknown) and there.domain(move.guest) is None:
        take = on(move.source, "virsh", "dumpxml", "--inactive", "--security-info", move.guest)
        yield failed(
            move.guest,
            f"it is not defined on {move.target}",
            f"If {move.source} were lost its definition would be lost with it: nothing could be started.",
            f"{take} | {on(move.target, 'virsh', 'define', '/dev/stdin')}",
        )
