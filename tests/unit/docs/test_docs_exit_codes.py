"""docs/exit-codes.md names every exit code and every state of a move, with its number."""

from __future__ import annotations

from dualsrm.engine.report import EXIT_CODES, MoveState
from dualsrm.errors import ExitCode
from tests.unit.docs.pages import DOCS, rows, sections

PAGE = DOCS / "exit-codes.md"


def test_every_exit_code_is_described_once() -> None:
    head = PAGE.read_text().partition("\n## ")[0]
    assert [(int(number), name) for number, name, *_ in rows(head)] == [(code.value, code.name) for code in ExitCode]


def test_every_state_of_a_move_is_described_once_with_its_code() -> None:
    table = rows(sections(PAGE)["States of a move"])
    assert [(state, int(code)) for state, code, *_ in table] == [
        (state.value, EXIT_CODES[state].value) for state in MoveState
    ]
    assert all(len(row) == 4 for row in table)
