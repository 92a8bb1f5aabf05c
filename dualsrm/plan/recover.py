"""Recovery: from what is seen now to a quiet pair. Pure; the journal is not replayed."""

from __future__ import annotations

from dataclasses import dataclass

from dualsrm.outcome import Leftover, Outcome, Presence, decide
from dualsrm.plan.move import DEMOTE_DEADLINE_S, close_window, disarm, plan_settle
from dualsrm.plan.steps import Demote, DestroyDomain, GuestGone, Plan, RoleIs, Step


@dataclass(frozen=True, slots=True)
class Seen:
    """One guest and what both hosts have of it."""

    guest: str
    uuid: str
    resources: tuple[str, ...]
    hosts: tuple[str, str]
    """Source and target of the interrupted move, where one is known; the outcome table is not symmetric."""
    presence: tuple[Presence, Presence]
    """On each of these hosts."""
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
    fix: str = ""
    """What a person has to do after a refusal."""


def plan_recovery(seen: Seen) -> Recovery | None:
    """How to make the pair quiet around a guest, or None when it already is."""
    source, target = seen.hosts
    verdict = decide(*seen.presence, job_active=seen.job_active)
    clear = verdict.outcome in (Outcome.MOVED, Outcome.NOT_MOVED, Outcome.STOPPED, Outcome.DIED)
    if clear and not seen.disturbed and verdict.leftover is Leftover.NONE:
        return None
    match verdict.outcome:
        case Outcome.MOVED:
            return Recovery(seen.guest, _settle_on(target, source, seen, destroy=verdict.leftover))
        case Outcome.NOT_MOVED:
            return Recovery(seen.guest, _settle_on(source, target, seen, destroy=verdict.leftover))
        case Outcome.STOPPED | Outcome.DIED if verdict.leftover is Leftover.NONE:
            return Recovery(seen.guest, _close_idle(seen))
        case Outcome.WAIT if seen.job_active:
            fix = f"wait until `virsh domjobinfo` shows no job on {source} and {target}, then run it again"
            return Recovery(seen.guest, (), verdict.meaning, fix)
        case _:
            fix = (
                f"decide on which of {source} and {target} the guest lives, `virsh destroy` it on the other, "
                "then run `dualsrm recover` again"
            )
            return Recovery(seen.guest, (), verdict.meaning, fix)


def plan_idle(hosts: tuple[str, str], idle: Idle) -> Recovery | None:
    """How to close the window of a resource no guest lies on. Which side to demote is not for us to guess."""
    if not idle.window_open:
        return None
    if len(idle.primary_on) > 1:
        return Recovery(
            subject=idle.resource,
            plan=(),
            refusal="it is Primary on both hosts and below no guest that either knows",
            fix=f"run `drbdadm secondary {idle.resource}` on the side that does not use it, then `dualsrm recover`",
        )
    return Recovery(idle.resource, (close_window(tuple((host, idle.resource) for host in hosts)), disarm(hosts)))


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


def _close_idle(seen: Seen) -> Plan:
    """The guest runs nowhere: no side needs to be Primary, and both Secondary is where every start begins."""
    sides = tuple((host, resource) for host in seen.hosts for resource in seen.disturbed)
    return (
        Step(
            name="demote",
            do=tuple(Demote(host, resource) for host, resource in sides),
            verify=tuple(RoleIs(host, resource, primary=False) for host, resource in sides),
            deadline_s=DEMOTE_DEADLINE_S,
            persist=True,
        ),
        close_window(sides),
        disarm(seen.hosts),
    )
