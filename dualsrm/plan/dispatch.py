"""Who is next: an order handed out piece by piece to however many work on it, by what has ended so far. Pure.

A unit begins (hooks), then its guests are done side by side, then it ends (readiness, hooks). Time is a number that the
caller brings, so that a schedule is foretold by the very code that runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from graphlib import TopologicalSorter

from dualsrm.plan.order import Order, Unit


class Part(Enum):
    """Of a unit, in this order; a guest that can be done goes before a look whether another unit is ready."""

    GUEST = 0
    BEGIN = 1
    END = 2


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do."""

    unit: Unit
    part: Part
    guest: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """What follows from a failure, and who may not go side by side."""

    dependent: bool = True
    """What comes after a unit that failed is not begun."""
    stop_at_first: bool = False
    """After a failure nothing more is begun at all."""
    delays: bool = False
    """Groups are begun after their delay."""


@dataclass(frozen=True, slots=True)
class Left:
    """A guest that was not begun, and why."""

    guest: str
    group: str | None
    why: str


class Dispatcher:
    """Hands out tasks; each is given back by `done`, or by `again` to be handed out later."""

    def __init__(
        self, order: Order, rules: Rules, apart: Mapping[str, frozenset[str]] | None = None, now: float = 0.0
    ) -> None:
        self._order = order
        self._rules = rules
        self._apart = apart or {}
        self._place = {unit.name: number for number, unit in enumerate(order.units)}
        self._units = {unit.name: unit for unit in order.units}
        self._sorter = TopologicalSorter(order.graph())
        self._sorter.prepare()
        self._queue: list[tuple[Task, float]] = []
        self._running: set[Task] = set()
        self._open: dict[str, set[str]] = {unit.name: set(unit.guests) for unit in order.units}
        self._begun: set[tuple[str, str]] = set()
        self._failed: dict[str, str] = {}
        self._stopped = ""
        self._go_on(now)

    def next(self, now: float) -> Task | None:
        """What can be done now, if anything: `over` says whether there is more to come."""
        if self._stopped:
            return None
        fit = [entry for entry in self._queue if entry[1] <= now and not self._in_the_way(entry[0])]
        if not fit:
            return None
        entry = min(fit, key=lambda one: (one[0].part.value, self._place[one[0].unit.name]))
        self._queue.remove(entry)
        task = entry[0]
        self._running.add(task)
        if task.part is Part.GUEST:
            self._begun.add((task.unit.name, task.guest))
        return task

    def done(self, task: Task, *, ok: bool, why: str = "", now: float = 0.0) -> None:
        """It ended. `why`: what to say of those that are not begun because of it."""
        self._running.discard(task)
        name = task.unit.name
        if not ok:
            self._failed.setdefault(name, why or f"{name} failed")
            if self._rules.stop_at_first:
                self.stop(why or f"{name} failed")
        match task.part:
            case Part.BEGIN if ok and not task.unit.guests:
                self._queue_end(task.unit, now)
            case Part.BEGIN if ok:
                self._queue += [(Task(task.unit, Part.GUEST, guest), now) for guest in task.unit.guests]
            case Part.GUEST:
                self._open[name].discard(task.guest)
                if not self._open[name]:
                    self._queue_end(task.unit, now)
            case _:
                self._sorter.done(name)
        self._go_on(now)

    def again(self, task: Task, at: float) -> None:
        """It did not end yet: hand it out again then."""
        self._running.discard(task)
        self._queue.append((task, at))

    def abandon(self, task: Task | None, why: str) -> None:
        """Nobody works on it any more, and nobody knows how it ended: hand out nothing more."""
        if task is not None:
            self._running.discard(task)
        self.stop(why)

    def stop(self, why: str) -> None:
        """Hand out nothing more."""
        self._stopped = self._stopped or why

    @property
    def over(self) -> bool:
        """Whether all that is to be done is done."""
        return not self._running and (bool(self._stopped) or not (self._queue or self._sorter.is_active()))

    @property
    def left(self) -> tuple[Left, ...]:
        """Guests that were not begun."""
        return tuple(
            Left(guest, unit.group.name if unit.group else None, self._failed.get(unit.name) or self._stopped)
            for unit in self._order.units
            for guest in unit.guests
            if (unit.name, guest) not in self._begun
        )

    def next_moment(self, now: float) -> float | None:
        """When something that waits for its time may be done; None: only when something else ends."""
        return min((at for _, at in self._queue if at > now), default=None)

    def _go_on(self, now: float) -> None:
        while self._sorter.is_active() and (ready := self._sorter.get_ready()):
            for name in ready:
                self._reached(name, now)

    def _reached(self, name: str, now: float) -> None:
        unit = self._units.get(name)
        if unit is None:
            self._sorter.done(name)
            return
        lacking = [other for other in unit.after if other in self._failed]
        if lacking and self._rules.dependent:
            self._failed[name] = f"it comes after {lacking[0]}, and {self._failed[lacking[0]]}"
            self._sorter.done(name)
            return
        delay = unit.group.start_delay_s if unit.group and self._rules.delays else 0
        self._queue.append((Task(unit, Part.BEGIN), now + delay))

    def _queue_end(self, unit: Unit, now: float) -> None:
        """A unit with a guest that failed is not asked whether it is ready."""
        if unit.name in self._failed:
            self._sorter.done(unit.name)
        else:
            self._queue.append((Task(unit, Part.END), now))

    def _in_the_way(self, task: Task) -> bool:
        """Guests on one resource go one after the other: what one gives back, the other may be using."""
        mine = self._apart.get(task.guest, frozenset())
        return bool(mine) and any(mine & self._apart.get(one.guest, frozenset()) for one in self._running)
