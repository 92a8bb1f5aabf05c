"""What a guest announced, folded: the numbers it promised, and its outages as seen by the recorder."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from score.ranges import Collector, Numbers
from score.spool import Mark, RunNumbers, Stamped
from score.wire import Announcement, Kind


@dataclass(frozen=True, slots=True)
class Promise:
    """The numbers one run announced as durable, and on how many disks."""

    disks: int
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without a new record announced, by the recorder's clock; `began` is wall time."""

    length_ns: int
    began_wall_ns: int


@dataclass(frozen=True, slots=True)
class History:
    """One guest. Promises go back to the start of the spool; everything else to the mark."""

    promises: Mapping[int, Promise] = field(default_factory=dict)
    settled: RunNumbers = field(default_factory=dict)
    announced: int = 0
    duplicates: int = 0
    longest_gap: Gap | None = None
    silent_ns: int | None = None
    boots: int = 0
    runs_at_once: int = 0
    write_errors: int = 0
    holes: int = 0


class _Fold:
    """One guest's announcements, taken one after the other."""

    def __init__(self, mark: Mark | None) -> None:
        self._mark = mark
        self._promised: dict[int, Collector] = defaultdict(Collector)
        self._disks: dict[int, int] = {}
        self._highest: dict[int, int] = {}
        self._newest_run: int | None = None
        self._heard: tuple[int, int] | None = None
        self._longest: Gap | None = None
        self._fresh: dict[int, Collector] = defaultdict(Collector)
        self._durable = 0
        self._boots = 0
        self._runs_at_once = 0
        self._errors = 0
        self._holes = 0

    def take(self, entry: Stamped) -> None:
        said = entry.said
        counts = self._mark is None or entry.mono_ns > self._mark.mono_ns
        if said.run not in self._disks:
            self._disks[said.run] = said.disks
            self._boots += counts
            self._newest_run = said.run
        elif said.run != self._newest_run and said.seq > self._highest.get(said.run, 0):
            self._runs_at_once += counts  # a run that was replaced goes on writing: two of them live
        if counts:
            self._holes = max(self._holes, said.holes)
            self._errors += said.kind is Kind.ERROR
        if said.kind is Kind.DURABLE:
            self._take_durable(entry, said, counts=counts)

    def _take_durable(self, entry: Stamped, said: Announcement, *, counts: bool) -> None:
        self._promised[said.run].add(said.seq)
        if counts:
            self._durable += 1
            self._fresh[said.run].add(said.seq)
        if said.seq > self._highest.get(said.run, 0):  # one that was late on its way is no sign of life now
            self._highest[said.run] = said.seq
            self._hear(entry.mono_ns, entry.wall_ns)

    def _hear(self, mono_ns: int, wall_ns: int) -> None:
        if self._heard is not None:
            since_mono, since_wall = self._heard
            if self._mark is not None and since_mono < self._mark.mono_ns:
                since_mono, since_wall = self._mark.mono_ns, self._mark.wall_ns
            gap = Gap(mono_ns - since_mono, since_wall)
            if gap.length_ns >= 0 and (self._longest is None or gap.length_ns > self._longest.length_ns):
                self._longest = gap
        self._heard = (mono_ns, wall_ns)

    def finish(self, now_mono_ns: int, now_wall_ns: int, settled: RunNumbers) -> History:
        silent = None if self._heard is None else now_mono_ns - self._heard[0]
        self._hear(now_mono_ns, now_wall_ns)
        fresh = sum(len(c.numbers()) for c in self._fresh.values())
        promises = {run: Promise(self._disks[run], collected.numbers()) for run, collected in self._promised.items()}
        return History(
            promises=promises,
            settled=settled,
            announced=fresh,
            duplicates=self._durable - fresh,
            longest_gap=self._longest,
            silent_ns=silent,
            boots=self._boots,
            runs_at_once=self._runs_at_once,
            write_errors=self._errors,
            holes=self._holes,
        )


def fold(entries: Iterable[Stamped], mark: Mark | None, now_mono_ns: int, now_wall_ns: int) -> dict[str, History]:
    """Return one history per guest heard of, up to now; later entries are left out.

    A gap is counted from the mark, or from the guest's first announcement if that is later, and up to now: an outage
    that has not ended counts.
    """
    folds: dict[str, _Fold] = {}
    for entry in entries:
        if entry.mono_ns <= now_mono_ns:
            folds.setdefault(entry.said.name, _Fold(mark)).take(entry)
    settled = mark.settled if mark else {}
    return {name: f.finish(now_mono_ns, now_wall_ns, settled.get(name, {})) for name, f in folds.items()}
