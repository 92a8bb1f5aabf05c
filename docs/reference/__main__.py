"""`python -m docs.reference man DIRECTORY | completion DIRECTORY | commands`."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from docs.reference import completion, man, markdown
from docs.reference.programs import programs
from dualsrm import __version__


def main() -> int:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m docs.reference", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("commands", help="docs/commands.md, on standard output")
    for kind in ("man", "completion"):
        kinds.add_parser(kind, help="files into a directory").add_argument("directory", type=Path)
    given = parser.parse_args()
    if given.kind == "commands":
        sys.stdout.write(markdown.render(programs()))
    elif given.kind == "man":
        man.write(programs(), given.directory, __version__, _date())
    else:
        completion.write(given.directory)
    return 0


def _date() -> str:
    """Of the sources, as builds that can be repeated say it; without it a page has none."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return "" if epoch is None else datetime.fromtimestamp(int(epoch), UTC).date().isoformat()


if __name__ == "__main__":
    sys.exit(main())
