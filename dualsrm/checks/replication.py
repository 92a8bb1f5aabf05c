"""Checks of DRBD, from both ends: connected, in step, one Primary, nothing frozen, the window shut."""

from __future__ import annotations

import shlex

from dualsrm.checks.case import Case, Findings, each_end, each_viewpoint, failed, known, on, passed, unknown, warning
from dualsrm.checks.drift import besides
from dualsrm.checks.hosts import RECOVER
from dualsrm.generations import is_split, split_resources
from dualsrm.model import (
    IN_WINDOW,
    ConnectionState,
    DiskState,
    PeerVolume,
    ReplicationState,
    Resource,
    Role,
    Unknown,
)

_WAITS = "wait until it ends: "


def resource_up(case: Case) -> Findings:
    """Each resource of the guest in both kernels; what is not there has no state to look at."""
    names = case.resources()
    for host in case.ends:
        drbd = case.drbd(host)
        missing = [name for name in names if drbd.resource(name) is None]
        for name in missing:
            yield failed(
                f"{name} on {host}",
                f"{name} is not up on {host}",
                "There is no copy of the disk that replication keeps in step.",
                on(host, "drbdadm", "up", name),
            )
        if not missing:
            yield passed(host, f"up: {', '.join(names) or 'nothing needed'}")


@each_viewpoint
def replication_connected(case: Case, host: str, resource: Resource) -> Findings:
    """Without a connection nothing arrives at the target, whatever the disks say of themselves."""
    subject = f"{resource.name} on {host}"
    state = resource.connection.state if resource.connection else ConnectionState.STANDALONE
    if is_split(case.snapshot, resource.name):
        yield failed(
            subject,
            f"{resource.name} is in split brain: each side has writes that the other lacks",
            "Connecting detects it again and goes StandAlone again; one side's writes have to be given up by name.",
            _connect(case, host, resource.name),
        )
        return
    if state is ConnectionState.CONNECTED:
        yield passed(subject, "Connected")
        return
    # A side that stands alone has to be told; one that is trying waits for the other.
    told = host if state is ConnectionState.STANDALONE else case.other(host)
    answer = failed if state.known else unknown
    yield answer(
        subject,
        f"seen from {host}, the connection of {resource.name} is {state.value}",
        "Writes do not reach the other host; its copy is old, and a Primary there could diverge.",
        _connect(case, told, resource.name),
    )


def _connect(case: Case, host: str, resource: str) -> str:
    """An adjust connects, but not two sides whose data went apart."""
    if is_split(case.snapshot, resource):
        return shlex.join(("dualsrm", "split-brain", "show", "--", resource))
    return on(host, "drbdadm", "adjust", resource)


@each_viewpoint
def replication_established(case: Case, host: str, resource: Resource) -> Findings:
    """Every volume replicated as it is written: no resync, no verify, none paused, none ahead."""
    problems = tuple(_not_established(case, host, resource))
    yield from problems
    if not problems:
        yield passed(f"{resource.name} on {host}", "Established")


def _not_established(case: Case, host: str, resource: Resource) -> Findings:
    peers = {peer.number: peer for peer in resource.connection.volumes} if resource.connection else {}
    subject = f"{resource.name} on {host}"
    for volume in resource.volumes:
        name = f"{resource.name}/{volume.number}"
        peer = peers.get(volume.number)
        if peer is None:
            yield failed(
                subject,
                f"seen from {host}, {name} has no copy on {case.other(host)}",
                "What is written there is on one host only.",
                _connect(case, case.other(host), resource.name),
            )
        elif peer.replication is not ReplicationState.ESTABLISHED or peer.resync_suspended:
            yield (failed if peer.replication.known else unknown)(
                subject,
                _replication_seen(host, name, peer),
                "The two copies are not in step; a link lost in the window would leave the guest on the worse one.",
                _mend_replication(case, host, resource.name, peer),
            )


def _replication_seen(host: str, name: str, peer: PeerVolume) -> str:
    done = "" if peer.done_ratio is None else f", {peer.done_ratio:.0%} done"
    suspended = f", suspended by {', '.join(peer.resync_suspended)}" if peer.resync_suspended else ""
    return f"seen from {host}, replication of {name} is {peer.replication.value}{done}{suspended}"


