"""Which DRBD runs here, from the text of /proc/drbd.

The version decides the *dialect* of every other text, so it is asked first and passed on. It cannot be told from the
lines of events2 themselves: `peer-node-id:0 conn-name:peer` is what 8.4 always prints, and what DRBD 9 prints for a
node 0 that happens to be called "peer".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Dialect(Enum):
    """How a kernel module speaks: which events it sends, and what its options are called."""

    V84 = "8.4"
    V9 = "9"


def fencing_verb(dialect: Dialect) -> str:
    """The drbdadm verb that sets the option `fencing` at runtime."""
    return "disk-options" if dialect is Dialect.V84 else "net-options"


class VersionError(ValueError):
    """The text is not that of /proc/drbd, or names a DRBD this release cannot read."""


@dataclass(frozen=True, slots=True)
class ModuleVersion:
    """The loaded kernel module."""

    version: str
    """As printed, e.g. `8.4.11` or `9.2.18`."""
    dialect: Dialect


# Only the number right after `version:` counts. DRBD 9.3 prints `(compat 8.4)` behind it, and per-minor lines in the
# manner of 8.4 below, for resources in compatibility mode; it is a DRBD 9 all the same.
_VERSION = re.compile(r"^version:[ \t]*((\d{1,4})\.(\d{1,4})[^\s()]{0,40})", re.MULTILINE | re.ASCII)

_OLDEST_84 = (8, 4)
_OLDEST_9 = (9, 0)


def parse_version(proc_drbd: str) -> ModuleVersion:
    """The module's version and dialect from the text of /proc/drbd; raises `VersionError`."""
    match = _VERSION.search(proc_drbd)
    if match is None:
        raise VersionError("no `version:` line in /proc/drbd: is the drbd module loaded?")
    number = (int(match[2]), int(match[3]))
    if number < _OLDEST_84 or _OLDEST_84 < number < _OLDEST_9:
        raise VersionError(f"DRBD {match[1]} is neither 8.4 nor 9")
    return ModuleVersion(match[1], Dialect.V84 if number < _OLDEST_9 else Dialect.V9)
