"""Looking: both hosts at once, each from itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from dualsrm.engine.environment import Environment
from dualsrm.errors import DualsrmError
from dualsrm.generations import to_compare
from dualsrm.model import CpuVerdict, Generation, HostView, LockHolder, Maybe, Pair, Snapshot, Unknown


def observe(environment: Environment, pair: Pair, *, guest: str | None = None, under_lock: bool = False) -> Snapshot:
    """What both hosts of a pair say now. Never raises: what cannot be seen is Unknown.

    With a guest, the host it is active on also asks the other host's libvirtd. Under the pair's lock nobody needs to be
    asked who holds it: it is free for whoever looks.
    """
    looks: list[Callable[[], _Seen]] = []
    for host in pair.hosts:
        peer = environment.ports[pair.other(host)].host if guest is not None else None
        looks.append(partial(environment.ports[host].observe, guest=guest, peer=peer))
        if not under_lock:
            looks.append(partial(_lock_holder, environment, pair, host))
    seen = environment.gather(looks)
    snapshot = Snapshot(
        pair=pair,
        views={view.name: declared(pair, view) for view in seen if isinstance(view, HostView)},
        locks=dict.fromkeys(pair.hosts)
        if under_lock
        else {lock.host: lock.holder for lock in seen if isinstance(lock, _Lock)},
        hosts={host: environment.ports[host].host for host in pair.hosts},
    )
    return _with_generations(environment, snapshot)


def declared(pair: Pair, view: HostView) -> HostView:
    """With the file systems of the pair's groups: a path below one leads to its resource."""
    return replace(view, filesystems=pair.filesystems)


def _with_generations(environment: Environment, snapshot: Snapshot) -> Snapshot:
    """A side that stands alone may be in split brain: the identifiers of both tell. A healthy pair is not asked."""
    asked = to_compare(snapshot)
    looks = [partial(_generations_of, environment, host, wanted) for host, wanted in asked.items()]
    return (
        replace(snapshot, generations=dict(zip(asked, environment.gather(looks), strict=True))) if asked else snapshot
    )


def _generations_of(
    environment: Environment, host: str, wanted: Mapping[str, tuple[int, ...]]
) -> dict[str, Maybe[tuple[Generation, ...]]]:
    found: dict[str, Maybe[tuple[Generation, ...]]] = {}
    for name, volumes in wanted.items():
        try:
            found[name] = environment.ports[host].split.generations(name, volumes)
        except DualsrmError as error:
            found[name] = Unknown(error.seen, error.fix)
    return found


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


_Seen: TypeAlias = HostView | _Lock


def _lock_holder(environment: Environment, pair: Pair, host: str) -> _Lock:
    try:
        return _Lock(host, environment.ports[host].lock_holder(pair.name))
    except DualsrmError as error:
        return _Lock(host, Unknown(error.seen, error.fix))