def _mend_replication(case: Case, host: str, resource: str, peer: PeerVolume) -> str:
    paused = (ReplicationState.PAUSED_SYNC_S, ReplicationState.PAUSED_SYNC_T)
    if "peer" in peer.resync_suspended and "user" not in peer.resync_suspended:
        return on(case.other(host), "drbdadm", "resume-sync", resource)
    if peer.replication in paused or peer.resync_suspended:
        return on(host, "drbdadm", "resume-sync", resource)
    if peer.replication is ReplicationState.OFF:
        return _connect(case, host, resource)
    return _WAITS + on(host, "drbdadm", "status", resource)


@each_viewpoint
def disks_up_to_date(case: Case, host: str, resource: Resource) -> Findings:
    """Both copies of every volume good, as this end sees its own and the other's."""
    copies = [(host, volume.number, volume.disk) for volume in resource.volumes]
    if resource.connection:
        other = case.other(host)
        copies += [(other, peer.number, peer.peer_disk) for peer in resource.connection.volumes]
    bad = [(where, number, disk) for where, number, disk in copies if disk is not DiskState.UP_TO_DATE]
    for where, number, disk in bad:
        name = f"{resource.name}/{number}"
        answer = failed if disk.known and disk is not DiskState.UNKNOWN else unknown
        yield answer(
            f"{resource.name} on {host}",
            f"seen from {host}, the disk of {name} on {where} is {disk.value}",
            "Only a disk that is UpToDate has every write; the guest would go on without the others.",
            _mend_disk(case, where, resource.name, number, disk),
        )
    if not bad:
        yield passed(f"{resource.name} on {host}", f"UpToDate on both sides, {len(resource.volumes)} volume(s)")


def _mend_disk(case: Case, host: str, resource: str, number: int, disk: DiskState) -> str:
    if disk in (DiskState.DISKLESS, DiskState.FAILED, DiskState.DETACHING):
        return on(host, "drbdadm", "attach", f"{resource}/{number}")
    if disk in (DiskState.INCONSISTENT, DiskState.OUTDATED, DiskState.UNKNOWN):
        if is_split(case.snapshot, resource):
            return _connect(case, host, resource)
        return f"connect, and wait for the resync: {on(host, 'drbdadm', 'adjust', resource)}"
    return on(host, "drbdadm", "status", resource)


@each_viewpoint
def in_sync(_: Case, host: str, resource: Resource) -> Findings:
    """Blocks marked out of sync while both disks are UpToDate: seen in the field at rest, so a warning only."""
    subject = f"{resource.name} on {host}"
    volumes = resource.connection.volumes if resource.connection else ()
    behind = [volume for volume in volumes if volume.out_of_sync_bytes]
    for volume in behind:
        yield warning(
            subject,
            f"seen from {host}, {volume.out_of_sync_bytes} bytes of {resource.name}/{volume.number} are out of sync",
            "Both disks say UpToDate all the same; a verify found a difference, or the count is stale.",
            f"compare the copies again: {on(host, 'drbdadm', 'verify', resource.name)}",
        )
    if not behind:
        yield passed(subject, "no block is marked out of sync")


@each_viewpoint
def roles(case: Case, host: str, resource: Resource) -> Findings:
    """Primary where the guest runs, Secondary where it goes, and both ends say so."""
    source, target = case.ends
    peer_role = resource.connection.peer_role if resource.connection else Role.UNKNOWN
    seen = {host: resource.role, case.other(host): peer_role}
    wanted = {source: Role.PRIMARY, target: Role.SECONDARY}
    wrong = {where: role for where, role in seen.items() if role is not wanted[where]}
    subject = f"{resource.name} on {host}"
    if not wrong:
        yield passed(subject, f"{resource.role.value} here, {peer_role.value} there")
        return
    unsure = any(not role.known or role is Role.UNKNOWN for role in wrong.values())
    yield (unknown if unsure else failed)(
        subject,
        f"seen from {host}, {resource.name} is {seen[source].value} on {source} and {seen[target].value} on {target}",
        "The guest writes on the source alone; any other Primary is somebody's open file or an unfinished move.",
        _mend_roles(case, resource.name, seen),
    )


