"""The peer's `dualsrm-host`, over ssh on the management network."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Final

from dualsrm.hosts.text import clean
from dualsrm.hostside.port import Answer, HostsideError, Reply
from dualsrm.hostside.run import run
from dualsrm.hostside.settings import Peer

PROGRAM: Final = "dualsrm-host"
ASK_S: Final = 30.0
"""A handshake takes 1 to 3 s on a loaded host; the peer's own attempt has its own patience within this."""
_CONNECT_S: Final = 10
_NOBODY_S: Final = 5
"""Who is there answers one of three SYNs within 3 s; who is not costs all of it while the neighbour table has him."""
_SSH_FAILED: Final = 255
_SILENCE: Final = re.compile("timed out|No route to host")
"""ssh's words, and the system's in the C locale, when nobody is there."""
_ANSWER: Final = re.compile("refused|denied|verification failed|reset by peer|closed by|identification")
_OPTIONS: Final = (
    # Nobody's ssh configuration: a shared connection that hangs in a cut network would hang this one too.
    "-F",
    "none",
    "-o",
    "BatchMode=yes",
    "-o",
    "ServerAliveInterval=2",
    "-o",
    "ServerAliveCountMax=3",
    "-o",
    "StrictHostKeyChecking=yes",
)


def ssh_argv(peer: Peer, command: Sequence[str], connect_s: int = _CONNECT_S) -> list[str]:
    """The argv that runs a command on the peer."""
    argv = ["ssh", *_OPTIONS, "-o", f"ConnectTimeout={connect_s}", "-p", str(peer.port), "-l", peer.user]
    if peer.identity:
        argv += ["-o", "IdentitiesOnly=yes", "-i", peer.identity]
    if peer.known_hosts:
        argv += ["-o", f"UserKnownHostsFile={peer.known_hosts}"]
    return [*argv, "--", peer.address, shlex.join(command)]


def ask(peer: Peer, resource: str, *, claims: bool) -> Reply | None:
    """Ask the peer to give way. None: it cannot be reached.

    A peer that is reached and has no answer (no dualsrm-host, a crash, a host that crawls) has not given way; it is not
    silent either: ssh ends by itself within seconds when nobody is there, and only then it may be switched off.
    """
    command = [PROGRAM, "yield", *(["--claims"] if claims else []), "--", resource]
    try:
        done = run(ssh_argv(peer, command), deadline_s=ASK_S)
    except HostsideError as error:
        return Reply(Answer.SILENT, f"{peer.name} gave no answer: {error}")
    if done.returncode == _SSH_FAILED:
        return None
    try:
        found = json.loads(done.stdout)
        return Reply(Answer(found["answer"]), clean(str(found["why"])))
    except (ValueError, KeyError, TypeError, RecursionError):
        said = clean(done.stderr) or clean(done.stdout) or "nothing"
        return Reply(Answer.NOT_YET, f"{peer.name} ended with {done.returncode} and said {said}")


def reach(peer: Peer) -> tuple[bool | None, str]:
    """Whether anything answers there, and what was heard; None: that could not be asked.

    ssh that is refused was answered: a host that rejects this key, or this port, runs.
    """
    try:
        done = run(ssh_argv(peer, [PROGRAM, "version"], _NOBODY_S), deadline_s=ASK_S)
    except HostsideError as error:
        return None, str(error)
    said = clean(done.stderr) or clean(done.stdout) or "nothing"
    if done.returncode != _SSH_FAILED:
        return True, f"{peer.name} answers: {said}"
    reached = False if _SILENCE.search(said) else True if _ANSWER.search(said) else None
    return reached, said


def version(peer: Peer) -> str:
    """The peer's version of dualsrm-host. Raises `HostsideError` with what was seen when it cannot be asked."""
    done = run(ssh_argv(peer, [PROGRAM, "version"]), deadline_s=ASK_S)
    if done.returncode != 0:
        said = clean(done.stderr) or clean(done.stdout) or "nothing"
        raise HostsideError(f"`{PROGRAM} version` on {peer.name}, over ssh to {peer.address}: {said}")
    return clean(done.stdout)
