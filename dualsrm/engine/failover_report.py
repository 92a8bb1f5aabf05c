"""What a failover came to, guest by guest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from dualsrm.checks.failover import Ask
from dualsrm.engine.run import Run
from dualsrm.errors import ExitCode


class FailoverState(Enum):
    """Named states a failover can end in."""

    FAILED_OVER = "failed over"
    """Active on the survivor, its resources Primary there, the lost host seen off before."""
    ALREADY = "nothing to do"
    REFUSED = "refused"
    """Nothing was touched: the fence device could not be used, or somebody asked to stop before the first act."""
    NOT_FENCED = "not fenced"
    """The lost host was told to go off, or may have been, and was not seen off; nothing was promoted."""
    ROLLED_BACK = "rolled back"
    """The lost host is off; the guest does not run, and what was Secondary is again."""
    NOT_ROLLED_BACK = "not started, not rolled back"
    NOT_BEGUN = "not begun"
    """What it comes after is not up, a hook failed before it, or the operator asked to stop."""
    IN_DOUBT = "in doubt"
    """It was started, or not: the survivor does not say."""


EXIT_CODES = {
    FailoverState.FAILED_OVER: ExitCode.OK,
    FailoverState.ALREADY: ExitCode.OK,
    FailoverState.REFUSED: ExitCode.REFUSED,
    FailoverState.NOT_FENCED: ExitCode.NEEDS_ATTENTION,
    FailoverState.ROLLED_BACK: ExitCode.ROLLED_BACK,
    FailoverState.NOT_ROLLED_BACK: ExitCode.NEEDS_ATTENTION,
    FailoverState.NOT_BEGUN: ExitCode.NEEDS_ATTENTION,
    FailoverState.IN_DOUBT: ExitCode.IN_DOUBT,
}


@dataclass(frozen=True, slots=True)
class FailoverReport:
    """The end of one guest's failover."""

    operation: str
    guest: str
    host: str
    """The survivor."""
    lost: str
    state: FailoverState
    seen: str
    """What went wrong, in words; empty after a clean end."""
    fix: str
    """The exact next command; empty after a clean end."""
    warnings: tuple[str, ...] = ()
    """What may be missing although it went well."""
    fence_s: float | None = None
    """Seeing the lost host off, once for all guests; None when it was not seen off."""
    promote_s: float | None = None
    start_s: float | None = None
    """Until its QEMU runs; how long the guest boots is seen by nobody here."""
    total_s: float = 0.0

    @property
    def exit_code(self) -> ExitCode:
        """The stable exit code of this end."""
        return EXIT_CODES[self.state]


@dataclass(frozen=True, slots=True)
class Fencing:
    """How seeing the lost host off went, for all guests alike."""

    run: Run
    warnings: tuple[str, ...] = ()
    by_device: bool = True

    @property
    def seconds(self) -> float | None:
        """How long it took; None when it was not seen off."""
        return self.run.seconds.get("fence")

    @property
    def state(self) -> FailoverState | None:
        """Where that ended the failover; None: go on."""
        run = self.run
        if run.failure is None:
            return None
        if not self.by_device:
            return FailoverState.REFUSED  # a note was not taken: nothing was switched
        if run.fenced is not None:
            # The note may be missing although it is off: then DRBD would not let anything be promoted.
            return FailoverState.NOT_FENCED if run.fenced.asked or run.fenced.off else FailoverState.REFUSED
        # Without an answer, it may have been told to go off.
        return FailoverState.NOT_FENCED if run.touched else FailoverState.REFUSED


def report_guest(
    ask: Ask, guest: str, fencing: Fencing, run: Run | None, warnings: Sequence[str], *, not_begun: str = ""
) -> FailoverReport:
    """Read the report off the runs: seeing the host off, then this guest's own, if it came to that.

    `not_begun`: why not, where only that is to be said.
    """
    ended = run or fencing.run
    state = FailoverState.NOT_BEGUN if not_begun else fencing.state or _state(ended)
    named = ended.failure.fix if ended.failure is not None and state in _NAMED else ""
    fix = named or _NEXT[state].format(
        again=ask.command(guest), confirm=ask.command(guest, "--confirm-off", ask.lost), lost=ask.lost, here=ask.to
    )
    return FailoverReport(
        operation="",
        guest=guest,
        host=ask.to,
        lost=ask.lost,
        state=state,
        seen=not_begun or ended.seen,
        fix=fix,
        warnings=(*fencing.warnings, *warnings) if run is not None else (),
        fence_s=fencing.seconds,
        promote_s=ended.seconds.get("promote"),
        start_s=ended.seconds.get("start"),
    )


def _state(run: Run) -> FailoverState:
    if run.failure is None:
        return FailoverState.FAILED_OVER
    if run.unseen:
        return FailoverState.IN_DOUBT
    # A survivor that is silent may have lost all that was seen of it.
    return FailoverState.ROLLED_BACK if run.rolled_back and not run.silent else FailoverState.NOT_ROLLED_BACK


_NAMED = (FailoverState.REFUSED, FailoverState.ROLLED_BACK)
"""Ends whose failure may name its own fix."""
_NEXT: Mapping[FailoverState, str] = {
    FailoverState.FAILED_OVER: "",
    FailoverState.ALREADY: "",
    FailoverState.REFUSED: "mend what is named, then `{again}`; or see that {lost} is off, then `{confirm}`",
    FailoverState.NOT_FENCED: (
        "{lost} may run, or go off at any moment: see that it is off, or cut its power, then `{confirm}`; or mend its "
        "fence device, then `{again}`"
    ),
    FailoverState.ROLLED_BACK: "mend what is named, then `{again}`; {lost} is off, and is not switched again",
    FailoverState.NOT_ROLLED_BACK: "mend what is named, make {here} answer, then `{again}`: it looks first",
    FailoverState.NOT_BEGUN: "mend what is named, then `{again}`; {lost} is off, and is not switched again",
    FailoverState.IN_DOUBT: "make {here} answer, then `{again}` again: it looks first",
}
"""The exact next command of each end."""
