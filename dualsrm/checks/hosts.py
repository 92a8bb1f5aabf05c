"""Checks of the two hosts and what is between them: lock, journal, answers, other owners, networks, clocks."""

from __future__ import annotations

import ipaddress
import shlex

from dualsrm.checks.case import (
    PROBE,
    Case,
    Findings,
    each_end,
    failed,
    known,
    on,
    passed,
    unknown,
    warning,
)
from dualsrm.model import Unknown

RECOVER = "dualsrm recover"
"""What ends whatever an operation left behind; it looks first and refuses what it cannot know."""

MAX_SKEW_S = 2.0
"""More than that and the history of the two hosts cannot be put in order; less is within what a probe measures."""


@each_end
def pair_unlocked(case: Case, host: str) -> Findings:
    """One operation on a pair at a time: two managers that both toggle the window undo each other."""
    pair = case.snapshot.pair.name
    found = case.snapshot.locks.get(host, Unknown("it was not read"))
    fix = found.fix if isinstance(found, Unknown) else ""
    holder = known(
        found,
        host,
        f"whether the lock of pair {pair} is held on {host} is not known",
        fix or on(host, "ls", "-l", "/run/dualsrm"),
    )
    if holder is None:
        yield passed(host, f"the lock of pair {pair} is free")
        return
    yield failed(
        host,
        f"{holder.operation} holds the lock of pair {pair}, taken by {holder.manager} at {holder.since}",
        "Two operations on one pair would open and close the same window against each other.",
        f"wait until it ends; if it died: {RECOVER}",
    )


def journal_closed(case: Case) -> Findings:
    """An operation that did not end may have left a window open or a guest half moved."""
    pair = case.snapshot.pair.name
    if case.unfinished is None:
        yield passed(pair, "no operation is unfinished")
        return
    yield failed(
        pair,
        f"operation {case.unfinished} has no end in the journal",
        "It may have left two Primaries allowed or a guest half moved; a move on top of that cannot be undone.",
        RECOVER,
    )


@each_end
def host_answers(case: Case, host: str) -> Findings:
    """All three parts of a host; said at length here, so that the checks that need them can be brief."""
    view = case.snapshot.views.get(host)
    why = "Whether the guest may move is decided by both hosts; a host that says nothing is never taken for healthy."
    parts = {part: getattr(view, part) if view else Unknown("it was not asked") for part in PROBE}
    gaps = {part: value for part, value in parts.items() if isinstance(value, Unknown)}
    if not gaps:
        yield passed(host, "ssh, DRBD and libvirt answer")
    elif len(gaps) == len(parts):
        reasons = "; ".join(dict.fromkeys(gap.why for gap in gaps.values()))
        fix = next((gap.fix for gap in gaps.values() if gap.fix), _ssh(case, host))
        yield unknown(host, f"{host} does not answer: {reasons}", why, fix)
    else:
        for part, gap in gaps.items():
            yield unknown(host, f"{part} of {host} does not answer: {gap.why}", why, gap.fix or on(host, *PROBE[part]))


def _ssh(case: Case, host: str) -> str:
    """The connection itself, by the address the manager uses."""
    known_as = case.snapshot.hosts.get(host)
    if known_as is None:
        return on(host, "true")
    return shlex.join(("ssh", "-p", str(known_as.port), f"{known_as.user}@{known_as.address}", "true"))


def peer_link(case: Case) -> Findings:
    """P2P migration connects with the source's own credentials: that the manager reaches both proves nothing."""
    source, target = case.ends
    peer = case.snapshot.hosts.get(target)
    uri = peer.peer_uri if peer else f"qemu+ssh://{target}/system"
    probe = on(source, "virsh", "-c", uri, "hostname")
    subject = f"{source} to {target}"
    name = known(case.facts.peer_link, subject, f"libvirt of {target} did not answer when {source} asked it", probe)
    if name == source and name != target:
        yield failed(
            subject,
            f"asked for {target}, {source} reaches itself: the answer came from {name}",
            "The migration would lead back to the host it starts from.",
            f"correct peer_uri of {target} in the configuration; then {probe}",
        )
    elif name.partition(".")[0] != target.partition(".")[0]:
        yield warning(
            subject,
            f"libvirt at {uri} calls itself {name}, the configuration calls it {target}",
            "If that is another machine, the guest would be sent to where its disks are not.",
            f"correct peer_uri of {target} in the configuration, or let the names agree; then {probe}",
        )
    else:
        yield passed(subject, f"libvirt of {target} answers {source} as {name}")


