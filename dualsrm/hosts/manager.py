"""What is done on the manager itself: asking over the network whether a guest's service is there, and running hooks.

Programs are run by argument lists, each in a process group of its own, so that at its deadline it goes with all that
it started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Final

from dualsrm.errors import DeadlineExceeded
from dualsrm.hosts.calls import within
from dualsrm.hosts.deadlines import PROBE_COMMAND_S, PROBE_NETWORK_S
from dualsrm.hosts.text import clean, decode
from dualsrm.model import AgentAnswers, CommandSucceeds, HttpAnswers, Pings, Probe, TcpAccepts

_SAID_LIMIT: Final = 4096


class Manager:
    """This machine."""

    def probe(self, probe: Probe) -> str:
        """Empty when it is seen, else what was seen instead."""
        match probe:
            case TcpAccepts(host=host, port=port):
                return _tcp(host, port)
            case HttpAnswers(url=url):
                return _http(url)
            case Pings(host=host):
                wait = str(int(PROBE_NETWORK_S))
                return _run(["ping", "-n", "-q", "-c", "1", "-W", wait, "--", host], None, PROBE_COMMAND_S)
            case CommandSucceeds(argv=argv):
                return _run(argv, None, PROBE_COMMAND_S)
            case AgentAnswers(guest=guest):
                return f"the agent in {guest} is asked through its host"

    def run_hook(self, argv: Sequence[str], environment: Mapping[str, str], deadline_s: float) -> str:
        """Run a program with these variables besides the manager's own."""
        return _run(argv, environment, deadline_s)


def _tcp(host: str, port: int) -> str:
    def connect() -> None:
        socket.create_connection((host, port), timeout=PROBE_NETWORK_S).close()

    try:
        # A name may have many addresses, each with its own timeout, and looking it up has none.
        within(connect, PROBE_NETWORK_S, f"{host} port {port}")
    except (OSError, DeadlineExceeded) as error:
        return _said(error)
    return ""


def _http(url: str) -> str:
    # Whatever proxy the manager has for the world, a guest is asked directly.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask() -> None:
        opener.open(url, timeout=PROBE_NETWORK_S).close()  # follows redirects; raises from status 400 on

    try:
        within(ask, PROBE_COMMAND_S, clean(url))
    except (OSError, ValueError, DeadlineExceeded) as error:
        return _said(error)
    except Exception as error:  # noqa: BLE001 - http.client has errors of its own for every odd answer
        return f"an answer that is not HTTP: {type(error).__name__}"
    return ""


def _said(error: Exception) -> str:
    if isinstance(error, DeadlineExceeded):
        return error.seen
    if isinstance(error, urllib.error.HTTPError):
        return f"status {error.code}"
    return clean(str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error))


def _run(argv: Sequence[str], environment: Mapping[str, str] | None, deadline_s: float) -> str:
    """Empty after exit code 0; its output counts only where that says why not."""
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=None if environment is None else {**os.environ, **environment},
        )
    except (OSError, ValueError) as error:
        return f"it cannot be run: {getattr(error, 'strerror', None) or error}"
    try:
        out, _ = process.communicate(timeout=deadline_s)
    except subprocess.TimeoutExpired:
        _end(process)
        return f"it did not end within {deadline_s:g} s, and was ended"
    if process.returncode == 0:
        return ""
    said = clean(decode(out[-_SAID_LIMIT:]))
    how = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
    return f"it ended with {how}" + (f": {said}" if said else "")


def _end(process: subprocess.Popen[bytes]) -> None:
    """With all that it started; not waited for, because one that hangs in the kernel survives even that."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1.0)
    if process.stdout is not None:
        process.stdout.close()
