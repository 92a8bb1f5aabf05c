"""Looking before several moves: which guests go, how, in which order, what is against it, how long it may take."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dualsrm.checks import LIVE_ONLY, Move, blocking, check_move
from dualsrm.checks.target import memory_needed
from dualsrm.discovery import guest_location, resources_of
from dualsrm.engine.environment import Environment
from dualsrm.engine.group_move import group_findings
from dualsrm.engine.journal import Took, interrupted, moves
from dualsrm.engine.observe import observe
from dualsrm.errors import HostUnreachable, Refused, UsageError
from dualsrm.model import ColdMove, Domain, Finding, Group, MoveFacts, Pair, Snapshot, Unknown
from dualsrm.overview import ASKED_BETWEEN_HOSTS
from dualsrm.plan.order import Order, Unit, order_of
from dualsrm.plan.schedule import Slot, foretell


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for."""

    target: str
    guests: tuple[str, ...] | None = None
    """These; None: all that are active on the other host."""
    keep_going: bool = False
    jobs: int = 1
    cold: bool = False
    """Groups that cannot move live may move cold, whatever they say."""


@dataclass(frozen=True, slots=True)
class Going:
    """One guest that is to be moved."""

    guest: str
    group: str | None
    method: str
    against: tuple[Finding, ...]
    """What is seen against it now; it is looked at again when its turn comes."""
    seconds: float | None
    """As long as it, or else others, took before; None: nobody knows."""


@dataclass(frozen=True, slots=True)
class Staying:
    """A guest that is not moved, and why."""

    guest: str
    why: str


@dataclass(frozen=True, slots=True)
class PreparedMoves:
    """Several moves, looked at and not yet begun."""

    source: str
    target: str
    going: tuple[Going, ...]
    """In the order in which they go; a group with a file system is one of them, under its name."""
    staying: tuple[Staying, ...]
    order: Order
    against: str
    fix: str
    slots: tuple[Slot, ...]
    """Empty when it cannot be foretold."""
    resources: frozenset[str] = frozenset()
    """Of all that go."""
    one_at_a_time: bool = False
    """The target may have room for some of them only: then each is looked at when all before it are there."""

    @property
    def guests(self) -> tuple[str, ...]:
        """Those that are to be moved."""
        return tuple(one.guest for one in self.going)


def prepare_moves(
    environment: Environment,
    pair: Pair,
    asked: Asked,
    groups: Iterable[Group],
    *,
    state_directory: Path,
    under_lock: bool = False,
) -> PreparedMoves:
    """Look, check and plan; touches nothing. Raises when a host cannot be seen: its guests would be left behind."""
    snapshot = observe(environment, pair, under_lock=under_lock)
    must_answer(snapshot)
    source = pair.other(asked.target)
    names, staying = _who(snapshot, asked, source)
    order = order_of((one for one in groups if one.pair == pair.name), ((pair.name, name) for name in names))
    left = interrupted(state_directory, pair.name)
    known = moves(state_directory, pair.name)
    look = _Look(snapshot, source, asked.target, left[0].operation if left else None, known, asked.cold)
    going = tuple(one for unit in order.units for one in look.unit(unit))
    order = _as_one(order)
    full = _no_room(snapshot, source, asked.target, names)
    against = [f"{one.guest}: {_words(one.against)}" for one in going if one.against] + ([full] if full else [])
    fixes = [finding.fix for one in going for finding in one.against if finding.fix]
    seconds = {one.guest: one.seconds for one in going if one.seconds is not None}
    return PreparedMoves(
        source=source,
        target=asked.target,
        going=going,
        staying=staying,
        order=order,
        against="" if asked.keep_going else "; ".join(against),
        fix=_fix(fixes) if against and not asked.keep_going else "",
        slots=foretell(order, seconds, 1 if full else asked.jobs) if len(seconds) == len(going) else (),
        resources=_resources(snapshot, source, names),
        one_at_a_time=bool(full),
    )


def _as_one(order: Order) -> Order:
    """A group with a file system goes as one, under its own name: its guests cannot go one by one."""
    units = (
        replace(unit, guests=(unit.name,)) if unit.group and unit.group.filesystem else unit for unit in order.units
    )
    return replace(order, units=tuple(units))


def _fix(fixes: Sequence[str]) -> str:
    first = f"{fixes[0]}; or " if fixes else ""
    return f"{first}--keep-going, which moves those that can be moved"


def _words(findings: Iterable[Finding]) -> str:
    return "; ".join(f"{one.check}: {one.seen}" for one in findings)


def must_answer(snapshot: Snapshot) -> None:
    """Both hosts, DRBD and libvirt."""
    for host, view in snapshot.views.items():
        for part in (view.drbd, view.libvirt):
            if isinstance(part, Unknown):
                raise HostUnreachable(
                    f"{host} cannot be seen: {part.why}",
                    why="which guests are there, and what their disks lie on, is not known",
                    fix=f"make {host} answer, then run it again; if it is lost: dualsrm failover",
                )


