"""Whether a host that was lost may be taken back: it writes nothing, and gets the newest data. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

from dualsrm.checks.case import PROBE, failed, on, passed, unknown
from dualsrm.discovery import resources_of
from dualsrm.generations import Relation, resource_relation, stands_alone
from dualsrm.model import DrbdView, Finding, LibvirtView, Role, Snapshot
from dualsrm.replication import disks_differ


def check_reprotect(snapshot: Snapshot, host: str) -> tuple[Finding, ...]:
    """Every answer; one that blocks and nothing is touched."""
    return tuple(
        replace(finding, check="reprotect") for finding in (*_no_guest(snapshot, host), *_resources(snapshot, host))
    )


def check_never_lost(host: str) -> tuple[Finding, ...]:
    """Of a host that no failover has put in quarantine, beside replication that is not whole."""
    seen = f"{host} is not in quarantine: no failover has seen it off"
    why = "Which side is behind, and whose guests run where, is another question then."
    return (replace(failed(host, seen, why, "dualsrm status"), check="reprotect"),)


def names_of(snapshot: Snapshot) -> tuple[str, ...]:
    """Every resource that is up on either host."""
    found = dict[str, None]()
    for view in snapshot.views.values():
        found.update(
            dict.fromkeys(one.name for one in (view.drbd.resources if isinstance(view.drbd, DrbdView) else ()))
        )
    return tuple(found)


def _no_guest(snapshot: Snapshot, host: str) -> Iterator[Finding]:
    view = snapshot.view(host)
    if not isinstance(view.libvirt, LibvirtView):
        why = "A guest may run there, on data that is not the newest."
        yield unknown(host, f"libvirt of {host} gave no answer: {view.libvirt.why}", why, on(host, *PROBE["libvirt"]))
        return
    running = [one for one in view.libvirt.domains if one.state.active and resources_of(one, view)]
    for domain in running:
        why = "It goes on with the older data, beside what its host lost."
        end = on(host, "virsh", "destroy", domain.name)
        fix = f"see whether it runs on the other host as well: dualsrm status; then {end}"
        yield failed(domain.name, f"{domain.name} is {domain.state} on {host}", why, fix)
    if not running:
        yield passed(host, "no guest of this pair is active there")


def _resources(snapshot: Snapshot, host: str) -> Iterator[Finding]:
    survivor = snapshot.pair.other(host)
    if not names_of(snapshot):
        why = "Nothing is replicated, so nothing can be seen to be whole."
        fix = " && ".join(on(side, "drbdadm", "up", "all") for side in snapshot.pair.hosts)
        yield failed(host, "no resource is up on either host", why, fix)
    for name in names_of(snapshot):
        for side in snapshot.pair.hosts:
            drbd = snapshot.view(side).drbd
            found = drbd.resource(name) if isinstance(drbd, DrbdView) else None
            if found is None:
                yield failed(
                    f"{name} on {side}", "it is not up", "Nothing is replicated.", on(side, "drbdadm", "up", name)
                )
                continue
            if side == host and found.role != Role.SECONDARY:
                why = "What is Primary there may be written to."
                yield failed(f"{name} on {host}", f"it is {found.role}", why, on(host, "drbdadm", "secondary", name))
            if side == survivor and (stale := disks_differ(found)):
                why = "What would be resynced from it is not the newest data."
                yield failed(f"{name} on {survivor}", stale, why, "dualsrm status")
            if stands_alone(found):
                yield from _apart(snapshot, name, side)


def _apart(snapshot: Snapshot, name: str, side: str) -> Iterator[Finding]:
    """Connected, DRBD resyncs the side that is behind; two that both wrote part again at once."""
    relation = resource_relation(snapshot, name)
    behind = (Relation.FIRST_BEHIND, Relation.SECOND_BEHIND)[snapshot.pair.hosts.index(side)]
    if relation in (Relation.SAME, Relation.FIRST_BEHIND, Relation.SECOND_BEHIND):
        yield passed(f"{name} on {side}", f"StandAlone, {'and behind' if relation is behind else 'and not behind'}")
        return
    why = "Whose writes count has to be said first."
    yield failed(
        f"{name} on {side}",
        f"StandAlone: {relation.value}",
        why,
        shlex.join(("dualsrm", "split-brain", "show", "--", name)),
    )
