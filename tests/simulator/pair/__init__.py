"""A pair of hosts that obeys the kernels' rules, on a virtual clock.

pair = SimPair("8.4")                                   # healthy: web and db run on alpha
pair.faults.append(Fault("crash_after", "promote", host="beta"))
pair.during_copy(0.5, pair.cut_link)
... run the real engine over pair.ports and pair.clock ...
assert_promises(pair, Reported(runs_on={"web": "beta"}))
"""

from tests.simulator.pair.clock import SimClock
from tests.simulator.pair.faults import (
    MUTATING,
    MUTATING_KINDS,
    READING,
    READING_KINDS,
    Call,
    Fault,
    Kind,
    ManagerCrash,
    Method,
)
from tests.simulator.pair.migration import Phase, Script
from tests.simulator.pair.pair import ALPHA, BETA, DB, WEB, GuestSpec, SimPair
from tests.simulator.pair.promises import CLEAN, Reported, assert_promises, assert_quiet, broken_promises, unquiet

__all__ = [
    "ALPHA", "BETA", "CLEAN", "DB", "MUTATING", "MUTATING_KINDS", "READING", "READING_KINDS", "WEB",
    "Call", "Fault", "GuestSpec", "Kind", "ManagerCrash", "Method", "Phase", "Reported", "Script", "SimClock",
    "SimPair", "assert_promises", "assert_quiet", "broken_promises", "unquiet",
]  # fmt: skip
