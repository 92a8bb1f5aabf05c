"""What the recorder heard, judged by the score keeper: was anything lost that a guest was told is safe?"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from score.spool import read
from score.wire import Kind
from uml.errors import LabError
from uml.facts import GUESTS, PROVISION, REPOSITORY, VAGRANT, storage_addresses
from uml.outside import run

if TYPE_CHECKING:
    from uml.lab import Lab

Results = dict[str, dict[str, Any]]

#: Seconds a guest has to read its disks back, under emulation; then some for starting Python.
_AUDIT_SECONDS = 60
#: `python -m score`: 0 nothing lost, 1 lost, 3 unknown. All three print the result; anything else is a failure.
_VERDICTS = (0, 1, 3)
#: Announcements; three guests make some 60 in a second, six twice as many.
_LATELY = 4096


def guest_addresses() -> dict[str, str]:
    """Guest name to address, from the kernel command line in its definition."""
    found = {}
    for guest in GUESTS:
        text = (PROVISION / "guests" / f"{guest.name}.xml").read_text()
        found[guest.name] = re.findall(r"score\.ip=([0-9.]+)/", text)[0]
    return found


def _score(the: Lab, *arguments: str) -> tuple[int, str, str]:
    python = str(REPOSITORY / ".venv" / "bin" / "python")
    argv = [python, "-m", "score", *arguments, "--spool", str(the.layout.spool)]
    environment = {**os.environ, "PYTHONPATH": str(VAGRANT)}
    done = run(the.inside(argv), deadline=_AUDIT_SECONDS + 30, check=False, env=environment)
    return done.returncode, done.stdout, done.stderr


def reset(the: Lab) -> None:
    """Begin a new measurement, without what is known to be lost now: else one loss would spoil every later one."""
    judge(the, reset=True)


def judge(the: Lab, guests: Sequence[str] | None = None, *, reset: bool = False) -> Results:
    """Ask every guest (or these) what its disks hold, compare, and add the host libvirt says it runs on."""
    present = {**guest_addresses(), **storage_addresses()}
    wanted_guests = [guest.name for guest in the.guests] if guests is None else guests
    addresses = {name: ip for name, ip in present.items() if name in wanted_guests}
    wanted = [word for name, ip in addresses.items() for word in ("--guest", f"{name}={ip}")]
    options = ["--json", "--deadline", str(_AUDIT_SECONDS), *(["--reset"] if reset else [])]
    code, said, complaint = _score(the, "score", *options, *wanted)
    if code not in _VERDICTS:
        raise _failed(complaint)
    results: Results = json.loads(said)
    where = the.status()["guests"]
    return {name: {**result, "host": where.get(name)} for name, result in results.items()}


def heard(the: Lab) -> dict[str, float]:
    """When each guest last announced an acknowledged write, in seconds since the epoch; one long silent is left out.

    Nobody is asked: a guest that boots would be waited for as long as an audit may take, a minute.
    """
    entries = read(the.layout.spool, _LATELY)  # in the order they came
    return {entry.said.name: entry.wall_ns / 1e9 for entry in entries if entry.said.kind is Kind.DURABLE}


def _failed(said: str) -> LabError:
    return LabError(
        f"the score keeper failed: {said.strip()}",
        "without it nobody knows whether writes were lost",
        "vagrant/lab down, then vagrant/lab up: the recorder starts with the lab",
    )


def nothing_lost(results: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether every guest announced something and is known to have lost none. Unknown is not fine."""
    return bool(results) and all(r["lost"] == 0 and r["announced"] > 0 for r in results.values())


def table(results: Results) -> Table:
    """For people."""
    shown = Table("guest", "runs on", "acknowledged writes", "lost", "longest gap", title="score")
    for name, result in results.items():
        gap, lost = result["longest_gap_ms"], result["lost"]
        shown.add_row(
            name,
            result["host"] or "unknown",
            str(result["announced"]),
            "unknown" if lost is None else str(lost),
            "unknown" if gap is None else f"{gap / 1000:.2f} s",
        )
    return shown
