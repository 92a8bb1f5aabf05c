"""A storage guest on real nodes (`tests/run storage`): six guests in groups, two write on what a third one exports.

`files` exports its second DRBD disk by NFS; `app1` and `app2` mount it and come after it and after `db`. Each record
they acknowledge is on their own disk and on the export. A writer tells of every I/O error.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from score.spool import read
from score.wire import Kind
from tests.lab.handle import HOSTS, RESOURCES, Answer, LabHandle, lab_of_our_own, wait_for
from tests.lab.told import announced, started_at
from uml.facts import STORAGE_GUESTS
from uml.layout import Layout

pytestmark = pytest.mark.timeout(1800)

SIX = RESOURCES | {guest.name: guest.resources for guest in STORAGE_GUESTS}
SERVER, CLIENTS = "files", ("app1", "app2")
FIRST = (SERVER, "db")
ENOUGH = "3072"
"""MiB of a node on which all six find room by what dualsrm allows for each: its memory and 256 MiB for QEMU."""


@pytest.fixture(scope="module")
def six() -> Iterator[LabHandle]:
    """All six guests writing, in a lab of this module's own or in one that is up and named in DUALSRM_TEST_LAB."""
    if kept := os.environ.get("DUALSRM_TEST_LAB"):
        lab = LabHandle(kept)
        lab.lab("storage")
        lab.write_again(SIX)
        yield lab
        return
    with lab_of_our_own("s", "--memory", ENOUGH) as lab:
        lab.lab("storage")
        lab.write_again(SIX)
        yield lab


@pytest.fixture
def lab(six: LabHandle) -> Iterator[LabHandle]:
    """Spread over both hosts: app2 and mail on beta, the others on alpha. In the end no write of anybody's is lost."""
    for guest in SIX:
        home = "beta" if guest in ("app2", "mail") else "alpha"
        if six.host_of(guest) != home:
            assert _dualsrm(six, "migrate", guest, "--to", home).exit == 0
    six.write_again(SIX)
    yield six
    six.write_again(SIX)
    score = six.score()
    assert {guest: (score[guest]["lost"], score[guest]["runs_at_once"]) for guest in SIX} == dict.fromkeys(
        SIX, (0, 0)
    ), score


def _dualsrm(lab: LabHandle, *words: str) -> Answer:
    answer = lab.dualsrm(*words)
    print(words, answer.exit, json.dumps(answer.document))
    return answer


def _boots(lab: LabHandle) -> dict[str, set[int]]:
    """The runs of each writer so far: one more after a boot of the guest, or after an I/O error."""
    runs: dict[str, set[int]] = {guest: set() for guest in SIX}
    for entry in read(Layout(lab.name).spool):
        if entry.said.kind is Kind.BOOT:
            runs[entry.said.name].add(entry.said.run)
    return runs


def _errors(lab: LabHandle) -> int:
    return sum(entry.said.kind is Kind.ERROR for entry in read(Layout(lab.name).spool))


def _longest_silence_s(lab: LabHandle, guest: str, since: float) -> float:
    """Between two acknowledged writes of it since then."""
    times = [since, *announced(lab, guest, Kind.DURABLE, since)]
    return max((after - before for before, after in pairwise(times)), default=0.0)


def _tell(lab: LabHandle, what: str, since: float) -> None:
    """For whoever reads the output: `pytest -s`."""
    silences = {guest: round(_longest_silence_s(lab, guest, since), 2) for guest in SIX}
    print(f"{what}: {time.time() - since:.1f} s; longest silence by guest: {silences}")


def test_clients_see_no_error_while_the_storage_guest_moves_live(lab: LabHandle) -> None:
    for target in reversed(HOSTS):
        runs, errors, began = _boots(lab), _errors(lab), time.time()
        answer = _dualsrm(lab, "migrate", "storage", "--to", target)
        assert answer.exit == 0, answer.document
        assert lab.host_of(SERVER) == target
        lab.write_again(SIX)
        _tell(lab, f"storage moved to {target}", began)
        assert (_boots(lab), _errors(lab)) == (runs, errors)


def test_each_host_is_emptied_in_order(lab: LabHandle) -> None:
    """Live, all of them; clients begin to move when storage and database have ended."""
    for source in HOSTS:
        there = {guest for guest in SIX if lab.host_of(guest) == source}
        runs, errors, began = _boots(lab), _errors(lab), time.time()
        answer = _dualsrm(lab, "evacuate", source)
        moves = {one["guest"]: one for one in answer.document["result"]["guests"]}
        ended = {guest: (one["state"], one["method"]) for guest, one in moves.items()}
        assert (answer.exit, ended) == (0, dict.fromkeys(there, ("moved", "live"))), answer.document
        assert {lab.host_of(guest) for guest in SIX} == {lab.other(source)}
        for first in moves.keys() & set(FIRST):
            over = started_at(lab, moves[first]["operation"]) + moves[first]["total_s"]
            for client in moves.keys() & set(CLIENTS):
                assert started_at(lab, moves[client]["operation"]) >= over - 1, moves
        lab.write_again(SIX)
        _tell(lab, f"{source} emptied of {len(there)} guests", began)
        assert (_boots(lab), _errors(lab)) == (runs, errors)


def test_a_lost_host_s_guests_come_up_storage_first(lab: LabHandle) -> None:
    """app1 boots after its server writes again; app2, on the host that is left, waits for its answers and goes on."""
    runs = _boots(lab)
    lab.lab("power", "off", "alpha")
    try:
        wait_for("beta to notice", lambda: not lab.connected("beta"))
        began = time.time()
        answer = _dualsrm(lab, "failover", "--all", "--to", "beta")
        assert answer.exit == 0, answer.document
        lab.write_again(SIX)
        _tell(lab, "failover", began)
        assert min(announced(lab, SERVER, Kind.BOOT, began)) < min(announced(lab, "app1", Kind.BOOT, began))
        assert min(announced(lab, "db", Kind.BOOT, began)) < min(announced(lab, "app1", Kind.BOOT, began))
        assert [guest for guest, seen in _boots(lab).items() if seen == runs[guest]] == ["mail", "app2"]
    finally:
        lab.lab("power", "on", "alpha")
        wait_for("alpha to be resynced", lambda: lab.whole("alpha", SIX) and lab.whole("beta", SIX), 300)
    assert _dualsrm(lab, "reprotect", "alpha").exit == 0
    assert _dualsrm(lab, "failback", "--all").exit == 0
