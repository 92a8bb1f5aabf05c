"""What a host has mounted, and what it would mount at boot, read off the kernel's and systemd's own words. Pure."""

from __future__ import annotations

import re
from typing import Final

from dualsrm.hosts.text import clean
from dualsrm.model import BootMount, Maybe, Mounted, MountView, Unknown

_DRBD_MAJOR: Final = "147"
_DEVICE: Final = re.compile(r"/dev/drbd([0-9]{1,7})", re.ASCII)
_OCTAL: Final = re.compile(r"\\([0-7]{3})", re.ASCII)
_UNIT_BYTE: Final = re.compile(r"\\x([0-9a-f]{2})", re.ASCII)
_FIELDS_BEFORE: Final = 6
_FIELDS_AFTER: Final = 2
_FSTAB_FIELDS: Final = 4


def mount_view(mountinfo: Maybe[str], boot: Maybe[str]) -> Maybe[MountView]:
    """`boot`: the lines of fstab and the names of `.mount` and `.automount` units that something wants, as probed."""
    if isinstance(mountinfo, Unknown):
        return mountinfo
    try:
        mounted = read_mountinfo(mountinfo)
    except ValueError as error:
        return Unknown(clean(str(error)))
    return MountView(mounted, boot if isinstance(boot, Unknown) else read_boot(boot))


def read_mountinfo(text: str) -> tuple[Mounted, ...]:
    """/proc/PID/mountinfo, as proc(5) has it. Raises `ValueError` for a line that is none: a mount may hide in it."""
    return tuple(_mounted(line) for line in text.splitlines() if line)


def _mounted(line: str) -> Mounted:
    before, dash, after = line.partition(" - ")
    first, last = before.split(" "), after.split(" ")
    if not dash or len(first) < _FIELDS_BEFORE or len(last) < _FIELDS_AFTER:
        raise ValueError(f"/proc/self/mountinfo has a line that is none: {clean(line, 120)!r}")
    major, _, minor = first[2].partition(":")
    source = _unescaped(last[1])
    return Mounted(
        source=clean(source, 200),
        point=clean(_unescaped(first[4]), 4096),
        kind=clean(last[0], 40),
        minor=int(minor) if major == _DRBD_MAJOR and re.fullmatch("[0-9]{1,7}", minor) else _minor_of(source),
    )


def _minor_of(source: str) -> int | None:
    """btrfs has a device number of its own; then the source tells."""
    found = _DEVICE.fullmatch(source)
    return int(found[1]) if found else None


def _unescaped(word: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), word)


def read_boot(text: str) -> tuple[BootMount, ...]:
    """Lines `fstab LINE` and `unit NAME`. What fstab has as noauto is left out, unless it is mounted when touched."""
    found: list[BootMount] = []
    for line in text.splitlines():
        what, _, rest = line.partition(" ")
        if what == "unit":
            found.append(BootMount("", clean(_path_of(rest), 4096), clean(rest, 200)))
        elif what == "fstab" and (entry := _fstab(rest)) is not None:
            found.append(entry)
    return tuple(found)


def _fstab(line: str) -> BootMount | None:
    words = line.split()
    if len(words) < _FSTAB_FIELDS or words[0].startswith("#"):
        return None
    options = words[3].split(",")
    if "noauto" in options and "x-systemd.automount" not in options:
        return None
    return BootMount(clean(_unescaped(words[0]), 200), clean(_unescaped(words[1]), 4096), "fstab")


def _path_of(unit: str) -> str:
    """systemd.unit(5): `srv-files.mount` is /srv/files; `\\x2d` is a dash."""
    name = unit.rpartition(".")[0]
    return "/" + _UNIT_BYTE.sub(lambda found: chr(int(found[1], 16)), name.replace("-", "/"))
