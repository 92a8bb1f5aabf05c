"""The promises of the design (section 2) that a finished run must keep, as one assertion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dualsrm.model import AT_REST, IN_WINDOW, ConnectionState, DiskState, Role
from tests.simulator.pair.pair import SimPair


@dataclass(frozen=True, slots=True)
class Reported:
    """What dualsrm said at the end; what it did not say must be as it should."""

    runs_on: Mapping[str, str] = field(default_factory=dict)
    """Guest to host, where it said so."""
    window_open: frozenset[str] = frozenset()
    """Resources whose window or roles it said were not restored."""
    in_doubt: frozenset[str] = frozenset()
    """Guests it could not place, or said were down."""


CLEAN = Reported()
WORLD_ENDS_CONNECTIONS = ("is cut", "loses power")


def broken_promises(pair: SimPair, reported: Reported = CLEAN) -> list[str]:
    """Every promise broken, in words; empty is the aim."""
    return [
        *pair.violations,
        *_lost_writes(pair),
        *_no_safe_start(pair),
        *_windows(pair, reported),
        *_connections(pair),
        *_guests(pair, reported),
        *_truth(pair, reported),
    ]


def assert_promises(pair: SimPair, reported: Reported = CLEAN) -> None:
    """Fail with every broken promise and the whole log."""
    broken = broken_promises(pair, reported)
    assert not broken, "\n".join([*broken, "", *pair.log()])


def unquiet(pair: SimPair) -> list[str]:
    """What is not as at rest: after every fault is mended and time has passed, nothing may be."""
    return [
        *_nodes_at_rest(pair),
        *(f"{host} keeps {', '.join(machine.left)}" for host, machine in pair.machines.items() if machine.left),
        *(f"a timer runs on {host}" for host, machine in pair.machines.items() if machine.timers),
        *(f"a guard lives on {host}" for host, machine in pair.machines.items() if machine.guards),
        *(f"{host} calls for a person: {machine.alarms}" for host, machine in pair.machines.items() if machine.alarms),
    ]


def assert_quiet(pair: SimPair) -> None:
    """Fail with all that is not as at rest, and the whole log."""
    left = unquiet(pair)
    assert not left, "\n".join([*left, "", *pair.log()])


def _nodes_at_rest(pair: SimPair) -> list[str]:
    left = []
    for node in pair.drbd.nodes.values():
        name = f"{node.resource} on {node.host}"
        primary_here = any(
            node.host in pair.running_on(guest.name) or guest.stopped_by_owner
            for guest in pair.libvirt.guests.values()
            if node.resource in guest.resources
        )
        seen = {
            "is down": not node.up,
            f"is {node.connection}": node.connection is not ConnectionState.CONNECTED,
            f"is {node.disk}": node.disk is not DiskState.UP_TO_DATE,
            "allows two Primaries": node.two_primaries,
            f"has fencing {node.fencing}": node.fencing != AT_REST,
            "is frozen": bool(node.suspended),
            "waits for a handler": node.handlers > 0,
            "is Primary without a guest": node.role is Role.PRIMARY and not primary_here,
        }
        left += [f"{name} {words}" for words, wrong in seen.items() if wrong]
    return left


def _lost_writes(pair: SimPair) -> list[str]:
    """P2, at rest: also for a guest that stands paused."""
    counted = {name: pair.lost_writes(name) for name in pair.libvirt.guests}
    return [f"P2: {name} lacks {lost} acknowledged writes" for name, lost in counted.items() if lost]


def _no_safe_start(pair: SimPair) -> list[str]:
    """P2 for a guest that runs nowhere: its writes are somewhere, and no stale disk calls itself ready for it."""
    broken = []
    for name, guest in pair.libvirt.guests.items():
        if pair.running_on(name):
            continue
        for resource in guest.resources:
            nodes = [pair.drbd.nodes[host, resource] for host in pair.pair.hosts]
            stale = [node for node in nodes if guest.acknowledged[resource] - node.data]
            if len(stale) == len(nodes):
                broken.append(f"P2: no disk of {resource} holds every write of {name}")
            broken += [
                f"P2: {node.host} could start {name} without writes of {resource}"
                for node in stale
                if node.up and node.disk is DiskState.UP_TO_DATE and node.peer_known is DiskState.OUTDATED
            ]
    return broken


def _windows(pair: SimPair, reported: Reported) -> list[str]:
    """P3: two primaries neither allowed nor there, and nothing that freezes, unless it was said."""
    broken = []
    for resource in pair.drbd.link_up:
        nodes = [node for node in (pair.drbd.nodes[host, resource] for host in pair.pair.hosts) if node.up]
        if resource in reported.window_open:
            continue
        broken += [f"P3: window of {resource} open on {node.host}" for node in nodes if node.two_primaries]
        broken += [f"P3: fencing of {resource} is {n.fencing} on {n.host}" for n in nodes if n.fencing == IN_WINDOW]
        if all(node.role is Role.PRIMARY for node in nodes) and len(nodes) > 1:
            broken.append(f"P3: {resource} is Primary on both hosts")
    return broken


def _connections(pair: SimPair) -> list[str]:
    """P5: no connection left Connected but by the world's doing.

    The port offers no command that disconnects, so a connection that ended without a cut, a disconnect or a loss of
    power can only be the doing of one that should not have.
    """
    broken = [f"P5: split brain: {words}" for words in pair.drbd.split_brains]
    world_acted = False
    for event in pair.events:
        world_acted = world_acted or event.words.endswith(WORLD_ENDS_CONNECTIONS) or "drbdadm disconnect" in event.words
        if not world_acted and (" is Connecting (" in event.words or " is StandAlone (" in event.words):
            broken.append(f"P5: {event.words}")
    return broken


def _guests(pair: SimPair, reported: Reported) -> list[str]:
    """P7: every guest runs, unless its owner stopped it, its host lost power, or it was said to be in doubt."""
    lost_power = any(event.words.endswith("loses power") for event in pair.events)
    return [
        f"P7: {name} runs nowhere"
        for name, guest in pair.libvirt.guests.items()
        if not pair.running_on(name) and not guest.stopped_by_owner and name not in reported.in_doubt and not lost_power
    ]


def _truth(pair: SimPair, reported: Reported) -> list[str]:
    """P8: a guest runs where it was said to run."""
    return [
        f"P8: {guest} was said to run on {host}, runs on {', '.join(pair.running_on(guest)) or 'no host'}"
        for guest, host in reported.runs_on.items()
        if pair.running_on(guest) != (host,)
    ]
