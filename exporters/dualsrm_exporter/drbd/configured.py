"""Which resources this host has in its files, and with whom: read off `drbdadm -v dump all`.

The dump has the shared secret in it. Of all its lines only those with a resource's or a host's name are kept, and no
error quotes what was read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from dualsrm.hosts.drbd.files import FilesSyntaxError, read_files

_HEAD: Final = re.compile(r"# resource .* on (?P<here>\S+): (?P<word>ignored|not ignored), .*")
_ON: Final = re.compile(r""" +on (?P<hosts>[^{"]+|"(?:[^"\\]|\\.)*") \{""")


def read_configured(dump: str) -> Mapping[str, tuple[str, ...]]:
    """The other hosts of each resource of this host, by the resource's name; raises `FilesSyntaxError`."""
    found: dict[str, tuple[str, ...]] = {}
    here, mine, name = "", False, ""
    for number, line in enumerate(dump.split("\n"), start=1):
        if head := _HEAD.fullmatch(line):
            here, mine, name = head["here"], head["word"] == "not ignored", ""
        elif mine and line.startswith("resource "):
            name = _only_name(line, number)
            found[name] = ()
        elif name and (on := _ON.fullmatch(line)):
            hosts = [host.strip('"') for host in on["hosts"].split()]
            found[name] += tuple(host for host in hosts if host != here)
    return found


def _only_name(line: str, number: int) -> str:
    names = tuple(read_files(line + "\n"))
    if len(names) != 1:
        raise FilesSyntaxError(number)
    return names[0]
