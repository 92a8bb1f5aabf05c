"""DRBD on this host, for the host's own programs: read by the one reader, changed by drbdadm."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dualsrm.hosts.drbd import Dialect, DumpError, VersionError, fencing_verb, parse_version
from dualsrm.hosts.drbd.view import read_dump, with_options
from dualsrm.hostside.port import HostsideError
from dualsrm.hostside.run import must
from dualsrm.model import Resource, Role

PROC: Final = Path("/proc/drbd")
_LOST: Final = re.compile(r"^(\d{1,11})\.\d+ .*\bdrbd ([A-Za-z0-9_.+-]+)(?: \S+)?: .*\bconn\( Connected -> ")
_LOG_LINES: Final = "20000"
_READ_S: Final = 10.0
_CHANGE_S: Final = 20.0
"""drbdadm gives the kernel 5 s for most changes; a demotion waits for the peer's answer when it is connected."""


def dialect() -> Dialect:
    """Which DRBD runs here."""
    try:
        return parse_version(PROC.read_text()).dialect
    except (OSError, VersionError) as error:
        raise HostsideError(f"DRBD cannot be read: {error}") from error


def resources() -> tuple[Resource, ...]:
    """Every resource as the kernel has it now, with the options in force."""
    spoken = dialect()
    dump = must(["drbdsetup", "events2", "--now"], deadline_s=_READ_S)
    show = must(["drbdsetup", "show"], deadline_s=_READ_S)
    try:
        return with_options(read_dump(dump, spoken), show, spoken)
    except DumpError as error:
        raise HostsideError(str(error)) from error


def is_promotion(resource: str, minors: str) -> bool:
    """Whether the handler was called for a promotion: this side is Secondary, and not one that froze as a Primary.

    Asked without netlink where /proc/drbd tells it (8.4): see `FencePeer`. Its last word is `r-----` where I/O runs,
    `s-----` where it is suspended. `minors`: DRBD_MINOR, a list where a resource has several volumes; its role is one.
    """
    minor = (minors.split() or [""])[0]
    try:
        line = re.search(rf"^ *{re.escape(minor)}: cs:\S+ ro:(\w+)/.*? (\S+)$", PROC.read_text(), re.MULTILINE)
        if line is not None:
            return line[1] == Role.SECONDARY and not line[2].startswith("s")
        found = next((one for one in resources() if one.name == resource), None)
    except (OSError, HostsideError):
        return False  # unknown: to hold an answer too long loses nothing, to give one up leaves a guest frozen
    return found is not None and found.role == Role.SECONDARY and not found.suspended


def change(*words: str) -> None:
    """Run drbdadm."""
    must(["drbdadm", *words], deadline_s=_CHANGE_S)


def set_fencing(resource: str, policy: str) -> None:
    """The runtime option: a disk option on 8.4, a net option on 9."""
    change(fencing_verb(dialect()), f"--fencing={policy}", resource)


def lost_since() -> dict[str, str]:
    """By resource: when its last connection here was lost, by the kernel's lines in the journal since the boot.

    `drbd web: peer( Primary -> Unknown ) conn( Connected -> Timeout ) ...` on 8.4, `drbd web beta: conn( ...` on 9. A
    journal that cannot be read, or was cut short, tells nothing: the time is then unknown.
    """
    try:
        argv = ["journalctl", "-k", "-b", "-r", "-n", _LOG_LINES, "-o", "short-unix", "--no-pager"]
        text = must(argv, deadline_s=_READ_S)
    except HostsideError:
        return {}
    found: dict[str, str] = {}
    for line in text.splitlines():
        if lost := _LOST.search(line):
            at = datetime.fromtimestamp(int(lost[1]), UTC).isoformat(timespec="seconds")
            found.setdefault(lost[2], at)  # the newest come first
    return found