def _who(snapshot: Snapshot, asked: Asked, source: str) -> tuple[tuple[str, ...], tuple[Staying, ...]]:
    """Active on the source: they go. Of those that were named, the others stay."""
    if asked.guests is None:
        view = snapshot.view(source).libvirt
        domains = () if isinstance(view, Unknown) else view.domains
        return tuple(sorted(one.name for one in domains if one.state.active)), ()
    going, staying = list[str](), list[Staying]()
    for name in asked.guests:
        location = guest_location(snapshot, name)
        if not location.known:
            raise UsageError(
                f"no host of pair {snapshot.pair.name} knows a guest {name}",
                why="the configuration names it as one of the group",
                fix="correct the group's `guests` or its `pair`; `dualsrm status` shows the guests there are",
            )
        if source in location.active_on:
            going.append(name)
        else:
            where = f"it is on {asked.target} already" if location.active_on else "it does not run"
            staying.append(Staying(name, where))
    return tuple(going), tuple(staying)


@dataclass(frozen=True, slots=True)
class _Look:
    """What is the same for every guest."""

    snapshot: Snapshot
    source: str
    target: str
    unfinished: str | None
    known: tuple[Took, ...]
    cold: bool

    def unit(self, unit: Unit) -> tuple[Going, ...]:
        """Each of its guests, or all of them as one when they lie on one file system."""
        if unit.group and unit.group.filesystem:
            return (self._group(unit.group, unit.guests),)
        return tuple(self._guest(guest, unit.group) for guest in unit.guests)

    def _guest(self, guest: str, group: Group | None) -> Going:
        """The checks that ask no host anew, and how long it may take."""
        facts = MoveFacts(Unknown("it is asked when its turn comes"), Unknown("it is asked when its turn comes"))
        found = check_move(self.snapshot, Move(guest, self.source, self.target), facts, self.unfinished)
        live = blocking(one for one in found if one.check not in ASKED_BETWEEN_HOSTS)
        cold = blocking(one for one in found if one.check not in LIVE_ONLY)
        policy = group.cold if group else ColdMove.NEVER
        is_cold = policy is ColdMove.ALWAYS or (policy is ColdMove.IF_NOT_LIVE and bool(live))
        method = "cold" if is_cold else "live"
        name = group.name if group else None
        return Going(guest, name, method, cold if is_cold else live, self._seconds(guest, method))

    def _group(self, group: Group, guests: Sequence[str]) -> Going:
        found = group_findings(self.snapshot, group, guests, self.source, self.unfinished, cold=self.cold)
        return Going(group.name, group.name, "cold", blocking(found), self._seconds(group.name, "cold"))

    def _seconds(self, guest: str, method: str) -> float | None:
        """Its own last move, or else the middle of all there were."""
        alike = [one for one in self.known if one.method == method]
        own = [one.seconds for one in alike if one.guest == guest]
        if own:
            return own[-1]
        return statistics.median(one.seconds for one in alike) if alike else None


def _resources(snapshot: Snapshot, source: str, names: Sequence[str]) -> frozenset[str]:
    view = snapshot.view(source)
    domains = () if isinstance(view.libvirt, Unknown) else view.libvirt.domains
    return frozenset(name for one in domains if one.name in names for name in resources_of(one, view))


def _no_room(snapshot: Snapshot, source: str, target: str, names: Sequence[str]) -> str:
    """Each may fit, and not all; empty when all do, or when nobody knows: then each one's own check says it."""
    here, there = snapshot.view(source).libvirt, snapshot.view(target).libvirt
    if isinstance(here, Unknown) or isinstance(there, Unknown) or isinstance(there.free_memory_bytes, Unknown):
        return ""
    domains: Mapping[str, Domain] = {one.name: one for one in here.domains}
    needed = sum(memory_needed(domains[name]) for name in names if name in domains)
    free = there.free_memory_bytes
    if needed <= free:
        return ""
    return f"all of them need {needed >> 20} MiB of memory, and {target} has {free >> 20} MiB free"


def target_of(environment: Environment, pair: Pair, group: Group) -> str:
    """Where a group goes that nobody said it of: to the other host, when all that run are on one."""
    snapshot = observe(environment, pair)
    must_answer(snapshot)
    must_be_no_guest(snapshot, group)
    on = {host for guest in group.guests for host in guest_location(snapshot, guest).active_on}
    if len(on) == 1:
        return pair.other(next(iter(on)))
    if not on:
        raise Refused(f"no guest of {group.name} runs", fix=f"dualsrm start {group.name}")
    raise UsageError(
        f"guests of {group.name} run on both hosts",
        why="where they are to go has to be said then",
        fix=f"dualsrm migrate --to {pair.hosts[0]} {group.name}, or --to {pair.hosts[1]}",
    )


def must_be_no_guest(snapshot: Snapshot, group: Group) -> None:
    """A guest that no group names may still be called like one: which of the two was meant is not guessed."""
    if guest_location(snapshot, group.name).known:
        raise UsageError(
            f"{group.name} is a group in the configuration and a guest of pair {snapshot.pair.name}",
            why="the command could mean either",
            fix="rename the group",
        )
