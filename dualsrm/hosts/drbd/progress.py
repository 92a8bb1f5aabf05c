"""How far resyncs and verifies are, from the text of /proc/drbd: the only place where 8.4 says it.

While one runs, the lines of its minor go on like this (`drbd_proc.c`; the line feed in the middle is missing in some
kernels, and large volumes are counted in M):

     0: cs:SyncSource ro:Primary/Secondary ds:UpToDate/Inconsistent C r-----
        ns:...
    <TAB>[=====>..............] sync'ed: 33.5% (23456/123456)K
    <TAB>finish: 2:20:20 speed: 6,345 (6,456) K/sec

The percentage is not used: the kernel computes it in whole steps of 4 MiB and says 100.0% while up to 4 MiB are left
(seen on 8.4.11). What is left and what it all was stands behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from dualsrm.hosts.drbd.units import KIB

_MINOR: Final = re.compile(r"^ *(\d{1,7}): cs:", re.MULTILINE | re.ASCII)
_LEFT: Final = re.compile(r"(?:sync'ed|verified): *[\d.]{1,9}% *\((\d{1,15})/(\d{1,15})\)[KM]", re.ASCII)
_FINISH: Final = re.compile(r"finish: (\d{1,7}):(\d\d):(\d\d)", re.ASCII)
_SPEED: Final = re.compile(r"speed: ([\d,]{1,20})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one minor's resync or verify; None what the text does not say."""

    done_ratio: float | None
    eta_seconds: float | None
    bytes_per_second: float | None


def read_progress(proc_drbd: str) -> dict[int, Progress]:
    """Progress by minor; nothing for those that neither resync nor verify. DRBD 9 has it in events2 instead."""
    _, *parts = _MINOR.split(proc_drbd)
    found = {}
    for minor, text in zip(parts[::2], parts[1::2], strict=True):
        if match := _LEFT.search(text):
            found[int(minor)] = Progress(_done(int(match[1]), int(match[2])), _eta(text), _speed(text))
    return found


def _done(left: int, total: int) -> float | None:
    """None when more is left than there was: the kernel calls that a bug of its own."""
    return 1 - left / total if left <= total and total else None


def _eta(text: str) -> float | None:
    match = _FINISH.search(text)
    return None if match is None else int(match[1]) * 3600.0 + int(match[2]) * 60 + int(match[3])


def _speed(text: str) -> float | None:
    match = _SPEED.search(text)
    digits = match[1].replace(",", "") if match else ""
    return float(int(digits) * KIB) if digits else None
