"""`dualsrm-exporter`, up to the point where it is known that its libraries are there.

They are an extra of the package: a manager does without them, and then this program is there all the same.
"""

from __future__ import annotations

import sys

_INSTALL = "pip install 'dualsrm[exporter]', or Debian's packages in docs/exporter.md"


def main() -> int:
    """Run; the exit status: 2 if a library is missing, else the program's own."""
    try:
        from dualsrm_exporter.main import main as run  # noqa: PLC0415 - what it loads may not be installed
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in {"dualsrm", "dualsrm_exporter"}:
            raise  # a broken installation is not a missing extra
        print(f"dualsrm-exporter: the Python module {error.name} is not installed: {_INSTALL}", file=sys.stderr)
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())
