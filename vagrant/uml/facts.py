"""Who is where: read from provision/facts.env, which the provisioning scripts read too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
VAGRANT = REPOSITORY / "vagrant"
PROVISION = VAGRANT / "provision"

#: In the order of a node's interfaces: vec0, vec1, vec2.
NETWORKS = ("management", "replication", "memory")
NODES = ("alpha", "beta")
#: Not a network: the manager and one node lose each other on management, and nobody else loses anybody.
MANAGER = "manager"


@dataclass(frozen=True)
class Guest:
    """One guest of the lab, the DRBD resources its disks lie on, and the node it starts on."""

    name: str
    resources: tuple[str, ...]
    home: str


GUESTS = (
    Guest("web", ("web",), "alpha"),
    Guest("mail", ("mail",), "beta"),
    Guest("db", ("db-data", "db-log"), "alpha"),
)
RESOURCES = tuple(resource for guest in GUESTS for resource in guest.resources)
STORAGE = PROVISION / "storage"


def _storage_rows(path: Path = STORAGE / "guests.list") -> list[list[str]]:
    lines = path.read_text().splitlines()
    return [line.split() for line in lines if not line.startswith("#")]


#: What `vagrant/lab storage` adds: a guest that exports a disk, and guests that mount it. The first one serves.
STORAGE_GUESTS = tuple(
    Guest(name, tuple(resources.split(",")), home) for name, _, home, resources, *_ in _storage_rows()
)
STORAGE_RESOURCES = tuple(resource for guest in STORAGE_GUESTS for resource in guest.resources)


def storage_addresses() -> dict[str, str]:
    """Address of each guest that `vagrant/lab storage` adds."""
    network = read_facts().manager.rpartition(".")[0]
    return {name: f"{network}.{number}" for name, number, *_ in _storage_rows()}


@dataclass(frozen=True)
class Facts:
    """The addresses of the pair: manager's own, by node and network, and of each node's power switch."""

    manager: str
    addresses: dict[str, dict[str, str]]
    bmcs: dict[str, str]


def read_facts(path: Path = PROVISION / "facts.env") -> Facts:
    """Parse KEY=VALUE lines; a missing key is a KeyError, for the file is part of the sources."""
    lines = (line.strip() for line in path.read_text().splitlines())
    values = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return Facts(
        manager=values["MANAGER"],
        addresses={node: {network: values[f"{node}_{network}".upper()] for network in NETWORKS} for node in NODES},
        bmcs={node: values[f"{node}_bmc".upper()] for node in NODES},
    )
