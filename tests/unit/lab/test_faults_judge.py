"""A judge that cannot complain proves nothing: each complaint by a made-up run that deserves it, and by no other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from dualsrm.engine.report import EXIT_CODES, MoveState
from tests.lab.faults import judge
from tests.lab.faults.judge import AT_ONCE_S, KILLED, REFUSED, UNREACHABLE, UNREADABLE, Journey, Reported
from tests.lab.faults.look import MINORS, Look
from tests.lab.faults.watch import Device, Process, Sample, Timeline

JOURNEY = Journey("web", "alpha", "beta")
HEALTHY = Device("Connected", "Primary/Secondary", "UpToDate/UpToDate", "r-----")
WELL = dict.fromkeys(MINORS.values(), HEALTHY)
MOVED = Reported("moved", 0, at=6.0)
PERIOD_S = 0.3


def watch(
    runs: tuple[float, float] | None, drbd: Mapping[str, Device] = WELL, guest: str = "web", until_s: float = 9.0
) -> Timeline:
    """A node on which the guest computes in that stretch of time, seconds, and has no QEMU before and after it."""
    samples = []
    for tick in range(round(until_s / PERIOD_S) + 1):
        at = tick * PERIOD_S
        there = runs is not None and runs[0] <= at <= runs[1]
        guests = {guest: Process("running migrated", tick * 1000)} if there else {}
        samples.append(Sample(at, guests, drbd))
    return tuple(samples)


def moved_at(seconds: float) -> dict[str, Timeline]:
    """A good move: the guest computes at the source until then, and at the target from then on."""
    return {"alpha": watch((0, seconds)), "beta": watch((seconds, 99))}


def stood(timeline: Timeline, state: str) -> Timeline:
    """The same, but libvirt has another word for the guest's state."""
    return tuple(
        replace(sample, guests={name: Process(state, seen.computed_ns) for name, seen in sample.guests.items()})
        for sample in timeline
    )


class TestWord:
    def test_a_good_move_is_none(self) -> None:
        assert judge.wrong_word(JOURNEY, MOVED, moved_at(4)) == []

    def test_moved_while_the_guest_runs_at_the_source(self) -> None:
        stayed = {"alpha": watch((0, 99)), "beta": watch(None)}
        assert judge.wrong_word(JOURNEY, MOVED, stayed) == ["it said 'moved', but web did not run on beta"]

    @pytest.mark.parametrize("state", ["rolled back", "not moved, not rolled back", "untouched", REFUSED])
    def test_back_while_the_guest_runs_at_the_target(self, state: str) -> None:
        end = Reported(state, 3, at=6.0)
        assert judge.wrong_word(JOURNEY, end, moved_at(4)) == [f"it said '{state}', but web did not run on alpha"]
        assert judge.wrong_word(JOURNEY, end, {"alpha": watch((0, 99)), "beta": watch(None)}) == []

    @pytest.mark.parametrize("state", ["moved, not settled", "moved, replication lost"])
    def test_moved_with_a_reservation_is_moved_all_the_same(self, state: str) -> None:
        end = Reported(state, 4, at=6.0)
        assert judge.wrong_word(JOURNEY, end, {"alpha": watch((0, 99)), "beta": watch(None)})
        assert judge.wrong_word(JOURNEY, end, moved_at(4)) == []

    def test_there_but_paused_is_not_running(self) -> None:
        watched = moved_at(4)
        watched["beta"] = stood(watched["beta"], "paused migration")
        assert judge.wrong_word(JOURNEY, MOVED, watched) == ["it said 'moved', but web did not run on beta"]

    def test_running_there_only_later_is_too_late(self) -> None:
        assert judge.wrong_word(JOURNEY, MOVED, {"alpha": watch(None), "beta": watch((8, 99))})

    def test_another_guest_does_not_speak_for_it(self) -> None:
        watched = {"alpha": watch(None), "beta": watch((0, 99), guest="mail")}
        assert judge.wrong_word(JOURNEY, MOVED, watched) == ["it said 'moved', but web did not run on beta"]

    @pytest.mark.parametrize("state", [KILLED, UNREADABLE, UNREACHABLE, "in doubt", "guest died"])
    def test_who_claims_nothing_is_not_wrong(self, state: str) -> None:
        assert judge.wrong_word(JOURNEY, Reported(state, 5, at=6.0), {"alpha": (), "beta": ()}) == []

    @pytest.mark.parametrize(
        "ill",
        [
            Device("WFConnection", "Primary/Unknown", "UpToDate/DUnknown", "r-----"),
            Device("Connected", "Primary/Secondary", "UpToDate/Inconsistent", "r-----"),
            Device("Connected", "Primary/Secondary", "UpToDate/UpToDate", "s-----"),
        ],
        ids=["cut off", "out of step", "frozen"],
    )
    def test_success_on_a_device_that_is_not_well(self, ill: Device) -> None:
        watched = moved_at(4)
        watched["alpha"] = watch((0, 4), {**WELL, "3": ill})
        complaint = "it said 'moved' with exit code 0, but alpha did not see db-log replicating"
        assert judge.wrong_word(JOURNEY, MOVED, watched) == [complaint]
        assert judge.wrong_word(JOURNEY, Reported("moved, replication lost", 4, at=6.0), watched) == []

    def test_success_on_a_device_that_is_down(self) -> None:
        watched = moved_at(4)
        watched["beta"] = watch((4, 99), {minor: HEALTHY for minor in MINORS.values() if minor != MINORS["web"]})
        complaint = "it said 'moved' with exit code 0, but beta did not see web replicating"
        assert judge.wrong_word(JOURNEY, MOVED, watched) == [complaint]

    def test_success_on_a_host_that_nobody_saw_then(self) -> None:
        watched = moved_at(4)
        watched["alpha"] = watch((0, 4), until_s=4.2)
        assert len(judge.wrong_word(JOURNEY, MOVED, watched)) == len(MINORS)

    def test_an_illness_that_was_over_by_then_does_not_count(self) -> None:
        cut = Device("WFConnection", "Primary/Unknown", "UpToDate/DUnknown", "s-----")
        watched = moved_at(4)
        watched["alpha"] = tuple(replace(s, drbd={**WELL, "0": cut}) if s.at < 5 else s for s in watched["alpha"])
        assert judge.wrong_word(JOURNEY, MOVED, watched) == []


