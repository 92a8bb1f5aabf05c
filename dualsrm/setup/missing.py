"""What the pair lacks that no check of a guest looks at: the hosts' program, the way between them, power switches."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from dualsrm.model import Finding, Power, Severity, Unknown
from dualsrm.setup.draft import Draft, HostDraft

HOST_PROGRAM, PEER_REACHED, POWER_SWITCH = "host-program", "peer-reached", "power-switch"


def missing(draft: Draft, path: str) -> tuple[Finding, ...]:
    """Everything, host by host. `path`: the file that the draft becomes."""
    found: list[Finding] = []
    for number, one in enumerate(draft.hosts, start=1):
        found += _host_side(draft, one, install(one, number, path))
    return tuple(found)


def install(one: HostDraft, number: int, path: str) -> str:
    """The command that takes a host's own file out of the configuration's comments; it overwrites nothing there."""
    write = "umask 077; mkdir -p /etc/dualsrm; set -C; cat >/etc/dualsrm/host.toml"
    take = shlex.join(["sed", "-n", f"s/^#{number}> \\{{0,1\\}}//p", path])
    return f"{take} | {ssh(one, write)}"


def ssh(one: HostDraft, command: str) -> str:
    """A command line that runs a shell's command on a host."""
    port = [] if one.host.port == 22 else ["-p", str(one.host.port)]  # noqa: PLR2004 - ssh's own port
    return shlex.join(["ssh", *port, f"{one.host.user}@{one.host.address}", command])


def _host_side(draft: Draft, one: HostDraft, put: str) -> Iterator[Finding]:
    name, other = one.host.name, draft.other(one).host.name
    if isinstance(one.peer, Unknown):
        yield Finding(
            HOST_PROGRAM,
            Severity.UNKNOWN,
            name,
            f"dualsrm-host on {name} does not answer: {one.peer.why}",
            "It guards every move, and it is DRBD's handler when the link is lost: nothing moves without it.",
            f"install the package dualsrm-host there, then: {ssh(one, 'dualsrm-host version')}",
        )
        return
    if one.peer.reached is not True:
        yield Finding(
            PEER_REACHED,
            Severity.WARNING,
            name,
            f"{name} does not reach {other} over the management network: {one.peer.why}",
            "When the replication link is lost the hosts ask each other; unanswered, a guest stays frozen.",
            f"{put}; then: {ssh(one, f'dualsrm-host peer-status {other}')}",
        )
    look = ssh(one, f"dualsrm-host peer-status {other}")
    lost = f"If {other} were lost, a person would have to see that it is off before its guests start on {name}."
    if one.peer.power is Power.NO_DEVICE:
        seen = f"{name} has no power switch of {other}"
        yield Finding(POWER_SWITCH, Severity.WARNING, other, seen, lost, f"{put}; then: {look}")
    elif one.peer.power is Power.UNKNOWN:
        seen = f"the power switch of {other} does not answer {name}: {one.peer.power_why}"
        mend = f"correct [peers.{other}.fence] in /etc/dualsrm/host.toml on {name}, then: {look}"
        yield Finding(POWER_SWITCH, Severity.WARNING, other, seen, lost, mend)
