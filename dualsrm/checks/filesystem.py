"""Checks of a file system that holds guests' image files: mounted once, where it belongs, and by nobody else."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from dualsrm.checks.case import UNKNOWN_BLOCKS, Case, Findings, failed, known, on, passed, unknown
from dualsrm.discovery import filesystems_of, tenants
from dualsrm.model import BootMount, DrbdView, Filesystem, Finding, MountView, Snapshot, Unknown

MOUNTS = ("findmnt", "--real")


def filesystem_in_order(case: Case) -> Findings:
    """What its group moves with it, and what only its group may have there."""
    domain, source = case.domain(), case.move.source
    found = filesystems_of(domain, case.snapshot.view(source))
    for filesystem in case.snapshot.pair.filesystems:
        if filesystem in found:
            yield from _of_guest(case, filesystem)
        elif domain.name in filesystem.guests:
            yield failed(
                domain.name,
                f"it is in group {filesystem.group}, and no disk of it lies below {filesystem.mount}",
                "The group moves with its file system; a guest that lies elsewhere does not belong to it.",
                f"take it out of `guests` of group {filesystem.group}, or move its disk below {filesystem.mount}",
            )
    if not found and not any(domain.name in one.guests for one in case.snapshot.pair.filesystems):
        yield passed(domain.name, "no file system of a group")


def _of_guest(case: Case, filesystem: Filesystem) -> Findings:
    problems = [*_strangers(case, filesystem)]
    for host in case.ends:
        drbd = case.drbd(host)
        probe = on(host, *MOUNTS)
        mounts = known(case.snapshot.view(host).mounts, host, f"what is mounted on {host} is not known", probe)
        at_boot = known(mounts.at_boot, host, f"what {host} mounts at boot is not known", on(host, "cat", "/etc/fstab"))
        problems += [*_mounts(filesystem, host, mounts, drbd), *_at_boot(filesystem, host, at_boot, drbd)]
    source, target = case.ends
    if case.snapshot.view(source).mounted(filesystem) is not True:
        why = "The guest may be writing to a directory of the host instead."
        problems.append(failed(source, f"{filesystem} is not mounted there", why, on(source, *MOUNTS)))
    if case.snapshot.view(target).mounted(filesystem) is True:
        why = "A file system of this kind is destroyed when two hosts have it mounted."
        unmount = on(target, "umount", filesystem.mount)
        problems.append(failed(target, f"{filesystem} is mounted there too", why, unmount))
    yield from problems
    if not problems:
        yield passed(case.move.guest, f"{filesystem}, mounted on {source} only")


def moves_alone(case: Case) -> Findings:
    """Nobody mounts a file system on two hosts at once: its guests stop, it changes sides, they start."""
    guest = case.move.guest
    found = filesystems_of(case.domain(), case.snapshot.view(case.move.source))
    for filesystem in found:
        group = filesystem.group
        yield failed(
            guest,
            f"its disk is a file on {filesystem}, which all guests of group {group} share",
            f"No two hosts may have {filesystem.kind} mounted at once: it cannot move live, nor without the others.",
            shlex.join(("dualsrm", "migrate", "--cold", "--", group)),
        )
    if not found:
        yield passed(guest, "shares no file system")


def ready_to_start(snapshot: Snapshot, filesystems: tuple[Filesystem, ...], here: str) -> Iterator[Finding]:
    """Before it is mounted on this host, or used there."""
    there = snapshot.view(snapshot.pair.other(here))
    for filesystem in filesystems:
        view = snapshot.view(here)
        if isinstance(view.mounts, Unknown):
            seen = f"what is mounted on {here} is not known: {view.mounts.why}"
            yield unknown(here, seen, UNKNOWN_BLOCKS, on(here, *MOUNTS))
            continue
        if not isinstance(view.drbd, Unknown):
            yield from _mounts(filesystem, here, view.mounts, view.drbd)
        if there.mounted(filesystem) is True and view.mounted(filesystem) is True:
            why = "A file system of this kind is destroyed when two hosts have it mounted."
            yield failed(here, f"{filesystem} is mounted on both hosts", why, on(here, "umount", filesystem.mount))


def _mounts(filesystem: Filesystem, host: str, mounts: MountView, drbd: DrbdView) -> Iterator[Finding]:
    """Its device is mounted at its place only, as what it is said to be, and nothing else is there."""
    minor = drbd.minor_below(filesystem)
    mine = () if minor is None else mounts.of_minor(minor)
    for one in mine:
        if one.point != filesystem.mount:
            why = f"The configuration says {filesystem.mount}; mounted elsewhere its device cannot be given up."
            yield failed(host, f"{one.source} is mounted at {one.point}", why, on(host, "umount", one.point))
        elif one.kind != filesystem.kind:
            why = "The file system there is another one than the configuration says."
            fix = f"correct `type` of [groups.{filesystem.group}.filesystem]"
            yield failed(host, f"{one.point} is {one.kind}, not {filesystem.kind}", why, fix)
    other = mounts.at(filesystem.mount)
    if other is not None and other not in mine:
        why = f"It would lie over {filesystem}, or below it."
        yield failed(host, f"{other.source} is mounted at {other.point}", why, on(host, "umount", other.point))


def _at_boot(filesystem: Filesystem, host: str, entries: tuple[BootMount, ...], drbd: DrbdView) -> Iterator[Finding]:
    minor = drbd.minor_below(filesystem)
    for one in entries:
        if one.point == filesystem.mount or (minor is not None and drbd.minor_of(one.source) == minor):
            seen = f"{host} mounts {one.source or filesystem.mount} at {one.point} by itself ({one.where})"
            why = "At boot it would be mounted on whichever host comes up first, be it the one with the older data."
            fix = f"add noauto to that line of /etc/fstab on {host}, or take it out"
            yield failed(host, seen, why, fix if one.where == "fstab" else on(host, "systemctl", "disable", one.where))


def _strangers(case: Case, filesystem: Filesystem) -> Iterator[Finding]:
    """All that lie on it are of the group: whoever is not would not be stopped before it is unmounted."""
    for host in case.ends:
        for domain in tenants(case.snapshot.view(host), filesystem.resource):
            if domain.name not in filesystem.guests:
                seen = f"{domain.name} on {host} has a disk on {filesystem}, and is not in group {filesystem.group}"
                why = "It would not be stopped with the others, and keep the file system from being unmounted."
                fix = f"add it to `guests` of group {filesystem.group}, or move its disk elsewhere"
                yield failed(domain.name, seen, why, fix)
