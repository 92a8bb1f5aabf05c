"""Settling a split brain from end to end: lock, look, check, plan, run, report. Never without being asked to."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path

from dualsrm.checks import blocking
from dualsrm.checks.case import failed, passed
from dualsrm.checks.split_brain import check_resolve, guests_on, resolve_command
from dualsrm.engine.environment import Environment
from dualsrm.engine.observe import observe
from dualsrm.engine.operation import carry_out
from dualsrm.engine.run import Run
from dualsrm.engine.split_brain import changed
from dualsrm.errors import DualsrmError, ExitCode, HostUnreachable
from dualsrm.model import Backing, DrbdView, Finding, Pair, Resource, Snapshot, Unknown
from dualsrm.plan.split_brain import Resolution, Split, plan_resolve, plan_wait
from dualsrm.plan.split_steps import TakeSnapshot, Target
from dualsrm.plan.steps import Plan
from dualsrm.replication import connected, replication_differs

_EXTENT = 4 << 20
"""LVM's smallest usual unit: a size is rounded up to it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked for."""

    victim: str
    resources: tuple[str, ...]
    by: str
    snapshot: bool = False
    snapshot_bytes: int | None = None
    """None: as large as what is kept, so that it cannot run full."""
    deadline_s: float = 3600.0
    """For the resync of each resource."""


class ResolveState(Enum):
    """Named states it can end in."""

    RESOLVED = "resolved"
    ALREADY = "nothing to do"
    UNTOUCHED = "untouched"
    RESYNCING = "resyncing"
    """The victim's writes are given up, the resync goes on."""
    WRONG_WAY = "resync the wrong way"
    """DRBD began to resync onto the side to keep; it was disconnected."""
    NOT_RESOLVED = "not resolved"


