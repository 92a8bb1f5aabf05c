"""A storage guest and two clients of it, put into a lab that runs: volumes, DRBD resources, guests, groups."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from uml import guests
from uml.facts import RESOURCES, STORAGE, STORAGE_GUESTS, STORAGE_RESOURCES
from uml.lab import Lab
from uml.outside import wait_until

#: Seconds. Zeroing 160 MiB and 60 commands of DRBD's, on a node that is busy with its guests.
_ADD_DEADLINE, _REPLICATION_DEADLINE, _FORMAT_DEADLINE = 300.0, 120.0, 120.0
#: The second resource of the guest that serves. A small journal: the file system has 64 MiB.
_EXPORT = f"/dev/drbd/by-res/{STORAGE_GUESTS[0].resources[1]}/0"
_FORMAT = ("mkfs.ext4", "-q", "-J", "size=4", _EXPORT)


def add(the: Lab) -> bool:
    """Make and start them. False when the lab has them already."""
    the.require_up()
    with the.exclusive():
        if the.layout.storage.exists():
            the.say(f"lab {the.layout.name} has its storage guest already")
            return False
        _each(the, lambda node: _prepare(the, node))
        the.say("volumes made, guests defined")
        _each(the, lambda node: _wait_for_replication(the, node))
        the.say("replication is connected and up to date")
        server = STORAGE_GUESTS[0]
        the.access.run(server.home, "drbdadm", "primary", *server.resources)
        the.access.run(server.home, *_FORMAT, deadline=_FORMAT_DEADLINE)
        _each(the, lambda node: guests.start_home_guests(the.access, node, STORAGE_GUESTS))
        with the.layout.settings.open("a") as settings:
            settings.write((STORAGE / "groups.toml").read_text())
        the.layout.storage.touch()
        the.say("guests started; their groups are in the lab's dualsrm.toml")
        return True


def _each(the: Lab, work: Callable[[str], None]) -> None:
    """Do the work for all nodes at once. A failure leaves the lab up, to be looked at."""
    with ThreadPoolExecutor(len(the.nodes)) as pool:
        list(pool.map(work, the.nodes))


def _prepare(the: Lab, node: str) -> None:
    the.access.run(node, str(STORAGE / "add.sh"), deadline=_ADD_DEADLINE)


def _wait_for_replication(the: Lab, node: str) -> None:
    count = len(RESOURCES) + len(STORAGE_RESOURCES)
    wait_until(
        f"DRBD on {node} to be Connected and UpToDate with {count} resources",
        lambda: guests.replicated(the.access, node, count),
        deadline=_REPLICATION_DEADLINE,
        console=the.layout.console(node),
    )
