"""Values of events2 as numbers in base units (bytes, seconds, ratios): the one place where units are converted.

Sources: the kernel counts 512-byte sectors (`drbd_genl.h`); drbdsetup halves all of them to KiB except the two
in-flight ones; `done` is a percentage; `dbdt1` is MiB/s and `eta` seconds, or `nan` before the first mark (seen on
9.2.18 at the start of every resync).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * 1024
SECTOR: Final = 512
_MAX_DIGITS: Final = 20  # 2^64 has 20; more is not a counter of DRBD

BYTES_PER_UNIT: Final[Mapping[str, int]] = {
    "size": KIB,
    "read": KIB,
    "written": KIB,
    "received": KIB,
    "sent": KIB,
    "out-of-sync": KIB,
    "ap-in-flight": SECTOR,
    "rs-in-flight": SECTOR,
}
"""Fields that are amounts of data, and how many bytes one of their units has."""

_FLAGS: Final[Mapping[str, bool]] = {"yes": True, "no": False}


def to_int(text: str | None) -> int | None:
    """A non-negative decimal number, or None for anything else."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        return None
    return int(text)


def to_float(text: str | None) -> float | None:
    """A finite number, or None for anything else, `nan` among it."""
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def flag(values: Mapping[str, str], key: str) -> bool | None:
    """`yes` or `no`; None when the field is absent or says anything else (`unknown` does occur)."""
    return _FLAGS.get(values.get(key, ""))


def count(values: Mapping[str, str], key: str) -> int | None:
    """A plain number such as `pending` or `al-writes`."""
    return to_int(values.get(key))


def in_bytes(values: Mapping[str, str], key: str) -> int | None:
    """An amount of data in bytes. `key` must be one of `BYTES_PER_UNIT`."""
    amount = to_int(values.get(key))
    return None if amount is None else amount * BYTES_PER_UNIT[key]


def done_ratio(values: Mapping[str, str]) -> float | None:
    """Progress of a resync or verify, 0 to 1. DRBD has been seen to print nonsense outside: that is None."""
    percent = to_float(values.get("done"))
    return percent / 100 if percent is not None and 0 <= percent <= 100 else None  # noqa: PLR2004 - percent


def resync_bytes_per_second(values: Mapping[str, str]) -> float | None:
    """Speed of a resync or verify over the last mark."""
    mib = to_float(values.get("dbdt1"))
    return mib * MIB if mib is not None and mib >= 0 else None


def eta_seconds(values: Mapping[str, str]) -> float | None:
    """Time a resync or verify still takes, as DRBD estimates it; None when it prints `nan`."""
    seconds = to_float(values.get("eta"))
    return seconds if seconds is not None and seconds >= 0 else None
