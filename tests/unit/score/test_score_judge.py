import copy
from collections.abc import Callable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from score.audit import collect
from score.history import History, Promise
from score.judge import AuditResult, DiskFinding, Verdict, judge
from score.ranges import Collector, Numbers
from tests.unit.score.model import Guest, Key

RUN_A, RUN_B = 100, 101


def history(announced: set[Key], disks: int, settled: Mapping[int, Numbers] | None = None) -> History:
    by_run: dict[int, Collector] = {}
    for run, seq in sorted(announced):
        by_run.setdefault(run, Collector()).add(seq)
    promises = {run: Promise(disks, c.numbers()) for run, c in by_run.items()}
    return History(promises, settled or {}, announced=len(announced))


def verdict(guest: Guest, settled: Mapping[int, Numbers] | None = None) -> Verdict:
    last = max((seq for _, seq in guest.announced), default=1)
    return judge(history(guest.announced, len(guest.disks), settled), collect(guest.ask, (1, last)))


def lost(guest: Guest) -> int | None:
    return verdict(guest).score.lost


def named(found: Mapping[int, Numbers]) -> set[Key]:
    return {(run, seq) for run, numbers in found.items() for seq in numbers}


def test_nothing_lost_when_nothing_happened() -> None:
    guest = Guest(disks=2, slots=50)
    guest.write(30)
    assert lost(guest) == 0


def test_overwriting_in_due_course_is_no_loss() -> None:
    guest = Guest(disks=1, slots=8)
    guest.write(100)
    assert lost(guest) == 0


def test_one_record_damaged_on_one_of_two_disks() -> None:
    guest = Guest(disks=2, slots=50)
    guest.write(30)
    guest.disks[1].damage(17)
    assert named(verdict(guest).lost) == {(RUN_A, 17)}


def test_a_record_damaged_and_then_overwritten_stays_lost() -> None:
    guest = Guest(disks=1, slots=8)
    guest.write(6)
    guest.disks[0].damage(3)
    guest.write(40)
    guest.boot()
    guest.write(40)
    assert named(verdict(guest).lost) == {(RUN_A, 3)}


def test_numbers_used_again_after_a_stale_boot_do_not_hide_the_loss() -> None:
    guest = Guest(disks=1, slots=50)
    guest.write(20)
    stale = guest.copy_of(0)
    guest.write(5)
    guest.disks[0] = stale
    guest.boot()
    guest.write(30)
    assert named(verdict(guest).lost) == {(RUN_A, seq) for seq in range(21, 26)}


def test_a_stale_boot_is_remembered_when_the_ring_has_gone_round() -> None:
    guest = Guest(disks=1, slots=8)
    guest.write(20)
    stale = guest.copy_of(0)
    guest.write(5)
    guest.disks[0] = stale
    guest.boot()
    guest.write(100)
    guest.boot()
    guest.write(3)
    assert lost(guest) == 5


def test_return_to_the_better_disk_loses_what_the_other_wrote() -> None:
    guest = Guest(disks=1, slots=50)
    guest.write(20)
    stale = guest.copy_of(0)
    guest.write(5)
    better, guest.disks[0] = guest.disks[0], stale
    guest.boot()
    guest.write(2)
    guest.disks[0] = better
    guest.boot()
    guest.write(1)
    assert named(verdict(guest).lost) == {(RUN_B, 21), (RUN_B, 22)}


def test_one_of_two_disks_rolled_back() -> None:
    guest = Guest(disks=2, slots=8)
    guest.write(20)
    stale = guest.copy_of(1)
    guest.write(5)
    guest.disks[1] = stale
    guest.boot()
    guest.write(50)
    assert named(verdict(guest).lost) == {(RUN_A, seq) for seq in range(21, 26)}


