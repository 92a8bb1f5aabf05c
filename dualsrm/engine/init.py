"""Looking at two hosts that no file names yet: everything a configuration of them is made of. Touches nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from dualsrm.checks import blocking, check_move, resolve_move
from dualsrm.checks.case import PROBE, on
from dualsrm.checks.readiness import check_failover_ready
from dualsrm.discovery import guest_location
from dualsrm.engine.environment import Environment
from dualsrm.engine.journal import interrupted
from dualsrm.engine.observe import cpu_verdict, observe
from dualsrm.errors import HostUnreachable, Refused
from dualsrm.model import (
    DrbdView,
    Finding,
    Host,
    HostSurvey,
    HostView,
    LibvirtView,
    Maybe,
    MoveFacts,
    Pair,
    PeerSeen,
    Snapshot,
    Unknown,
)
from dualsrm.setup import Draft, GuestDraft, HostDraft, guests_of, memory_network

_Both: TypeAlias = tuple[str, str]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""Of a host, as the configuration takes it. A URI is made of it, so it is looked at before anything else."""
_MODEL = re.compile(r"<model(?: [^<>]*)?>([A-Za-z0-9._-]{1,64})</model>")


def look_at_hosts(environment: Environment, typed: tuple[Host, Host], pair: str | None) -> Draft:
    """Ask both hosts. `typed`: as a person named them, which is how `environment` knows them.

    Raises when one of them cannot be asked at all, or both are the same.
    """
    ports = [environment.ports[host.name] for host in typed]
    surveys = environment.gather([port.survey for port in ports])
    first, second = _names(surveys)
    snapshot = _by_name(environment.gather([port.observe for port in ports]), surveys)
    _refuse_half_a_look(snapshot)
    named = (replace(typed[0], name=first), replace(typed[1], name=second))
    replication = [_replication(snapshot.view(host)) for host in (first, second)]
    memory = memory_network(
        (surveys[0], surveys[1]),
        (named[0].address, named[1].address),
        {*replication[0], *replication[1]},
        _guest_bridges(snapshot),
    )
    uris = environment.gather([partial(_peer_uri, environment, named, typed, number) for number in (0, 1)])
    peers: list[Maybe[PeerSeen]] = environment.gather(
        [partial(ports[number].peer_seen, named[1 - number]) for number in (0, 1)]
    )
    drafts = [
        HostDraft(
            host=replace(named[number], migration_address=memory.addresses[number], peer_uri=uris[number]),
            survey=surveys[number],
            peer=peers[number],
            drbd_version=_version(snapshot.view(named[number].name)),
            cpu=_cpu(snapshot.view(named[number].name)),
            replication=replication[number],
        )
        for number in (0, 1)
    ]
    guests = guests_of(snapshot, {survey.name: survey for survey in surveys})
    return Draft(pair or f"{first}-{second}"[:64], (drafts[0], drafts[1]), memory, guests)


def _names(surveys: list[HostSurvey]) -> _Both:
    first, second = (survey.name for survey in surveys)
    for name in (first, second):
        if not _NAME.fullmatch(name):
            raise Refused(
                f"a host calls itself {name!r}",
                why="its name goes into the file, into paths and into the other host's commands",
                fix="give it a name of letters, digits, dot, dash, underscore, 64 at most: hostnamectl hostname NAME",
            )
    if first == second:
        raise Refused(
            f"both call themselves {first}",
            why="they are the same host, or two that DRBD cannot tell apart by its `on` sections",
            fix="name two hosts; `uname -n` on each must differ",
        )
    return first, second


def _by_name(views: list[HostView], surveys: list[HostSurvey]) -> Snapshot:
    """One look, under the hosts' own names: what a person typed is where they are, not who."""
    named = [replace(view, name=survey.name) for view, survey in zip(views, surveys, strict=True)]
    return Snapshot(Pair("new", (named[0].name, named[1].name)), {view.name: view for view in named})


def _refuse_half_a_look(snapshot: Snapshot) -> None:
    for host, view in snapshot.views.items():
        for part, seen in (("DRBD", view.drbd), ("libvirt", view.libvirt)):
            if isinstance(seen, Unknown):
                raise HostUnreachable(
                    f"{part} on {host} gave no answer: {seen.why}",
                    why="half of what the configuration is made of is not known: which guests lie on which resources",
                    fix=seen.fix or on(host, *PROBE["drbd" if part == "DRBD" else "libvirt"]),
                )


