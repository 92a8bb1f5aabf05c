"""What a rehearsal asks of one host: its marked snapshots in LVM, its clones and networks in libvirt."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from dualsrm.errors import CommandFailed
from dualsrm.hosts.deadlines import DRBD_CHANGE_S, DRBD_READ_S
from dualsrm.hosts.libvirt import clones
from dualsrm.hosts.libvirt.connection import LibvirtConnection
from dualsrm.hosts.ssh import SshConnection
from dualsrm.hosts.text import clean
from dualsrm.model import Clone, RehearsalView, SnapshotSeen, short_name
from dualsrm.model.rehearsal import TAG

_LVS: Final = (
    *("lvs", "--reportformat", "json", "--nosuffix", "--units", "b"),
    *("-o", "vg_name,lv_name,origin,lv_size,data_percent,lv_attr,lv_tags"),
)
_NAME: Final = re.compile(r"[A-Za-z0-9_.+][A-Za-z0-9_.+-]{0,126}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,9})?", re.ASCII)


class RehearsalCommands:
    """Commands on one host."""

    def __init__(self, ssh: SshConnection, libvirt: LibvirtConnection, host: str) -> None:
        self._ssh = ssh
        self._libvirt = libvirt
        self._host = host

    def look(self, *, snapshots: bool = True) -> RehearsalView:
        """All that is marked."""
        side = clones.look(self._libvirt)
        return RehearsalView(self._host, self._snapshots() if snapshots else (), side.clones, side.networks)

    def obstacle(self, guest: str) -> str:
        """Why the guest as defined here cannot be cloned."""
        return clones.why_not(self._libvirt, guest)

    def make_network(self, name: str) -> None:
        """A network that leads nowhere."""
        clones.make_network(self._libvirt, name)

    def remove_network(self, name: str) -> None:
        """Take it away."""
        clones.remove_network(self._libvirt, name)

    def start_clone(self, clone: Clone) -> None:
        """Start it, transient."""
        clones.start(self._libvirt, clone)

    def remove_snapshot(self, group: str, name: str) -> None:
        """`lvremove` of one that is marked; LVM itself refuses while a QEMU has it open."""
        marked = {(one.group, one.name) for one in self._snapshots()}
        if (group, name) not in marked:
            return  # gone, or no rehearsal's: then it is seen to be there still
        argv = ["lvremove", "--yes", "--", f"{group}/{name}"]
        done = self._ssh.run(argv, deadline_s=DRBD_CHANGE_S)
        if done.exit != 0:
            raise CommandFailed(
                f"`{' '.join(argv)}` on {self._host} ended with {done.exit}: {clean(done.stderr)}",
                why="until it is gone, each block that is written below it is copied first",
                fix=f"on {self._host}: lvs {group}; what has it open: fuser -v /dev/{group}/{name}",
            )

    def _snapshots(self) -> tuple[SnapshotSeen, ...]:
        done = self._ssh.run(_LVS, deadline_s=DRBD_READ_S)
        try:
            rows = _rows(done.stdout)
        except (ValueError, RecursionError):
            rows = None
        if done.exit != 0 or rows is None:
            raise CommandFailed(
                f"`lvs` on {self._host} ended with {done.exit}: {clean(done.stderr or done.stdout, 200)}",
                why="which snapshots a rehearsal left there is not known",
                fix=f"on {self._host}: lvs -o +lv_tags",
            )
        return tuple(seen for row in rows if (seen := _snapshot(row)) is not None)


def _rows(text: str) -> list[Mapping[str, object]] | None:
    """The rows of LVM's report; None when it is none."""
    document = json.loads(text)
    try:
        rows = document["report"][0]["lv"]
    except (TypeError, KeyError, IndexError):
        return None
    good = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
    return rows if good else None


def _snapshot(row: Mapping[str, object]) -> SnapshotSeen | None:
    """A row that is a rehearsal's snapshot; None for every other one."""
    said = {key: str(value) for key, value in row.items()}
    tags = said.get("lv_tags", "").split(",")
    operations = [tag.removeprefix(f"{TAG}.") for tag in tags if tag.startswith(f"{TAG}.")]
    group, name, attributes = said.get("vg_name", ""), said.get("lv_name", ""), said.get("lv_attr", "")
    snapshot = attributes[:1] in ("s", "S")
    if TAG not in tags or not operations or not short_name(operations[0]) or not snapshot:
        return None
    if not (_NAME.fullmatch(group) and _NAME.fullmatch(name)):
        return None
    fill, size = said.get("data_percent", ""), said.get("lv_size", "")
    return SnapshotSeen(
        group=group,
        name=name,
        origin=clean(said.get("origin", ""), 128),
        operation=operations[0],
        size_bytes=int(float(size)) if _NUMBER.fullmatch(size) else 0,
        fill_percent=float(fill) if _NUMBER.fullmatch(fill) else None,
        valid=attributes[:1] == "s" and attributes[4:5] == "a",
    )
