"""Who may log in where: keys made for one lab, and how the manager's side reaches its nodes."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uml.facts import Facts
from uml.layout import Layout
from uml.network import Networks
from uml.outside import run


@dataclass(frozen=True)
class Keys:
    """The lab's key files, all ed25519: the manager's, and a host's and root's for each node."""

    directory: Path

    @property
    def manager(self) -> Path:
        """The key dualsrm and `lab ssh` use."""
        return self.directory / "id_ed25519"

    def host(self, node: str) -> Path:
        """The key the node's sshd shows."""
        return self.directory / f"{node}.host_ed25519"

    def root(self, node: str) -> Path:
        """The key root on the node uses to reach both nodes."""
        return self.directory / f"{node}.root_ed25519"

    def create(self, nodes: Sequence[str]) -> None:
        """Make every key; ssh-keygen writes private ones with mode 0600."""
        paths = [self.manager, *(self.host(n) for n in nodes), *(self.root(n) for n in nodes)]
        for path in paths:
            run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"dualsrm-lab {path.name}", "-f", str(path)],
                deadline=10,
            )


def public(key: Path) -> str:
    """The public half of a key, one line."""
    return key.with_name(key.name + ".pub").read_text().strip()


def known_hosts(keys: Keys, facts: Facts, nodes: Sequence[str]) -> str:
    """Every name and address a node answers to, with its host key."""
    lines = []
    for node in nodes:
        names = [node, f"{node}-memory", f"{node}-replication", *facts.addresses[node].values()]
        lines.append(f"{','.join(names)} {' '.join(public(keys.host(node)).split()[:2])}")
    return "\n".join(lines) + "\n"


def authorized_keys(keys: Keys, nodes: Sequence[str]) -> str:
    """The manager and root on every node, this one included, so that dualsrm runs from any of them."""
    return "\n".join([public(keys.manager), *(public(keys.root(node)) for node in nodes)]) + "\n"


def ssh_config(layout: Layout, facts: Facts, nodes: Sequence[str]) -> str:
    """For ssh -F. A dead network must end a shared connection, hence ServerAlive; 9 s in all."""
    text = []
    for node in nodes:
        text += [f"Host {node}", f"    HostName {facts.addresses[node]['management']}"]
    text += [
        "Host *",
        "    User root",
        "    BatchMode yes",
        "    ConnectTimeout 10",
        "    IdentitiesOnly yes",
        f"    IdentityFile {layout.directory / 'id_ed25519'}",
        f"    UserKnownHostsFile {layout.directory / 'known_hosts'}",
        "    GlobalKnownHostsFile none",
        "    LogLevel ERROR",
        f"    ControlPath {layout.directory / 'ssh-%n'}",
        "    ServerAliveInterval 3",
        "    ServerAliveCountMax 3",
    ]
    return "\n".join(text) + "\n"


#: Arguments: the control socket, then the argv that opens the connection. A dead master's socket would block the next.
_KEEPER = 'socket=$1; shift; while :; do rm -f "$socket"; "$@"; sleep 1; done'


@dataclass(frozen=True)
class Access:
    """Commands on the nodes, over one standing connection each: a login costs a second under emulation."""

    layout: Layout
    networks: Networks

    def argv(self, node: str, command: Sequence[str], *options: str) -> list[str]:
        """The argv, namespace entry included. ssh joins words with blanks for the far shell, so they are quoted."""
        remote = ["--", shlex.join(command)] if command else []
        return self.networks.enter(*self._ssh(node, *options), *remote)

    def _ssh(self, node: str, *options: str) -> list[str]:
        return ["ssh", "-F", str(self.layout.ssh_config), *options, node]

    def run(
        self, node: str, *command: str, deadline: float = 30, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the node and return its output; deadline in seconds."""
        return run(self.argv(node, command), deadline=deadline, check=check)

    def answers(self, node: str, *, deadline: int = 3) -> bool:
        """Whether a login works now; deadline in seconds."""
        argv = self.argv(node, ["true"], "-o", f"ConnectTimeout={deadline}")
        try:
            return subprocess.run(argv, check=False, capture_output=True, timeout=deadline + 2).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def keep_connected(self, node: str) -> None:
        """Keep a standing connection open as long as the lab lives; it ends with the lab's other processes.

        A process of its own, because one begun by the first command would hold that command's pipes open.
        """
        socket = str(self.layout.directory / f"ssh-{node}")
        subprocess.Popen(
            self.networks.enter("bash", "-c", _KEEPER, "keeper", socket, *self._ssh(node, "-N", "-M")),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
