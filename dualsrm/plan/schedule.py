"""How long it will take: the order handed out to so many lanes, each guest taking as long as it took before."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

from dualsrm.plan.dispatch import Dispatcher, Part, Rules, Task
from dualsrm.plan.order import Order


@dataclass(frozen=True, slots=True)
class Slot:
    """When a guest would be begun and done, in seconds from the start."""

    guest: str
    begins_s: float
    ends_s: float


def foretell(order: Order, seconds: Mapping[str, float], jobs: int) -> tuple[Slot, ...]:
    """In the order in which they begin, as far as all goes well. Every guest needs its seconds."""
    dispatcher, now = Dispatcher(order, Rules()), 0.0
    under_way: list[tuple[float, int, Task]] = []
    slots: list[Slot] = []
    while not dispatcher.over:
        while len(under_way) < jobs and (task := dispatcher.next(now)) is not None:
            if task.part is not Part.GUEST:
                dispatcher.done(task, ok=True, now=now)
                continue
            slots.append(Slot(task.guest, now, now + seconds[task.guest]))
            heapq.heappush(under_way, (slots[-1].ends_s, len(slots), task))
        if under_way:
            now, _, task = heapq.heappop(under_way)
            dispatcher.done(task, ok=True, now=now)
    return tuple(slots)
