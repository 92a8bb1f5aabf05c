"""Runs on a node: what its kernel says about guests and DRBD, a line of JSON three times a second.

    python3 sampler.py FILE SECONDS

No process is started and libvirt is not asked, both of which would slow the move that is watched: the state comes from
libvirt's own status file, and whether a guest computes from the processor time of its virtual CPU's thread.
Only the standard library: a node has nothing else.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

PERIOD_S = 0.3
STATUS_FILES = Path("/run/libvirt/qemu")
_STATE = re.compile(r"<domstatus state='(\w+)' reason='([\w -]+)'")
_MINOR = re.compile(r"^ *(\d+): cs:(\S+) ro:(\S+) ds:(\S+) +(?:[ABC] +)?(\S+)", re.MULTILINE)


def guests(threads: dict[str, Path]) -> dict[str, tuple[str, int]]:
    """Guest to (state, nanoseconds its virtual CPUs have computed); only guests that have a QEMU process."""
    found = {}
    for file in STATUS_FILES.glob("*.pid"):
        if file.name == "driver.pid":
            continue
        try:
            pid = file.read_text().strip()
            with file.with_suffix(".xml").open() as status:
                state = _STATE.search(status.read(1000))
            found[file.stem] = (f"{state[1]} {state[2]}" if state else "unknown", _computed(pid, threads))
        except OSError:
            continue  # it ended while it was looked at
    return found


def _computed(pid: str, threads: dict[str, Path]) -> int:
    if pid not in threads:
        for task in Path("/proc", pid, "task").iterdir():
            if (task / "comm").read_text().startswith("CPU 0/"):
                threads[pid] = task / "schedstat"
    return int(threads[pid].read_text().split()[0]) if pid in threads else 0


def parse_drbd(text: str) -> dict[str, tuple[str, ...]]:
    """Read /proc/drbd: minor to (connection, roles, disks, flags), in the words of DRBD 8.4."""
    return {line[0]: line[1:] for line in _MINOR.findall(text)}


def main() -> None:
    """Sample until the time is over; what stays the same is written all the same: a gap in the file means silence."""
    threads: dict[str, Path] = {}
    end = time.monotonic() + float(sys.argv[2])
    with Path(sys.argv[1]).open("w", buffering=1) as out:
        while time.monotonic() < end:
            sample = {"at": time.time(), "guests": guests(threads), "drbd": parse_drbd(Path("/proc/drbd").read_text())}
            out.write(json.dumps(sample) + "\n")
            time.sleep(PERIOD_S)


if __name__ == "__main__":
    main()
