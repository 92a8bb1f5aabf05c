"""One look at a node: what has to be as before, once all is over."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.lab.faults.sampler import parse_drbd
from tests.lab.faults.watch import Device
from tests.lab.handle import HOSTS, RESOURCES, LabHandle

AT_REST = "resource-only"
"""The fencing policy outside a window."""

MINORS = {"web": "0", "mail": "1", "db-data": "2", "db-log": "3"}
_LOOK = "cat /proc/drbd && echo ==== && drbdsetup show && echo ==== && virsh --readonly list --name --state-running"
_DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class Look:
    """What a node's kernel and libvirt said when asked."""

    devices: Mapping[str, Device]
    windows: frozenset[str]
    """Resources that allow two Primaries."""
    fencing: Mapping[str, str]
    running: frozenset[str]

    @property
    def frozen(self) -> bool:
        """Whether any resource's I/O is suspended."""
        return any(device.flags.startswith("s") for device in self.devices.values())


def look(lab: LabHandle, host: str) -> Look | None:
    """Ask a node; None when it does not answer in time."""
    try:
        done = lab.lab("ssh", host, "--", "sh", "-c", _LOOK, check=False, deadline_s=_DEADLINE_S)
    except subprocess.TimeoutExpired:
        return None
    return parse_look(done.stdout) if done.returncode == 0 else None


def look_at_both(lab: LabHandle) -> dict[str, Look | None]:
    """Both nodes at once."""
    with ThreadPoolExecutor(len(HOSTS)) as pool:
        return dict(zip(HOSTS, pool.map(lambda host: look(lab, host), HOSTS), strict=True))


def parse_look(text: str) -> Look:
    """Read the three answers."""
    drbd, show, running = text.split("====\n")
    sections = re.split(r"^resource (\S+) \{$", show, flags=re.MULTILINE)[1:]
    options = dict(zip(sections[::2], sections[1::2], strict=True))
    return Look(
        devices={minor: Device(*facts) for minor, facts in parse_drbd(drbd).items()},
        windows=frozenset(name for name, text in options.items() if "allow-two-primaries" in text),
        fencing={name: _fencing(text) for name, text in options.items()},
        running=frozenset(running.split()),
    )


def _fencing(options: str) -> str:
    found = re.search(r"fencing\s+([a-z-]+);", options)
    return found[1] if found else "dont-care"  # the kernel's default is not printed


def not_quiet(seen: Mapping[str, Look | None]) -> list[str]:
    """What is not as a healthy pair at rest has it; empty when all is."""
    wrong = []
    for host, view in seen.items():
        if view is None:
            wrong.append(f"{host} does not answer")
            continue
        wrong += [f"{host}: window open on {resource}" for resource in sorted(view.windows)]
        wrong += [f"{host}: {name} has fencing {kind}" for name, kind in view.fencing.items() if kind != AT_REST]
        for resource, minor in MINORS.items():
            device = view.devices.get(minor)
            if device is None or not device.healthy:
                wrong.append(f"{host}: {resource} is {device or 'down'}")
    return wrong or _guests_astray({host: view for host, view in seen.items() if view is not None})


def _guests_astray(seen: Mapping[str, Look]) -> list[str]:
    wrong = []
    for guest, resources in RESOURCES.items():
        hosts = [host for host, view in seen.items() if guest in view.running]
        if len(hosts) != 1:
            wrong.append(f"{guest} runs on {hosts or 'no host'}")
            continue
        for resource in resources:
            roles = seen[hosts[0]].devices[MINORS[resource]].roles
            if roles != "Primary/Secondary":
                wrong.append(f"{resource} is {roles} where {guest} runs ({hosts[0]})")
    return wrong


def split_brains(directory: Path) -> int:
    """How often a node found a split brain since the lab came up: its consoles, below its directory, outlive power."""
    return sum((directory / f"{host}.console").read_text(errors="replace").count("Split-Brain det") for host in HOSTS)
