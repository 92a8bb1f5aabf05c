"""Operations from the journal: counted once, over restarts, whatever the files hold."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest

from dualsrm.engine.cold import ColdState, Verb, _state
from dualsrm.engine.conditions import Unmet
from dualsrm.engine.environment import SystemClock
from dualsrm.engine.failover_report import FailoverState
from dualsrm.engine.journal import FileJournal, settle_interrupted
from dualsrm.engine.rehearsal_report import CleanupState, RehearsalState
from dualsrm.engine.report import MoveState
from dualsrm.engine.reprotect import ReprotectState
from dualsrm.engine.resolve import ResolveState
from dualsrm.engine.run import Failure, Run
from dualsrm.errors import ExitCode
from dualsrm.history import reader as module
from dualsrm.plan.steps import GuestGone
from dualsrm_exporter.collected import Collected
from dualsrm_exporter.metrics import OPERATIONS
from dualsrm_exporter.metrics import operations as m
from dualsrm_exporter.operations.collector import OperationsCollector
from dualsrm_exporter.render import render
from tests.simulator.driving import Manager
from tests.simulator.pair import SimPair
from tests.unit.exporter.rig import collect, samples

MOVE = {
    "verb": "migrate",
    "method": "live",
    "pair": "lab",
    "guest": "web",
    "source": "alpha",
    "target": "beta",
    "resources": ["web"],
}


_UNMET: tuple[tuple[Unmet, ...], ...] = ((), (Unmet(GuestGone("alpha", "web", "uuid"), "silent", asked=False),))


def _write(state: Path, name: str, *lines: object, end: str = "\n") -> Path:
    directory = state / "operations"
    directory.mkdir(exist_ok=True)
    path = directory / f"2026-11-22T120000Z-{name}.jsonl"
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text(text + end)
    return path


def _intent(at: str = "2026-11-22T12:00:00+00:00", **more: object) -> dict[str, object]:
    return {"format": 1, "at": at, "kind": "intent", **MOVE, **more}


def _end(outcome: str = "moved", at: str = "2026-11-22T12:00:42+00:00", **more: object) -> dict[str, object]:
    return {"format": 1, "at": at, "kind": "end", "outcome": outcome, **more}


def _ends(found: Collected) -> dict[tuple[str, ...], float]:
    return {labels: value for labels, value in samples(found, m.OPERATIONS).items() if value}


def test_zeros_before_anything_happened(tmp_path: Path) -> None:
    found = collect(OperationsCollector(tmp_path / "none"))
    assert found.failures == {}
    assert samples(found, m.OPERATIONS)["migrate", "rolled back"] == 0
    assert set(samples(found, m.OPERATIONS).values()) == {0}
    assert samples(found, m.INTERRUPTED)[("migrate",)] == samples(found, m.IN_PROGRESS)[("recover",)] == 0
    assert 'dualsrm_operation_window_seconds_count{verb="migrate"} 0.0' in render(tuple(found)).body.decode()


def test_every_outcome_there_is_has_its_zero() -> None:
    ends = {state.value for state in MoveState} | {"refused", "recovered", "other"}
    assert set(m.OUTCOMES["migrate"]) == ends
    protected = {state.value for state in ReprotectState}
    assert set(m.OUTCOMES["reprotect"]) == protected | {"refused", "recovered", "other"}
    resolved = {state.value for state in ResolveState}
    assert set(m.OUTCOMES["split-brain-resolve"]) == resolved | {"refused", "recovered", "other"}
    assert set(m.OUTCOMES["failover"]) == {state.value for state in FailoverState} | {"refused", "recovered", "other"}
    rehearsed = {state.value for state in RehearsalState}
    assert set(m.OUTCOMES["test-failover"]) == rehearsed | {"refused", "recovered", "other"}
    cleaned = {state.value for state in CleanupState}
    assert set(m.OUTCOMES["test-failover-cleanup"]) == cleaned | {"refused", "recovered", "other"}
    for verb in Verb:
        runs = (
            Run(failure, rolled_back=rolled_back, touched=touched, unseen=unseen)
            for failure in (None, *(Failure(step, "x", unmet=unmet) for step in ("shut down", "x") for unmet in _UNMET))
            for rolled_back, touched, unseen in itertools.product((False, True), repeat=3)
        )
        cold = {_state(verb, run).value for run in runs} | {ColdState.ALREADY.value}
        assert set(m.OUTCOMES[verb.value]) == cold | {"refused", "recovered", "other"}
    assert {state.value for state in ColdState} < {word for words in m.OUTCOMES.values() for word in words}
    codes = {code.name.lower() for code in (ExitCode.OK, ExitCode.IN_DOUBT, ExitCode.NEEDS_ATTENTION)}
    assert set(m.OUTCOMES["recover"]) == codes | {"refused", "recovered", "other"}
    several = {code.name.lower() for code in ExitCode if code not in (ExitCode.USAGE, ExitCode.INTERNAL)}
    for name in ("evacuate", *(f"{verb}-group" for verb in ("migrate", "start", "stop"))):
        assert set(m.OUTCOMES[name]) == several | {"nothing to do", "recovered", "other"}


def test_a_move_of_the_real_journal(tmp_path: Path) -> None:
    collector = OperationsCollector(tmp_path)
    collect(collector)
    journal = FileJournal.begin(tmp_path, "migrate", SystemClock())
    journal.write("intent", **MOVE)
    journal.write("step", step="open window")
    found = collect(collector)
    assert samples(found, m.IN_PROGRESS)[("migrate",)] == 1
    assert samples(found, m.INTERRUPTED)[("migrate",)] == 0
    assert set(samples(found, m.STEP)) == {(journal.operation, "migrate", "lab", "web", "open window")}
    assert samples(found, m.STARTED)[journal.operation, "migrate", "lab", "web"] > 1.7e9
    journal.write("end", outcome="moved", seen="", window_s=1.7)
    journal.close()
    found = collect(collector)
    assert _ends(found) == {("migrate", "moved"): 1}
    assert samples(found, m.IN_PROGRESS)[("migrate",)] == 0
    assert samples(found, m.STEP) == samples(found, m.STARTED) == {}
    assert set(samples(found, m.LAST_SUCCESS)) == {("migrate", "lab", "web")}
    assert samples(found, m.LAST_FAILURE) == {}
    text = render(tuple(found)).body.decode()
    assert 'dualsrm_operation_window_seconds_bucket{le="1.0",verb="migrate"} 0.0' in text
    assert 'dualsrm_operation_window_seconds_bucket{le="2.0",verb="migrate"} 1.0' in text
    assert 'dualsrm_operation_window_seconds_sum{verb="migrate"} 1.7' in text


def test_what_the_engine_writes_is_what_is_counted(tmp_path: Path) -> None:
    manager = Manager(SimPair("8.4"), tmp_path)
    collector = OperationsCollector(tmp_path)
    collect(collector)
    live = manager.migrate("web")
    cold = manager.migrate_cold("web")
    manager.stop_guest("web")
    manager.stop_guest("web")
    manager.start_guest("web", on="alpha")
    found = collect(collector)
    assert _ends(found) == {
        ("migrate", "moved"): 2,
        ("stop", "stopped"): 1,
        ("stop", "nothing to do"): 1,
        ("start", "started"): 1,
    }
    text = render(tuple(found)).body.decode()
    for report in (live, cold):
        labels = f'{{method="{report.method}",verb="migrate"}}'
        assert f"dualsrm_operation_outage_seconds_count{labels} 1.0" in text
        assert f"dualsrm_operation_outage_seconds_sum{labels} {report.outage_s}" in text
        assert f"dualsrm_operation_duration_seconds_sum{labels} {report.total_s}" in text
    assert 'dualsrm_operation_duration_seconds_count{method="",verb="stop"} 1.0' in text
    assert 'dualsrm_operation_outage_seconds_count{method="",verb="stop"}' not in text
    assert {labels[0] for labels in samples(found, m.LAST_SUCCESS)} == {"migrate", "stop", "start"}
    assert {labels[1:] for labels in samples(found, m.LAST_SUCCESS)} == {("pair", "web")}
    assert samples(found, m.LAST_FAILURE) == {}
    assert samples(found, m.UNREADABLE) == {(): 0}


def test_a_second_intent_adds_to_the_first(tmp_path: Path) -> None:
    later = "2026-11-22T12:00:30+00:00"
    _write(tmp_path, "migrate-1", _intent(), {"at": later, "kind": "intent", "method": "teleport"}, _end())
    found = collect(OperationsCollector(tmp_path))
    assert set(samples(found, m.LAST_SUCCESS)) == {("migrate", "lab", "web")}
    text = render(tuple(found)).body.decode()
    assert 'dualsrm_operation_duration_seconds_sum{method="other",verb="migrate"} 42.0' in text


def test_one_that_ends_while_it_is_read_is_not_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = FileJournal.begin(tmp_path, "migrate", SystemClock())
    operation.write("intent", **MOVE)
    real = module.is_locked

    def then_it_ends(descriptor: int) -> bool:
        locked = real(descriptor)
        operation.write("end", outcome="moved")
        operation.close()
        return locked

    monkeypatch.setattr(module, "is_locked", then_it_ends)
    found = collect(OperationsCollector(tmp_path))
    assert samples(found, m.INTERRUPTED)[("migrate",)] == 0
    assert _ends(found) == {("migrate", "moved"): 1}


def test_an_interrupted_one_until_it_is_recovered(tmp_path: Path) -> None:
    collector = OperationsCollector(tmp_path)
    journal = FileJournal.begin(tmp_path, "migrate", SystemClock())
    journal.write("intent", **MOVE)
    journal.close()
    found = collect(collector)
    assert samples(found, m.INTERRUPTED)[("migrate",)] == 1
    assert samples(found, m.IN_PROGRESS)[("migrate",)] == 0
    settle_interrupted(tmp_path, journal.operation, "some-recovery", SystemClock())
    found = collect(collector)
    assert samples(found, m.INTERRUPTED)[("migrate",)] == 0
    assert _ends(found) == {("migrate", "recovered"): 1}
    assert samples(found, m.LAST_FAILURE) == samples(found, m.LAST_SUCCESS) == {}


def test_a_restart_counts_the_same(tmp_path: Path) -> None:
    _write(tmp_path, "migrate-1", _intent(), _end())
    _write(tmp_path, "migrate-2", _intent(guest="db"), _end("rolled back", window_s=3))
    _write(tmp_path, "recover-3", {**_intent(), "verb": "recover", "guest": None}, _end("ok"))
    first, second = OperationsCollector(tmp_path), OperationsCollector(tmp_path)
    assert (
        render(tuple(collect(first))).body == render(tuple(collect(second))).body == render(tuple(collect(first))).body
    )
    assert _ends(collect(first)) == {("migrate", "moved"): 1, ("migrate", "rolled back"): 1, ("recover", "ok"): 1}
    assert set(samples(collect(first), m.LAST_FAILURE)) == {("migrate", "lab", "db")}
    assert ("recover", "lab", "") in samples(collect(first), m.LAST_SUCCESS)


def test_only_what_is_new_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = _write(tmp_path, "migrate-1", _intent(), _end())
    open_ = _write(tmp_path, "migrate-2", _intent())
    collector = OperationsCollector(tmp_path)
    collect(collector)
    opened: list[Path] = []
    real = Path.open

    def note(self: Path, *args: object, **more: object) -> object:
        opened.append(self)
        return real(self, *args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", note)
    collect(collector)
    assert opened == [open_]
    assert ended.exists()
    (one,) = collector._reader._open.values()
    assert one.read == open_.stat().st_size


def test_a_line_that_comes_in_pieces(tmp_path: Path) -> None:
    collector = OperationsCollector(tmp_path)
    path = _write(tmp_path, "migrate-1", _intent())
    collect(collector)
    line = json.dumps(_end()) + "\n"
    for piece in (line[:10], line[10:30]):
        with path.open("a") as file:
            file.write(piece)
        assert _ends(collect(collector)) == {}
    with path.open("a") as file:
        file.write(line[30:])
    found = collect(collector)
    assert _ends(found) == {("migrate", "moved"): 1}
    assert samples(found, m.UNREADABLE) == {(): 0}


def test_torn_lines_and_rubbish_are_counted_and_passed_over(tmp_path: Path) -> None:
    rubbish = ['{"kind": "st', "[]", "null", "\udcff".encode("utf-8", "replace").decode(), "[" * 5000, '"x"']
    _write(tmp_path, "migrate-1", _intent(), *rubbish, _end())
    found = collect(OperationsCollector(tmp_path))
    assert _ends(found) == {("migrate", "moved"): 1}
    assert samples(found, m.UNREADABLE) == {(): len(rubbish)}


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    _write(tmp_path, "migrate-1", _intent(), "x" * 3_000_000, _end())
    collector = OperationsCollector(tmp_path)
    path = _write(tmp_path, "migrate-2", _intent(), "y" * 1_000_000, end="")
    found = collect(collector)
    assert samples(found, m.UNREADABLE)[()] >= 2
    ((one),) = collector._reader._open.values()
    assert one.name == path.stem
    assert one._rest == b""


@pytest.mark.parametrize(
    "line",
    [
        _end("no such end"),
        {"kind": "end"},
        {"kind": "end", "outcome": ["moved"], "at": 7},
        {"kind": "end", "outcome": "moved " * 1000, "at": "yesterday"},
        {"kind": "end", "outcome": "x", "at": "2026-11-22T12:00:00", "window_s": "long"},
    ],
)
def test_an_end_nobody_knows_is_another_end(tmp_path: Path, line: object) -> None:
    _write(tmp_path, "migrate-1", _intent(), line)
    assert _ends(collect(OperationsCollector(tmp_path))) == {("migrate", "other"): 1}


@pytest.mark.parametrize("window", [True, -1, "1", float("nan"), float("inf"), 10**400, [1], None])
def test_a_window_that_is_no_time_is_left_out(tmp_path: Path, window: object) -> None:
    _write(tmp_path, "migrate-1", _intent(), _end(window_s=window))
    text = render(tuple(collect(OperationsCollector(tmp_path)))).body.decode()
    assert 'dualsrm_operation_window_seconds_count{verb="migrate"} 0.0' in text
    assert 'dualsrm_operation_duration_seconds_sum{method="live",verb="migrate"} 42.0' in text


def test_a_clock_that_was_set_back_makes_no_duration(tmp_path: Path) -> None:
    _write(tmp_path, "migrate-1", _intent(), _end(at="2026-11-22T11:00:00+00:00"))
    text = render(tuple(collect(OperationsCollector(tmp_path)))).body.decode()
    assert 'dualsrm_operation_duration_seconds_count{method="live",verb="migrate"} 0.0' in text


def test_groups_that_were_rehearsed(tmp_path: Path) -> None:
    intent = _intent(verb="test-failover", guest="")
    rehearsed: tuple[tuple[object, str], ...] = (
        (["shop", "back"], "2026-11-22T12:10:00+00:00"),
        (["shop"], "2026-11-22T12:20:00+00:00"),
        (["shop"], "2026-11-22T12:05:00+00:00"),
        ([7, None], "2026-11-22T13:00:00+00:00"),
        ("shop", "2026-11-22T13:00:00+00:00"),
    )
    for number, (groups, at) in enumerate(rehearsed):
        _write(tmp_path, f"test-failover-{number}", intent, _end("rehearsed", at, rehearsed=groups))
    found = samples(collect(OperationsCollector(tmp_path)), m.REHEARSED)
    assert found == {("lab", "shop"): 1795350000.0, ("lab", "back"): 1795349400.0}


def test_a_verb_of_a_later_version_is_other(tmp_path: Path) -> None:
    _write(tmp_path, "set-aside-1", _intent(verb="set-aside"), _end("ok"))
    _write(tmp_path, "set-aside-2", '{"kind": "int')
    found = collect(OperationsCollector(tmp_path))
    assert _ends(found) == {("other", "other"): 1}
    assert samples(found, m.INTERRUPTED)[("other",)] == 1


def test_an_intent_that_was_cut_short_is_interrupted_by_its_files_name(tmp_path: Path) -> None:
    _write(tmp_path, "migrate-1", '{"kind": "int', end="")
    assert samples(collect(OperationsCollector(tmp_path)), m.INTERRUPTED)[("migrate",)] == 1


def test_files_that_are_cleaned_up_stay_counted_and_leave_nothing(tmp_path: Path) -> None:
    collector = OperationsCollector(tmp_path)
    paths = [_write(tmp_path, f"migrate-{number}", _intent(), _end()) for number in range(5)]
    paths.append(_write(tmp_path, "migrate-open", _intent()))
    collect(collector)
    for path in paths:
        path.unlink()
    found = collect(collector)
    assert _ends(found) == {("migrate", "moved"): 5}
    assert samples(found, m.INTERRUPTED)[("migrate",)] == 0
    assert collector._reader._ended == set()
    assert collector._reader._open == {}


def test_hostile_names_reach_the_page_whole_or_replaced(tmp_path: Path) -> None:
    hostile = 'a"b\\c\n{d="e"} \u202e ü'
    _write(tmp_path, "migrate-1", _intent(guest=hostile), _end())
    _write(tmp_path, "migrate-2", json.dumps(_intent()).replace('"web"', '"\\ud800x"'), _end("rolled back"))
    found = collect(OperationsCollector(tmp_path))
    assert set(samples(found, m.LAST_SUCCESS)) == {("migrate", "lab", hostile)}
    assert set(samples(found, m.LAST_FAILURE)) == {("migrate", "lab", "?x")}
    assert render(tuple(found)).body.decode().count("# TYPE") == len(OPERATIONS)


def test_whether_there_is_a_journal_at_all(tmp_path: Path) -> None:
    """Zeros of a host that is not the manager's look like those of a manager that has done nothing."""
    collector = OperationsCollector(tmp_path)
    assert samples(collect(collector), m.JOURNAL) == {(): 0}
    FileJournal.begin(tmp_path, "migrate", SystemClock()).close()
    assert samples(collect(collector), m.JOURNAL) == {(): 1}


def test_a_journal_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    (tmp_path / "operations").write_text("in the way")
    found = collect(OperationsCollector(tmp_path))
    assert set(found.failures) == {"journal"}
    assert samples(found, m.OPERATIONS) == samples(found, m.INTERRUPTED) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="a lock of another process is made with root's own journal")
def test_the_exporter_leaves_no_lock(tmp_path: Path) -> None:
    journal = FileJournal.begin(tmp_path, "migrate", SystemClock())
    collect(OperationsCollector(tmp_path))
    journal.write("end", outcome="moved")
    journal.close()
    assert _ends(collect(OperationsCollector(tmp_path))) == {("migrate", "moved"): 1}