class TestWindows:
    OPEN = Look({}, frozenset({"web", "db-log"}), {}, frozenset())
    CLOSED = Look({}, frozenset(), {}, frozenset())

    @pytest.mark.parametrize("code", [0, 3])
    def test_an_end_that_says_all_is_settled_with_a_window_open(self, code: int) -> None:
        end = Reported("whatever", code, at=6.0)
        complaint = f"it ended with exit code {code}, but beta had a window open on db-log, web"
        assert judge.wrong_windows(end, {"alpha": self.CLOSED, "beta": self.OPEN}) == [complaint]

    @pytest.mark.parametrize("code", [1, 4, 5, 6, -9])
    def test_an_end_that_does_not_say_so(self, code: int) -> None:
        assert judge.wrong_windows(Reported("whatever", code, at=6.0), {"alpha": self.OPEN, "beta": self.OPEN}) == []

    def test_closed_windows_and_a_silent_host_are_none(self) -> None:
        assert judge.wrong_windows(MOVED, {"alpha": self.CLOSED, "beta": None}) == []


class TestScore:
    GOOD: Mapping[str, Any] = {
        "lost": 0,
        "why_unknown": None,
        "duplicates": 0,
        "runs_at_once": 0,
        "silent_ms": 120.0,
    }

    def complaints(self, **changed: Any) -> list[str]:
        return judge.wrong_score("web", {"web": {**self.GOOD, **changed}, "db": self.GOOD})

    def test_a_good_score_is_none(self) -> None:
        assert self.complaints() == []

    def test_a_loss(self) -> None:
        assert self.complaints(lost=3) == ["web lost 3 acknowledged writes (certain)"]

    def test_unknown_is_not_zero(self) -> None:
        unknown = self.complaints(lost=None, why_unknown="no answer")
        assert unknown == ["web lost None acknowledged writes (no answer)"]

    def test_a_loss_of_a_guest_that_was_not_moved(self) -> None:
        score = {"web": self.GOOD, "db": {**self.GOOD, "lost": 1}}
        assert judge.wrong_score("web", score) == ["db lost 1 acknowledged writes (certain)"]

    @pytest.mark.parametrize("changed", [{"duplicates": 1}, {"runs_at_once": 1}])
    def test_two_of_it_wrote(self, changed: dict[str, int]) -> None:
        assert self.complaints(**changed) == ["web announced records twice: two of it wrote"]

    @pytest.mark.parametrize("silent_ms", [None, 3001.0])
    def test_silence(self, silent_ms: float | None) -> None:
        assert self.complaints(silent_ms=silent_ms) == ["web acknowledges no writes at the end"]

    def test_silence_of_a_guest_that_was_not_moved_is_not_its_business(self) -> None:
        assert judge.wrong_score("web", {"web": self.GOOD, "db": {**self.GOOD, "silent_ms": None}}) == []


