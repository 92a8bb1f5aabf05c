"""Whether a host was lost and has not been resynced since: then nothing is promoted or started there."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from dualsrm.checks.case import Case, Findings, failed, passed
from dualsrm.model import Finding, Quarantine, Snapshot, Unknown


def quarantine_of(snapshot: Snapshot, host: str) -> Quarantine | None:
    """The record, on whichever host it lies; that of a host which survived a later failover counts no more.

    One that is torn does not tell when it was: it counts.
    """
    found = {one.host: one for _, one in records(snapshot)}
    mine, other = found.get(host), found.get(snapshot.pair.other(host))
    if mine is not None and other is not None and mine.since and other.since > mine.since:
        return None
    return mine


def records(snapshot: Snapshot) -> tuple[tuple[str, Quarantine], ...]:
    """All records about the two hosts, each with the host it lies on."""
    return tuple(
        (keeper, one)
        for keeper, view in snapshot.views.items()
        for one in (() if isinstance(view.system, Unknown) else view.system.quarantined)
        if one.host in snapshot.pair.hosts
    )


def not_quarantined(snapshot: Snapshot, host: str) -> Iterator[Finding]:
    """What is against it, if anything."""
    if (held := quarantine_of(snapshot, host)) is not None:
        since, operation = held.since or "a time nobody knows", held.operation or "by whom is not known"
        yield failed(
            host,
            f"{host} is in quarantine since {since} ({operation})",
            "Its guests went on beside it; until it is resynced and seen whole its data is the older one.",
            shlex.join(("dualsrm", "reprotect", "--", host)),
        )


def quarantine(case: Case) -> Findings:
    """The record lies with the survivor; one on either side counts."""
    for host in case.ends:
        case.system(host)  # nobody knows: then this is not known either
    problems = tuple(not_quarantined(case.snapshot, case.move.target))
    yield from problems
    if not problems:
        yield passed(case.move.target, "not in quarantine")
