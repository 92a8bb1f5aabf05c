"""A `DrbdView` from the raw texts one probe of a host brought back. Pure: nothing is run here.

| text | command |
|---|---|
| proc_drbd | `cat /proc/drbd` |
| events2 | `drbdsetup events2 --now --statistics`, with or without `--timestamps` |
| show | `drbdsetup show` |
| configured | `drbdadm -v dump all`, of which `probe.sh` keeps what `files` reads |
| helper | `cat /sys/module/drbd/parameters/usermode_helper` |
| adjust | `drbdadm -d adjust all`: a dry run, prints what it would run |
| links | `find /dev/drbd -type l -printf '%p\\t%l\\n'` |
"""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import replace
from typing import Final

from dualsrm.hosts.drbd.events2 import EndOfDump, Malformed
from dualsrm.hosts.drbd.files import FilesSyntaxError, read_files
from dualsrm.hosts.drbd.show import Shown, ShowSyntaxError, read_show
from dualsrm.hosts.drbd.store import Store
from dualsrm.hosts.drbd.version import Dialect, parse_version
from dualsrm.model import DrbdView, FenceHandler, Maybe, Resource, Unknown

REDACTED: Final = "(redacted)"
_DEVICE: Final = re.compile(r"/dev/drbd(\d{1,7})", re.ASCII)
_NOT_READ: Final = Unknown("it was not read")
_SECRET: Final = re.compile("secret", re.IGNORECASE)


class DumpError(ValueError):
    """The dump was cut off or is not one: a view made of it would call things absent that are there."""


def drbd_view(
    *,
    proc_drbd: str,
    events2: str,
    show: Maybe[str],
    configured: Maybe[str],
    adjust: Maybe[str],
    links: str,
    helper: Maybe[str] = _NOT_READ,
) -> DrbdView:
    """All of DRBD on one host. Raises `VersionError` or `DumpError` when not even the states can be told.

    `show`, `configured`, `adjust` and `helper` are texts, or Unknown with the reason why the command gave none.
    """
    module = parse_version(proc_drbd)
    files = _in_files(configured)
    return DrbdView(
        version=module.version,
        resources=with_options(read_dump(events2, module.dialect), show, module.dialect),
        configured=files if isinstance(files, Unknown) else tuple(files),
        drift=adjust if isinstance(adjust, Unknown) else parse_drift(adjust),
        device_links=parse_links(links),
        handlers=files if isinstance(files, Unknown) else {name: found for name, found in files.items() if found},
        helper=helper if isinstance(helper, Unknown) else helper.strip(),
    )


def _in_files(configured: Maybe[str]) -> Maybe[dict[str, FenceHandler | None]]:
    try:
        return configured if isinstance(configured, Unknown) else read_files(configured)
    except FilesSyntaxError as error:
        return Unknown(str(error))


def read_dump(events2: str, dialect: Dialect) -> tuple[Resource, ...]:
    """The resources of one whole `events2 --now` dump; raises `DumpError`."""
    store = Store(dialect)
    for number, text in enumerate(events2.split("\n"), start=1):
        if not text.strip():
            continue
        line = store.feed(text)
        if isinstance(line, Malformed):
            raise DumpError(f"line {number} of `drbdsetup events2 --now`: {line.why}")
        if isinstance(line, EndOfDump):
            return store.resources()
    raise DumpError("`drbdsetup events2 --now` was cut off: its end marker `exists -` is missing")


def with_options(resources: tuple[Resource, ...], show: Maybe[str], dialect: Dialect) -> tuple[Resource, ...]:
    """The resources with options and addresses as in force, Unknown and None where `show` does not tell them."""
    try:
        shown = show if isinstance(show, Unknown) else read_show(show, dialect)
    except ShowSyntaxError as error:
        shown = Unknown(str(error))
    return tuple(_with_shown(resource, shown) for resource in resources)


def _with_shown(resource: Resource, all_shown: Maybe[dict[str, Shown]]) -> Resource:
    if isinstance(all_shown, Unknown):
        return replace(resource, options=all_shown)
    shown = all_shown.get(resource.name)
    if shown is None:
        # The two texts are taken a moment apart: a resource may have come up, or gone, in between.
        return replace(resource, options=Unknown("not in the output of `drbdsetup show`"))
    connection = resource.connection and replace(
        resource.connection,
        local_address=shown.local_address,
        peer_address=shown.peer_address,
        endpoints=shown.endpoints,
    )
    return replace(resource, options=shown.options, connection=connection)


def parse_drift(adjust: str) -> tuple[str, ...]:
    """The commands a dry run of adjust printed, without secrets."""
    lines: list[str] = []
    for text in adjust.splitlines():
        line = text.strip()
        if not line:
            continue
        redacted, whole = redact(line)
        lines.append(redacted)
        if not whole:
            # The secret may go on in the next line.
            lines.append("(the rest is withheld: quotes not closed beside a secret)")
            break
    return tuple(lines)


def redact(command: str) -> tuple[str, bool]:
    """The command without secrets, and whether its quoting could be followed to the end."""
    found = _SECRET.search(command)
    if found is None:
        return command, True
    try:
        words = shlex.split(command)
    except ValueError:
        return f"{command[: found.end()]}={REDACTED}", False
    kept: list[str] = []
    pending = False
    for word in words:
        option, equals, _ = word.partition("=")
        if pending:  # the value stands on its own: `--shared-secret VALUE`
            kept.append(REDACTED)
            pending = False
        elif _SECRET.search(option):
            kept.append(f"{option}={REDACTED}" if equals else option)
            pending = not equals
        else:
            kept.append(REDACTED if _SECRET.search(word) else word)
    return " ".join(kept), True


def parse_links(links: str) -> dict[str, int]:
    """Path of each symbolic link to the DRBD minor it leads to; links to anything else are left out."""
    minors: dict[str, int] = {}
    for line in links.split("\n"):
        path, tab, target = line.partition("\t")
        real = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if tab and (device := _DEVICE.fullmatch(real)):
            minors[path] = int(device[1])
    return minors
