"""What is wrong with a run, decided from what was seen. Pure; a complaint is a sentence, no complaints is a pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.lab.faults.look import MINORS, Look
from tests.lab.faults.watch import Device, Sample, Timeline

AT_ONCE_S = 1.0
"""Longest time both copies of a guest may seem to compute: two sampling periods at the hand-over, and a tick."""
_NEAR_S = 1.5
"""How far from a moment a sample still speaks for it, on a busy machine."""

KILLED, UNREADABLE, UNREACHABLE, REFUSED = "killed", "no answer", "unreachable", "refused"
_AT_TARGET = ("moved", "moved, not settled", "moved, replication lost")
_AT_SOURCE = ("rolled back", "not moved, not rolled back", "untouched", REFUSED)


@dataclass(frozen=True, slots=True)
class Reported:
    """How the command ended, by its own word."""

    state: str
    exit: int
    at: float
    """Seconds since the epoch."""
    seen: str = ""
    fix: str = ""
    total_s: float | None = None
    told: str = ""
    """What it wrote for people."""


@dataclass(frozen=True, slots=True)
class Journey:
    """What a run was about: which guest, from where to where."""

    guest: str
    source: str
    target: str


def reported(document: Mapping[str, Any] | None, exit_code: int, at: float, told: str) -> Reported:
    """Read dualsrm's answer; None for one that gave none."""
    if document is None:
        return Reported(KILLED if exit_code < 0 else UNREADABLE, exit_code, at, told=told)
    if result := document.get("result"):
        said = {key: result[key] for key in ("state", "seen", "fix", "total_s")}
        return Reported(exit=exit_code, at=at, told=told, **said)
    if error := document.get("error"):
        state = UNREACHABLE if exit_code == 6 else REFUSED
        return Reported(state, exit_code, at, error["seen"], error["fix"], told=told)
    blocking = [finding for finding in document["findings"] if finding["severity"] in ("failed", "unknown")]
    seen, fix = ("; ".join(finding[key] for finding in blocking) for key in ("seen", "fix"))
    return Reported(REFUSED, exit_code, at, seen, fix, told=told)


def wrong_word(journey: Journey, end: Reported, watched: Mapping[str, Timeline]) -> list[str]:
    """Where the command's word was not what was, at the moment it was given."""
    claimed = journey.target if end.state in _AT_TARGET else journey.source if end.state in _AT_SOURCE else None
    if claimed is None:
        return []
    wrong = []
    if not _runs(watched[claimed], journey.guest, end.at):
        wrong.append(f"it said '{end.state}', but {journey.guest} did not run on {claimed}")
    if end.exit == 0:
        for host, timeline in watched.items():
            near = _near(timeline, end.at)
            # A device that is down, and a host nobody looked at, are not healthy either.
            ill = [name for name, minor in MINORS.items() if minor not in near or not near[minor].healthy]
            wrong += [
                f"it said '{end.state}' with exit code 0, but {host} did not see {name} replicating" for name in ill
            ]
    return wrong


def wrong_windows(end: Reported, seen: Mapping[str, Look | None]) -> list[str]:
    """A window open when the command ended and said that all was settled; a host nobody could ask is judged later."""
    if end.exit not in (0, 3):
        return []
    return [
        f"it ended with exit code {end.exit}, but {host} had a window open on {', '.join(sorted(view.windows))}"
        for host, view in seen.items()
        if view is not None and view.windows
    ]


def wrong_score(guest: str, score: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Losses, silence, and records of a guest that lived twice."""
    wrong = []
    for name, result in score.items():
        if result["lost"] != 0:
            wrong.append(f"{name} lost {result['lost']} acknowledged writes ({result['why_unknown'] or 'certain'})")
        if result["duplicates"] or result["runs_at_once"]:
            wrong.append(f"{name} announced records twice: two of it wrote")
    silent = score[guest]["silent_ms"]
    if silent is None or silent > 3000:
        wrong.append(f"{guest} acknowledges no writes at the end")
    return wrong


def two_at_once(watched: Mapping[str, Timeline]) -> list[str]:
    """Guests whose CPU computed on both nodes at the same time for longer than a hand-over can make it seem."""
    guests = {guest for timeline in watched.values() for sample in timeline for guest in sample.guests}
    wrong = []
    for guest in sorted(guests):
        first, second = (list(_computing(timeline, guest)) for timeline in watched.values())
        if (together := _longest_overlap(first, second)) > AT_ONCE_S:
            wrong.append(f"{guest} computed on both hosts for {together:.1f} s")
    return wrong


def _runs(timeline: Timeline, guest: str, at: float) -> bool:
    near = [sample for sample in timeline if abs(sample.at - at) <= _NEAR_S and guest in sample.guests]
    return any(sample.guests[guest].runs for sample in near)


def _near(timeline: Timeline, at: float) -> Mapping[str, Device]:
    near = [sample for sample in timeline if abs(sample.at - at) <= _NEAR_S]
    return min(near, key=lambda sample: abs(sample.at - at)).drbd if near else {}


def _computing(timeline: Timeline, guest: str) -> Iterator[tuple[float, float]]:
    """Stretches of time in which the guest's CPU computed in every sample."""
    began: float | None = None
    for before, after in pairwise(timeline):
        if _computed(before, after, guest):
            began = before.at if began is None else began
        elif began is not None:
            yield began, before.at
            began = None
    if began is not None:
        yield began, timeline[-1].at


def _computed(before: Sample, after: Sample, guest: str) -> bool:
    known = guest in before.guests and guest in after.guests
    return known and after.guests[guest].computed_ns > before.guests[guest].computed_ns


def _longest_overlap(first: list[tuple[float, float]], second: list[tuple[float, float]]) -> float:
    overlaps = (min(one[1], two[1]) - max(one[0], two[0]) for one in first for two in second)
    return max(overlaps, default=0.0)
