"""dualsrm's configuration for a lab: the same facts for the manager outside and for a manager on a node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from uml import bmc
from uml.facts import Facts


def password_file(peer: str) -> Path:
    """Where a node keeps the password of its peer's power switch."""
    return Path(f"/etc/dualsrm/{peer}-bmc.password")


def render(facts: Facts, nodes: Sequence[str], *, identity: Path, known_hosts: Path, state: Path) -> str:
    """The TOML text, for a manager that finds its key and known_hosts, and keeps its journal, at these paths."""
    lines = ["[ssh]", f'identity_file = "{identity}"', f'known_hosts = "{known_hosts}"', ""]
    for node in nodes:
        lines += [
            f"[hosts.{node}]",
            f'address = "{facts.addresses[node]["management"]}"',
            f'migration_address = "{facts.addresses[node]["memory"]}"',
            f'peer_uri = "qemu+ssh://{node}/system"',
            "",
        ]
    names = ", ".join(f'"{node}"' for node in nodes)
    lines += ["[pairs.lab]", f"hosts = [{names}]", "", "[migration]", 'transport = "tcp"', ""]
    lines += ["[state]", f'directory = "{state}"']
    return "\n".join(lines) + "\n"


def render_host(facts: Facts, peer: str, *, fenced: bool) -> str:
    """The TOML text of host.toml on a node with this peer: how to reach it and, when fenced, how to switch it off."""
    lines = [
        f"[peers.{peer}]",
        f'address = "{facts.addresses[peer]["management"]}"',
        'identity = "/root/.ssh/id_ed25519"',
        'known_hosts = "/root/.ssh/known_hosts"',
    ]
    if fenced:
        lines += [
            "",
            f"[peers.{peer}.fence]",
            f'agent = "{bmc.AGENT}"',
            f'password_file = "{password_file(peer)}"',
            "",
            f"[peers.{peer}.fence.options]",
            *(f'{key} = "{value}"' for key, value in bmc.agent_options(facts.bmcs[peer]).items()),
        ]
    return "\n".join(lines) + "\n"
