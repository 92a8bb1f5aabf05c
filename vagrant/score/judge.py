"""The verdict: was anything lost that was announced as durable? Pure: announcements and what the disks hold go in.

Lost: a number announced by a run, where a disk that was part of the promise, and could be read, does not hold that
number of that run, nor remembers (the ledger, format.h) that it was in its place when it was overwritten in due course.
Whatever could not be looked at is unverified, and then the number of losses is unknown, however many are known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from score.history import History
from score.ranges import Numbers
from score.spool import RunNumbers

_NOTHING = Numbers()
_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class DiskFinding:
    """What a guest read back from one disk; it speaks for `spoken` and for nothing else."""

    spoken: Numbers = _NOTHING
    found: RunNumbers = field(default_factory=dict)
    unreadable: Numbers = _NOTHING
    forgotten: Numbers = _NOTHING
    """Overwritten so long ago that the disk's ledger no longer tells."""


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What a guest read back from all its disks, by index."""

    disks: Mapping[int, DiskFinding]
    holes: int = 0


@dataclass(frozen=True, slots=True)
class GuestScore:
    """One guest's pair of numbers, and what explains them. Times are the recorder's."""

    announced: int
    """Records announced as durable since the mark."""
    lost: int | None
    """Of all records ever announced and not reported lost before; None: unknown."""
    longest_gap_ms: float | None
    """Longest time without a new announcement, one that still lasts included; None: never heard of."""
    longest_gap_at: float | None
    """When it began, seconds since the epoch."""
    silent_ms: float | None
    """Time since the last announcement."""
    lost_at_least: int
    unverified: int
    """Announced records that could not be looked at."""
    holes: int
    """Slots that did not hold the record they should, announced or not; a crash between two disks leaves one."""
    write_errors: int
    boots: int
    duplicates: int
    """Announcements that came twice: the network's doing, or one run alive in two places."""
    runs_at_once: int
    """Announcements by a run that had been replaced: two of the guest were running."""
    why_unknown: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A score and the record numbers behind it."""

    score: GuestScore
    lost: RunNumbers
    forgotten: RunNumbers

    def settled(self) -> dict[int, Numbers]:
        """Return what later measurements leave out: reported, or beyond knowing. Silence settles nothing."""
        runs = {*self.lost, *self.forgotten}
        return {run: self.lost.get(run, _NOTHING) | self.forgotten.get(run, _NOTHING) for run in runs}


@dataclass(frozen=True, slots=True)
class _Checked:
    lost: Numbers = _NOTHING
    forgotten: Numbers = _NOTHING
    unseen: Numbers = _NOTHING

    def __or__(self, other: "_Checked") -> "_Checked":
        return _Checked(self.lost | other.lost, self.forgotten | other.forgotten, self.unseen | other.unseen)


def pending(history: History) -> dict[int, Numbers]:
    """Return the numbers that have to be looked for, by run."""
    return {run: promise.numbers - history.settled.get(run, _NOTHING) for run, promise in history.promises.items()}


def _check(run: int, numbers: Numbers, finding: DiskFinding | None) -> _Checked:
    if finding is None:
        return _Checked(unseen=numbers)
    missing = numbers - finding.found.get(run, _NOTHING)
    unseen = (missing - finding.spoken) | (missing & finding.unreadable)
    forgotten = missing & finding.forgotten
    return _Checked(missing - unseen - forgotten, forgotten, unseen)


def judge(history: History, audit: AuditResult | None) -> Verdict:
    """Compare what was promised with what was found; no audit means that nothing is known."""
    lost: dict[int, Numbers] = {}
    forgotten: dict[int, Numbers] = {}
    unseen = 0
    for run, numbers in pending(history).items():
        checked = _Checked()
        for disk in range(history.promises[run].disks):
            checked |= _check(run, numbers, audit.disks.get(disk) if audit else None)
        lost[run] = checked.lost
        forgotten[run] = checked.forgotten - checked.lost
        unseen += len(checked.unseen - checked.lost - checked.forgotten)
    return Verdict(_score(history, audit, (lost, forgotten, unseen)), lost, forgotten)


def _score(history: History, audit: AuditResult | None, found: tuple[RunNumbers, RunNumbers, int]) -> GuestScore:
    lost, forgotten = (sum(len(numbers) for numbers in runs.values()) for runs in found[:2])
    unverified = forgotten + found[2]
    why = None
    if audit is None:
        why = "the guest did not answer the audit"
    elif unverified:
        why = f"{unverified} announced records could not be looked at"
    gap = history.longest_gap
    return GuestScore(
        announced=history.announced,
        lost=lost if why is None else None,
        longest_gap_ms=gap.length_ns / _NS_PER_MS if gap else None,
        longest_gap_at=gap.began_wall_ns / _NS_PER_S if gap else None,
        silent_ms=None if history.silent_ns is None else history.silent_ns / _NS_PER_MS,
        lost_at_least=lost,
        unverified=unverified,
        holes=max(history.holes, audit.holes if audit else 0),
        write_errors=history.write_errors,
        boots=history.boots,
        duplicates=history.duplicates,
        runs_at_once=history.runs_at_once,
        why_unknown=why,
    )
