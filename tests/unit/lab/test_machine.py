from __future__ import annotations

from pathlib import Path

from uml.facts import NETWORKS, NODES
from uml.machine import Disk, Machine
from uml.network import tap


def machine(name: str = "alpha") -> Machine:
    return Machine(
        name=name,
        disks=(Disk(Path("/l/cow"), base=Path("/c/root")), Disk(Path("/l/data")), Disk(Path("/l/tar"), read_only=True)),
        console=Path("/l/console"),
        sockets=Path("/l/sockets"),
        taps=tuple(tap(name, network) for network in NETWORKS),
    )


def test_disks_are_numbered_in_order() -> None:
    line = machine().command_line()
    assert [word for word in line if word.startswith("ubd")] == [
        "ubd0=/l/cow,/c/root",
        "ubd1=/l/data",
        "ubd2r=/l/tar",
    ]


def test_no_two_interfaces_of_the_pair_share_a_mac() -> None:
    words = [word for node in NODES for word in machine(node).command_line() if word.startswith("vec")]
    assert len({word.rpartition("mac=")[2] for word in words}) == len(NODES) * len(NETWORKS)


def test_tap_names_fit_the_kernels_limit() -> None:
    assert all(len(tap(node, network)) <= 15 for node in NODES for network in NETWORKS)
