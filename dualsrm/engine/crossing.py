"""The crossing: start libvirt's migration, watch it, and read its outcome from both hosts.

A query that fails is not a migration that failed: peer-to-peer, libvirt goes on without anybody watching. Whatever the
call returns, the states of the domain on both hosts decide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import inf

from dualsrm.engine.environment import Environment
from dualsrm.engine.pacing import Pacer
from dualsrm.engine.ports import HostPort, JobEnded, JobProgress, MigrationJob
from dualsrm.engine.progress import Copying, Notice
from dualsrm.errors import DualsrmError
from dualsrm.outcome import Leftover, Outcome, Presence, Verdict, decide, presence
from dualsrm.plan.steps import MigrateLive

POLL_S = 0.25
"""Between two looks at the guards' words and at whether the job is over; neither asks a host anything."""
ABORT_DEADLINE_S = 60.0
"""How long libvirt may take to end a job it was asked to abort."""
VERDICT_DEADLINE_S = 120.0
"""How long the hosts may take to agree after the link was lost, before the outcome counts as in doubt."""
UNKNOWN_PATIENCE_S = 15.0
"""How long a host that cannot be asked is asked again although the other alone would decide: a libvirtd restarts."""
SETTLE_DEADLINE_S = 30.0
"""How long both hosts may take to show a clear state after the job ended."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """What became of the guest."""

    verdict: Verdict
    error: str | None
    """Why it ended without a hand-over: libvirt's words, or why we called it off. For a person; decides nothing."""
    statistics: JobProgress | None
    seconds: float
    fix: str = ""
    """What to do about `error`; empty when it says that itself."""


def cross(environment: Environment, command: MigrateLive, deadline_s: float) -> Crossing:
    """Migrate and decide. Never raises for what libvirt or a host may do."""
    started = environment.clock.monotonic()
    source, target = environment.ports[command.source], environment.ports[command.target]
    try:
        job = source.start_migration(command.guest, target.host)
    except DualsrmError as error:
        ended = JobEnded(_libvirts(error.seen), None, error.fix)
    else:
        pacer = Pacer(command.convergence, deadline_s, job, lambda text: environment.observer(Notice(text)))
        ended = _watch(environment, job, pacer, (source, target))
    verdict = read_outcome(environment, command)
    verdict = clear_leftover(environment, command, verdict)
    return Crossing(verdict, ended.error, ended.statistics, environment.clock.monotonic() - started, ended.fix)


def _watch(environment: Environment, job: MigrationJob, pacer: Pacer, ports: tuple[HostPort, HostPort]) -> JobEnded:
    """Follow the job to its end; when late, disturbed or asked to stop, call it off and wait for that."""
    clock = environment.clock
    started = clock.monotonic()
    aborted: str | None = None
    by_hosts = False  # they end the job, not we
    deadline = inf
    last: JobProgress | None = None
    while True:
        seen = job.poll()
        if isinstance(seen, JobEnded):
            return _told(replace(seen, statistics=seen.statistics or last), aborted)
        if isinstance(seen, JobProgress):
            if seen.memory_total:  # libvirt shows zeros before the copy, and again once it was cancelled
                # What libvirt expects of a hand-over is no measurement of it.
                last = replace(seen, downtime_s=None)
            pacer.saw(seen, clock.monotonic() - started)
            environment.observer(Copying(seen, clock.monotonic() - started))
        now = clock.monotonic()
        link_lost = _link_lost(ports)
        if aborted is None and link_lost:
            # The target ends its QEMU, then the job fails by itself; libvirt calls on a frozen guest would only hang.
            aborted = link_lost
            by_hosts, deadline = True, now + VERDICT_DEADLINE_S
            environment.observer(Notice(f"{link_lost}: the hosts decide where the guest goes on"))
        elif aborted is None and (reason := _why_abort(environment, ports, pacer, now - started)):
            aborted = reason
            deadline = now + ABORT_DEADLINE_S
            _abort(environment, job, reason)
        elif by_hosts and not link_lost:
            # Back before they decided: nothing is frozen any more, and nobody else would end the job.
            by_hosts, deadline = False, inf if pacer.post_copy else now + ABORT_DEADLINE_S
            if not pacer.post_copy:
                _abort(environment, job, "replication is back")
        elif aborted is not None and now >= deadline:
            return JobEnded(f"{aborted}; the job did not end in time", last)
        clock.sleep(POLL_S)


