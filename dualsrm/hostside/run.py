"""Running programs on this host: argv lists, a deadline each, and errors that say what was seen."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final

from dualsrm.hosts.text import clean, decode
from dualsrm.hostside.port import HostsideError

ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "PYTHONWARNINGS": "ignore",
}
"""Of every program started here: a handler gets next to nothing from the kernel, a login what it likes.

Fence agents are Python, and what Debian 12's say about themselves would hide what they say about the device.
"""
_OUTPUT_LIMIT: Final = 4 * 1024 * 1024


def run(argv: Sequence[str], *, deadline_s: float, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever its exit status. Raises `HostsideError` when it cannot or takes too long.

    One that is late is killed and *not* waited for: a drbdsetup that hangs in the kernel survives SIGKILL.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=ENVIRONMENT,
        )
    except OSError as error:
        raise HostsideError(f"{argv[0]} cannot be run: {error.strerror}") from error
    try:
        out, errors = process.communicate(stdin.encode(), timeout=deadline_s)
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise HostsideError(f"{argv[0]} did not end within {deadline_s:g} s") from error
    return subprocess.CompletedProcess(
        argv, process.returncode, decode(out[:_OUTPUT_LIMIT]), decode(errors[:_OUTPUT_LIMIT])
    )


def must(argv: Sequence[str], *, deadline_s: float, stdin: str = "") -> str:
    """Run a program that has to succeed, and give its output."""
    done = run(argv, deadline_s=deadline_s, stdin=stdin)
    if done.returncode != 0:
        said = clean(done.stderr) or clean(done.stdout) or "nothing"
        raise HostsideError(f"`{' '.join(argv)}` ended with {done.returncode}: {said}")
    return done.stdout


def start(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a program that goes on, its output on a pipe. The caller ends it."""
    try:
        return subprocess.Popen(list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd="/", env=ENVIRONMENT)
    except OSError as error:
        raise HostsideError(f"{argv[0]} cannot be run: {error.strerror}") from error
