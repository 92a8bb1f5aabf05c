"""One run: a move, a fault in the middle of it, what an operator would do next, and the judgement."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tests.lab.faults import judge
from tests.lab.faults.command import Command
from tests.lab.faults.dirty import dirtying, slow_configuration
from tests.lab.faults.judge import Journey, Reported
from tests.lab.faults.look import look_at_both, not_quiet, split_brains
from tests.lab.faults.person import Operator
from tests.lab.faults.rows import Row, Scene
from tests.lab.faults.watch import Watch
from tests.lab.handle import HOSTS, LabHandle, wait_for

Score: TypeAlias = Mapping[str, Mapping[str, Any]]
COMMAND_DEADLINE_S = 600.0
GUESTS = ("web", "db")


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one run: a line of the table, and of the JSON lines."""

    row: str
    seed: int
    guest: str
    source: str
    target: str
    moment_s: float
    """When the fault struck, seconds after the command began."""
    late: bool
    """The command had ended by then."""
    state: str
    exit: int
    took_s: float
    outage_s: float | None
    """Longest time without an acknowledged write, in the whole run, operator included."""
    lost: int | None
    end: str
    complaints: tuple[str, ...]
    seen: str
    fix: str
    told: str
    """What the command wrote for people."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a seed decides."""

    journey: Journey
    moment_s: float


def choose(row: Row, seed: int, span_s: float) -> Choice:
    """The same row, seed and span give the same guest, direction and moment."""
    dice = random.Random(f"{row.name} {seed}")  # noqa: S311 - repeatable, which is all that is wanted of it
    guest, source, moment = dice.choice(GUESTS), dice.choice(HOSTS), dice.uniform(0, span_s)
    target = next(host for host in HOSTS if host != source)
    return Choice(Journey(guest, source, target), moment)


def measure_span(lab: LabHandle) -> float:
    """Seconds of an undisturbed move, from the start of the command to its end: the moments to choose from.

    Measured, because a busy machine takes twice as long as a quiet one and the last steps would never be met.
    """
    began = time.monotonic()
    answer = lab.migrate(GUESTS[-1])
    assert answer.exit == 0, f"without any fault: {answer}"
    return time.monotonic() - began


def play(lab: LabHandle, row: Row, seed: int, span_s: float, since: str | None = None) -> Run:
    """Play one run. Raises AssertionError when the lab is not quiet before it, or does not do as it is told.

    `since`: the step from whose begin the moment is counted; None: from the command's.
    """
    choice = choose(row, seed, span_s)
    journey = choice.journey
    complaints = not_quiet(look_at_both(lab))
    assert not complaints, f"the lab is not quiet before the run: {complaints}"
    if lab.host_of(journey.guest) != journey.source:
        answer = lab.migrate(journey.guest, "--to", journey.source)
        assert answer.exit == 0, f"without any fault: {answer}"
    with ExitStack() as stack:
        options: tuple[str, ...] = ()
        if row.dirty is not None:
            stack.enter_context(dirtying(lab, journey.guest, journey.source))
            settings = stack.enter_context(slow_configuration(lab, row.dirty))
            options = ("--config", str(settings))
        lab.lab("score", "--reset")
        return _Play(lab, row, seed, choice, since).run(options)


@dataclass(frozen=True, slots=True)
class _Times:
    """Seconds since the epoch."""

    began: float
    struck: float
    ended: float


