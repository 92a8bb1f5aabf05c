"""Looking: both hosts at once, each from itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dualsrm.engine.environment import Environment
from dualsrm.errors import DualsrmError
from dualsrm.model import CpuVerdict, Domain, LockHolder, Maybe, MoveFacts, Pair, Snapshot, Unknown


def observe(environment: Environment, pair: Pair) -> Snapshot:
    """What both hosts of a pair say now. Never raises: what cannot be seen is Unknown."""
    ports = [environment.ports[host] for host in pair.hosts]
    views = environment.gather([port.observe for port in ports])
    locks = environment.gather([partial(_lock_holder, environment, pair, host) for host in pair.hosts])
    return Snapshot(
        pair=pair,
        views={view.name: view for view in views},
        locks=dict(zip(pair.hosts, locks, strict=True)),
        hosts={host: environment.ports[host].host for host in pair.hosts},
    )


def observe_move(environment: Environment, snapshot: Snapshot, guest: str, source: str, target: str) -> MoveFacts:
    """What has to be asked about this guest moving this way. Never raises."""
    view = snapshot.view(source).libvirt
    domain = None if isinstance(view, Unknown) else view.domain(guest)
    missing = Unknown(f"libvirt on {source} does not show {guest}")
    if domain is None:
        return MoveFacts(cpu=missing, peer_link=missing)
    facts: list[Callable[[], MoveFacts]] = [
        lambda: MoveFacts(cpu=_cpu_verdict(environment, target, domain), peer_link=missing),
        lambda: MoveFacts(cpu=missing, peer_link=_reach_peer(environment, source, target)),
    ]
    about_cpu, about_peer = environment.gather(facts)
    return MoveFacts(about_cpu.cpu, about_peer.peer_link)


def _cpu_verdict(environment: Environment, target: str, domain: Domain) -> Maybe[CpuVerdict]:
    try:
        return environment.ports[target].cpu_verdict(domain)
    except DualsrmError as error:
        return Unknown(error.seen)


def _reach_peer(environment: Environment, source: str, target: str) -> Maybe[str]:
    try:
        return environment.ports[source].reach_peer(environment.ports[target].host)
    except DualsrmError as error:
        return Unknown(error.seen)


def _lock_holder(environment: Environment, pair: Pair, host: str) -> Maybe[LockHolder | None]:
    try:
        return environment.ports[host].lock_holder(pair.name)
    except DualsrmError as error:
        return Unknown(error.seen)
