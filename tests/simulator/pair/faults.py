"""What goes wrong between the manager and the hosts, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["error", "timeout", "timeout_done", "crash_before", "crash_after", "lie"]
Method = Literal[
    "observe", "drbd", "openers", "domain_status", "qemu_alive", "cpu_verdict", "reach_peer", "lock_holder",
    "arm", "disarm", "set_fencing", "set_two_primaries", "promote", "demote", "destroy", "start_migration", "job_poll",
    "job_abort", "job_downtime", "job_post_copy", "job_suspend", "ask_to_stop", "definition", "define", "start",
    "lock", "unlock", "sleep", "heard", "peer_seen", "fence", "confirm_off", "noted", "lift_quarantine",
    "promote_forced", "generations", "disconnect", "connect", "backing", "take_snapshot", "snapshot_origin",
    "agent_answers", "rehearsal_look", "obstacle", "make_network", "remove_network", "remove_snapshot", "start_clone",
    "survey",
    "mounts", "mount_users", "check_filesystem", "mount", "unmount",
]  # fmt: skip

MUTATING: tuple[Method, ...] = (
    "lock", "arm", "set_fencing", "set_two_primaries", "promote", "start_migration", "job_poll", "job_abort",
    "job_downtime", "job_post_copy", "job_suspend", "destroy", "demote", "disarm", "ask_to_stop", "define", "start",
    "unlock", "fence", "confirm_off", "promote_forced", "disconnect", "connect", "take_snapshot",
    "lift_quarantine", "make_network", "remove_network", "remove_snapshot", "start_clone",
    "check_filesystem", "mount", "unmount",
)  # fmt: skip
"""What a fault matrix walks through; job_poll changes nothing but decides much."""
READING: tuple[Method, ...] = ("observe", "drbd", "domain_status", "qemu_alive", "mounts")

MUTATING_KINDS: tuple[Kind, ...] = ("error", "timeout", "timeout_done", "crash_before", "crash_after", "lie")
READING_KINDS: tuple[Kind, ...] = ("error", "timeout")


class ManagerCrash(BaseException):
    """The manager is dead from here on: every further call of it raises this again and does nothing.

    A BaseException, for no handler of the engine may survive a SIGKILL.
    """


@dataclass
class Fault:
    """One fault: which call it meets, and what happens to it.

    error          the call raises CommandFailed and did nothing (job_poll: None; observe: all Unknown)
    timeout        DeadlineExceeded, did nothing (job_poll: None; observe: all Unknown)
    timeout_done   DeadlineExceeded, and yet it took effect
    crash_before   ManagerCrash before the effect
    crash_after    ManagerCrash after it
    lie            returns success and did nothing (a job: says it ended well; a reading: not offered)
    """

    kind: Kind
    at: Method
    host: str | None = None
    """None: any host."""
    subject: str | None = None
    """Resource, guest or pair the call is about; None: any."""
    nth: int = 1
    """The first matching call it meets."""
    times: int | None = 1
    """How many calls in a row; None: for ever."""
    detail: str | None = None
    """E.g. `yes` or `no` for set_two_primaries; None: any."""
    seen: int = field(default=0, init=False)
    hit: int = field(default=0, init=False)
    """How often it struck: a test that expects a fault asserts that it did."""

    def meets(self, call: Call) -> bool:
        """Count a call and say whether the fault strikes it."""
        if not call.matches(self.at, self.host, self.subject, self.detail):
            return False
        self.seen += 1
        strikes = self.seen >= self.nth and (self.times is None or self.seen < self.nth + self.times)
        self.hit += strikes
        return strikes

    def __str__(self) -> str:
        words = [self.kind, self.at, self.host, self.subject, self.detail, f"#{self.nth}" if self.nth > 1 else None]
        return "-".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class Event:
    """Something changed in the world, whoever made it."""

    at: float
    words: str

    def __str__(self) -> str:
        return f"{self.at:8.2f} ------ {self.words}"


@dataclass
class Call:
    """One call the manager made, for golden logs and for `no such call ever`."""

    at: float
    host: str
    method: Method
    subject: str
    detail: str
    result: str = ""

    def matches(self, method: Method, host: str | None, subject: str | None, detail: str | None = None) -> bool:
        """Whether this is the kind of call a fault or a trigger waits for."""
        return (
            self.method == method
            and host in (None, self.host)
            and subject in (None, self.subject)
            and detail in (None, self.detail)
        )

    @property
    def mutating(self) -> bool:
        """Whether the call could change anything (polling does not)."""
        return self.method in MUTATING and self.method != "job_poll"

    def __str__(self) -> str:
        words = [self.method, self.subject, self.detail]
        return f"{self.at:8.2f} {self.host:6} {' '.join(word for word in words if word)}: {self.result}"


@dataclass
class Trigger:
    """Something the world does right before or after the manager's nth matching call."""

    when: Literal["before", "after"]
    method: Method
    host: str | None
    subject: str | None
    nth: int
    action: Callable[[], None]
    seen: int = 0

    def meets(self, call: Call) -> bool:
        """Count a call and say whether this is the one."""
        if not call.matches(self.method, self.host, self.subject):
            return False
        self.seen += 1
        return self.seen == self.nth
