"""`dualsrm recover`: look, and make quiet what an interrupted operation left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from dualsrm.discovery import guest_location, resources_of
from dualsrm.engine.environment import Environment
from dualsrm.engine.executor import Executor
from dualsrm.engine.journal import FileJournal, Interrupted, interrupted, note, over, settle_interrupted
from dualsrm.engine.locks import pair_locked
from dualsrm.engine.observe import observe
from dualsrm.errors import DualsrmError, ExitCode, HostUnreachable
from dualsrm.model import IN_WINDOW, LockHolder, Pair, Role, Snapshot, Unknown
from dualsrm.outcome import Presence, presence
from dualsrm.plan.recover import Idle, Recovery, Seen, plan_idle, plan_recovery


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What recovery did for a pair."""

    pair: str
    settled: tuple[str, ...]
    """Guests, and resources below no guest, that were made quiet."""
    refused: tuple[Recovery, ...]
    """Those that may not be touched, each with why and what a person has to do."""
    failed: tuple[tuple[str, str], ...]
    """Those whose recovery did not get through, and what was seen."""
    closed_operations: tuple[str, ...]
    down: tuple[str, ...] = ()
    """Guests of interrupted operations that run nowhere although nobody wanted them stopped. They are not started."""

    @property
    def exit_code(self) -> ExitCode:
        """In doubt outweighs unfinished outweighs done."""
        if self.refused:
            return ExitCode.IN_DOUBT
        return ExitCode.NEEDS_ATTENTION if self.failed or self.down else ExitCode.OK


def recover(environment: Environment, pair: Pair, state_directory: Path, *, take_over: bool) -> RecoveryReport:
    """Settle every guest of the pair. A second run finds nothing to do."""
    snapshot = observe(environment, pair)
    _must_see_both(snapshot)
    if take_over:
        _free_locks(environment, snapshot)
    journal = FileJournal.begin(state_directory, "recover", environment.clock)
    try:
        journal.write("intent", verb="recover", pair=pair.name)
        with pair_locked(environment, pair, journal, leftovers=partial(over, state_directory)):
            report = _settle_all(environment, pair, journal, interrupted(state_directory, pair.name))
        note(journal, environment.observer, "end", outcome=report.exit_code.name.lower())
    except DualsrmError as error:
        note(journal, environment.observer, "end", outcome="refused", seen=error.seen)
        raise
    finally:
        journal.close()
    if not (report.refused or report.failed):
        for operation in report.closed_operations:
            settle_interrupted(state_directory, operation, journal.operation, environment.clock)
    return report


def _settle_all(
    environment: Environment, pair: Pair, journal: FileJournal, left: tuple[Interrupted, ...]
) -> RecoveryReport:
    """Under the lock, from a look taken under the lock: what was seen before it may be another operation's doing."""
    snapshot = observe(environment, pair, under_lock=True)
    _must_see_both(snapshot)
    sources = {str(one.intent.get("guest")): str(one.intent.get("source")) for one in left}
    planned = [plan for seen in see_guests(snapshot, sources) if (plan := plan_recovery(seen)) is not None]
    planned += [plan for idle in see_idle(snapshot) if (plan := plan_idle(pair.hosts, idle)) is not None]
    settled, failed = [], []
    for recovery in planned:
        if recovery.refusal:
            continue
        run = Executor(environment, journal).run(recovery.plan)
        if run.failure is None:
            settled.append(recovery.subject)
        else:
            failed.append((recovery.subject, f"{run.failure.step}: {run.failure.seen}"))
    return RecoveryReport(
        pair=pair.name,
        settled=tuple(settled),
        refused=tuple(one for one in planned if one.refusal),
        failed=tuple(failed),
        closed_operations=tuple(one.operation for one in left),
        down=_down(snapshot, left),
    )


_WANT_GUESTS_UP = ("migrate", "start", "failover", "migrate-group", "start-group")


