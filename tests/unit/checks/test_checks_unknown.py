"""Unknown is never reported as fine: whatever part of the picture is missing, the move does not start."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.checks import blocking, check_move
from dualsrm.model import (
    ConnectionState,
    DiskState,
    DomainState,
    Finding,
    MoveFacts,
    ReplicationState,
    Role,
    Severity,
    Snapshot,
    Unknown,
)
from tests import builders as b
from tests.builders import ALPHA, BETA, FACTS, HOSTS, MOVE

NOBODY = Unknown("No route to host")
Picture = tuple[Snapshot, MoveFacts]
Hole = Callable[[Picture], Picture]


def in_snapshot(change: Callable[[Snapshot], Snapshot]) -> Hole:
    def hole(picture: Picture) -> Picture:
        snapshot, facts = picture
        try:
            return change(snapshot), facts
        except (AssertionError, KeyError):  # the view around it is gone already
            return picture

    return hole


def view_of(host: str, part: str) -> Hole:
    return in_snapshot(lambda seen: b.change_view(seen, host, **{part: NOBODY}))


NEEDED: dict[str, Hole] = {
    **{f"{host} {part}": view_of(host, part) for host in HOSTS for part in ("drbd", "libvirt", "system")},
    **{f"{host} lock": in_snapshot(lambda s, h=host: replace(s, locks={**s.locks, h: NOBODY})) for host in HOSTS},  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    **{f"{host} drift": in_snapshot(lambda s, h=host: b.change_drbd(s, h, drift=NOBODY)) for host in HOSTS},  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    **{f"{host} options": in_snapshot(lambda s, h=host: b.change_resource(s, h, options=NOBODY)) for host in HOSTS},  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    **{f"{host} handlers": in_snapshot(lambda s, h=host: b.change_drbd(s, h, handlers=NOBODY)) for host in HOSTS},  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    **{f"{host} helper": in_snapshot(lambda s, h=host: b.change_drbd(s, h, helper=NOBODY)) for host in HOSTS},  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    "alpha job": in_snapshot(lambda s: b.change_domain(s, ALPHA, job_active=NOBODY)),
    "beta machines": in_snapshot(lambda s: b.change_libvirt(s, BETA, machines=NOBODY)),
    "beta memory": in_snapshot(lambda s: b.change_libvirt(s, BETA, free_memory_bytes=NOBODY)),
    "cpu": lambda picture: (picture[0], replace(picture[1], cpu=NOBODY)),
    "peer link": lambda picture: (picture[0], replace(picture[1], peer_link=NOBODY)),
    "alpha certificates": in_snapshot(lambda s: b.change_system(s, ALPHA, certificates=NOBODY)),
    "beta certificates": in_snapshot(lambda s: b.change_system(s, BETA, certificates=NOBODY)),
    "alpha unseen": in_snapshot(lambda s: replace(s, views={h: v for h, v in s.views.items() if h != ALPHA})),
}

NOT_NEEDED: dict[str, Hole] = {
    "alpha machines": in_snapshot(lambda s: b.change_libvirt(s, ALPHA, machines=NOBODY)),
    "alpha memory": in_snapshot(lambda s: b.change_libvirt(s, ALPHA, free_memory_bytes=NOBODY)),
    "alpha names in files": in_snapshot(lambda s: b.change_drbd(s, ALPHA, configured=NOBODY)),
    "beta names in files": in_snapshot(lambda s: b.change_drbd(s, BETA, configured=NOBODY)),
    "alpha mounts": view_of(ALPHA, "mounts"),  # of a guest on a file system they are: test_checks_filesystem
    "generation identifiers": in_snapshot(lambda s: replace(s, generations={ALPHA: {"web": NOBODY}})),
}


def look(picture: Picture) -> tuple[Finding, ...]:
    return check_move(picture[0], MOVE, picture[1], None)


@given(st.sets(st.sampled_from(sorted({**NEEDED, **NOT_NEEDED}))))
def test_a_missing_fact_that_is_needed_always_blocks(holes: set[str]) -> None:
    picture: Picture = (b.snapshot(), FACTS)
    for name in sorted(holes):
        picture = {**NEEDED, **NOT_NEEDED}[name](picture)
    found = look(picture)
    assert bool(blocking(found)) == bool(holes & set(NEEDED))
    assert all(finding.severity in (Severity.PASSED, Severity.UNKNOWN) for finding in found)
    assert all(finding.seen and finding.why and finding.fix for finding in blocking(found))


def has_maybe(kind: str) -> bool:
    return "Maybe" in kind or "Unknown" in kind


def test_every_fact_the_model_lets_be_unknown_has_a_hole_here() -> None:
    """A new `Maybe` in the model needs a decision: does a move need it?"""
    from dualsrm import model  # noqa: PLC0415 - the module itself is what is looked at

    named = {
        f"{name}.{field.name}"
        for name, kind in vars(model).items()
        if dataclasses.is_dataclass(kind)
        for field in dataclasses.fields(kind)
        if has_maybe(str(field.type))
    }
    assert named == {
        "Resource.options", "DrbdView.configured", "DrbdView.drift", "DrbdView.handlers", "DrbdView.helper",
        "Domain.job_active", "LibvirtView.machines",
        "LibvirtView.free_memory_bytes", "HostView.drbd", "HostView.libvirt", "HostView.system", "MoveFacts.cpu",
        "MoveFacts.peer_link", "Snapshot.locks", "HostView.peer_link",
        "Snapshot.generations", "HostView.mounts", "MountView.at_boot",
        "SystemView.certificates",
        "HostSurvey.bridges",  # what `init` asks, and no move
    }  # fmt: skip


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@given(st.sampled_from(HOSTS), words)
def test_a_word_no_release_knows_is_never_a_good_state(host: str, word: str) -> None:
    healthy = b.snapshot()
    changed = [
        (b.change_connection(healthy, host, state=ConnectionState(word)), ConnectionState(word).known),
        (b.change_peer_volume(healthy, host, replication=ReplicationState(word)), ReplicationState(word).known),
        (b.change_peer_volume(healthy, host, peer_disk=DiskState(word)), DiskState(word).known),
        (b.change_volume(healthy, host, disk=DiskState(word)), DiskState(word).known),
        (b.change_resource(healthy, host, role=Role(word)), Role(word).known),
        (b.change_connection(healthy, host, peer_role=Role(word)), Role(word).known),
        (b.change_domain(healthy, ALPHA, state=DomainState(word)), DomainState(word).known),
    ]
    for snapshot, is_known in changed:
        severities = {finding.severity for finding in blocking(look((snapshot, FACTS)))}
        assert is_known or severities == {Severity.UNKNOWN}


@pytest.mark.parametrize("kind", [ConnectionState, ReplicationState, DiskState])
def test_only_the_good_state_passes(kind: type[ConnectionState | ReplicationState | DiskState]) -> None:
    good = {ConnectionState.CONNECTED, ReplicationState.ESTABLISHED, DiskState.UP_TO_DATE}
    for state in kind:
        for host in HOSTS:
            if isinstance(state, ConnectionState):
                snapshot = b.change_connection(b.snapshot(), host, state=state)
            elif isinstance(state, ReplicationState):
                snapshot = b.change_peer_volume(b.snapshot(), host, replication=state)
            else:
                snapshot = b.change_volume(b.snapshot(), host, disk=state)
            assert bool(blocking(look((snapshot, FACTS)))) != (state in good)


def gone(host: str) -> Snapshot:
    snapshot = b.change_view(b.snapshot(), host, drbd=NOBODY, libvirt=NOBODY, system=NOBODY)
    return replace(snapshot, locks={**snapshot.locks, host: NOBODY})


@pytest.mark.parametrize("host", HOSTS)
def test_a_silent_host_is_explained_once_and_the_rest_is_brief(host: str) -> None:
    found = blocking(look((gone(host), FACTS)))
    (clear,) = [finding for finding in found if finding.check == "host-answers"]
    assert clear.severity is Severity.UNKNOWN
    assert "No route to host" in clear.seen
    assert clear.fix == f"ssh -p 22 root@{b.host(host).address} true"
    dependants = [finding for finding in found if finding.check not in ("host-answers", "pair-unlocked")]
    assert len({finding.check for finding in dependants}) == len(dependants)
    assert all("see host-answers" in finding.seen and "No route" not in finding.seen for finding in dependants)


def test_without_the_configured_hosts_the_name_has_to_do() -> None:
    (clear,) = [f for f in blocking(look((replace(gone(BETA), hosts={}), FACTS))) if f.check == "host-answers"]
    assert clear.fix == "ssh beta true"


def test_one_silent_part_is_named() -> None:
    found = blocking(look((b.change_view(b.snapshot(), BETA, libvirt=NOBODY), FACTS)))
    clear = next(finding for finding in found if finding.check == "host-answers")
    assert "libvirt of beta" in clear.seen
    assert clear.fix == "ssh beta 'virsh -c qemu:///system version'"


def test_what_the_other_host_says_still_counts_when_one_is_silent() -> None:
    snapshot = b.change_connection(gone(BETA), ALPHA, state=ConnectionState.STANDALONE)
    failed = {finding.check for finding in look((snapshot, FACTS)) if finding.severity is Severity.FAILED}
    assert failed == {"replication-connected"}
