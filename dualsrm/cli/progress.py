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
from dualsrm.engine.progress import Copying, Event, Notice, Observer, StepDone, StepFailed, StepStarted, Undoing

LOG_EVERY_S = 5.0
"""Between two lines about the same memory copy in a log."""


def describe(event: Event) -> str:
    """One line about an event."""
    match event:
        case StepStarted(name=name, number=number, total=total):
            return f"[{number}/{total}] {name}"
        case StepDone(name=name, seconds=seconds):
            return f"      {name}: done in {seconds:.1f} s"
        case StepFailed(name=name, seen=seen):
            return f"      {name}: FAILED: {seen}"
        case Undoing(name=name):
            return f"      undoing: {name}"
        case Copying(progress=progress, seconds=seconds):
            return f"      {seconds:.0f} s: {copied(progress)}"
        case Notice(text=text):
            return f"      {text}"


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
        self._last_copying = -LOG_EVERY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, event: Event) -> None:
        """Print the event, memory progress at most every few seconds."""
        if isinstance(event, Copying):
            if event.seconds - self._last_copying < LOG_EVERY_S:
                return
            self._last_copying = event.seconds
        click.echo(plain(describe(event)), err=True)


class LiveProgress:
    """A bar fed by libvirt's job statistics, with the finished steps above it."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console(stderr=True), transient=True)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show the event."""
        if isinstance(event, StepStarted):
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(plain(describe(event)), total=None)
        elif isinstance(event, Copying) and self._task is not None:
            done = event.progress.memory_processed or 0
            left = event.progress.memory_remaining
            total = None if left is None else done + left
            self._progress.update(
                self._task, total=total, completed=done, description=f"migrate: {copied(event.progress)}"
            )
        else:
            self._progress.console.print(plain(describe(event)), markup=False)


def progress_observer(*, quiet: bool) -> LogProgress | LiveProgress:
    """The bar on a terminal, lines elsewhere; with `--json` lines too, since standard error is for people."""
    return LiveProgress() if on_terminal() and not quiet else LogProgress()
