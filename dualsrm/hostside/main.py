"""`dualsrm-host`, up to the point where it is known what is wanted.

A peer asks for the version before every window, and waits for it: that answer must not cost the loading of the rest,
which is half a second on a slow host.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dualsrm import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given == ["version"]:
        print(f"dualsrm-host {__version__}")
        return 0
    from dualsrm.hostside import commands  # noqa: PLC0415 - see above

    return commands.run(given)
