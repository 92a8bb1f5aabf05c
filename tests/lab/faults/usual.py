"""The usual procedure in the lab: run as an administrator would, and the mess it leaves put right.

It is the control of the fault table, and what dualsrm's cost is compared with (benchmarks/script_vs_dualsrm.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.faults.command import Command
from tests.lab.faults.judge import Journey
from tests.lab.faults.look import MINORS, look_at_both
from tests.lab.handle import HOSTS, RESOURCES, LabHandle, wait_for

SCRIPT = Path(__file__).with_name("usual-procedure.sh")
COPY_MIB_S = 8
"""Slow enough that the source has missed its peer (6 to 12 s) and writes alone for a while before the hand-over."""

_TOGETHER = ("Connected", "Connected")


def begin(lab: LabHandle, journey: Journey, *, shared: bool = False) -> Command:
    """Start the script on the manager's side; `shared`: over a connection to each host that stands already."""
    login = f"ssh -F {lab.directory / 'ssh_config'}" + ("" if shared else " -o ControlPath=none")
    words = (str(SCRIPT), journey.guest, journey.source, journey.target, *RESOURCES[journey.guest])
    return Command(lab, "exec", "--", "env", f"SSH={login}", *words)


@dataclass(frozen=True, slots=True)
class Loss:
    """What the script and the judge said."""

    exit: int
    told: str
    host: str | None
    lost: int | None
    split: tuple[str, ...]
    """Resources that two hosts had written to when they met again."""


@contextmanager
def as_usual(lab: LabHandle, journey: Journey) -> Iterator[None]:
    """Nothing holds I/O when the link dies, as where no handler is set up; and memory is copied slowly."""
    usual = lab.node(journey.source, "virsh", "migrate-getspeed", journey.guest).strip()
    lab.node(journey.source, "virsh", "migrate-setspeed", journey.guest, str(COPY_MIB_S))
    for host in HOSTS:
        for resource in RESOURCES[journey.guest]:
            lab.node(host, "drbdadm", "disk-options", "--fencing=dont-care", resource)
    try:
        yield
    finally:
        lab.node(journey.source, "virsh", "migrate-setspeed", journey.guest, usual)


def cut_in_the_middle(lab: LabHandle, journey: Journey, after_s: float = 9.0) -> Loss:
    """Run the script, cut replication so long after its start, heal, and say what was lost."""
    with as_usual(lab, journey):
        lab.lab("score", "--reset")
        command = begin(lab, journey)
        time.sleep(after_s)
        lab.lab("cut", "replication", journey.target)
        command.join(300)
        score = lab.score()[journey.guest]
        lab.lab("heal")
        wait_for("the hosts to meet again", lambda: _met(lab, journey), 60)
    apart = _apart(lab, journey)
    return Loss(command.process.returncode, command.told, score["host"], score["lost"], apart)


def _met(lab: LabHandle, journey: Journey) -> bool:
    """Together again, or one of them has turned its back on the other for good."""
    return all("StandAlone" in states or states == _TOGETHER for states in _states(lab, journey).values())


def _apart(lab: LabHandle, journey: Journey) -> tuple[str, ...]:
    return tuple(name for name, states in _states(lab, journey).items() if states != _TOGETHER)


def _states(lab: LabHandle, journey: Journey) -> dict[str, tuple[str, ...]]:
    seen = look_at_both(lab)
    found = {}
    for resource in RESOURCES[journey.guest]:
        devices = [view.devices[MINORS[resource]] for view in seen.values() if view is not None]
        found[resource] = tuple(device.connection for device in devices)
    return found


def make_whole(lab: LabHandle, journey: Journey) -> None:
    """The guest runs at the target on what it has: the source's copy is the victim, named here and nowhere else."""
    keeps, victim, resources = journey.target, journey.source, RESOURCES[journey.guest]
    for resource in resources:
        for host in (victim, keeps):
            lab.node(host, "drbdadm", "disconnect", resource, check=False)  # refused where it has left already
        lab.node(victim, "drbdadm", "secondary", resource)
        lab.node(victim, "drbdadm", "connect", "--discard-my-data", resource)
        lab.node(keeps, "drbdadm", "connect", resource)
    wait_for("both copies to be one again", lambda: not _apart(lab, journey), 60)
    for host in (keeps, victim):
        for resource in resources:
            lab.node(host, "drbdadm", "net-options", "--allow-two-primaries=no", resource)
            lab.node(host, "drbdadm", "adjust", resource)
    lab.lab("score", "--reset")