def test_rolled_back_under_the_running_guest() -> None:
    guest = Guest(disks=1, slots=50)
    guest.write(20)
    stale = guest.copy_of(0)
    guest.write(5)
    stale.ledger = guest.disks[0].ledger  # the writer's memory is not rolled back
    guest.disks[0] = stale
    guest.write(5)
    assert named(verdict(guest).lost) == {(RUN_A, seq) for seq in range(21, 26)}


def test_an_empty_disk_has_lost_everything() -> None:
    guest = Guest(disks=1, slots=50)
    guest.write(20)
    guest.disks[0] = Guest(disks=1, slots=50).disks[0]
    guest.boot()
    assert lost(guest) == 20


def test_written_but_never_announced_is_no_loss() -> None:
    guest = Guest(disks=2, slots=8)
    guest.write(3)
    guest.crash_between_disks()
    guest.write(30)
    assert lost(guest) == 0


def test_an_announcement_that_never_arrived_is_no_loss() -> None:
    guest = Guest(disks=1, slots=50)
    guest.write(20)
    guest.announced -= {(RUN_A, 4), (RUN_A, 5)}
    assert lost(guest) == 0


def test_silence_is_unknown() -> None:
    score = judge(history({(RUN_A, 1), (RUN_A, 2)}, disks=1), None).score
    assert (score.lost, score.unverified, score.lost_at_least) == (None, 2, 0)
    assert score.why_unknown


def test_silence_is_unknown_even_if_nothing_was_announced() -> None:
    assert judge(History(), None).score.lost is None


def test_what_the_audit_did_not_reach_is_unknown() -> None:
    found = {RUN_A: Numbers(((1, 5),))}
    audit = AuditResult({0: DiskFinding(spoken=Numbers(((1, 5),)), found=found)})
    score = judge(history({(RUN_A, seq) for seq in range(1, 8)}, disks=1), audit).score
    assert (score.lost, score.unverified) == (None, 2)


def test_a_disk_that_is_gone_is_unknown() -> None:
    guest = Guest(disks=1, slots=8)
    guest.write(4)
    score = judge(history(guest.announced, disks=2), collect(guest.ask, (1, 4))).score
    assert (score.lost, score.unverified) == (None, 4)


def test_unreadable_is_unknown_not_lost() -> None:
    audit = AuditResult(
        {0: DiskFinding(Numbers(((1, 3),)), {RUN_A: Numbers(((1, 2),))}, unreadable=Numbers(((3, 3),)))}
    )
    score = judge(history({(RUN_A, 1), (RUN_A, 2), (RUN_A, 3)}, disks=1), audit).score
    assert (score.lost, score.unverified, score.lost_at_least) == (None, 1, 0)


def test_known_losses_are_told_even_if_there_may_be_more() -> None:
    guest = Guest(disks=1, slots=50)
    guest.write(10)
    guest.disks[0].damage(7)
    score = judge(history(guest.announced, disks=2), collect(guest.ask, (1, 10))).score
    assert (score.lost, score.lost_at_least, score.unverified) == (None, 1, 9)


def test_a_forgotten_ledger_is_unknown() -> None:
    guest = Guest(disks=1, slots=8)
    guest.write(40)
    guest.disks[0].forget_below = 11
    score = verdict(guest).score
    assert (score.lost, score.unverified) == (None, 10)


def test_what_was_reported_lost_is_not_reported_again() -> None:
    guest = Guest(disks=1, slots=50)
    guest.write(20)
    guest.disks[0].damage(3)
    settled = verdict(guest).settled()
    assert verdict(guest, settled).score.lost == 0
    guest.disks[0].damage(4)
    assert named(verdict(guest, settled).lost) == {(RUN_A, 4)}


def test_silence_settles_nothing() -> None:
    assert not any(judge(history({(RUN_A, 1)}, disks=1), None).settled().values())


Act = Callable[[Guest, int], None]


def _write(guest: Guest, amount: int) -> None:
    guest.write(amount)


def _boot(guest: Guest, _amount: int) -> None:
    guest.boot()


