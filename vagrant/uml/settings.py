"""dualsrm's configuration for a lab: the same facts for the manager outside and for a manager on a node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from uml.facts import Facts


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
