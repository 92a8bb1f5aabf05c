"""Prechecks of a live move: pure, all run, all reported together; one that blocks and nothing is touched.

`docs/checks.md` describes each; `registry` is the table of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from dualsrm.checks.case import Case, Move, guarded
from dualsrm.checks.registry import LIVE_ONLY, REGISTRY, WITH_ITS_GROUP, Check
from dualsrm.checks.resolve import resolve_move
from dualsrm.model import Finding, MoveFacts, Snapshot

__all__ = ["LIVE_ONLY", "REGISTRY", "WITH_ITS_GROUP", "Check", "Move", "blocking", "check_move", "resolve_move"]


def check_move(snapshot: Snapshot, move: Move, facts: MoveFacts, unfinished: str | None) -> tuple[Finding, ...]:
    """Every check's answers, in the order of the registry. Each check answers at least once."""
    case = Case(snapshot, move, facts, unfinished)
    return tuple(finding for check in REGISTRY for finding in _answers(check, case))


def _answers(check: Check, case: Case) -> Iterator[Finding]:
    """A check's answers under its name, each once: both ends may miss the same fact."""
    for finding in dict.fromkeys(guarded(check.run(case))):
        yield replace(finding, check=check.id)


def blocking(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that do not let a move start."""
    return tuple(finding for finding in findings if finding.severity.blocks)
