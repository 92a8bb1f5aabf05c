"""What DRBD's configuration files say, from the lines `probe.sh` keeps of `drbdadm -v dump all`; DRBD 8.4 and 9.

The verbose dump repeats in each resource what it has from the `common` section, so one process answers for all of them.
The whole dump has the shared secret in it, and never leaves the host; what is kept is, for each resource:

    resource NAME {
    fence-peer COMMAND
    runnable

The second line is absent without a handler, the third where the handler's program is not there. A word is quoted if it
has to be, `"` and the backslash in it escaped (captured with drbd-utils 9.22.0).
"""

from __future__ import annotations

import re
from typing import Final

from dualsrm.model import FenceHandler

_WORD: Final = r"""("(?:[^"\\]|\\.)*"|[^\s"{};]+)"""
_RESOURCE: Final = re.compile(rf"resource {_WORD} \{{")
_HANDLER: Final = re.compile(rf"fence-peer {_WORD}")


class FilesSyntaxError(ValueError):
    """The text is not what the probe keeps of a dump."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} of what was kept of `drbdadm -v dump all` makes no sense")


def read_files(text: str) -> dict[str, FenceHandler | None]:
    """The resources of this host, each with its fence-peer handler or None; raises `FilesSyntaxError`."""
    found: dict[str, FenceHandler | None] = {}
    name = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line:
            continue
        handler = found.get(name)
        resource = _RESOURCE.fullmatch(line)
        if resource and _unquoted(resource[1]) not in found:
            name = _unquoted(resource[1])
            found[name] = None
        elif name and handler is None and (command := _HANDLER.fullmatch(line)):
            found[name] = FenceHandler(_unquoted(command[1]), runnable=False)
        elif handler is not None and line == "runnable":
            found[name] = FenceHandler(handler.command, runnable=True)
        else:
            raise FilesSyntaxError(number)
    return found


def _unquoted(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word
