"""What one operation works with: the hosts, the time, the journal, and who watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from dualsrm.engine.ports import Clock, HostPort, ManagerPort
from dualsrm.engine.progress import Observer

T = TypeVar("T")


class Gather(Protocol):
    """Runs independent calls and returns their results in order; the first exception is raised after all ended."""

    def __call__(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Run them."""


def side_by_side(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Each call in a thread of its own. Every call carries its own deadline, so this ends too."""
    with ThreadPoolExecutor(max_workers=len(calls) or 1, thread_name_prefix="dualsrm") as pool:
        futures = [pool.submit(call) for call in calls]
    return [future.result() for future in futures]


class SystemClock:
    """The machine's time."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def now_iso(self) -> str:
        """Wall clock in UTC, to the second."""
        return datetime.now(UTC).isoformat(timespec="seconds")


def never() -> bool:
    """Nobody asked to stop."""
    return False


def unwatched(_event: object) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The outside world of one operation."""

    ports: Mapping[str, HostPort]
    clock: Clock
    gather: Gather = side_by_side
    observer: Observer = unwatched
    cancelled: Callable[[], bool] = never
    """Whether the operator asked to stop; looked at wherever stopping is still safe."""
    manager: ManagerPort | None = None
    """Where readiness is asked from and hooks are run; None: nobody can."""
    one_look: Callable[[], AbstractContextManager[None]] = nullcontext
    """Held while an operation looks before it acts: of several side by side one looks at a time."""
