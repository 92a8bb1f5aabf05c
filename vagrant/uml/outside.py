"""Every call to another program and every wait goes through here, so that each has a deadline."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from uml.errors import LabError

POLL_SECONDS = 0.1
#: Set while failed or interrupted parallel work is being ended: the other waits must not sit out their deadlines.
GIVE_UP = threading.Event()


def run(
    argv: Sequence[str],
    *,
    deadline: float,
    check: bool = True,
    env: dict[str, str] | None = None,
    stdin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run argv to its end and return its output; deadline in seconds. With check, a non-zero exit is a LabError."""
    try:
        done = subprocess.run(
            argv,
            check=False,
            capture_output=True,
            text=True,
            timeout=deadline,
            env=env,
            input="" if stdin is None else stdin,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"{' '.join(argv)} did not end within {deadline:.0f} s",
            "the lab cannot tell what state it left behind",
            "vagrant/lab down, then vagrant/lab up",
        ) from error
    if check and done.returncode != 0:
        raise LabError(
            f"{' '.join(argv)} failed with {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}",
            "the lab needs this step",
            "see the message above; vagrant/lab down removes what is there",
        )
    return done


def wait_until(what: str, ready: Callable[[], bool], *, deadline: float, console: Path | None = None) -> None:
    """Poll until ready() holds; after deadline seconds say what was awaited and show the console's last lines."""
    end = time.monotonic() + deadline
    while not ready():
        if GIVE_UP.is_set():
            raise LabError(f"gave up waiting for {what}", "another part failed", "see its message")
        if time.monotonic() > end:
            last = tail(console) if console else ""
            raise LabError(
                f"waited {deadline:.0f} s for {what}, in vain{last}",
                "the lab is not usable without it",
                "vagrant/lab down, then vagrant/lab up; on a loaded machine try again when it is quieter",
            )
        time.sleep(POLL_SECONDS)


def printable(text: str) -> str:
    """Lines fit for a terminal: a kernel console is full of control sequences."""
    return "\n".join("".join(c if c.isprintable() else " " for c in line) for line in text.splitlines())


def tail(path: Path, lines: int = 25) -> str:
    """The last lines of a log, indented for an error message; empty when there is no such file."""
    if not path.exists():
        return ""
    last = path.read_text(errors="replace").splitlines()[-lines:]
    return f"\n  last lines of {path}:\n" + "\n".join(f"    {line}" for line in last)
