"""The manager's end of `dualsrm-host peer-status`, `fence` and `peer-is-off`, and what silence is."""

from __future__ import annotations

import errno
import socket
from typing import cast

import pytest
from paramiko.ssh_exception import AuthenticationException, NoValidConnectionsError, SSHException

from dualsrm.errors import CommandFailed, HostUnreachable
from dualsrm.hosts.drbd_commands import DrbdCommands
from dualsrm.hosts.fencing import HostFencing
from dualsrm.hosts.host import RealHost
from dualsrm.hosts.ssh import Completed, SshConnection
from dualsrm.hosts.ssh.failures import is_silence
from dualsrm.model import Fenced, Host, Noted, PeerSeen, Power, Unknown
from tests.unit.hosts.sshd import Sshd

SEEN = PeerSeen(False, "timed out", Power.OFF, "fence_x", "", {"web": "2026"})
FENCED = Fenced(True, Power.ON, "fence_x", 2.5, asked=True)


class Said:
    """A connection that answers the same each time."""

    host = Host("beta", "b", "b", "uri")

    def __init__(self, out: str, status: int = 0) -> None:
        self.done = Completed(status, out, "")
        self.asked: list[list[str]] = []

    def run(self, argv: list[str], *, deadline_s: float) -> Completed:
        self.asked.append(list(argv))
        return self.done

    @property
    def fencing(self) -> HostFencing:
        return HostFencing(cast(SshConnection, self))


def test_what_is_asked_and_what_comes_back() -> None:
    said = Said(SEEN.to_json())
    assert said.fencing.peer_seen("alpha") == SEEN
    assert said.asked == [["dualsrm-host", "peer-status", "--", "alpha"]]
    said = Said(FENCED.to_json(), 1)
    assert said.fencing.fence("alpha", "op1") == FENCED
    assert said.asked == [["dualsrm-host", "fence", "--quarantine=op1", "--", "alpha"]]
    said = Said('{"confirmed_off": "anna", "quarantined": true}')
    assert said.fencing.noted("alpha") == Noted("anna", quarantined=True)
    said.fencing.confirm_off("alpha", "anna@desk", "op1")
    assert said.asked[-1] == ["dualsrm-host", "peer-is-off", "--by=anna@desk", "--quarantine=op1", "--", "alpha"]
    none = Noted(None, quarantined=False)
    assert Said('{"confirmed_off": null, "quarantined": false}').fencing.noted("alpha") == none


@pytest.mark.parametrize(("out", "status"), [("", 0), ("usage", 2), ("[]", 0), ("{}", 0)])
def test_no_answer_is_never_off(out: str, status: int) -> None:
    assert isinstance(Said(out, status).fencing.peer_seen("alpha"), Unknown)
    with pytest.raises(CommandFailed):
        Said(out, status).fencing.fence("alpha", "op1")
    with pytest.raises(CommandFailed):
        Said(out, status).fencing.noted("alpha")


def test_force_is_given_only_when_it_is_asked_for() -> None:
    said = Said("")
    drbd = DrbdCommands(cast(SshConnection, said))
    drbd.promote(["web"])
    drbd.promote(["web", "db"], force=True)
    assert said.asked == [["drbdadm", "primary", "web"], ["drbdadm", "primary", "--force", "web", "db"]]


@pytest.mark.parametrize(
    ("error", "silent"),
    [
        (TimeoutError(), True),
        (OSError(errno.EHOSTUNREACH, ""), True),
        (NoValidConnectionsError({("b", 22): OSError(errno.ETIMEDOUT, "")}), True),
        (NoValidConnectionsError({("b", 22): OSError(errno.ECONNREFUSED, "")}), False),
        (AuthenticationException(), False),
        (OSError(errno.ECONNRESET, ""), False),
        (OSError(errno.ENETUNREACH, ""), None),
        (socket.gaierror(-2, "Name or service not known"), None),
        (SSHException("Error reading SSH protocol banner"), None),
        (HostUnreachable("late"), None),
        (None, None),
    ],
)
def test_a_refusal_is_an_answer_and_an_own_fault_is_neither(error: BaseException | None, silent: bool | None) -> None:
    assert is_silence(error) is silent


def test_a_real_host_that_is_heard(sshd: Sshd) -> None:
    host = RealHost(sshd.host, sshd.settings)
    assert host.heard() is True
    host.close()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = Host("alpha", "127.0.0.1", "", "", port=probe.getsockname()[1])
    assert RealHost(nobody, sshd.settings).heard() is True, "refused: that host runs"
