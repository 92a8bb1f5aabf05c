"""Mutants of what mutmut leaves alone, because it is in no function: the tables that decide.

Each is tried in a process of its own, which changes the table before it imports the tests.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import pytest

from dualsrm import outcome
from dualsrm.hosts.drbd import events2
from dualsrm.outcome import OUTCOMES, Leftover, Outcome, Presence


@dataclass(frozen=True, slots=True)
class Variant:
    """A table as it should not be."""

    module: Any
    table: str
    changed: object
    what: str


def variants() -> Iterator[tuple[str, Iterable[Variant]]]:
    """All of them, with the tests that have to notice."""
    yield "tests/unit/core/test_outcome.py", chain(_outcomes(), _presences())
    yield "tests/unit/drbd/test_drbd_events2.py", chain(_identities(), _numbers())


def _outcomes() -> Iterator[Variant]:
    """Every cell with each other outcome, and with each other leftover."""
    for cell, verdict in OUTCOMES.items():
        others = [
            *(replace(verdict, outcome=other) for other in Outcome if other is not verdict.outcome),
            *(replace(verdict, leftover=other) for other in Leftover if other is not verdict.leftover),
        ]
        for other in others:
            what = f"{cell[0].value}, {cell[1].value}: {other.outcome.value}, leftover {other.leftover.value}"
            yield Variant(outcome, "OUTCOMES", {**OUTCOMES, cell: other}, what)


def _presences() -> Iterator[Variant]:
    """Every active state as each other presence."""
    table = outcome._ACTIVE
    for state, meant in table.items():
        for other in Presence:
            if other is not meant:
                yield Variant(outcome, "_ACTIVE", {**table, state: other}, f"{state.value}: {other.value}")


def _identities() -> Iterator[Variant]:
    """Every kind without each of the words it must have."""
    table: Mapping[str, tuple[str, ...]] = events2._IDENTITY
    for kind, words in table.items():
        for word in words:
            fewer = tuple(other for other in words if other != word)
            yield Variant(events2, "_IDENTITY", {**table, kind: fewer}, f"{kind} without {word}")


def _numbers() -> Iterator[Variant]:
    """Every word that is to be a number, as one that need not be."""
    table: tuple[str, ...] = events2._NUMBERS
    for word in table:
        yield Variant(events2, "_NUMBERS", tuple(other for other in table if other != word), f"{word} may be any text")


def lives(variant: Variant, tests: str) -> bool:
    """Whether these tests notice nothing."""
    child = os.fork()
    if child == 0:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        setattr(variant.module, variant.table, variant.changed)
        os._exit(pytest.main(["-x", "-p", "no:cacheprovider", "--hypothesis-profile=mutants", tests]))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        raise RuntimeError(f"pytest ended with {code} for {variant.what} in {variant.table}")
    return code == pytest.ExitCode.OK
