"""Every cell of the outcome table, and the reasons that must never change."""

from __future__ import annotations

from itertools import product

import pytest

from dualsrm.model import DomainState
from dualsrm.outcome import OUTCOMES, Leftover, Outcome, Presence, decide, presence

R, P, G, S, C, U = (
    Presence.RUNNING,
    Presence.PAUSED,
    Presence.GONE,
    Presence.STOPPED,
    Presence.CRASHED,
    Presence.UNKNOWN,
)
EXPECTED = """
            R          P          G          S          C          U      <- target
    R     split   not moved  not moved  not moved  not moved  not moved
    P     moved     wait     not moved  not moved  not moved  in doubt
    G     moved     moved      died      stopped     died     in doubt
    S     moved    stopped    stopped    stopped    stopped   in doubt
    C     moved    in doubt    died       died       died     in doubt
    U     moved    in doubt   in doubt   in doubt   in doubt  in doubt
"""
LEFTOVERS = {(P, R): Leftover.AT_SOURCE, (R, P): Leftover.AT_TARGET, (S, P): Leftover.AT_TARGET}
"""Where one QEMU is proved to be the one that must go; nowhere else."""
LETTERS = {"R": R, "P": P, "G": G, "S": S, "C": C, "U": U}


def _expected() -> dict[tuple[Presence, Presence], str]:
    words = {"not": 2, "in": 2}
    cells = {}
    for row in EXPECTED.strip().splitlines()[1:]:
        source, *rest = row.split()
        targets = iter("RPGSCU")
        while rest:
            count = words.get(rest[0], 1)
            cells[LETTERS[source], LETTERS[next(targets)]] = " ".join(rest[:count])
            rest = rest[count:]
    return cells


def test_every_cell_of_the_product_exists() -> None:
    assert set(OUTCOMES) == set(product(Presence, Presence))


@pytest.mark.parametrize(("cell", "outcome"), list(_expected().items()), ids=str)
def test_cell(cell: tuple[Presence, Presence], outcome: str) -> None:
    assert OUTCOMES[cell].outcome.value == outcome


@pytest.mark.parametrize("cell", list(product(Presence, Presence)), ids=str)
def test_the_leftover_of_a_cell(cell: tuple[Presence, Presence]) -> None:
    assert OUTCOMES[cell].leftover is LEFTOVERS.get(cell, Leftover.NONE)


def test_the_table_above_names_every_cell() -> None:
    assert len(_expected()) == len(Presence) ** 2


@pytest.mark.parametrize("cell", list(product(Presence, Presence)), ids=str)
def test_while_the_job_is_active_nothing_is_decided(cell: tuple[Presence, Presence]) -> None:
    verdict = decide(*cell, job_active=True)
    assert verdict.outcome is Outcome.WAIT
    assert verdict.meaning == "libvirt is still migrating it"
    assert verdict.leftover is Leftover.NONE


def test_a_running_guest_is_never_a_leftover() -> None:
    for (source, target), verdict in OUTCOMES.items():
        if verdict.leftover is Leftover.AT_SOURCE:
            assert (source, target) == (P, R), "only a source that stands still beside a running target may go"
        if verdict.leftover is Leftover.AT_TARGET:
            assert target is P
            assert source in (R, S), "a paused target may hold the only copy unless the source says otherwise"


def test_nothing_is_decided_for_the_guest_when_its_only_possible_holder_is_silent() -> None:
    """(running, unknown) is the one exception: where it runs is seen, and the silent side cannot run it as well."""
    for (source, target), verdict in OUTCOMES.items():
        if Presence.UNKNOWN in (source, target) and Presence.RUNNING not in (source, target):
            assert verdict.outcome is Outcome.IN_DOUBT


@pytest.mark.parametrize(
    ("state", "reason", "expected"),
    [
        (None, "unknown", G),
        (DomainState.RUNNING, "booted", R),
        (DomainState.BLOCKED, "unknown", R),
        (DomainState.PAUSED, "migration", P),
        # Half of its memory is on the other host: whatever the state is called, nobody may end either half.
        (DomainState.PAUSED, "postcopy-failed", U),
        (DomainState.RUNNING, "postcopy-failed", U),
        (DomainState.SHUTDOWN, "user", P),
        (DomainState.PM_SUSPENDED, "unknown", P),
        (DomainState.SHUTOFF, "shutdown", S),
        (DomainState.SHUTOFF, "destroyed", G),
        (DomainState.SHUTOFF, "migrated", G),
        (DomainState.SHUTOFF, "crashed", C),
        (DomainState.SHUTOFF, "failed", C),
        (DomainState.CRASHED, "panicked", C),
        (DomainState.NO_STATE, "unknown", U),
        (DomainState("hibernating"), "unknown", U),
    ],
)
def test_presence(state: DomainState | None, reason: str, expected: Presence) -> None:
    assert presence(state, reason) is expected