def _replication(view: HostView) -> tuple[str, ...]:
    if isinstance(view.drbd, Unknown):
        return ()
    ends = (resource.connection for resource in view.drbd.resources)
    return tuple(dict.fromkeys(end.local_address for end in ends if end and end.local_address))


def _guest_bridges(snapshot: Snapshot) -> frozenset[str]:
    views = [view.libvirt for view in snapshot.views.values() if isinstance(view.libvirt, LibvirtView)]
    nics = [nic for view in views for domain in view.domains for nic in domain.nics]
    return frozenset(nic.source for nic in nics if nic.kind == "bridge" and nic.source)


def _peer_uri(environment: Environment, named: tuple[Host, Host], typed: tuple[Host, Host], number: int) -> str:
    """The first way to this host's libvirt that answers the other one; else the likeliest, and a check will say."""
    host, asked_by = named[number], environment.ports[typed[1 - number].name]
    user = "" if host.user == "root" else f"{host.user}@"
    where = f"[{host.address}]" if ":" in host.address else host.address
    port = "" if host.port == 22 else f":{host.port}"  # noqa: PLR2004 - ssh's own port
    ways = [f"qemu+ssh://{user}{where}{port}/system", f"qemu+ssh://{user}{host.name}{port}/system"]
    for way in dict.fromkeys(ways):
        if not isinstance(asked_by.reach_peer(replace(host, peer_uri=way)), Unknown):
            return way
    return ways[0]


def _version(view: HostView) -> str:
    return view.drbd.version if isinstance(view.drbd, DrbdView) else "unknown"


def _cpu(view: HostView) -> str | None:
    """The model's name, for a comment; whether a guest has its CPU there is a check's to say."""
    text = None if isinstance(view.libvirt, Unknown) else view.libvirt.host_cpu_xml
    found = _MODEL.search(text[:100_000]) if text else None
    return found[1] if found else None


# --- what the guests lack -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GuestFound:
    """A guest, and what the checks of `dualsrm check` and `status` have against it."""

    draft: GuestDraft
    active: bool = False
    blockers: tuple[Finding, ...] = ()
    """Against a live move."""
    failover_blockers: tuple[Finding, ...] = ()

    @property
    def ready_to_migrate(self) -> bool:
        """Whether it could move live now."""
        return self.active and not self.blockers

    @property
    def ready_to_fail_over(self) -> bool:
        """Whether it would come up on the other host if its own were lost now."""
        return self.active and not self.failover_blockers

    @property
    def fine(self) -> bool:
        """Nothing is to be done: it is ready for both, is shut off, or is not for dualsrm to manage."""
        return not (self.active and (self.blockers or self.failover_blockers))


def check_guests(
    environment: Environment, pair: Pair, guests: Sequence[GuestDraft], state_directory: Path
) -> tuple[GuestFound, ...]:
    """Every check of a live move and of readiness to fail over, for each guest that can be managed and runs.

    The hosts are looked at once for all of them. Raises `HostUnreachable` when where a guest is cannot be told.
    """
    snapshot = observe(environment, pair)
    unfinished = interrupted(state_directory, pair.name)
    operation = unfinished[0].operation if unfinished else None
    links = dict(
        zip(
            pair.hosts,
            environment.gather([partial(_link, environment, pair, host) for host in pair.hosts]),
            strict=True,
        )
    )
    found = []
    for guest in guests:
        if guest.reasons or not guest_location(snapshot, guest.guest).active_on:
            found.append(GuestFound(guest))
            continue
        move = resolve_move(snapshot, guest.guest, None)
        cpu = cpu_verdict(environment, snapshot, guest.guest, move.source, move.target)
        findings = check_move(snapshot, move, MoveFacts(cpu, links[move.source]), operation)
        if_lost = check_failover_ready(snapshot, move, findings)
        found.append(GuestFound(guest, active=True, blockers=blocking(findings), failover_blockers=blocking(if_lost)))
    return tuple(found)


def _link(environment: Environment, pair: Pair, host: str) -> Maybe[str]:
    return environment.ports[host].reach_peer(environment.ports[pair.other(host)].host)
