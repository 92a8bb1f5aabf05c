"""The guests: started once their disks are primary on one node, and looked up where libvirt says they run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from uml.access import Access
from uml.facts import GUESTS, RESOURCES, Guest

#: One line of /proc/drbd per minor: its connection, roles and disks. DRBD 8.4; reading it costs one process.
_DEVICE = re.compile(r"^\s*(\d+): cs:(\S+) ro:(\S+) ds:(\S+)", re.MULTILINE)


def connected(proc_drbd: str, count: int = len(RESOURCES)) -> bool:
    """Whether there are so many resources, and every one is Connected and UpToDate on both sides."""
    devices = _DEVICE.findall(proc_drbd)
    return len(devices) == count and all(
        state == "Connected" and disks == "UpToDate/UpToDate" for _, state, _, disks in devices
    )


def replicated(access: Access, node: str, count: int = len(RESOURCES)) -> bool:
    """Ask the node whether all its resources, so many, are Connected and UpToDate/UpToDate."""
    done = access.run(node, "cat", "/proc/drbd", check=False)
    return done.returncode == 0 and connected(done.stdout, count)


def start_home_guests(access: Access, node: str, guests: Sequence[Guest] = GUESTS) -> None:
    """Promote the resources of those of the guests at home on this node and start them, one after the other."""
    home = [guest for guest in guests if guest.home == node]
    if not home:
        return
    access.run(node, "drbdadm", "primary", *(resource for guest in home for resource in guest.resources))
    for guest in home:
        access.run(node, "virsh", "--quiet", "start", guest.name, deadline=120)


def running(access: Access, node: str, *, deadline: float = 15) -> list[str] | None:
    """Names of the guests libvirt says are running on the node; None when it cannot be asked."""
    done = access.run(node, "virsh", "--readonly", "list", "--name", "--state-running", check=False, deadline=deadline)
    return done.stdout.split() if done.returncode == 0 else None


def hosts(seen: Mapping[str, list[str] | None], guests: Sequence[Guest] = GUESTS) -> dict[str, str | None]:
    """Guest name to the node it runs on. None when nowhere seen, or when two nodes claim it."""
    claims = {g.name: [node for node, names in seen.items() if names and g.name in names] for g in guests}
    return {name: nodes[0] if len(nodes) == 1 else None for name, nodes in claims.items()}
