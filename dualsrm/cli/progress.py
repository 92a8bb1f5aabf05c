"""Progress of an operation: a live bar on a terminal, plain lines in a log, on standard error in both cases."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Self

import click
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from dualsrm.cli.output import console, on_terminal
from dualsrm.cli.text import plain, size
from dualsrm.engine.ports import JobProgress
from dualsrm.engine.progress import (
    Copying,
    Event,
    GuestEnded,
    Notice,
    Observer,
    OfGuest,
    StepDone,
    StepFailed,
    StepStarted,
    Undoing,
)

LOG_EVERY_S = 5.0
"""Between two lines about the same memory copy in a log."""


def describe(event: Event) -> str:
    """One line about an event."""
    match event:
        case StepStarted(name=name, number=number, total=total):
            line = f"[{number}/{total}] {name}"
        case StepDone(name=name, seconds=seconds):
            line = f"      {name}: done in {seconds:.1f} s"
        case StepFailed(name=name, seen=seen):
            line = f"      {name}: FAILED: {seen}"
        case Undoing(name=name):
            line = f"      undoing: {name}"
        case Copying(progress=progress, seconds=seconds):
            line = f"      {seconds:.0f} s: {copied(progress)}"
        case Notice(text=text):
            line = f"      {text}"
        case GuestEnded(ended=ended):
            line = f"      {ended}"
        case OfGuest(guest=guest, event=event):
            line = f"{guest}: {describe(event).strip()}"
    return line


def copied(progress: JobProgress) -> str:
    """How far the memory copy is. Most of the time, until the target's QEMU is up, there is none to speak of."""
    if not progress.memory_total:
        return "the target's QEMU is starting"
    parts = [f"{size(progress.memory_processed)} copied, {size(progress.memory_remaining)} left"]
    if progress.iteration:
        parts.append(f"pass {progress.iteration}")
    if progress.dirty_rate_bytes_per_second:
        parts.append(f"dirtied {size(progress.dirty_rate_bytes_per_second)}/s")
    return ", ".join(parts)


def harmless(observer: Observer) -> Observer:
    """The same, but a terminal or pipe that went away does not stop an operation whose window is open."""

    def tell(event: Event) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: the stream is closed, or cannot say this word
            observer(event)

    return tell


class LogProgress:
    """Plain lines."""

    def __init__(self) -> None:
        self._last_copying: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, event: Event) -> None:
        """Print the event, memory progress at most every few seconds."""
        guest, inner = (event.guest, event.event) if isinstance(event, OfGuest) else ("", event)
        if isinstance(inner, Copying):
            if inner.seconds - self._last_copying.get(guest, -LOG_EVERY_S) < LOG_EVERY_S:
                return
            self._last_copying[guest] = inner.seconds
        elif isinstance(inner, StepStarted):
            self._last_copying.pop(guest, None)
        click.echo(plain(describe(event)), err=True)


class LiveProgress:
    """A bar fed by libvirt's job statistics, with the finished steps above it."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console(stderr=True), transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show the event: one bar for each guest that is worked on."""
        guest, inner = (event.guest, event.event) if isinstance(event, OfGuest) else ("", event)
        name = plain(f"{guest}: ") if guest else ""
        if isinstance(inner, StepStarted | GuestEnded) and (old := self._tasks.pop(guest, None)) is not None:
            self._progress.remove_task(old)
        task = self._tasks.get(guest)
        if isinstance(inner, StepStarted):
            self._tasks[guest] = self._progress.add_task(f"{name}{plain(describe(inner))}", total=None)
        elif isinstance(inner, Copying) and task is not None:
            done, left = inner.progress.memory_processed or 0, inner.progress.memory_remaining
            total = None if left is None else done + left
            said = f"{name}migrate: {copied(inner.progress)}"
            self._progress.update(task, total=total, completed=done, description=said)
        else:
            self._progress.console.print(plain(describe(event)), markup=False)


def progress_observer(*, quiet: bool) -> LogProgress | LiveProgress:
    """The bar on a terminal, lines elsewhere; with `--json` lines too, since standard error is for people."""
    return LiveProgress() if on_terminal() and not quiet else LogProgress()
