"""The history as rows: what is shown of an operation, which are wanted, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dualsrm.history.reader import Operation
from dualsrm.history.words import Ending, ending


@dataclass(frozen=True, slots=True)
class Row:
    """One operation. Texts are empty and numbers None where the journal does not say."""

    operation: str
    begun: str
    """ISO 8601 in UTC, by the manager's clock."""
    took_s: float | None
    verb: str
    method: str
    pair: str
    guest: str
    """The guest, the group, or the guests."""
    source: str
    target: str
    outcome: str
    """The journal's word, `running` or `interrupted`."""
    ending: Ending
    step: str
    """The last step that was begun."""
    seen: str
    """What went wrong or was against it."""
    outage_s: float | None
    window_s: float | None
    by: str
    confirmed_by: str
    inside: str
    """The operation it is part of."""
    unreadable_lines: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which operations; None or empty: all."""

    pair: str | None = None
    guest: str | None = None
    verb: str | None = None
    since: datetime | None = None

    def has(self, one: Operation) -> bool:
        """Whether it is wanted. One that does not say when it began is, whatever `since`: it may be the newest."""
        guests = {one.guest, one.group, *one.named, *one.guests}
        return (
            self.pair in (None, one.pair)
            and (self.guest is None or self.guest in guests)
            and self.verb in (None, one.verb)
            and (self.since is None or one.begun is None or one.begun >= self.since.timestamp())
        )


def row(one: Operation) -> Row:
    """What is shown of it."""
    judged = ending(one.verb, one.outcome, running=one.running)
    return Row(
        operation=one.name,
        begun=datetime.fromtimestamp(one.begun, UTC).isoformat(timespec="seconds") if one.begun is not None else "",
        took_s=one.total_s,
        verb=one.verb,
        method=one.method,
        pair=one.pair,
        guest=one.guest or one.group or ", ".join(one.guests or one.named),
        source=one.source,
        target=one.target,
        outcome=judged.value if one.outcome is None else one.outcome,
        ending=judged,
        step=one.step,
        seen=one.seen,
        outage_s=one.outage_s,
        window_s=one.window_s,
        by=one.by,
        confirmed_by=one.confirmed_by,
        inside=one.inside,
        unreadable_lines=one.unreadable,
    )


def newest_first(operations: Iterable[Operation], wanted: Wanted, limit: int) -> tuple[Sequence[Operation], int]:
    """Those wanted, the newest first, and how many older ones are left out.

    What is part of another operation that is wanted too follows it, in the order it was begun, and does not count.
    """
    found = sorted((one for one in operations if wanted.has(one)), key=_age, reverse=True)
    names = {one.name for one in found}
    first = [one for one in found if one.inside not in names]
    shown: list[Operation] = []
    for one in first[:limit]:
        parts = [part for part in found if part.inside == one.name]
        shown += [one, *reversed(parts)]
    return shown, max(0, len(first) - limit)


def _age(one: Operation) -> tuple[float, str]:
    return (one.begun if one.begun is not None else float("inf"), one.name)
