"""Recovery: from what is seen now to a quiet pair. Pure; the journal is not replayed."""

from __future__ import annotations

from dataclasses import dataclass

from dualsrm.outcome import Leftover, Outcome, Presence, decide
from dualsrm.plan.move import plan_settle
from dualsrm.plan.steps import Demote, DestroyDomain, GuestGone, Plan, RoleIs, SetTwoPrimaries, Step, TwoPrimariesIs


@dataclass(frozen=True, slots=True)
class Seen:
    """One guest and what both hosts have of it."""

    guest: str
    uuid: str
    resources: tuple[str, ...]
    presence: tuple[Presence, Presence]
    """On each host of the pair, in the pair's order."""
    job_active: bool
    disturbed: tuple[str, ...]
    """Resources whose window is open, or that are Primary on a host the guest is not on."""


@dataclass(frozen=True, slots=True)
class Idle:
    """A resource below no guest."""

    resource: str
    primary_on: tuple[str, ...]
    window_open: bool


@dataclass(frozen=True, slots=True)
class Recovery:
    """What to do about one guest or resource: a plan, or why nothing may be done."""

    subject: str
    plan: Plan
    refusal: str = ""


def plan_recovery(hosts: tuple[str, str], seen: Seen) -> Recovery | None:
    """How to make the pair quiet around a guest, or None when it already is."""
    first, second = seen.presence
    verdict = decide(first, second, job_active=seen.job_active)
    if not seen.disturbed and verdict.leftover is Leftover.NONE and verdict.outcome is not Outcome.SPLIT:
        return None
    match verdict.outcome:
        case Outcome.MOVED:
            return Recovery(seen.guest, _settle_on(hosts[1], hosts[0], seen, destroy=verdict.leftover))
        case Outcome.NOT_MOVED:
            return Recovery(seen.guest, _settle_on(hosts[0], hosts[1], seen, destroy=verdict.leftover))
        case Outcome.STOPPED | Outcome.DIED if verdict.leftover is Leftover.NONE:
            return Recovery(seen.guest, _close_idle(hosts, seen))
        case _:
            return Recovery(seen.guest, (), refusal=verdict.meaning)


def plan_idle(hosts: tuple[str, str], idle: Idle) -> Recovery | None:
    """How to close the window of a resource no guest lies on. Which side to demote is not for us to guess."""
    if not idle.window_open:
        return None
    if len(idle.primary_on) > 1:
        return Recovery(
            idle.resource, (), refusal="it is Primary on both hosts and below no guest: demote the side that is idle"
        )
    return Recovery(idle.resource, (_close(tuple((host, idle.resource) for host in hosts)),))


def _settle_on(runs_on: str, other: str, seen: Seen, *, destroy: Leftover) -> Plan:
    settle = plan_settle(seen.guest, seen.uuid, seen.resources, runs_on=runs_on, other=other)
    if destroy is Leftover.NONE:
        return settle
    return (
        Step(
            name="end leftover",
            do=(DestroyDomain(other, seen.guest),),
            verify=(GuestGone(other, seen.guest, seen.uuid),),
        ),
        *settle,
    )


def _close_idle(hosts: tuple[str, str], seen: Seen) -> Plan:
    """The guest runs nowhere: no side needs to be Primary, and both Secondary is where every start begins."""
    sides = tuple((host, resource) for host in hosts for resource in seen.disturbed)
    return (
        Step(
            name="demote",
            do=tuple(Demote(host, resource) for host, resource in sides),
            verify=tuple(RoleIs(host, resource, primary=False) for host, resource in sides),
            deadline_s=60.0,
            persist=True,
        ),
        _close(sides),
    )


def _close(sides: tuple[tuple[str, str], ...]) -> Step:
    return Step(
        name="close window",
        do=tuple(SetTwoPrimaries(host, resource, allowed=False) for host, resource in sides),
        verify=tuple(TwoPrimariesIs(host, resource, allowed=False) for host, resource in sides),
        persist=True,
    )
