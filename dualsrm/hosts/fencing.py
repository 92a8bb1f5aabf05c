"""The manager's questions to a survivor about its lost peer: `dualsrm-host peer-status`, `fence` and `peer-is-off`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from dualsrm.errors import CommandFailed, DualsrmError
from dualsrm.hosts.deadlines import FENCE_S, NOTED_S, PEER_STATUS_S
from dualsrm.hosts.ssh import Completed, SshConnection
from dualsrm.hosts.text import clean
from dualsrm.model import (
    Fenced,
    Maybe,
    Noted,
    PeerError,
    PeerSeen,
    Unknown,
    parse_fenced,
    parse_noted,
    parse_peer_seen,
)

_PROGRAM: Final = "dualsrm-host"


class HostFencing:
    """One host's view of its peer, and its way to switch it off."""

    def __init__(self, ssh: SshConnection) -> None:
        self._ssh = ssh

    def peer_seen(self, peer: str) -> Maybe[PeerSeen]:
        """Whether the peer answers this host, and what its fence device says."""
        try:
            done = self._run(["peer-status", "--", peer], PEER_STATUS_S)
            return parse_peer_seen(done.stdout)
        except (DualsrmError, PeerError) as error:
            said = error.seen if isinstance(error, DualsrmError) else f"{_PROGRAM} peer-status: {error}"
            return Unknown(said, f"on {self._ssh.host.name}: {_PROGRAM} version; both hosts need this release")

    def fence(self, peer: str, operation: str) -> Fenced:
        """Switch it off by the device in host.toml, and put it in quarantine; how that ended."""
        done = self._ssh.run([_PROGRAM, "fence", f"--quarantine={operation}", "--", peer], deadline_s=FENCE_S)
        try:
            return parse_fenced(done.stdout)
        except PeerError as error:
            raise self._failed("fence", done) from error

    def confirm_off(self, peer: str, by: str, operation: str) -> None:
        """Note there that somebody says the peer is off, and put it in quarantine."""
        self._run(["peer-is-off", f"--by={by}", f"--quarantine={operation}", "--", peer], NOTED_S)

    def noted(self, peer: str) -> Noted:
        """What is written down there."""
        done = self._run(["peer-status", "--noted", "--", peer], NOTED_S)
        try:
            found = parse_noted(done.stdout)
        except PeerError as error:
            raise self._failed("peer-status", done) from error
        return replace(found, off_by=clean(found.off_by)) if found.off_by is not None else found

    def lift_quarantine(self, peer: str) -> None:
        """The peer has all data again."""
        self._run(["lift-quarantine", "--", peer], NOTED_S)

    def _run(self, words: Sequence[str], deadline_s: float) -> Completed:
        done = self._ssh.run([_PROGRAM, *words], deadline_s=deadline_s)
        if done.exit != 0:
            raise self._failed(words[0], done)
        return done

    def _failed(self, verb: str, done: Completed) -> CommandFailed:
        host = self._ssh.host.name
        said = clean(done.stderr) or clean(done.stdout) or "nothing"
        return CommandFailed(
            f"`{_PROGRAM} {verb}` on {host} ended with {done.exit}: {said}",
            why="the survivor itself has to know that its peer is off: DRBD asks it before it promotes",
            fix=f"on {host}: {_PROGRAM} version; journalctl -t {_PROGRAM}",
        )
