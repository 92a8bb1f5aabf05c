"""What an operation on several guests came to: guest by guest, group by group, and who was not begun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dualsrm.checks import blocking
from dualsrm.engine.cold import ColdReport
from dualsrm.engine.report import MoveReport
from dualsrm.errors import DualsrmError, ExitCode, HostUnreachable
from dualsrm.model import Finding
from dualsrm.plan.dispatch import Left

REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class GuestEnd:
    """How it ended for one guest."""

    guest: str
    group: str | None
    state: str
    """A state of the operation on one guest, or `refused`: then it was not touched."""
    host: str | None
    """Where it was to be when all went well; None when it was refused before that was known."""
    exit_code: ExitCode
    seen: str = ""
    fix: str = ""
    operation: str = ""
    """Its own, whose journal says more; empty when it had none."""
    method: str = ""
    """Of a move: live or cold."""
    total_s: float | None = None
    silent: bool = False
    """It was refused because a host did not answer, be it for want of time."""

    @property
    def touched(self) -> bool:
        """Whether anything was done to it."""
        return self.exit_code is not ExitCode.REFUSED and bool(self.operation)


@dataclass(frozen=True, slots=True)
class GroupEnd:
    """How it ended for a group."""

    group: str
    ready: bool | None
    """None: nobody asked."""
    ready_s: float | None
    """From the end of its last guest to having seen all."""
    failed: str
    """A hook that failed, or what was not seen in time; empty when all went well."""


@dataclass(frozen=True, slots=True)
class SeveralReport:
    """The end of all of them."""

    operation: str
    guests: tuple[GuestEnd, ...]
    groups: tuple[GroupEnd, ...]
    left: tuple[Left, ...]
    """Not begun."""
    total_s: float
    jobs: int

    @property
    def exit_code(self) -> ExitCode:
        """The worst of all; 1 only if nothing was touched."""
        codes = {one.exit_code for one in self.guests}
        codes |= {ExitCode.NEEDS_ATTENTION for one in self.groups if one.failed}
        if self.left and codes <= {ExitCode.OK}:
            codes |= {ExitCode.REFUSED}
        if any(one.touched for one in self.guests) and codes & _NOTHING_TOUCHED:
            codes = (codes - _NOTHING_TOUCHED) | {ExitCode.NEEDS_ATTENTION}
        return max(codes, default=ExitCode.OK)


_NOTHING_TOUCHED = frozenset({ExitCode.REFUSED, ExitCode.USAGE, ExitCode.UNREACHABLE})
"""Of one guest that may be said; not of several of which another was touched."""


def move_end(group: str | None, guest: str, report: MoveReport) -> GuestEnd:
    """Of a move."""
    return GuestEnd(
        guest=guest,
        group=group,
        state=report.state.value,
        host=report.target,
        exit_code=report.exit_code,
        seen=report.seen,
        fix=report.fix,
        operation=report.operation,
        method=report.method,
        total_s=report.total_s,
    )


def cold_end(group: str | None, report: ColdReport) -> GuestEnd:
    """Of a start or a stop."""
    return GuestEnd(
        guest=report.guest,
        group=group,
        state=report.state.value,
        host=report.host,
        exit_code=report.exit_code,
        seen=report.seen,
        fix=report.fix,
        operation=report.operation,
        total_s=report.total_s if report.operation else None,
    )


def refused_end(group: str | None, guest: str, findings: Sequence[Finding]) -> GuestEnd:
    """Checks are against it."""
    against = blocking(findings)
    unanswered = tuple(one for one in against if one.check == "host-answers")
    against = unanswered or against  # all others only say again that nobody could see
    seen = "; ".join(f"{one.check}: {one.seen}" for one in against)
    fix = next((one.fix for one in against if one.fix), "")
    return GuestEnd(guest, group, REFUSED, None, ExitCode.REFUSED, seen, fix, silent=bool(unanswered))


def error_end(group: str | None, guest: str, error: DualsrmError) -> GuestEnd:
    """It was not begun: such an error is raised before anything is touched."""
    silent = isinstance(error, HostUnreachable)
    return GuestEnd(guest, group, REFUSED, None, error.exit_code, error.seen, error.fix, silent=silent)