EXIT_CODES = {
    ResolveState.RESOLVED: ExitCode.OK,
    ResolveState.ALREADY: ExitCode.OK,
    ResolveState.UNTOUCHED: ExitCode.REFUSED,
    ResolveState.RESYNCING: ExitCode.NEEDS_ATTENTION,
    ResolveState.WRONG_WAY: ExitCode.NEEDS_ATTENTION,
    ResolveState.NOT_RESOLVED: ExitCode.NEEDS_ATTENTION,
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """Looked at and not yet begun."""

    wanted: Wanted
    survivor: str
    findings: tuple[Finding, ...]
    plan: Plan
    intent: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Discarded:
    """What was given up of one resource."""

    resource: str
    bytes: int | None
    """By the victim's own bitmap; None: not known."""


@dataclass(frozen=True, slots=True)
class ResolveReport:
    """How it ended."""

    operation: str
    victim: str
    survivor: str
    resources: tuple[str, ...]
    state: ResolveState
    seen: str
    fix: str
    discarded: tuple[Discarded, ...]
    """Empty when nothing was, or when an earlier run did it."""
    snapshots: tuple[str, ...]
    """GROUP/NAME, on the victim."""
    total_s: float

    @property
    def exit_code(self) -> ExitCode:
        """The stable exit code of this end."""
        return EXIT_CODES[self.state]


def prepare_resolve(environment: Environment, pair: Pair, wanted: Wanted, *, under_lock: bool = False) -> Prepared:
    """Look, check and plan; touches nothing."""
    snapshot = observe(environment, pair, under_lock=under_lock)
    for host in pair.hosts:
        if isinstance(part := snapshot.view(host).drbd, Unknown):
            raise HostUnreachable(f"DRBD of {host} cannot be seen: {part.why}", fix=f"make {host} answer, then again")
    survivor = pair.other(wanted.victim)
    begun = tuple(name for name in wanted.resources if _connected(snapshot, name))
    follow = _follow(snapshot, wanted, survivor, begun)
    left = tuple(name for name in wanted.resources if name not in begun)
    if not left:
        return follow
    findings = (*follow.findings, *check_resolve(snapshot, wanted.victim, left))
    snapshots: tuple[TakeSnapshot, ...] = ()
    if wanted.snapshot and not blocking(findings):
        more, snapshots = _snapshots(environment, snapshot, replace(wanted, resources=left))
        findings = (*findings, *(replace(one, check="split-brain") for one in more))
    if blocking(findings):
        return Prepared(wanted, survivor, findings, (), {})
    goal = Resolution(
        wanted.victim,
        survivor,
        tuple(_split(snapshot, wanted.victim, survivor, name) for name in left),
        _guests(snapshot, left),
        snapshots,
    )
    discarded = {name: changed(_resource(snapshot, wanted.victim, name)) for name in left}
    intent = {
        "victim": wanted.victim,
        "survivor": survivor,
        "resources": list(wanted.resources),
        "by": wanted.by,
        "discarded_bytes": discarded,
        "discarded": {one.resource: [str(side) for side in one.victims] for one in goal.splits},
        "kept": {one.resource: [str(side) for side in one.kept] for one in goal.splits},
        "snapshots": [f"{one.group}/{one.name}" for one in snapshots],
    }
    return Prepared(wanted, survivor, findings, (*follow.plan, *plan_resolve(goal, wanted.deadline_s)), intent)


def run_resolve(
    environment: Environment, pair: Pair, wanted: Wanted, *, state_directory: Path
) -> tuple[Prepared, ResolveReport | None]:
    """Lock, look, discard; without a report the findings say why not.

    Raises `Refused` or `HostUnreachable` before anything is touched, and nothing after.
    """
    prepared, report = carry_out(
        environment,
        pair,
        state_directory,
        verb="split-brain-resolve",
        guest="",
        prepare=partial(prepare_resolve, environment, pair, wanted),
        report=_report,
    )
    if report is None and not blocking(prepared.findings):
        report = _end("", prepared, ResolveState.ALREADY, "", 0.0)
    return prepared, report


def _follow(snapshot: Snapshot, wanted: Wanted, survivor: str, names: tuple[str, ...]) -> Prepared:
    """Those that are connected: an earlier run, or somebody, began the resync. Waited for, if it is not over."""
    late = [
        name
        for name in names
        if any(replication_differs(_resource(snapshot, host, name)) for host in snapshot.pair.hosts)
    ]
    plan = plan_wait(wanted.victim, survivor, tuple(late), wanted.deadline_s) if late else ()
    findings = tuple(passed(name, "Connected: there is no split brain any more") for name in names)
    return Prepared(wanted, survivor, findings, plan, {"resources": list(names), "victim": wanted.victim})


def _snapshots(
    environment: Environment, snapshot: Snapshot, wanted: Wanted
) -> tuple[tuple[Finding, ...], tuple[TakeSnapshot, ...]]:
    findings: list[Finding] = []
    taken: list[TakeSnapshot] = []
    stamp = re.sub(r"[^0-9T]", "", environment.clock.now_iso())[:13]
    needed: dict[str, int] = {}
    for name in wanted.resources:
        volumes = tuple(volume.number for volume in _resource(snapshot, wanted.victim, name).volumes)
        try:
            below = environment.ports[wanted.victim].split.backing(name, volumes)
        except DualsrmError as error:
            findings.append(failed(f"{name} on {wanted.victim}", error.seen, error.why, error.fix))
            continue
        for one in below:
            size = _rounded(wanted.snapshot_bytes or one.size_bytes)
            needed[one.group] = needed.get(one.group, 0) + size
            if needed[one.group] > one.free_bytes:
                findings.append(_too_small(wanted, name, one, needed[one.group]))
            taken.append(TakeSnapshot(wanted.victim, one.group, one.name, f"{one.name}-split-{stamp}", size))
    return tuple(findings), tuple(taken)


def _rounded(size: int) -> int:
    return -(-size // _EXTENT) * _EXTENT


def _too_small(wanted: Wanted, name: str, below: Backing, needed: int) -> Finding:
    return failed(
        f"{name} on {wanted.victim}",
        f"the volume group {below.group} has {below.free_bytes} bytes left, the snapshots take {needed}",
        "A snapshot that runs full is lost.",
        f"on {wanted.victim}: vgs {shlex.quote(below.group)}; make room, or name less with --snapshot-size: what the "
        "resync and the guest write from then on has to fit until the snapshot is removed",
    )


def _guests(snapshot: Snapshot, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found: dict[tuple[str, str], None] = {}
    on_them = guests_on(snapshot, names)
    for view in snapshot.views.values():
        for domain in () if isinstance(view.libvirt, Unknown) else view.libvirt.domains:
            if domain.name in on_them:
                found[domain.name, domain.uuid] = None
    return tuple(found)


def _resource(snapshot: Snapshot, host: str, name: str) -> Resource:
    drbd = snapshot.view(host).drbd
    found = drbd.resource(name) if isinstance(drbd, DrbdView) else None
    assert found is not None  # noqa: S101 - a split brain was proved, or it is connected: it is up on both
    return found


def _connected(snapshot: Snapshot, name: str) -> bool:
    views = [snapshot.view(host).drbd for host in snapshot.pair.hosts]
    found = [view.resource(name) if isinstance(view, DrbdView) else None for view in views]
    return all(one is not None and connected(one) for one in found)


def _split(snapshot: Snapshot, victim: str, survivor: str, name: str) -> Split:
    sides = [snapshot.generations[host][name] for host in (victim, survivor)]
    mine, kept = (() if isinstance(side, Unknown) else side for side in sides)
    return Split(name, mine, kept)


def _report(operation: str, prepared: Prepared, run: Run, total_s: float) -> ResolveReport:
    return _end(operation, prepared, _state(run), run.failure.seen if run.failure else "", total_s)


def _state(run: Run) -> ResolveState:
    failure = run.failure
    if failure is None:
        return ResolveState.RESOLVED
    if any(one.asked and isinstance(one.condition, Target) for one in failure.unmet):
        return ResolveState.WRONG_WAY
    if failure.step.startswith("resync"):
        return ResolveState.RESYNCING
    return ResolveState.NOT_RESOLVED if run.touched else ResolveState.UNTOUCHED


_DISCARDED = (ResolveState.RESOLVED, ResolveState.RESYNCING)


def _end(operation: str, prepared: Prepared, state: ResolveState, seen: str, total_s: float) -> ResolveReport:
    wanted, intent = prepared.wanted, prepared.intent
    again = resolve_command(wanted.victim, wanted.resources)
    discarded, kept = intent.get("discarded_bytes"), intent.get("snapshots")
    lost = discarded if isinstance(discarded, dict) and state in _DISCARDED else {}
    return ResolveReport(
        operation=operation,
        victim=wanted.victim,
        survivor=prepared.survivor,
        resources=wanted.resources,
        state=state,
        seen=seen,
        fix=_NEXT[state].format(again=again, survivor=prepared.survivor),
        discarded=tuple(Discarded(name, count) for name, count in lost.items()),
        snapshots=tuple(kept) if isinstance(kept, list) else (),
        total_s=total_s,
    )


_NEXT: Mapping[ResolveState, str] = {
    ResolveState.RESOLVED: "",
    ResolveState.ALREADY: "",
    ResolveState.UNTOUCHED: "run `dualsrm split-brain show`, then try again",
    ResolveState.RESYNCING: "`dualsrm status` shows how far it is; to wait for its end: {again}",
    ResolveState.WRONG_WAY: (
        "connect nothing: whether the disk on {survivor} is whole has to be looked at first (drbdadm status on both "
        "hosts, their kernels' logs); the snapshot, if one was taken, has what the victim had"
    ),
    ResolveState.NOT_RESOLVED: "mend what is named, look with `dualsrm split-brain show`, then: {again}",
}
"""The exact next command of each end."""