@each_end
def no_other_manager(case: Case, host: str) -> Findings:
    """Pacemaker adjusts DRBD when it starts a resource and so resets the window; a hook promotes by itself."""
    others = case.system(host).other_managers
    if not others:
        yield passed(host, "nobody else manages DRBD or guests here")
    for other in others:
        yield failed(
            host,
            f"{other} is at work on {host}",
            "Another owner promotes, demotes, adjusts or starts guests in the middle of a move.",
            _part_with(host, other),
        )


def _part_with(host: str, other: str) -> str:
    """How to end another owner's reign without stopping what it started."""
    _, slash, path = other.partition("/")
    if slash:  # a hook, named by its file
        return f"if it has to do with DRBD or with starting guests: {on(host, 'chmod', 'a-x', slash + path)}"
    if other == "pacemaker":
        # Stopping Pacemaker stops its resources, guests among them, unless maintenance mode is set first.
        calm = on(host, "crm_attribute", "--name", "maintenance-mode", "--update", "true")
        return f"if dualsrm is to manage this pair: {calm} && {on(host, 'systemctl', 'disable', '--now', 'pacemaker')}"
    return f"if dualsrm is to manage this pair: {on(host, 'systemctl', 'disable', '--now', other)}"


def separate_migration_network(case: Case) -> Findings:
    """Memory traffic fills a link; where replication shares it, DRBD's pings are late and the connection is lost."""
    target = case.move.target
    subject = f"{case.move.source} to {target}"
    configured = case.snapshot.hosts.get(target)
    replication = _replication_addresses(case, target)
    why = "Memory at full speed starves replication on the same link: DRBD misses its pings and disconnects mid-move."
    if configured is None or not replication:
        yield warning(subject, "whether memory and replication share a link is not known", why)
        return
    memory = configured.migration_address
    shared = sorted(address for address in replication if _near(memory, address))
    if shared:
        yield warning(
            subject,
            f"memory goes to {memory} on {target}, replication to {shared[0]}: the same network, it seems",
            why,
            f"set migration_address of {target} to an address on another network; if there is none, set"
            " migration.bandwidth_mib_s to less than replication leaves of the link (which cannot be seen here)",
        )
    elif not _is_ip(memory):
        yield warning(subject, f"memory goes to {memory}, a name: which network that is is not known", why)
    else:
        yield passed(subject, f"memory goes to {memory}, replication to {', '.join(sorted(replication))}")


@each_end
def certificates(case: Case, host: str) -> Findings:
    """Both QEMUs need theirs, to listen and to be believed. Whether they are valid only the first move shows."""
    if not case.snapshot.pair.encrypted:
        yield passed(host, "memory travels readable, as configured: no certificate is needed")
        return
    look = on(host, "ls", "-l", "/etc/pki/qemu")
    found = known(case.system(host).certificates, host, f"which certificates {host} has is not known", look)
    if found.missing:
        yield failed(
            host,
            f"{', '.join(found.missing)} not in {found.directory} on {host}",
            "Memory crosses the wire encrypted by them: the move would fail with the window open, and be rolled back.",
            "make them (docs/installing.md, certificates for memory); or, only where nobody else can listen, set"
            ' transport = "tcp" in [migration]',
        )
    else:
        yield passed(host, f"QEMU's certificates are in {found.directory}")


def _replication_addresses(case: Case, host: str) -> frozenset[str]:
    drbd = case.drbd(host)
    resources = (drbd.resource(name) for name in case.resources())
    ends = (resource.connection for resource in resources if resource and resource.connection)
    return frozenset(end.local_address for end in ends if end.local_address)


def _is_ip(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _near(one: str, other: str) -> bool:
    """The same address or, netmasks being unknown, the same /24 or /64: good enough for a warning."""
    if one == other:
        return True
    if not (_is_ip(one) and _is_ip(other)):
        return False
    first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    bits = 24 if first.version == 4 else 64  # noqa: PLR2004 - IPv4
    return first.version == second.version and second in ipaddress.ip_network(f"{one}/{bits}", strict=False)


def clocks_agree(case: Case) -> Findings:
    """The two hosts' logs are put side by side after an accident."""
    source, target = case.ends
    skew = abs(case.system(source).clock_offset_seconds - case.system(target).clock_offset_seconds)
    subject = f"{source} and {target}"
    if skew <= MAX_SKEW_S:
        yield passed(subject, f"clocks are {skew:.1f} s apart")
        return
    yield warning(
        subject,
        f"clocks are {skew:.1f} s apart, more than {MAX_SKEW_S:.0f} s",
        "After an accident nobody could say which host wrote last.",
        f"{on(source, 'chronyc', 'makestep')} && {on(target, 'chronyc', 'makestep')}",
    )