def _mend_roles(case: Case, resource: str, seen: dict[str, Role]) -> str:
    source, target = case.ends
    if seen[source] is Role.PRIMARY and seen[target] is Role.PRIMARY:
        return RECOVER
    if seen[target] is Role.PRIMARY:
        return on(target, "drbdadm", "secondary", resource)
    if seen[source] is Role.SECONDARY:
        return on(source, "drbdadm", "primary", resource)
    return _connect(case, target, resource)


@each_viewpoint
def io_not_suspended(_: Case, host: str, resource: Resource) -> Findings:
    """A frozen device answers nothing; the migration would wait for it with the window open."""
    subject = f"{resource.name} on {host}"
    if not resource.suspended:
        yield passed(subject, "I/O runs")
        return
    yield failed(
        subject,
        f"I/O of {resource.name} is suspended on {host} by {', '.join(resource.suspended)}",
        "QEMU waits for its last write before it hands over, and it would wait for ever.",
        _thaw(host, resource),
    )


def _thaw(host: str, resource: Resource) -> str:
    """Frozen for fencing it waits for a verdict on the other side: a resume by hand would let a stale side write."""
    if "fencing" in resource.suspended:
        return RECOVER
    if resource.suspended == ("user",):
        return on(host, "drbdadm", "resume-io", resource.name)
    return f"bring its disk and its connection back: {on(host, 'drbdadm', 'adjust', resource.name)}"


@each_viewpoint
def quorum_held(_: Case, host: str, resource: Resource) -> Findings:
    """DRBD 9 only; 8.4 knows no quorum and says nothing of it."""
    lost = [volume.number for volume in resource.volumes if volume.quorum is False]
    subject = f"{resource.name} on {host}"
    for number in lost:
        yield failed(
            subject,
            f"{host} has lost quorum for {resource.name}/{number}",
            "Without quorum DRBD freezes or fails every write.",
            on(host, "drbdadm", "adjust", resource.name),
        )
    if not lost:
        said = any(volume.quorum is not None for volume in resource.volumes)
        yield passed(subject, "quorum" if said else "this DRBD has no quorum")


@each_end
def files_match_kernel(case: Case, host: str) -> Findings:
    """An adjust by anyone, in the middle of a move, would put the files' options in force and shut the window."""
    shown = known(
        case.drbd(host).drift,
        host,
        f"whether {host}'s DRBD files match its kernel is not known",
        on(host, "drbdadm", "-d", "adjust", "all"),
    )
    beside = case.facts.beside and case.facts.beside - set(case.resources())
    drift = besides(shown, (one for one in case.drbd(host).resources if one.name in beside))
    if not drift:
        yield passed(host, "the kernel runs what the files say")
        return
    split = [name for name in split_resources(case.snapshot) if any(f" connect {name} " in line for line in drift)]
    if split:
        yield failed(
            host,
            f"on {host} {', '.join(split)} stands alone, which the files do not say",
            "It is in split brain: an adjust would connect it, only to have it stand alone again.",
            _connect(case, host, split[0]),
        )
        return
    more = f" and {len(drift) - 1} more" if len(drift) > 1 else ""
    open_windows = [
        resource.name
        for resource in case.drbd(host).resources
        if resource.name not in beside
        and not isinstance(resource.options, Unknown)
        and (resource.options.allow_two_primaries or resource.options.fencing == IN_WINDOW)
    ]
    if open_windows:
        # An adjust would close it under a move that may be running; `window-closed` says what to do.
        yield failed(
            host,
            f"on {host} the window of {', '.join(open_windows)} is open, which the files do not say",
            "Somebody else's move is under way, or an interrupted one left it open.",
            "wait for that move, or run: dualsrm recover",
        )
        return
    yield failed(
        host,
        f"on {host} drbdadm adjust would run: {drift[0]}{more}",
        "Whoever adjusts next, a package upgrade for one, changes DRBD in the middle of a move.",
        f"look: {on(host, 'drbdadm', '-d', 'adjust', 'all')}; then {on(host, 'drbdadm', 'adjust', 'all')}",
    )