def _told(ended: JobEnded, aborted: str | None) -> JobEnded:
    """With our reason where we called it off: libvirt's words and where to look are about that then."""
    return replace(ended, error=aborted, fix="") if aborted else replace(ended, error=_libvirts(ended.error))


def _libvirts(words: str | None) -> str | None:
    return f"libvirt says: {words}" if words else None


def _link_lost(ports: tuple[HostPort, HostPort]) -> str:
    """What a guard says of a lost link, or an empty string."""
    for port in ports:
        disturbance = port.disturbance()
        if disturbance is not None and disturbance.link:
            return f"replication was lost: on {port.host.name} {disturbance.seen}"
    return ""


def _why_abort(
    environment: Environment, ports: tuple[HostPort, HostPort], pacer: Pacer, elapsed_s: float
) -> str | None:
    if not pacer.post_copy:  # else the guest runs at the target: finishing is all that can be done
        if environment.cancelled():
            return "the operator asked to stop"
        for port in ports:
            if (disturbance := port.disturbance()) is not None:
                return f"on {port.host.name} {disturbance.seen}"
    return "memory was not copied within the deadline" if pacer.late(elapsed_s) else None


def _abort(environment: Environment, job: MigrationJob, reason: str) -> None:
    environment.observer(Notice(f"aborting the migration: {reason}"))
    try:
        job.abort()
    except DualsrmError as error:
        environment.observer(Notice(f"libvirt refused to abort: {error.seen}"))


def read_outcome(environment: Environment, command: MigrateLive) -> Verdict:
    """The table's verdict, asked again until it is clear or the deadline is over."""
    clock = environment.clock
    deadline = clock.monotonic() + SETTLE_DEADLINE_S
    patience = clock.monotonic() + UNKNOWN_PATIENCE_S
    while True:
        verdict, certain = _look(environment, command)
        clear = verdict.outcome not in (Outcome.WAIT, Outcome.IN_DOUBT)
        if clear and (certain or clock.monotonic() >= patience):
            return verdict
        if clock.monotonic() >= deadline:
            return replace(verdict, outcome=Outcome.IN_DOUBT)
        clock.sleep(POLL_S)


def _look(environment: Environment, command: MigrateLive) -> tuple[Verdict, bool]:
    """The verdict now, and whether both hosts answered."""
    ports = (environment.ports[command.source], environment.ports[command.target])
    (source, source_job), (target, target_job) = environment.gather(
        [partial(_presence, port, command.guest) for port in ports]
    )
    if Presence.RUNNING not in (source, target):
        source, target = environment.gather(
            [
                partial(_by_process_table, port, command.uuid, seen)
                for port, seen in zip(ports, (source, target), strict=True)
            ]
        )
    return decide(source, target, job_active=source_job or target_job), Presence.UNKNOWN not in (source, target)


def _presence(port: HostPort, guest: str) -> tuple[Presence, bool]:
    try:
        status = port.domain_status(guest)
    except DualsrmError:
        return Presence.UNKNOWN, False
    return presence(status.state, status.reason), status.job_active


def _by_process_table(port: HostPort, uuid: str, seen: Presence) -> Presence:
    """Absent is what the process table says is absent: a QEMU libvirt lost sight of may still write."""
    if seen in (Presence.PAUSED, Presence.UNKNOWN):
        return seen
    try:
        return Presence.PAUSED if port.qemu_alive(uuid) else seen
    except DualsrmError:
        return Presence.UNKNOWN


def clear_leftover(environment: Environment, command: MigrateLive, verdict: Verdict) -> Verdict:
    """End the QEMU the table proved to be the one that must go, and read the outcome again."""
    if verdict.leftover is Leftover.NONE:
        return verdict
    host = command.source if verdict.leftover is Leftover.AT_SOURCE else command.target
    environment.observer(Notice(f"ending the leftover QEMU of {command.guest} on {host}: {verdict.meaning}"))
    try:
        environment.ports[host].destroy(command.guest)
    except DualsrmError as error:
        environment.observer(Notice(f"that did not work: {error.seen}"))
    return read_outcome(environment, command)
