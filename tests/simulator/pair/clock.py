"""Virtual time: nothing waits, everything happens in order."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

_EPOCH = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class SimClock:
    """The engine's `Clock`, and the queue of what the world does next.

    Events due at the same moment fire in the order they were scheduled, so a run is the same every time.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = count()
        self.on_elapse: Callable[[float], None] = lambda _seconds: None
        """Told of every stretch of time before the event at its end fires: the guests write meanwhile."""
        self.on_sleep: Callable[[float], None] = lambda _seconds: None
        """Told when the manager sleeps: where a fault may kill it."""

    def monotonic(self) -> float:
        """Seconds since the simulation began."""
        return round(self._now, 6)

    def now_iso(self) -> str:
        """The same moment as a date."""
        return (_EPOCH + timedelta(seconds=self._now)).isoformat()

    def sleep(self, seconds: float) -> None:
        """The manager waits; the world goes on."""
        self.on_sleep(seconds)
        self.advance(seconds)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen later."""
        heapq.heappush(self._queue, (self._now + seconds, next(self._sequence), action))

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Let something happen at a moment; one in the past happens with the next advance."""
        self.after(max(0.0, moment - self._now), action)

    def advance(self, seconds: float) -> None:
        """Let time pass without the manager asking for it."""
        end = self._now + seconds
        while self._queue and self._queue[0][0] <= end:
            moment, _, action = heapq.heappop(self._queue)
            self._pass_to(moment)
            action()
        self._pass_to(end)

    def _pass_to(self, moment: float) -> None:
        if moment > self._now:
            elapsed, self._now = moment - self._now, moment
            self.on_elapse(elapsed)
