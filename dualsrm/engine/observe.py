"""Looking: both hosts at once, each from itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from dualsrm.engine.environment import Environment
from dualsrm.errors import DualsrmError
from dualsrm.model import CpuVerdict, HostView, LockHolder, Maybe, Pair, Snapshot, Unknown


def observe(environment: Environment, pair: Pair, *, ask_peers: bool = False) -> Snapshot:
    """What both hosts of a pair say now. Never raises: what cannot be seen is Unknown.

    With `ask_peers` each host also asks the other's libvirtd, which takes as long as all the rest together.
    """
    looks: list[Callable[[], _Seen]] = []
    for host in pair.hosts:
        looks.append(environment.ports[host].observe)
        looks.append(partial(_lock_holder, environment, pair, host))
        if ask_peers:
            looks.append(partial(_reach_peer, environment, host, pair.other(host)))
    seen = environment.gather(looks)
    return Snapshot(
        pair=pair,
        views={view.name: view for view in seen if isinstance(view, HostView)},
        locks={lock.host: lock.holder for lock in seen if isinstance(lock, _Lock)},
        hosts={host: environment.ports[host].host for host in pair.hosts},
        peer_links={link.source: link.answer for link in seen if isinstance(link, _Link)},
    )


def cpu_verdict(
    environment: Environment, snapshot: Snapshot, guest: str, source: str, target: str
) -> Maybe[CpuVerdict]:
    """Whether the target can give the guest its CPU. Never raises."""
    view = snapshot.view(source).libvirt
    domain = None if isinstance(view, Unknown) else view.domain(guest)
    if domain is None:
        return Unknown(f"libvirt on {source} does not show {guest}")
    try:
        return environment.ports[target].cpu_verdict(domain, None if isinstance(view, Unknown) else view.host_cpu_xml)
    except DualsrmError as error:
        return Unknown(error.seen, error.fix)


@dataclass(frozen=True, slots=True)
class _Lock:
    host: str
    holder: Maybe[LockHolder | None]


@dataclass(frozen=True, slots=True)
class _Link:
    source: str
    answer: Maybe[str]


_Seen: TypeAlias = HostView | _Lock | _Link


def _reach_peer(environment: Environment, source: str, target: str) -> _Link:
    try:
        return _Link(source, environment.ports[source].reach_peer(environment.ports[target].host))
    except DualsrmError as error:
        return _Link(source, Unknown(error.seen, error.fix))


def _lock_holder(environment: Environment, pair: Pair, host: str) -> _Lock:
    try:
        return _Lock(host, environment.ports[host].lock_holder(pair.name))
    except DualsrmError as error:
        return _Lock(host, Unknown(error.seen, error.fix))