def _down(snapshot: Snapshot, left: tuple[Interrupted, ...]) -> tuple[str, ...]:
    wanted = (_guests(one.intent) for one in left if one.intent.get("verb") in _WANT_GUESTS_UP)
    locations = (guest_location(snapshot, guest) for guest in dict.fromkeys(chain.from_iterable(wanted)))
    return tuple(location.name for location in locations if location.known and not location.active_on)


def _guests(intent: Mapping[str, object]) -> tuple[str, ...]:
    """One, or those of a failover."""
    several = intent.get("guests")
    if isinstance(several, list):
        return tuple(map(str, several))
    return (str(intent["guest"]),) if "guest" in intent else ()


def _must_see_both(snapshot: Snapshot) -> None:
    """Recovering half a pair would act on a guess about the other half."""
    for host, view in snapshot.views.items():
        for part in (view.drbd, view.libvirt):
            if isinstance(part, Unknown):
                raise HostUnreachable(
                    f"{host} cannot be seen: {part.why}",
                    why="what this side may safely undo depends on what the other side does",
                    fix=f"make {host} answer and run `dualsrm recover` again",
                )


def _free_locks(environment: Environment, snapshot: Snapshot) -> None:
    """Whoever holds them: a person said that the manager is dead."""
    for host, holder in snapshot.locks.items():
        if isinstance(holder, LockHolder):
            environment.ports[host].unlock(snapshot.pair.name, holder.operation)


def see_guests(snapshot: Snapshot, sources: Mapping[str, str]) -> tuple[Seen, ...]:
    """Every guest of the pair that lies on its resources. `sources`: where an interrupted move of a guest began."""
    names: dict[str, None] = {}
    for view in snapshot.views.values():
        if not isinstance(view.libvirt, Unknown):
            names.update(dict.fromkeys(domain.name for domain in view.libvirt.domains))
    return tuple(seen for name in names if (seen := _see(snapshot, name, sources.get(name))) is not None)


def _see(snapshot: Snapshot, guest: str, source: str | None) -> Seen | None:
    uuid, resources = "", dict[str, None]()
    here: list[Presence] = []
    job = False
    first = source if source in snapshot.pair.hosts else snapshot.pair.hosts[0]
    hosts = (first, snapshot.pair.other(first))
    for host in hosts:
        view = snapshot.view(host)
        domain = None if isinstance(view.libvirt, Unknown) else view.libvirt.domain(guest)
        here.append(presence(domain.state, domain.reason) if domain else Presence.GONE)
        if domain is not None:
            uuid = domain.uuid
            resources.update(dict.fromkeys(resources_of(domain, view)))
            # A job nobody could ask about may hand over at any moment.
            job = job or domain.job_active is not False
    if not resources:
        return None
    active = {host for host, found in zip(hosts, here, strict=True) if found in (Presence.RUNNING, Presence.PAUSED)}
    disturbed = tuple(name for name in resources if _disturbed(snapshot, name, active))
    return Seen(guest, uuid, tuple(resources), hosts, (here[0], here[1]), job, disturbed)


def see_idle(snapshot: Snapshot) -> tuple[Idle, ...]:
    """Resources below no guest that either host knows."""
    used = {name for seen in see_guests(snapshot, {}) for name in seen.resources}
    primary: dict[str, list[str]] = {}
    for host, view in snapshot.views.items():
        for resource in () if isinstance(view.drbd, Unknown) else view.drbd.resources:
            on = primary.setdefault(resource.name, [])
            on += [host] if resource.role == Role.PRIMARY else []
    return tuple(
        Idle(name, tuple(on), window_open=_disturbed(snapshot, name, set()))
        for name, on in primary.items()
        if name not in used
    )


def _disturbed(snapshot: Snapshot, name: str, active: set[str]) -> bool:
    for host in snapshot.pair.hosts:
        drbd = snapshot.view(host).drbd
        resource = None if isinstance(drbd, Unknown) else drbd.resource(name)
        if resource is None:
            continue
        options = resource.options
        if isinstance(options, Unknown) or options.allow_two_primaries or options.fencing == IN_WINDOW:
            return True
        if active and resource.role == Role.PRIMARY and host not in active:
            return True
    return False
