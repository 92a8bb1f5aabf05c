"""Runs in a file, in a table and in a sentence; and what a row and a seed decide."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from dualsrm.engine.report import MoveState
from tests.lab.faults import table
from tests.lab.faults.judge import KILLED, REFUSED, UNREACHABLE
from tests.lab.faults.play import GUESTS, Run, choose
from tests.lab.faults.rows import BY_NAME, ROWS, Row
from tests.lab.handle import HOSTS

GOOD = Run(
    row="replication",
    seed=7,
    guest="db",
    source="alpha",
    target="beta",
    moment_s=3.25,
    late=False,
    state="rolled back",
    exit=3,
    took_s=40.5,
    outage_s=19.96,
    lost=0,
    end="at source, by itself",
    complaints=(),
    seen="replication was lost",
    fix="mend the link",
    told="…\n",
)
BAD = replace(GOOD, seed=8, lost=2, complaints=("db lost 2 acknowledged writes (certain)", "[run] by [/run/x]"))
BLIND = replace(GOOD, seed=9, lost=None, outage_s=None, late=True)


def printed(*runs: Run) -> str:
    out = io.StringIO()
    Console(file=out, width=250).print(table.shown(runs))
    return out.getvalue()


def test_lines_appended_one_by_one_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    for run in (GOOD, BAD, BLIND):
        table.write(path, run)
    assert len(path.read_text().splitlines()) == 3
    assert table.read(path) == [GOOD, BAD, BLIND]


def test_a_run_without_complaints_is_as_it_must_be() -> None:
    shown = printed(GOOD)
    assert "as it must" in shown
    assert "20.0" in shown
    assert "after its end" not in shown


def test_complaints_are_shown_to_the_letter() -> None:
    shown = printed(BAD)
    assert "db lost 2 acknowledged writes (certain); [run] by [/run/x]" in shown
    assert "as it must" not in shown


def test_unknown_is_shown_as_unknown_and_a_late_blow_as_late() -> None:
    shown = printed(BLIND)
    assert shown.count("unknown") == 2
    assert "3.2 (after its end)" in shown


def test_the_order_is_that_of_faults_and_moments() -> None:
    runs = [replace(GOOD, seed=3, moment_s=9.0), replace(GOOD, seed=4), replace(GOOD, seed=5, row="adjust-source")]
    seeds = [text.split("│")[2].strip() for text in printed(*runs).splitlines() if text.startswith("│")]
    assert seeds == ["5", "4", "3"]


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        ((GOOD, GOOD), "2 runs, 0 not as they must be; acknowledged writes lost: 0"),
        ((GOOD, BAD), "2 runs, 1 not as they must be; acknowledged writes lost: 2"),
        (
            (BAD, BLIND),
            "2 runs, 1 not as they must be; acknowledged writes lost: 2, unknown in 1 runs",
        ),
    ],
)
def test_the_sentence_that_counts(runs: tuple[Run, ...], says: str) -> None:
    assert table.summed(runs) == says


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_allows_only_states_there_are(row: Row) -> None:
    known = {state.value for state in MoveState} | {KILLED, REFUSED, UNREACHABLE}
    assert row.states
    assert row.states <= known
    assert MoveState.SPLIT.value not in row.states


def test_no_two_rows_have_one_name() -> None:
    assert len(BY_NAME) == len(ROWS)


def test_a_seed_decides_the_same_each_time_and_another_one_otherwise() -> None:
    row = BY_NAME["replication"]
    choices = [choose(row, seed, 20.0) for seed in range(40)]
    assert choices == [choose(row, seed, 20.0) for seed in range(40)]
    assert choices[0] != choose(BY_NAME["power-source"], 0, 20.0)
    assert {choice.journey.guest for choice in choices} == set(GUESTS)
    assert {choice.journey.source for choice in choices} == set(HOSTS)
    assert all(choice.journey.source != choice.journey.target for choice in choices)
    moments = [choice.moment_s for choice in choices]
    assert 0 <= min(moments) < 5
    assert 15 < max(moments) <= 20
