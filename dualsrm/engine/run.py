"""How a plan ended: what failed, what was undone, what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dualsrm.engine.conditions import Unmet
from dualsrm.engine.crossing import Crossing
from dualsrm.model import Fenced


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that could not be done or verified."""

    step: str
    seen: str
    fix: str = ""
    unmet: tuple[Unmet, ...] = ()
    """The conditions that did not hold when time was over."""
    unanswered: bool = False
    """A command got no answer: it may have taken effect, or may yet."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a plan ended."""

    failure: Failure | None = None
    crossing: Crossing | None = None
    """What became of the guest, when the plan had it cross over."""
    rolled_back: bool = False
    """Every undo was done and verified; meaningless without a failure."""
    not_undone: tuple[Failure, ...] = ()
    touched: bool = False
    """Whether any command was given to any host."""
    window_s: float | None = None
    """From asking to open the window to having seen it closed on both hosts, in seconds; None when it was not."""
    down_s: float | None = None
    """From having seen the guest's QEMU gone to having seen it active again, in seconds; None when it was not both."""
    asked: bool = False
    """The guest was asked to shut down, or may have been: when it did not in time, it may yet."""
    unseen: bool = False
    """The guest was started, or nobody can see that it was not: nothing was undone."""

    fenced: Fenced | None = None
    """What the fence device answered; None when none was asked, or gave no answer."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By step that was done and verified: how long it took."""

    @property
    def complete(self) -> bool:
        """Whether every step was done and verified."""
        return self.failure is None

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What went wrong, and what could not be undone."""
        return (*((self.failure,) if self.failure else ()), *self.not_undone)

    @property
    def seen(self) -> str:
        """The same in words."""
        return "; ".join(f"{failure.step}: {failure.seen}" for failure in self.failures)

    @property
    def silent(self) -> frozenset[str]:
        """Hosts that could not be asked whether what was wanted holds."""
        return frozenset(one.condition.host for failure in self.failures for one in failure.unmet if not one.asked)
