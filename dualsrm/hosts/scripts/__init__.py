"""The constant scripts that run on hosts. Data reaches them as positional arguments, never as text of the script.

They are run as `SHELL -c SCRIPT NAME ARGUMENTS`: read from standard input, bash would fetch them byte by byte. They are
written to fork as little as they can: a fork costs 0.1 s on a lab node.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def script(name: str) -> str:
    """The text of `NAME.sh`."""
    return files(__name__).joinpath(f"{name}.sh").read_text(encoding="utf-8")


def script_argv(name: str, *arguments: str) -> list[str]:
    """The argv that runs `NAME.sh` with these positional arguments, in the shell its first line names."""
    text = script(name)
    shell = text.partition("\n")[0].rpartition("/")[2]
    return [shell, "-c", text, f"dualsrm-{name}", *arguments]
