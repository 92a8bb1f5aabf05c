"""`dualsrm status --watch`: what `status` shows, looked at again and again, with its age. Old is never shown as new."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field, replace
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from dualsrm.cli.output import console
from dualsrm.cli.seen import look, shown
from dualsrm.cli.session import Session
from dualsrm.cli.text import plain, text
from dualsrm.engine.journal import UnderWay, under_way
from dualsrm.errors import UsageError
from dualsrm.hosts.calls import begin
from dualsrm.overview import PairOverview

T = TypeVar("T")
_TICK_S = 1.0
"""Between two drawings of the same look: its age is in seconds."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the hosts said, and when they were asked, by a clock that only goes forward."""

    at: float
    """When the look began: nothing in it is older."""
    pairs: tuple[PairOverview, ...]
    under_way: tuple[UnderWay, ...] = ()
    answered: Mapping[str, float] = field(default_factory=dict)
    """By host: when the last look began in which it said anything."""


def following(before: Look | None, now: Look) -> Look:
    """The newer look. Of the one before nothing is kept but when a host that is silent now had answered."""
    silent = {host.host for pair in now.pairs for host in pair.hosts if host.silent}
    heard = {host.host: now.at for pair in now.pairs for host in pair.hosts if host.host not in silent}
    return replace(now, answered={**(before.answered if before else {}), **heard})


def drawn(seen: Look | None, now: float, interval_s: int) -> RenderableType:
    """The screen."""
    if seen is None:
        return Text("asking the hosts; Ctrl-C ends")
    age = now - seen.at
    late = age > 2 * interval_s
    what = "this is how it was then: a host takes long to answer" if late else f"every {interval_s} s"
    head = text(f"asked {age:.0f} s ago, {what}; Ctrl-C ends", "bold yellow" if late else "dim")
    return Group(head, *_silent(seen, now), *_moving(seen), *(item for pair in seen.pairs for item in shown(pair)))


def _silent(seen: Look, now: float) -> Iterator[Text]:
    for pair in seen.pairs:
        for host in pair.hosts:
            if host.silent:
                last = seen.answered.get(host.host)
                said = "has not answered yet" if last is None else f"silent; last answer {now - last:.0f} s ago"
                yield text(f"{host.host}: {said}", "bold red")


def _moving(seen: Look) -> Iterator[Text]:
    for one in seen.under_way:
        step = f"{one.step}, since {one.at}" if one.step else "looking"
        yield text(f"under way: {one.verb} {plain(one.guest)}: {plain(step)}", "yellow")


def watch(session: Session, interval_s: int) -> None:
    """Until Ctrl-C. Raises `UsageError` where there is no screen to draw on."""
    if not sys.stdout.isatty():
        raise UsageError(
            "--watch was given, and standard output is no terminal",
            why="a screen that draws itself anew is of use to nobody else",
            fix="dualsrm status --json, as often as wanted; or dualsrm-exporter for a program that follows",
        )
    pairs = tuple(session.settings.pairs.values())
    environment = replace(session.environment(pairs), gather=_left_behind)
    clock = environment.clock

    def ask() -> Look:
        at = clock.monotonic()
        seen = tuple(look(session, environment, pair) for pair in pairs)
        moving = (one for pair in pairs for one in under_way(session.state_directory, pair.name))
        return Look(at, seen, tuple(moving))

    seen: Look | None = None
    try:
        with Live(
            drawn(seen, clock.monotonic(), interval_s), console=console(), screen=True, auto_refresh=False
        ) as live:
            while True:
                future = begin(ask, "look")
                while not wait([future], timeout=_TICK_S).done:  # a silent host takes its deadline
                    live.update(drawn(seen, clock.monotonic(), interval_s), refresh=True)
                seen = following(seen, future.result())
                live.update(drawn(seen, clock.monotonic(), interval_s), refresh=True)
                while (now := clock.monotonic()) - seen.at < interval_s:
                    live.update(drawn(seen, now, interval_s), refresh=True)
                    clock.sleep(_TICK_S)
    except KeyboardInterrupt:
        return


def _left_behind(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Side by side in threads that nobody has to wait for: Ctrl-C ends the program while a host is silent."""
    futures = [begin(call, "look") for call in calls]
    wait(futures)
    return [future.result() for future in futures]
