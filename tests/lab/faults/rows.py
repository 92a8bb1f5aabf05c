"""The table of faults, as data: what is done, how long it lasts, how it is mended, what may be reported."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.lab.faults.dirty import DEADLINE_S, PAUSE_S
from tests.lab.faults.judge import KILLED, REFUSED, UNREACHABLE
from tests.lab.handle import RESOURCES, LabHandle

if TYPE_CHECKING:
    from tests.lab.faults.judge import Journey

CUT_S = 60.0
ENDING_S = 60.0
"""For what comes before and after the memory: starting QEMU at the target, leaving the source."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault has to work on."""

    lab: LabHandle
    journey: Journey
    manager: subprocess.Popen[str]

    def cut(self, *cables: tuple[str, str]) -> None:
        """Pull (network, host) cables, as nearly at once as processes can."""
        with ThreadPoolExecutor(len(cables)) as pool:
            list(pool.map(lambda cable: self.lab.lab("cut", *cable), cables))

    def heal(self) -> None:
        """Put every cable back."""
        self.lab.lab("heal")


Act = Callable[[Scene], None]


def _nothing(_scene: Scene) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of fault."""

    name: str
    says: str
    fault: Act
    states: frozenset[str]
    """What the command may report."""
    runs: int = 5
    """How often the long table plays it."""
    lasts_s: float = 0.0
    mend: Act = _nothing
    power: str | None = None
    """`source` or `target`: which host lost its power, and gets it back when the command has ended."""
    alone: bool = False
    """The hosts have to close the window by themselves, before anybody runs `recover`."""
    dirty: str | None = None
    """The guest dirties memory faster than it may be sent; what the configuration wants at the deadline."""
    within_s: float | None = None
    """The longest the command may say it took."""


_MOVED = frozenset({"moved"})
_BACK = frozenset({"rolled back", "untouched", REFUSED})
_SETTLED = _MOVED | _BACK
"""Ended, nothing left to do."""
_LEFT_OVER = frozenset({"moved, not settled", "not moved, not rolled back", "in doubt"})
"""Ended, `recover` has to be run."""
_LINK_LOST = frozenset({"moved, replication lost"})
"""Moved with every write, and alone until the link is mended. Seen when the cut fell into the closing of the window."""


def _cut_replication(scene: Scene) -> None:
    scene.cut(("replication", scene.journey.target))


def _cut_replication_and_memory(scene: Scene) -> None:
    scene.cut(("replication", scene.journey.target), ("memory", scene.journey.target))


def _cut_manager(*ends: str) -> Act:
    return lambda scene: scene.cut(*(("manager", getattr(scene.journey, end)) for end in ends))


def _power_off(end: str) -> Act:
    return lambda scene: _void(scene.lab.lab("power", "off", getattr(scene.journey, end)))


def _restart_libvirtd(end: str) -> Act:
    def restart(scene: Scene) -> None:
        host = getattr(scene.journey, end)
        before = scene.lab.node(host, "pidof", "libvirtd")
        # The image masks the log daemons libvirtd.service requires: without this, systemd leaves the old one running.
        scene.lab.node(host, "systemctl", "--job-mode=ignore-dependencies", "restart", "libvirtd")
        assert scene.lab.node(host, "pidof", "libvirtd") != before, f"libvirtd on {host} was not restarted"

    return restart


def _adjust(end: str) -> Act:
    def adjust(scene: Scene) -> None:
        # It may be refused (164: both are Primary); what it changed before that counts.
        resources = RESOURCES[scene.journey.guest]
        scene.lab.node(getattr(scene.journey, end), "drbdadm", "adjust", *resources, check=False)

    return adjust


def _kill(scene: Scene) -> None:
    scene.manager.kill()  # vagrant/lab has become the manager by exec: its own process, nobody else's


def _void(_answer: object) -> None:
    pass


ROWS = (
    Row(
        "replication",
        "replication link cut for 60 s",
        _cut_replication,
        _SETTLED | _LEFT_OVER | _LINK_LOST,
        runs=10,
        lasts_s=CUT_S,
        mend=Scene.heal,
    ),
    Row(
        "replication-memory",
        "replication link and memory network cut together for 60 s",
        _cut_replication_and_memory,
        _SETTLED | _LEFT_OVER | _LINK_LOST,
        runs=10,
        lasts_s=CUT_S,
        mend=Scene.heal,
    ),
    *(
        Row(
            f"manager-{'-'.join(ends)}",
            f"management network cut between manager and {' and '.join(ends)} for 60 s",
            _cut_manager(*ends),
            _SETTLED | _LEFT_OVER | {UNREACHABLE},
            lasts_s=CUT_S,
            mend=Scene.heal,
            alone=True,
        )
        for ends in (("source",), ("target",), ("source", "target"))
    ),
    Row(
        "power-source",
        "source powered off",
        _power_off("source"),
        _SETTLED | _LEFT_OVER | {UNREACHABLE, "guest died"},
        power="source",
    ),
    Row(
        "power-target",
        "target powered off",
        _power_off("target"),
        _SETTLED | _LEFT_OVER | {UNREACHABLE},
        power="target",
    ),
    Row("manager-killed", "manager killed with SIGKILL", _kill, _MOVED | {KILLED}),
    *(
        Row(f"libvirtd-{end}", f"libvirtd restarted on {end}", _restart_libvirtd(end), _SETTLED | _LEFT_OVER)
        for end in ("source", "target")
    ),
    *(Row(f"adjust-{end}", f"drbdadm adjust on {end}", _adjust(end), _SETTLED) for end in ("source", "target")),
    *(
        Row(
            f"dirty-{then}",
            f"memory dirtied faster than the link; {then} at the deadline",
            _nothing,
            _MOVED | {"rolled back"},
            dirty=then,
            within_s=DEADLINE_S + PAUSE_S + ENDING_S,
        )
        for then in ("abort", "pause")
    ),
)
BY_NAME = {row.name: row for row in ROWS}
