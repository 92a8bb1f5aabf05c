"""A lab under watch: faults made and healed there, the pages they cause, and a table of how long each took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.lab.handle import LabHandle, wait_for
from tests.lab.monitoring import Monitoring
from tests.lab.pager import Page

PATIENCE_S = 1500.0
"""More than any alert here waits, Alertmanager's group interval included."""
NOT_TOLD = ("GuestFailedOver",)
"""Nobody asked to be told of its end: it is an information."""

Act = Callable[[LabHandle], object]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong, and the alert that must say so."""

    alert: str
    what: str
    make: Act
    heal: Act = lambda _: None


@dataclass(slots=True)
class Told:
    """A line of the table: seconds since the epoch."""

    fault: Fault
    made: float
    page: Page | None = None
    healed: float | None = None
    resolved: Page | None = None


@dataclass(slots=True)
class Watch:
    """The monitoring, and the table so far."""

    seen: Monitoring
    table: list[Told] = field(default_factory=list)

    @property
    def lab(self) -> LabHandle:
        """The lab that is watched."""
        return self.seen.lab

    def fires(self, *faults: Fault) -> None:
        """Make them all, wait for all pages, heal them all, last one first."""
        told: list[Told] = []
        try:
            for fault in faults:
                told.append(Told(fault, time.time()))
                fault.make(self.lab)
                told[-1].made = time.time()
            self.table += told
            for one in told:
                one.page = self._wait(one.fault.alert, one.made, firing=True)
        finally:
            for one in reversed(told):
                one.fault.heal(self.lab)
                one.healed = time.time()

    def ends(self, within_s: float = PATIENCE_S) -> None:
        """Wait until all that was healed is told to be over."""
        for one in self.table:
            if one.healed is not None and one.fault.alert not in NOT_TOLD:
                one.resolved = self._wait(one.fault.alert, one.healed, firing=False, within_s=within_s)

    def _wait(self, alert: str, since: float, *, firing: bool, within_s: float = PATIENCE_S) -> Page:
        found: list[Page] = []

        def arrived() -> bool:
            pages = self.seen.pages(since)
            found[:] = [page for page in pages if (page.alert, page.firing) == (alert, firing)]
            return bool(found)

        wait_for(f"{alert} to {'fire' if firing else 'end'}", arrived, within_s)
        return found[0]

    def told(self) -> str:
        """The table."""
        head = f"{'alert':32} {'page after':>10} {'over after':>10}  fault"
        return "\n".join([head, *map(_line, self.table)])


def _line(told: Told) -> str:
    page = "-" if told.page is None else f"{told.page.at - told.made:.0f} s"
    over = "-" if told.resolved is None or told.healed is None else f"{told.resolved.at - told.healed:.0f} s"
    return f"{told.fault.alert:32} {page:>10} {over:>10}  {told.fault.what}"
