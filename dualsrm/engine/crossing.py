"""The crossing: start libvirt's migration, watch it, and read its outcome from both hosts.

A query that fails is not a migration that failed: peer-to-peer, libvirt goes on without anybody watching. Whatever the
call returns, the states of the domain on both hosts decide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from dualsrm.engine.environment import Environment
from dualsrm.engine.ports import HostPort, JobEnded, JobProgress, MigrationJob
from dualsrm.engine.progress import Copying, Notice
from dualsrm.errors import DualsrmError
from dualsrm.outcome import Leftover, Outcome, Presence, Verdict, decide, presence
from dualsrm.plan.steps import MigrateLive

POLL_S = 0.5
"""Between two looks at the job: nova's interval."""
ABORT_DEADLINE_S = 60.0
"""How long libvirt may take to end a job it was asked to abort."""
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


def cross(environment: Environment, command: MigrateLive, deadline_s: float) -> Crossing:
    """Migrate and decide. Never raises for what libvirt or a host may do."""
    started = environment.clock.monotonic()
    source, target = environment.ports[command.source], environment.ports[command.target]
    try:
        job = source.start_migration(command.guest, target.host)
    except DualsrmError as error:
        ended = JobEnded(_libvirts(error.seen), None)
    else:
        ended = _watch(environment, job, started + deadline_s)
    verdict = read_outcome(environment, command)
    verdict = clear_leftover(environment, command, verdict)
    return Crossing(verdict, ended.error, ended.statistics, environment.clock.monotonic() - started)


def _watch(environment: Environment, job: MigrationJob, deadline: float) -> JobEnded:
    """Follow the job to its end; past the deadline, or when asked to stop, abort it and wait for that."""
    clock = environment.clock
    started = clock.monotonic()
    aborted: str | None = None
    last: JobProgress | None = None
    while True:
        seen = job.poll()
        if isinstance(seen, JobEnded):
            return replace(seen, error=aborted or _libvirts(seen.error), statistics=seen.statistics or last)
        if isinstance(seen, JobProgress):
            # What libvirt expects of a hand-over is no measurement of it.
            last = replace(seen, downtime_s=None)
            environment.observer(Copying(seen, clock.monotonic() - started))
        now = clock.monotonic()
        if aborted is None and (reason := _why_abort(environment, late=now >= deadline)):
            aborted = reason
            deadline = now + ABORT_DEADLINE_S
            _abort(environment, job, reason)
        elif aborted is not None and now >= deadline:
            return JobEnded(f"{aborted}; libvirt did not end the job within {ABORT_DEADLINE_S:.0f} s", last)
        clock.sleep(POLL_S)


def _libvirts(words: str | None) -> str | None:
    return f"libvirt says: {words}" if words else None


def _why_abort(environment: Environment, *, late: bool) -> str | None:
    if environment.cancelled():
        return "the operator asked to stop"
    return "memory was not copied within the deadline" if late else None


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
    while True:
        verdict = _look(environment, command)
        if verdict.outcome not in (Outcome.WAIT, Outcome.IN_DOUBT):
            return verdict
        if clock.monotonic() >= deadline:
            return replace(verdict, outcome=Outcome.IN_DOUBT)
        clock.sleep(POLL_S)


def _look(environment: Environment, command: MigrateLive) -> Verdict:
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
    return decide(source, target, job_active=source_job or target_job)


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
