"""Calls that may hang, in threads that nobody has to wait for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class LateError(Exception):
    """The call has not ended; says since when."""


class _Call(Generic[T]):
    def __init__(self, function: Callable[[], T]) -> None:
        self.begun: Final = time.monotonic()
        self.done: Final = threading.Event()
        self._function = function
        self._result: list[T] = []
        self._error: Exception | None = None

    def run(self) -> None:
        """In its thread."""
        try:
            self._result.append(self._function())
        except Exception as error:  # noqa: BLE001 - raised again by `result`, for whoever waits
            self._error = error
        finally:
            self.done.set()

    def result(self) -> T:
        """Of a call that is done."""
        if self._error is not None:
            raise self._error
        return self._result[0]


class Worker(Generic[T]):
    """At most `limit` calls at once, one for each key. One that hangs is waited for, never begun a second time."""

    def __init__(self, name: str, limit: int = 1) -> None:
        self._name = name
        self._limit = limit
        self._calls: dict[Hashable, _Call[T]] = {}

    def ask(self, function: Callable[[], T], until: float, key: Hashable = None) -> T:
        """Call it, and wait until then by the monotonic clock. Raises what it raises, or `LateError`."""
        self._calls = {one: call for one, call in self._calls.items() if not call.done.is_set()}
        if key in self._calls:
            raise LateError(f"{self._name} has not answered for {time.monotonic() - self._calls[key].begun:.0f} s")
        if len(self._calls) >= self._limit:
            raise LateError(f"{len(self._calls)} questions to {self._name} hang")
        call = _Call(function)
        threading.Thread(target=call.run, name=self._name, daemon=True).start()
        self._calls[key] = call
        if not call.done.wait(max(0.0, until - time.monotonic())):
            raise LateError(f"{self._name} does not answer")
        return call.result()
