"""A virtual machine's keys and settings, put where they belong: `python3 -m uml.on_machine MACHINE KEYS`.

Run on the machine itself, as root, by Vagrant: with Debian's Python and nothing else. KEYS is a directory with the
machine's own keys and everybody's public ones, named as `uml.access.Keys` says; it is deleted.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from uml import config_disk
from uml.access import Keys
from uml.facts import MANAGER, NODES, read_facts

_PRIVATE = 0o700


def put(machine: str, keys: Keys, root: Path = Path("/")) -> None:
    """Write the files of a node, or of the manager, each with its mode from the first byte."""
    facts = read_facts()
    if machine == MANAGER:
        files = config_disk.manager(keys.manager, NODES, keys, facts)
    else:
        files = config_disk.identity(machine, NODES, keys, facts)
    (root / "root" / ".ssh").mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
    for name, (text, mode) in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=mode)
        fresh.write_text(text)
        fresh.replace(path)


if __name__ == "__main__":
    os.umask(0o022)
    given = Path(sys.argv[2])
    put(sys.argv[1], Keys(given))
    shutil.rmtree(given)
