"""Each folder here is a story: README, scenario.toml, and the log it must give, readable in a minute.

`pytest tests/scenarios --update-scenarios` writes the logs anew; states, exit codes and promises are asserted all the
same, so that no wrong ending is blessed by accident.
"""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.scenarios.script import FaultTable, RunTable, Scenario, WorldTable, read
from tests.scenarios.story import Story

HERE = Path(__file__).parent
FOLDERS = sorted(path.parent for path in HERE.glob("*/scenario.toml"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_scenario(folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    scenario = read(folder)
    story = Story(scenario, tmp_path)
    log = story.tell()
    assert [(end.state, end.exit_code) for end in story.ends] == [(run.state, run.exit_code) for run in scenario.run], (
        log
    )
    broken = story.broken()
    assert not broken, log
    unused = [str(fault) for fault in story.pair.faults]
    assert not unused, f"these faults never struck: {unused}\n{log}"
    expected = folder / "expected.log"
    if request.config.getoption("--update-scenarios", default=False):
        expected.write_text(log, encoding="utf-8")
    wanted = expected.read_text(encoding="utf-8") if expected.exists() else ""
    difference = difflib.unified_diff(
        wanted.splitlines(), log.splitlines(), f"{folder.name}/expected.log", "this run", lineterm=""
    )
    if log != wanted:
        pytest.fail(
            "\n".join([*difference, "", "right as it is now? pytest tests/scenarios --update-scenarios"]), False
        )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_readme(folder: Path) -> None:
    """Three lines: what happens, what must come of it, and which promises that defends."""
    lines = (folder / "README").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert all(promise in lines[2] for promise in read(folder).promises)


def test_the_same_story_reads_the_same_twice(tmp_path: Path) -> None:
    for folder in FOLDERS:
        first, second = (Story(read(folder), tmp_path / folder.name / n).tell() for n in ("1", "2"))
        assert first == second


@pytest.mark.parametrize(
    ("table", "fields"),
    [
        (Scenario, {"promises": ["P1"], "run": [], "typo": 1}),
        (Scenario, {"promises": ["P9"], "run": [{"command": "recover", "state": "quiet", "exit_code": 0}]}),
        (FaultTable, {"kind": "explode", "at": "promote"}),
        (FaultTable, {"kind": "error", "at": "promote", "hosts": "beta"}),
        (WorldTable, {"do": "cut_link"}),
        (WorldTable, {"do": "cut_link", "at": 1.0, "during_copy": 0.5}),
        (WorldTable, {"do": "cut_link", "at": 1.0, "host": "alpha"}),
        (WorldTable, {"do": "power_off", "at": 1.0}),
        (RunTable, {"command": "migrate", "state": "moved", "exit_code": 0}),
        (RunTable, {"command": "recover", "state": "quiet"}),
    ],
)
def test_a_mistake_in_a_scenario_is_refused(
    table: type[Scenario | FaultTable | WorldTable | RunTable], fields: dict[str, object]
) -> None:
    with pytest.raises(ValidationError):
        table.model_validate(fields)
