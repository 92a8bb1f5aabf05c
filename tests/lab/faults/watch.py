"""What the nodes' kernels said all the while, sample by sample: see sampler.py, which runs on the nodes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lab.handle import HOSTS, LabHandle

_SAMPLER = Path(__file__).with_name("sampler.py")
_FILE = "/run/dualsrm-faults.samples"
_LIFETIME_S = "1500"


@dataclass(frozen=True, slots=True)
class Device:
    """One DRBD minor as a node saw it, in the words of DRBD 8.4."""

    connection: str
    roles: str
    disks: str
    flags: str

    @property
    def healthy(self) -> bool:
        """Replicating and in sync, I/O running."""
        return self.connection == "Connected" and self.disks == "UpToDate/UpToDate" and self.flags.startswith("r")


@dataclass(frozen=True, slots=True)
class Process:
    """A guest's QEMU on a node: libvirt's word for the guest's state, and how long its CPU has computed."""

    state: str
    computed_ns: int

    @property
    def runs(self) -> bool:
        """Whether libvirt calls it running."""
        return self.state.startswith("running")


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment on one node; `at` is seconds since the epoch, by the clock all nodes share with the machine."""

    at: float
    guests: Mapping[str, Process]
    drbd: Mapping[str, Device]


Timeline = tuple[Sample, ...]
"""One node's samples, oldest first. A node without power has none."""


def parse(text: str) -> Timeline:
    """Read a sampler's file; a last line cut short is left out."""
    samples = []
    for line in text.splitlines():
        try:
            seen = json.loads(line)
        except json.JSONDecodeError:
            continue
        guests = {name: Process(*facts) for name, facts in seen["guests"].items()}
        samples.append(Sample(seen["at"], guests, {minor: Device(*facts) for minor, facts in seen["drbd"].items()}))
    return tuple(samples)


class Watch:
    """Samplers on both nodes. They write to files there, so that no cut network makes them blind."""

    def __init__(self, lab: LabHandle) -> None:
        self._lab = lab
        self._saved: dict[str, Timeline] = dict.fromkeys(HOSTS, ())

    def start(self, host: str) -> None:
        """Begin on one node, which runs."""
        command = 'nohup python3 "$1" "$2" "$3" < /dev/null > /dev/null 2>&1 & echo $! > "$2.pid"'
        self._lab.node(host, "sh", "-c", command, "sh", str(_SAMPLER), _FILE, _LIFETIME_S)

    def save(self, host: str) -> None:
        """Take what there is: before a node loses power, and with it the file."""
        self._saved[host] += parse(self._lab.node(host, "cat", _FILE, check=False))

    def stop(self) -> dict[str, Timeline]:
        """End both and give all they saw."""
        for host in HOSTS:
            self.save(host)
            self._lab.node(host, "sh", "-c", 'kill $(cat "$1.pid"); rm -f "$1" "$1.pid"', "sh", _FILE, check=False)
        return dict(self._saved)