def _crash(guest: Guest, _amount: int) -> None:
    guest.crash_between_disks()


HARMLESS: list[Act] = [_write, _boot, _crash]
harmless_life = st.lists(st.tuples(st.sampled_from(HARMLESS), st.integers(1, 12)), max_size=8)
sizes = st.tuples(st.integers(1, 3), st.integers(3, 20))


def live(guest: Guest, life: list[tuple[Act, int]]) -> None:
    for act, amount in life:
        act(guest, amount)


@given(sizes, harmless_life)
def test_boots_crashes_and_wraps_alone_lose_nothing(size: tuple[int, int], life: list[tuple[Act, int]]) -> None:
    guest = Guest(*size)
    live(guest, life)
    assert lost(guest) == 0


@given(sizes, harmless_life, st.integers(1, 30), st.data(), harmless_life)
def test_a_damaged_record_is_found_whatever_happens_later(
    size: tuple[int, int],
    before: list[tuple[Act, int]],
    count: int,
    data: st.DataObject,
    after: list[tuple[Act, int]],
) -> None:
    guest = Guest(*size)
    live(guest, before)
    guest.write(count)
    disk = data.draw(st.sampled_from(guest.disks))
    announced_here = [s for s, k in disk.held.items() if k in guest.announced and k[1] > disk.ledger_end()]
    disk.damage(data.draw(st.sampled_from(sorted(announced_here))))
    live(guest, after)
    (damaged,) = guest.lost()
    reported = named(verdict(guest).lost)
    assert damaged in reported
    # With the record goes what it testified: which records before it lay in its slot and were found whole. When it was
    # among the newest, nobody else knows, and they are reported with it. Never too few; too many only of that slot.
    slots = size[1]
    assert {number % slots for _, number in reported} == {damaged[1] % slots}


@given(sizes, harmless_life, st.integers(1, 30), st.data(), harmless_life)
def test_a_rolled_back_disk_is_found_whatever_happens_later(
    size: tuple[int, int],
    before: list[tuple[Act, int]],
    since: int,
    data: st.DataObject,
    after: list[tuple[Act, int]],
) -> None:
    guest = Guest(*size)
    live(guest, before)
    which = data.draw(st.integers(0, len(guest.disks) - 1))
    old = guest.copy_of(which)
    guest.write(since)
    guest.disks[which] = old
    guest.boot()
    live(guest, after)
    assert len(guest.lost()) == since
    assert named(verdict(guest).lost) == guest.lost()


scripts = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 19)), max_size=12)


def play(guest: Guest, script: list[tuple[int, int]], *, damage: bool) -> None:
    """Write, crash, keep a copy of a disk, boot from a kept copy, damage a slot."""
    copies = [guest.copy_of(disk) for disk in range(len(guest.disks))]
    for what, amount in script:
        which = amount % len(guest.disks)
        if what == 0:
            guest.write(amount)
        elif what == 1:
            guest.crash_between_disks()
        elif what == 2:
            copies[which] = guest.copy_of(which)
        elif what == 3:
            guest.disks[which] = copy.deepcopy(copies[which])
            guest.boot()
        elif damage:
            guest.disks[which].damage(amount % guest.disks[which].slots)


@given(sizes, scripts)
def test_any_history_of_boots_and_old_copies_is_judged_exactly(
    size: tuple[int, int], script: list[tuple[int, int]]
) -> None:
    guest = Guest(*size)
    play(guest, script, damage=False)
    assert named(verdict(guest).lost) == guest.lost()


@given(sizes, scripts)
def test_no_loss_is_missed_in_any_history(size: tuple[int, int], script: list[tuple[int, int]]) -> None:
    """Several newest records damaged at once may take the memory of older ones with them: too many, never too few."""
    guest = Guest(*size)
    play(guest, script, damage=True)
    assert named(verdict(guest).lost) >= guest.lost()
