"""What settling a split brain asks of one host: identifiers, connections, and a snapshot of what is below a volume."""

from __future__ import annotations

import re
from typing import Final

from dualsrm.errors import CommandFailed
from dualsrm.hosts.deadlines import DRBD_CHANGE_S, DRBD_READ_S
from dualsrm.hosts.drbd.generations import GenerationError, parse_generation
from dualsrm.hosts.drbd_commands import checked_names, refusal
from dualsrm.hosts.ssh import SshConnection
from dualsrm.hosts.text import clean
from dualsrm.model import Backing, Generation

_LV: Final = re.compile(r"([A-Za-z0-9_.+-]+)\|([A-Za-z0-9_.+-]+)\|([0-9]{1,18})\|([0-9]{1,18})", re.ASCII)
_NO_CONNECTION: Final = "(162)"
"""ERR_INVALID_REQUEST, `unknown connection`. That it stands alone is looked at afterwards."""
_GONE: Final = 5
"""lvs: there is none of that name."""
_LVS: Final = ("lvs", "--noheadings", "--nosuffix", "--units", "b", "--separator", "|")


class SplitCommands:
    """Commands on one host."""

    def __init__(self, ssh: SshConnection) -> None:
        self._ssh = ssh

    def generations(self, resource: str, volumes: tuple[int, ...]) -> tuple[Generation, ...]:
        """Generation identifiers of each volume."""
        found = []
        for volume in volumes:
            said = self._drbdadm(resource, "get-gi", volume=volume, deadline_s=DRBD_READ_S)
            try:
                found.append(parse_generation(said, volume))
            except GenerationError as error:
                raise CommandFailed(
                    f"`drbdadm get-gi {resource}/{volume}` on {self._ssh.host.name}: {clean(str(error))}",
                    why="whose data is newer cannot be told without it",
                    fix=f"on {self._ssh.host.name}: drbdadm get-gi {resource}/{volume}",
                ) from error
        return tuple(found)

    def disconnect(self, resource: str) -> None:
        """StandAlone; a no-op where it is: 8.4 has forgotten the connection then, and says so (tried on 8.4.11)."""
        checked_names((resource,))
        done = self._ssh.run(["drbdadm", "disconnect", resource], deadline_s=DRBD_CHANGE_S)
        if done.exit != 0 and _NO_CONNECTION not in done.stderr + done.stdout:
            raise refusal(f"`drbdadm disconnect {resource}` on {self._ssh.host.name}", done)

    def connect(self, resource: str, *, discard: bool) -> None:
        """Seek the peer; with `discard` this side's own writes give way. drbd-utils 8.9 and later take it like this."""
        self._drbdadm(resource, "connect", *(["--discard-my-data"] if discard else []))

    def backing(self, resource: str, volumes: tuple[int, ...]) -> tuple[Backing, ...]:
        """The logical volume below each; raises where there is none."""
        found = []
        for volume in volumes:
            path = self._drbdadm(resource, "sh-ll-dev", volume=volume, deadline_s=DRBD_READ_S).strip()
            argv = [*_LVS, "-o", "vg_name,lv_name,lv_size,vg_free", "--", path]
            done = self._ssh.run(argv, deadline_s=DRBD_READ_S)
            known = _LV.fullmatch(done.stdout.strip())
            if not path.startswith("/") or done.exit != 0 or known is None:
                raise CommandFailed(
                    f"{resource}/{volume} lies on {clean(path, 80)} on {self._ssh.host.name}, no logical volume: "
                    f"{clean(done.stderr or done.stdout, 200)}",
                    why="only a logical volume has snapshots",
                    fix="copy what is needed by hand, then run it without --snapshot",
                )
            found.append(Backing(volume, known[1], known[2], int(known[3]), int(known[4])))
        return tuple(found)

    def take_snapshot(self, group: str, origin: str, name: str, size_bytes: int, tags: tuple[str, ...] = ()) -> None:
        """`lvcreate --snapshot`; a no-op when there is one of that name and origin."""
        if self.snapshot_origin(group, name) == origin:
            return
        argv = [
            "lvcreate",
            "--yes",
            "--snapshot",
            "--size",
            f"{size_bytes}b",
            "--name",
            name,
            *(word for tag in tags for word in ("--addtag", tag)),
            "--",
            f"{group}/{origin}",
        ]
        done = self._ssh.run(argv, deadline_s=DRBD_CHANGE_S)
        if done.exit != 0:
            raise CommandFailed(
                f"`{' '.join(argv)}` on {self._ssh.host.name} ended with {done.exit}: {clean(done.stderr)}",
                why="what is to be kept, or tried, is not there",
                fix=f"on {self._ssh.host.name}: lvs; vgs",
            )

    def snapshot_origin(self, group: str, name: str) -> str | None:
        """Of what the snapshot of that name is one; None when there is none, or when it ran full."""
        done = self._ssh.run([*_LVS, "-o", "origin,lv_attr", "--", f"{group}/{name}"], deadline_s=DRBD_READ_S)
        if done.exit == _GONE:
            return None
        origin, bar, attributes = done.stdout.strip().partition("|")
        if done.exit != 0 or not bar:
            raise CommandFailed(
                f"`lvs {group}/{name}` on {self._ssh.host.name} ended with {done.exit}: {clean(done.stderr)}",
                why="whether the snapshot is there is not known",
                fix=f"on {self._ssh.host.name}: lvs {group}",
            )
        return origin if attributes.startswith("s") else None

    def _drbdadm(self, resource: str, *words: str, volume: int | None = None, deadline_s: float = DRBD_CHANGE_S) -> str:
        checked_names((resource,))
        argv = ["drbdadm", *words, resource if volume is None else f"{resource}/{volume}"]
        done = self._ssh.run(argv, deadline_s=deadline_s)
        if done.exit != 0:
            raise refusal(f"`{' '.join(argv)}` on {self._ssh.host.name}", done)
        return done.stdout
