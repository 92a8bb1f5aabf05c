"""Lanes side by side on one virtual clock: threads of which exactly one runs, and dice say which is next.

Every call of the manager is a turn, so two moves meet each other at every place; the same seed is the same run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from tests.simulator.pair import SimPair

T = TypeVar("T")
_PATIENCE_S = 60.0
"""Of a lane that waits for its turn, in real time: a test that hangs says where."""


class Turns:
    """An `Environment`'s clock and its gathering of lanes."""

    def __init__(self, pair: SimPair, seed: int) -> None:
        self._pair = pair
        self._random = Random(seed)  # noqa: S311 - nothing secret: which lane is next
        self._turn = threading.Condition()
        self._wakes: dict[int, float] = {}
        """By lane: when it goes on; those that ended are not in it."""
        self._current: int | None = None
        self._mine = threading.local()
        pair.on_turn = self.next

    # --- the engine's -----------------------------------------------------------------------------

    def gather(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Each call in a lane; a failure does not stop the others, and the first is raised at the end."""
        results: dict[int, T] = {}
        failures: dict[int, BaseException] = {}

        def run(lane: int) -> None:
            self._mine.lane = lane
            try:
                self._wait(lane)
                results[lane] = calls[lane]()
            except BaseException as error:  # noqa: BLE001 - also the manager's death, which every lane dies
                failures[lane] = error
            finally:
                with self._turn:
                    self._wakes.pop(lane, None)
                    self._pick()

        self._wakes = dict.fromkeys(range(len(calls)), self._pair.clock.monotonic())
        threads = [threading.Thread(target=run, args=(lane,), daemon=True) for lane in range(len(calls))]
        for thread in threads:
            thread.start()
        with self._turn:
            self._pick()
        for thread in threads:
            thread.join(_PATIENCE_S)
            assert not thread.is_alive(), "a lane never came to its end"
        self._current = None
        if failures:
            raise failures[min(failures)]
        return [results[lane] for lane in range(len(calls))]

    def monotonic(self) -> float:
        """The pair's time."""
        return self._pair.clock.monotonic()

    def now_iso(self) -> str:
        """The same as a date."""
        return self._pair.clock.now_iso()

    def sleep(self, seconds: float) -> None:
        """The lane waits; the others go on, and time does when all wait."""
        lane = getattr(self._mine, "lane", None)
        if lane is None:
            self._pair.clock.sleep(seconds)
            return
        self._pair.clock.on_sleep(seconds)
        self._hand_on(lane, self.monotonic() + seconds)

    # --- whose turn it is -------------------------------------------------------------------------

    def next(self) -> None:
        """A call of the manager: perhaps another lane's comes before it."""
        lane = getattr(self._mine, "lane", None)
        if lane is not None and self._wakes:
            self._hand_on(lane, self.monotonic())

    def _hand_on(self, lane: int, wakes: float) -> None:
        with self._turn:
            self._wakes[lane] = wakes
            self._pick()
        self._wait(lane)

    def _pick(self) -> None:
        if not self._wakes:
            return
        now = self.monotonic()
        if (first := min(self._wakes.values())) > now:
            self._pair.clock.advance(first - now)
            now = self.monotonic()
        ready = [lane for lane, wakes in sorted(self._wakes.items()) if wakes <= now + 1e-6]
        self._current = self._random.choice(ready)
        self._turn.notify_all()

    def _wait(self, lane: int) -> None:
        with self._turn:
            assert self._turn.wait_for(lambda: self._current == lane, _PATIENCE_S), "a lane waits for a turn for ever"
