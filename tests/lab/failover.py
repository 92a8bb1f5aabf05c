"""Hosts that are lost, on real nodes (`tests/run failover`): seen off first, nothing lost that the survivor had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.lab.handle import RESOURCES, Answer, LabHandle, wait_for

REFUSED, NEEDS_ATTENTION = 1, 4
NETWORKS = ("management", "replication", "memory")


def _on(lab: LabHandle, host: str) -> list[str]:
    return [guest for guest in RESOURCES if lab.host_of(guest) == host]


def _failover(lab: LabHandle, here: str, *words: str) -> Answer:
    return lab.dualsrm("failover", "--all", "--to", here, *words)


def _blocking(answer: Answer) -> str:
    """What is against it, about the lost host or one of its guests."""
    document = answer.document
    found = [*document["findings"], *(one for guest in document["guests"] for one in guest["findings"])]
    return "; ".join(one["seen"] for one in found if one["severity"] in ("failed", "unknown"))


@contextmanager
def _lost(lab: LabHandle, host: str, here: str) -> Iterator[None]:
    """Its power is gone; it is on again, and resynced, in the end."""
    lab.lab("power", "off", host)
    try:
        wait_for(f"{here} to notice", lambda: not lab.connected(here))
        yield
    finally:
        lab.lab("power", "on", host)
        wait_for(f"{host} to be resynced", lambda: lab.whole(here) and lab.whole(host), 300)


def _all_write_again(lab: LabHandle, guests: Sequence[str]) -> None:
    lab.write_again(guests)
    score = lab.score()
    for guest in guests:
        assert (score[guest]["lost"], score[guest]["runs_at_once"]) == (0, 0), score


def test_guests_of_a_host_that_lost_power_go_on_at_the_other_one(lab: LabHandle) -> None:
    """Refused while it lives, 0 acknowledged writes lost, and back again: taken back, and moved home live."""
    lost = lab.host_of("web")
    assert lost is not None
    here = lab.other(lost)
    refused = _failover(lab, here)
    assert (refused.exit, "answers the manager" in _blocking(refused)) == (REFUSED, True), refused.document
    guests = _on(lab, lost)
    with _lost(lab, lost, here):
        answer = _failover(lab, here)
        ended = {one["guest"]: one["result"]["state"] for one in answer.document["guests"]}
        assert (answer.exit, ended) == (0, dict.fromkeys(guests, "failed over")), answer.document
        again = _failover(lab, here)
        assert (again.exit, again.document["guests"]) == (0, []), again.document
        _all_write_again(lab, guests)
    _taken_back(lab, lost)
    home = lab.dualsrm("failback", "--all")
    moved = {one["guest"]: one["result"]["state"] for one in home.document["guests"]}
    assert (home.exit, moved) == (0, dict.fromkeys(guests, "moved")), home.document
    assert sorted(_on(lab, lost)) == sorted(guests)
    assert {score["lost"] for score in lab.score().values()} == {0}


def test_a_manager_killed_in_the_middle_is_finished_by_a_second_run(lab: LabHandle) -> None:
    """In the fencing, in a promotion, in a start; and while what was lost is taken back."""
    lost = lab.host_of("web")
    assert lost is not None
    here = lab.other(lost)
    guests = _on(lab, lost)
    with _lost(lab, lost, here):
        for step in ("fence", "promote", "start"):
            lab.dualsrm_killed(step, "failover", "--all", "--to", here)
        answer = _failover(lab, here)
        assert answer.exit == 0, answer.document
        assert sorted(_on(lab, here)) == sorted(guests)
        _all_write_again(lab, guests)
    lab.dualsrm_killed("at rest", "reprotect", lost)
    recovered = lab.dualsrm("recover")
    assert recovered.exit == 0, recovered.document
    _taken_back(lab, lost)


def test_a_survivor_that_was_left_behind_is_not_promoted(lab: LabHandle) -> None:
    """The link was gone for a while before the host was: its handler outdated the survivor."""
    lost = lab.host_of("web")
    assert lost is not None
    here = lab.other(lost)
    lab.lab("cut", "replication", lost)
    try:
        wait_for("the survivor to be outdated", lambda: "disk:Outdated" in lab.events(here))
        with _lost(lab, lost, here):
            lab.lab("heal")
            answer = _failover(lab, here)
            assert answer.exit == REFUSED, answer.document
            said = _blocking(answer)
            assert "Outdated; it was cut off 2" in said, said
            assert "--accept-data-loss" in answer.document["guests"][0]["findings"][-1]["fix"], answer.document
            assert {lab.roles(here)[name] for name in RESOURCES["web"]} == {"Secondary"}
            # What is back has it all: brought back by the one who decides, not by a failover.
    finally:
        lab.lab("heal")
    _started_again(lab, lost)


def test_a_host_that_is_cut_off_and_writes_on_is_off_before_anything_is_promoted(lab: LabHandle) -> None:
    """Every way in which its power switch can be of no use is refused, and named."""
    lost = lab.host_of("web")
    assert lost is not None
    here = lab.other(lost)
    guests = _on(lab, lost)
    for network in NETWORKS:
        lab.lab("cut", network, lost)
    try:
        wait_for(f"{here} to notice", lambda: not lab.connected(here))
        _refused_without_a_power_switch(lab, lost, here)
        lab.lab("bmc", "slow", lost)
        answer = _failover(lab, here)
        results = [one["result"] for one in answer.document["guests"]]
        assert (answer.exit, {one["state"] for one in results}) == (0, {"failed over"}), answer.document
        assert all("may lack writes from shortly before" in one["warnings"][0] for one in results), answer.document
        assert lab.power(lost) == "off"
        lab.write_again(guests)
        assert {score["runs_at_once"] for score in lab.score().values()} == {0}
    finally:
        lab.lab("bmc", "mend", lost)
        lab.lab("heal")
        lab.lab("power", "on", lost)
        _discard(lab, victim=lost, kept=here)
        _taken_back(lab, lost)
        lab.lab("score", "--reset")  # what it wrote while it was cut off is lost, as announced


def _refused_without_a_power_switch(lab: LabHandle, lost: str, here: str) -> None:
    lab.lab("bmc", "break", lost)
    answer = _failover(lab, here)
    assert (answer.exit, "does not say" in _blocking(answer)) == (REFUSED, True), answer.document
    lab.lab("bmc", "mend", lost)
    with lab.wrong_password(here, lost):
        answer = _failover(lab, here)
        assert (answer.exit, "does not say" in _blocking(answer)) == (REFUSED, True), answer.document
    lab.lab("bmc", "lie", lost)
    answer = _failover(lab, here)
    states = {one["result"]["state"] for one in answer.document["guests"]}
    assert (answer.exit, states) == (NEEDS_ATTENTION, {"not fenced"}), answer.document
    assert (lab.power(lost), set(lab.roles(here).values())) == ("on", {"Secondary"})


def _started_again(lab: LabHandle, host: str) -> None:
    down = [guest for guest in RESOURCES if lab.host_of(guest) is None]
    for guest in down:
        assert lab.dualsrm("start", guest, "--on", host).exit == 0
    _all_write_again(lab, down)


def _discard(lab: LabHandle, *, victim: str, kept: str) -> None:
    """Both wrote alone: what the victim wrote is given up, by name."""
    wait_for(f"{victim} to find the split brain", lambda: "StandAlone" in lab.events(victim), 120)
    names = [name for name in sorted(lab.roles(victim)) if "StandAlone" in lab.events(victim, name)]
    wrong = lab.dualsrm("split-brain", "resolve", "--victim", kept, *names)
    assert (wrong.exit, wrong.document["refused"]) == (REFUSED, True), wrong.document
    answer = lab.dualsrm("split-brain", "resolve", "--victim", victim, *names)
    assert (answer.exit, answer.document["result"]["state"]) == (0, "resolved"), answer.document
    wait_for("the pair to be whole", lambda: lab.whole(kept) and lab.whole(victim), 300)


def _taken_back(lab: LabHandle, host: str) -> None:
    """In quarantine until then, and in none after."""
    guest = _on(lab, lab.other(host))[0]
    refused = lab.migrate(guest, "--to", host)
    assert refused.exit == REFUSED, refused.document
    assert "quarantine" in {one["check"] for one in refused.document["findings"] if one["severity"] == "failed"}
    answer = lab.dualsrm("reprotect", host)
    assert (answer.exit, answer.document["result"]["state"]) == (0, "protected"), answer.document
    again = lab.dualsrm("reprotect", host)
    assert (again.exit, again.document["result"]["state"]) == (0, "nothing to do"), again.document


@pytest.fixture(autouse=True)
def _three_guests_on_one_host(lab: LabHandle) -> None:
    """Every guest is on one host when it is lost."""
    host = lab.host_of("web")
    for guest in RESOURCES:
        if lab.host_of(guest) != host:
            assert lab.migrate(guest).exit == 0