class TestTwoAtOnce:
    def test_a_hand_over_is_none(self) -> None:
        assert judge.two_at_once(moved_at(4)) == []

    def test_both_compute(self) -> None:
        found = judge.two_at_once({"alpha": watch((0, 6)), "beta": watch((3, 99))})
        assert len(found) == 1
        assert found[0].startswith("web computed on both hosts for 3.0 s")

    def test_what_sampling_makes_of_a_hand_over_is_allowed(self) -> None:
        overlap_s = 3 * PERIOD_S
        assert overlap_s < AT_ONCE_S
        assert judge.two_at_once({"alpha": watch((0, 3 + overlap_s)), "beta": watch((3, 99))}) == []

    def test_two_processes_of_which_one_stands_still(self) -> None:
        incoming = tuple(
            replace(sample, guests={"web": Process("paused starting up", 77)}) for sample in watch((0, 99))
        )
        assert judge.two_at_once({"alpha": watch((0, 99)), "beta": incoming}) == []

    def test_libvirt_s_word_does_not_hide_a_guest_that_computes(self) -> None:
        assert judge.two_at_once({"alpha": watch((0, 99)), "beta": stood(watch((0, 99)), "paused user")})

    def test_two_guests_are_not_one(self) -> None:
        assert judge.two_at_once({"alpha": watch((0, 99)), "beta": watch((0, 99), guest="db")}) == []

    def test_there_and_back_is_none(self) -> None:
        assert (
            judge.two_at_once({"alpha": watch((0, 3)) + later(watch((3, 9)), 9), "beta": later(watch((0, 3)), 6)}) == []
        )

    def test_a_host_that_was_never_seen(self) -> None:
        assert judge.two_at_once({"alpha": watch((0, 99)), "beta": ()}) == []


def later(timeline: Timeline, seconds: float) -> Timeline:
    """The same, so much later."""
    return tuple(replace(sample, at=sample.at + seconds) for sample in timeline)


class TestReported:
    def test_the_end_of_a_move(self) -> None:
        result = {"state": "rolled back", "seen": "replication was lost", "fix": "mend it", "total_s": 21.5, "more": 1}
        end = judge.reported({"result": result}, 3, 6.0, "told")
        assert end == Reported("rolled back", 3, 6.0, "replication was lost", "mend it", 21.5, "told")

    @pytest.mark.parametrize(("code", "state"), [(6, UNREACHABLE), (1, REFUSED)])
    def test_an_error(self, code: int, state: str) -> None:
        end = judge.reported({"error": {"seen": "no answer", "fix": "ping it"}}, code, 6.0, "")
        assert end == Reported(state, code, 6.0, "no answer", "ping it")

    def test_a_check_that_blocks_says_why_and_the_others_do_not(self) -> None:
        kinds = ("failed", "ok", "unknown", "warning")
        findings = [{"severity": kind, "seen": f"{kind} seen", "fix": f"{kind} fix"} for kind in kinds]
        end = judge.reported({"result": None, "findings": findings}, 1, 6.0, "")
        assert end == Reported(REFUSED, 1, 6.0, "failed seen; unknown seen", "failed fix; unknown fix")

    @pytest.mark.parametrize(("code", "state"), [(-9, KILLED), (70, UNREADABLE), (0, UNREADABLE)])
    def test_no_answer(self, code: int, state: str) -> None:
        assert judge.reported(None, code, 6.0, "Traceback") == Reported(state, code, 6.0, told="Traceback")


@pytest.mark.parametrize("state", MoveState)
def test_every_state_that_says_where_the_guest_is_is_held_to_it(state: MoveState) -> None:
    end = Reported(state.value, int(EXIT_CODES[state]), at=6.0)
    held = bool(judge.wrong_word(JOURNEY, end, {"alpha": watch(None), "beta": watch(None)}))
    silent = {MoveState.MAY_STOP, MoveState.STOPPED, MoveState.DIED, MoveState.IN_DOUBT, MoveState.SPLIT}
    assert held is (state not in silent)
