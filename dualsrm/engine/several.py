"""Several guests in one operation: it holds the pair's lock, and in it each guest has an operation of its own.

So each guest's journal, window and recovery are what they are for one guest alone, and moves side by side know nothing
of each other: every lane has its own connections and its own guards.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from dualsrm.engine.around import ASK_AGAIN_S, Readying, run_hooks
from dualsrm.engine.environment import Environment
from dualsrm.engine.group_report import GroupEnd, GuestEnd
from dualsrm.engine.progress import Event, GuestEnded, Notice, OfGuest
from dualsrm.errors import ExitCode
from dualsrm.model import GroupVerb, Moment, Pair
from dualsrm.plan.dispatch import Dispatcher, Left, Part, Rules, Task
from dualsrm.plan.order import Order, Unit

POLL_S = 0.2
"""Between two questions of an idle lane whether there is something for it."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is done, in which order, and what is the same for all."""

    pairs: Mapping[str, Pair]
    """By name: the one that is worked on, and those of groups that are waited for."""
    verb: GroupVerb
    order: Order
    rules: Rules
    act: Callable[[Environment, Unit, str], GuestEnd]
    """One guest, in the lane that is handed in. Foreseeable faults are in the end, not raised."""
    host: str | None = None
    """Where the guests go, where that is one host."""
    await_ready: bool = False
    at_once: int | None = None
    """Fewer lanes than there are."""
    apart: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By guest: resources that no other guest may be worked on beside it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of it, in the order in which it ended."""

    guests: tuple[GuestEnd, ...]
    groups: tuple[GroupEnd, ...]
    left: tuple[Left, ...]


def do_several(environment: Environment, lanes: Sequence[Environment], work: Work) -> Ended:
    """As many at once as there are lanes; ends when all is done that may be begun."""
    floor = _Floor(environment, work)
    environment.gather([partial(floor.lane, lane) for lane in lanes[: work.at_once]])
    return Ended(tuple(floor.guests), tuple(floor.groups), floor.dispatcher.left)


class _Floor:
    """What the lanes share. Whatever is asked of the dispatcher is asked by one of them at a time."""

    def __init__(self, environment: Environment, work: Work) -> None:
        self._environment = environment
        self._work = work
        self._lock = threading.RLock()
        self._looking = threading.Lock()
        self._readying: dict[str, Readying] = {}
        self.dispatcher = Dispatcher(work.order, work.rules, work.apart, environment.clock.monotonic())
        self.guests: list[GuestEnd] = []
        self.groups: list[GroupEnd] = []

    def lane(self, world: Environment) -> None:
        """Do what is handed out until there is nothing more."""
        task: Task | None = None
        try:
            while True:
                with self._lock:
                    if world.cancelled():
                        self.dispatcher.stop("the operator asked to stop")
                    task = self.dispatcher.next(world.clock.monotonic())
                    if task is None and self.dispatcher.over:
                        return
                if task is None:
                    world.clock.sleep(POLL_S)
                else:
                    self._do(world, task)
        except BaseException:
            with self._lock:  # the other lanes end what they have begun, and no more
                self.dispatcher.abandon(task, "dualsrm failed at another guest")
            raise

    def _do(self, world: Environment, task: Task) -> None:
        match task.part:
            case Part.BEGIN:
                failed = self._hooks(world, task.unit, Moment.PRE)
                self._unit_ended(world, task, failed) if failed else self._done(world, task, "")
            case Part.GUEST:
                told = replace(
                    world,
                    observer=partial(self._tell, world, task.guest),
                    one_look=partial(self._look, world),
                )
                end = self._work.act(told, task.unit, task.guest)
                with self._lock:
                    self.guests.append(end)
                ok = end.exit_code is ExitCode.OK
                told.observer(GuestEnded(end.state, ok))
                self._done(world, task, "" if ok else f"{task.guest}: {end.state}")
            case Part.END:
                self._end(world, task)

    def _end(self, world: Environment, task: Task) -> None:
        unit, seen = task.unit, ""
        if self._work.await_ready and unit.group is not None and unit.group.ready:
            now = world.clock.monotonic()
            readying = self._readying.setdefault(unit.name, Readying(unit.group, self._work.pairs[unit.pair], now))
            # Of a group it waits for the hosts may be another pair's, which a lane does not have.
            looked = readying.look(replace(world, ports={**self._environment.ports, **world.ports}))
            if looked is None and not world.cancelled():
                with self._lock:
                    self.dispatcher.again(task, world.clock.monotonic() + ASK_AGAIN_S)
                return
            seen = "the operator asked to stop" if looked is None else looked
        self._unit_ended(world, task, seen or self._hooks(world, unit, Moment.POST))

    def _unit_ended(self, world: Environment, task: Task, failed: str) -> None:
        unit, readying = task.unit, self._readying.get(task.unit.name)
        waited = readying is not None
        if unit.group is not None:
            seconds = readying.seconds if readying else None
            with self._lock:
                self.groups.append(
                    GroupEnd(unit.group.name, (seconds is not None) if waited else None, seconds, failed)
                )
            if failed:
                world.observer(Notice(f"group {unit.group.name}: {failed}"))
        # A group that is not ready holds nobody back where the configuration says so.
        forgiven = waited and readying is not None and readying.seconds is None and unit.group and not unit.group.hold
        self._done(world, task, "" if forgiven else failed)

    def _hooks(self, world: Environment, unit: Unit, moment: Moment) -> str:
        return run_hooks(world, unit.group, self._work.verb, moment, self._work.host) if unit.group else ""

    def _done(self, world: Environment, task: Task, failed: str) -> None:
        with self._lock:
            self.dispatcher.done(task, ok=not failed, why=failed, now=world.clock.monotonic())

    @contextmanager
    def _look(self, world: Environment) -> Iterator[None]:
        """One lane at a time: a host that opens a dozen connections at once answers none of them in time."""
        while not self._looking.acquire(blocking=False):
            world.clock.sleep(POLL_S)
        try:
            yield
        finally:
            self._looking.release()

    def _tell(self, world: Environment, guest: str, event: Event) -> None:
        """Side by side, an event says whose it is."""
        with self._lock:
            world.observer(event if isinstance(event, OfGuest) else OfGuest(guest, event))
