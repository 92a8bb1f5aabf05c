"""docs/exit-codes.md names every exit code and every state of a move, with its number."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import pytest

from dualsrm.engine import cold, failover_report, rehearsal_report, report, reprotect, resolve
from dualsrm.errors import ExitCode
from tests.unit.docs.pages import DOCS, rows, sections

PAGE = DOCS / "exit-codes.md"


def test_every_exit_code_is_described_once() -> None:
    head = PAGE.read_text().partition("\n## ")[0]
    assert [(int(number), name) for number, name, *_ in rows(head)] == [(code.value, code.name) for code in ExitCode]


@pytest.mark.parametrize(
    ("section", "codes"),
    [
        ("States of a move", report.EXIT_CODES),
        ("States of a stop or a start", cold.EXIT_CODES),
        ("States of a failover", failover_report.EXIT_CODES),
        ("States of the way back", reprotect.EXIT_CODES),
        ("States of a split brain", resolve.EXIT_CODES),
        ("States of a rehearsal", rehearsal_report.EXIT_CODES),
        ("States of a cleanup", rehearsal_report.CLEANUP_CODES),
    ],
)
def test_every_state_is_described_once_with_its_code(section: str, codes: Mapping[Enum, ExitCode]) -> None:
    table = rows(sections(PAGE)[section])
    states = type(next(iter(codes)))
    assert [(state, int(code)) for state, code, *_ in table] == [(one.value, codes[one].value) for one in states]
    assert all(len(row) == 4 for row in table)
