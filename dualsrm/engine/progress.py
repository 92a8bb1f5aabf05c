"""What the engine tells whoever watches: a screen, a log, later a metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from dualsrm.engine.ports import JobProgress


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step begins; `number` counts from 1."""

    name: str
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step is done and verified."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step could not be done or verified."""

    name: str
    seen: str


@dataclass(frozen=True, slots=True)
class Undoing:
    """The undo of a step begins."""

    name: str


@dataclass(frozen=True, slots=True)
class Copying:
    """libvirt's job statistics, about twice a second while memory is copied."""

    progress: JobProgress
    seconds: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know that is neither a step nor a failure."""

    text: str


@dataclass(frozen=True, slots=True)
class OfGuest:
    """What is told of one guest while others are worked on beside it."""

    guest: str
    event: StepStarted | StepDone | StepFailed | Undoing | Copying | Notice | GuestEnded


@dataclass(frozen=True, slots=True)
class GuestEnded:
    """One guest of several is done, in words."""

    ended: str
    ok: bool


Event: TypeAlias = StepStarted | StepDone | StepFailed | Undoing | Copying | Notice | GuestEnded | OfGuest
Observer: TypeAlias = Callable[[Event], None]