class _Play:
    """One run's parts, in order."""

    def __init__(self, lab: LabHandle, row: Row, seed: int, choice: Choice, since: str | None) -> None:
        self._lab, self._row, self._seed, self._since = lab, row, seed, since
        self._choice, self._journey = choice, choice.journey
        self._directory = lab.directory
        self._watch = Watch(lab)

    def run(self, options: tuple[str, ...]) -> Run:
        split = split_brains(self._directory)
        for host in HOSTS:
            self._watch.start(host)
        past = self._operations()
        command = Command(self._lab, "dualsrm", *options, "migrate", self._journey.guest, "--json")
        scene = Scene(self._lab, self._journey, command.process)
        operator = Operator(scene, self._row, self._watch)
        from_s = command.began if self._since is None else self._reached(self._since, command, past)
        struck = self._strike(scene, from_s, operator)
        if not command.join(COMMAND_DEADLINE_S):
            operator.troubles.append(f"the command did not end within {COMMAND_DEADLINE_S:.0f} s")
        end = judge.reported(command.document, command.process.returncode, command.ended or time.time(), command.told)
        operator.settle(end)
        watched, score = self._watch.stop(), self._lab.score()
        complaints = [
            *self._wrong_end(end, late=struck > end.at),
            *operator.troubles,
            *judge.wrong_word(self._journey, end, watched),
            *judge.wrong_windows(end, command.seen),
            *judge.two_at_once(watched),
            *judge.wrong_score(self._journey.guest, score),
        ]
        if (found := split_brains(self._directory) - split) > 0:
            complaints.append(f"{found} split brains in the kernels' logs")
        return self._told(_Times(command.began, struck, end.at), end, operator.steps, score, complaints)

    def _operations(self) -> frozenset[Path]:
        return frozenset((self._directory / "state" / "operations").glob("*-migrate-*.jsonl"))

    def _reached(self, step: str, command: Command, past: frozenset[Path]) -> float:
        """When the move begins that step, by its journal: how long it looks before says how busy the machine is."""
        said = f'"step": {json.dumps(step)}'

        def begun() -> bool:
            assert command.ended is None, f"it did not come to {step}: {command.out} {command.told}"
            return any(said in path.read_text() for path in self._operations() - past)

        wait_for(f"the step {step}", begun)
        return time.time()

    def _strike(self, scene: Scene, from_s: float, operator: Operator) -> float:
        """Wait for the moment, strike, and mend what mends itself; seconds since the epoch of the blow."""
        time.sleep(max(0.0, from_s + self._choice.moment_s - time.time()))
        dead = None if self._row.power is None else str(getattr(self._journey, self._row.power))
        if dead is not None:
            self._watch.save(dead)
        struck = time.time()
        self._row.fault(scene)
        if dead is not None:
            operator.attest_if_frozen(dead)
        time.sleep(max(0.0, struck + self._row.lasts_s - time.time()))
        self._row.mend(scene)
        return struck

    def _wrong_end(self, end: Reported, *, late: bool) -> list[str]:
        wrong = []
        allowed = {"moved"} if late else self._row.states
        if end.state not in allowed:
            wrong.append(f"it ended '{end.state}' (exit code {end.exit}): {end.seen or 'no word why'}")
        if self._row.within_s is not None and (end.total_s is None or end.total_s > self._row.within_s):
            wrong.append(f"it took {end.total_s} s; the deadline allows {self._row.within_s:.0f} s")
        return wrong

    def _told(self, times: _Times, end: Reported, steps: list[str], score: Score, complaints: list[str]) -> Run:
        journey, mine = self._journey, score[self._journey.guest]
        place = {journey.source: "at source", journey.target: "at target"}.get(mine["host"], "nowhere")
        losses = [result["lost"] for result in score.values()]
        return Run(
            row=self._row.name,
            seed=self._seed,
            guest=journey.guest,
            source=journey.source,
            target=journey.target,
            moment_s=times.struck - times.began,
            late=times.struck > times.ended,
            state=end.state,
            exit=end.exit,
            took_s=times.ended - times.began,
            outage_s=None if mine["longest_gap_ms"] is None else mine["longest_gap_ms"] / 1000,
            lost=None if None in losses else sum(losses),
            end=", ".join([place, *(steps or ["by itself"])]),
            complaints=tuple(complaints),
            seen=end.seen,
            fix=end.fix,
            told=end.told,
        )
