"""Calls that may never come back, made in threads of their own so that the caller always does.

The threads are daemons: one that hangs in libvirt on a frozen guest for minutes must not keep the process alive.
`concurrent.futures` has no such pool (its threads are joined at exit), hence these few lines around its `Future`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from dualsrm.errors import DeadlineExceeded

T = TypeVar("T")


def begin(function: Callable[[], T], name: str) -> Future[T]:
    """Start a call in its own daemon thread. The future holds what it returned or raised."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks the future
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=work, name=name, daemon=True).start()
    return future


def finish(future: Future[T], deadline_s: float, what: str) -> T:
    """Wait for a call that was begun; raise what it raised, or `DeadlineExceeded` after `deadline_s` seconds."""
    try:
        return future.result(timeout=max(0.0, deadline_s))
    except TimeoutError:
        if future.done():  # the call itself raised a TimeoutError, or ended this very moment
            return future.result()
        raise late(what, deadline_s) from None


def within(function: Callable[[], T], deadline_s: float, what: str) -> T:
    """Make a call and wait at most `deadline_s` seconds for it."""
    return finish(begin(function, what), deadline_s, what)


def late(what: str, deadline_s: float) -> DeadlineExceeded:
    """The error for a call that has not come back in time."""
    return DeadlineExceeded(
        f"{what} did not answer within {deadline_s:g} s",
        why="whether it took effect is unknown",
        fix="look at the host: it may be overloaded, or I/O may be frozen; then `dualsrm status` shows what is",
    )
