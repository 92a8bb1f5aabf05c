from hypothesis import given
from hypothesis import strategies as st

from score.history import History, fold
from score.ranges import Numbers
from score.spool import Mark, Stamped
from score.wire import Announcement, Kind

MS = 1_000_000
A, B = 100, 101


def heard(ms: int, seq: int, run: int = A, kind: Kind = Kind.DURABLE, name: str = "web") -> Stamped:
    return Stamped(ms * MS, (1000 + ms) * MS, Announcement(kind, name, 1, 0, run, seq))


def told(entries: list[Stamped], now_ms: int, mark_ms: int | None = None) -> History:
    mark = None if mark_ms is None else Mark(mark_ms * MS, (1000 + mark_ms) * MS)
    return fold(entries, mark, now_ms * MS, (1000 + now_ms) * MS)["web"]


def gap_ms(history: History) -> float | None:
    return history.longest_gap.length_ns / MS if history.longest_gap else None


def test_the_longest_gap_and_when_it_began() -> None:
    history = told([heard(0, 1), heard(50, 2), heard(350, 3), heard(400, 4)], now_ms=410)
    assert gap_ms(history) == 300
    assert history.longest_gap is not None
    assert history.longest_gap.began_wall_ns == 1050 * MS


def test_an_outage_that_still_lasts_counts() -> None:
    history = told([heard(0, 1), heard(50, 2)], now_ms=5000)
    assert gap_ms(history) == 4950
    assert history.silent_ns == 4950 * MS


def test_a_late_datagram_is_no_sign_of_life() -> None:
    history = told([heard(0, 1), heard(50, 3), heard(500, 2), heard(1000, 4)], now_ms=1000)
    assert gap_ms(history) == 950
    assert history.announced == 4


def test_an_announcement_lost_on_the_way_is_not_promised() -> None:
    history = told([heard(0, 1), heard(50, 2), heard(150, 4)], now_ms=160)
    assert history.promises[A].numbers == Numbers(((1, 2), (4, 4)))
    assert gap_ms(history) == 100


def test_a_new_run_resumes_from_an_older_number_and_is_heard() -> None:
    history = told([heard(0, 10), heard(1000, 5, B), heard(1050, 6, B)], now_ms=1060)
    assert gap_ms(history) == 1000
    assert history.boots == 2
    assert history.runs_at_once == 0
    assert set(history.promises) == {A, B}


def test_counts_begin_at_the_mark_but_promises_do_not() -> None:
    history = told([heard(0, 1), heard(900, 2), heard(950, 3), heard(1000, 4)], now_ms=1010, mark_ms=930)
    assert history.announced == 2
    assert gap_ms(history) == 50
    assert history.boots == 0
    assert history.promises[A].numbers == Numbers(((1, 4),))


def test_silence_since_the_mark_is_an_outage_since_the_mark() -> None:
    history = told([heard(0, 1), heard(50, 2)], now_ms=5000, mark_ms=1000)
    assert gap_ms(history) == 4000
    assert history.silent_ns == 4950 * MS


def test_silence_across_the_mark_counts_from_the_mark() -> None:
    assert gap_ms(told([heard(0, 1), heard(3000, 2)], now_ms=3010, mark_ms=1000)) == 2000


def test_a_guest_first_heard_after_the_mark_was_not_out_before() -> None:
    assert gap_ms(told([heard(8000, 1), heard(8050, 2)], now_ms=8060, mark_ms=1000)) == 50


def test_a_guest_that_only_booted_has_no_gap_but_the_tail_counts_once_it_wrote() -> None:
    assert gap_ms(told([heard(0, 0, kind=Kind.BOOT)], now_ms=900)) is None


def test_two_guests_running_at_once_are_noticed() -> None:
    history = told([heard(0, 1), heard(10, 1, B), heard(20, 2), heard(30, 2, B), heard(40, 3)], now_ms=50)
    assert history.runs_at_once == 2


def test_the_same_number_twice_is_noticed() -> None:
    history = told([heard(0, 1), heard(10, 2), heard(11, 2), heard(20, 3)], now_ms=30)
    assert (history.announced, history.duplicates) == (3, 1)


def test_write_errors_are_counted_and_promise_nothing() -> None:
    history = told([heard(0, 1), heard(50, 2, kind=Kind.ERROR), heard(100, 2, kind=Kind.ERROR)], now_ms=110)
    assert history.write_errors == 2
    assert history.announced == 1
    assert gap_ms(history) == 110


def test_what_comes_after_now_is_left_out() -> None:
    assert told([heard(0, 1), heard(50, 2), heard(70, 3)], now_ms=60).announced == 2


def test_guests_are_kept_apart() -> None:
    histories = fold([heard(0, 1), heard(10, 1, name="db"), heard(20, 2)], None, 30 * MS, 30 * MS)
    assert {name: h.announced for name, h in histories.items()} == {"web": 2, "db": 1}


@given(st.lists(st.integers(1, 500), min_size=1, max_size=40), st.data())
def test_announcements_lost_on_the_way_never_make_an_outage_look_shorter(steps: list[int], data: st.DataObject) -> None:
    times = [sum(steps[:i]) for i in range(len(steps) + 1)]
    entries = [heard(at, seq) for seq, at in enumerate(times, start=1)]
    arrived = entries[:1] + [e for e in entries[1:] if data.draw(st.booleans())]
    whole, part = gap_ms(told(entries, now_ms=times[-1])), gap_ms(told(arrived, now_ms=times[-1]))
    assert whole == max(steps)
    assert part is not None
    assert part >= whole
