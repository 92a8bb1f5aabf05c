"""What may stand in a scenario.toml. Unknown keys are refused: a misspelt fault that never strikes proves nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dualsrm.convergence import AtDeadline, Convergence, Rung, SetDowntime, StartPostCopy
from tests.simulator.pair import Fault, Kind, Method, Phase, Script

Action = Literal[
    "cut_link", "heal_link", "isolate", "reach_again", "cut_path", "power_off", "power_on", "open_device", "adjust",
    "shut_down_guest", "abort_migration", "disconnect", "outdate", "operator_stops", "another_manager_migrates",
    "heal_path", "cut_management_between_hosts", "heal_management_between_hosts", "peer_is_off", "promote_by_hand",
    "start_guest", "restart_libvirtd", "kill_manager",
]  # fmt: skip
TAKES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "cut_link": (frozenset(), frozenset({"resource"})),
    "heal_link": (frozenset(), frozenset({"resource"})),
    "isolate": (frozenset({"host"}), frozenset()),
    "reach_again": (frozenset({"host"}), frozenset()),
    "cut_path": (frozenset(), frozenset()),
    "power_off": (frozenset({"host"}), frozenset()),
    "power_on": (frozenset({"host"}), frozenset()),
    "open_device": (frozenset({"host", "resource"}), frozenset({"seconds", "command"})),
    "adjust": (frozenset({"host", "resource"}), frozenset()),
    "shut_down_guest": (frozenset({"guest"}), frozenset()),
    "abort_migration": (frozenset({"guest"}), frozenset()),
    "disconnect": (frozenset({"host", "resource"}), frozenset()),
    "outdate": (frozenset({"host", "resource"}), frozenset()),
    "operator_stops": (frozenset(), frozenset()),
    "heal_path": (frozenset(), frozenset()),
    "cut_management_between_hosts": (frozenset(), frozenset()),
    "heal_management_between_hosts": (frozenset(), frozenset()),
    "peer_is_off": (frozenset({"on", "off"}), frozenset()),
    "promote_by_hand": (frozenset({"host", "resource"}), frozenset()),
    "start_guest": (frozenset({"host", "guest"}), frozenset()),
    "restart_libvirtd": (frozenset({"host"}), frozenset({"seconds"})),
    "kill_manager": (frozenset(), frozenset()),
    "another_manager_migrates": (frozenset({"guest"}), frozenset()),
}
"""What each action must be given, and may be given."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class MigrationTable(_Table):
    """How migrations go: the simulator's Script, word for word."""

    startup_s: float = 2.0
    copy_s: float = 6.0
    source_exit_delay_s: float = 0.5
    fail_at: Literal["prepared", "copying", "handover"] | None = None
    leftover_on_target: bool = False
    stuck_in_handover: bool = False
    error_although_moved: bool = False
    source_left_paused: bool = False
    never_converges: bool = False
    converges_at_downtime_s: float | None = None
    path_loss_s: float = 0.5

    def script(self) -> Script:
        """For the simulator."""
        fields = self.model_dump()
        fields["fail_at"] = Phase(self.fail_at) if self.fail_at else None
        return Script(**fields)


class ScheduleTable(_Table):
    """What the configuration says about memory that does not come to an end."""

    deadline_s: float = 120.0
    at_deadline: Literal["abort", "pause"] = "abort"
    downtime_s: float | None = None
    """Allowed after `after_s` of copying."""
    post_copy: bool = False
    """Started after `after_s` of copying."""
    after_s: float = 10.0

    def convergence(self) -> Convergence:
        """For the engine."""
        ladder = [] if self.downtime_s is None else [Rung(SetDowntime(self.downtime_s), after_s=self.after_s)]
        ladder += [Rung(StartPostCopy(), after_s=self.after_s)] if self.post_copy else []
        return Convergence(tuple(ladder), self.deadline_s, at_deadline=AtDeadline(self.at_deadline))


class FaultTable(_Table):
    """One fault: the simulator's Fault, word for word. `times = 0` is for ever."""

    kind: Kind
    at: Method
    host: str | None = None
    subject: str | None = None
    detail: str | None = None
    nth: int = Field(default=1, ge=1)
    times: int = Field(default=1, ge=0)

    def fault(self) -> Fault:
        """For the simulator."""
        return Fault(**{**self.model_dump(), "times": self.times or None})


class WorldTable(_Table):
    """Something the world does, and when: at a time, at a share of the memory copy, or at a call of the manager."""

    do: Action
    host: str | None = None
    resource: str | None = None
    guest: str | None = None
    on: str | None = None
    off: str | None = None
    seconds: float | None = None
    command: str | None = None
    at: float | None = None
    during_copy: float | None = None
    before_call: Method | None = None
    after_call: Method | None = None
    call_host: str | None = None
    nth: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        must, may = TAKES[self.do]
        given = {name for name, value in self.arguments().items() if value is not None}
        if not must <= given <= must | may:
            raise ValueError(f"{self.do} takes {sorted(must)}, may take {sorted(may)}, was given {sorted(given)}")
        moments = [self.at, self.during_copy, self.before_call, self.after_call]
        if sum(moment is not None for moment in moments) != 1:
            raise ValueError("give exactly one of at, during_copy, before_call, after_call")
        return self

    def arguments(self) -> dict[str, Any]:
        """What the action is given."""
        names = ("host", "resource", "guest", "on", "off", "seconds", "command")
        return {name: getattr(self, name) for name in names}


class RunTable(_Table):
    """One command, and what it must come to."""

    command: Literal["migrate", "recover", "check", "wait"]
    """`wait` is none: a person looks again after a while, and what was said before still has to be true."""
    guest: str = ""
    to: str | None = None
    take_over: bool = False
    manager: Literal["first", "second"] = "first"
    wait_s: float = 0.0
    """What passes before the command."""
    state: str
    """The end in words; `killed` for a manager that did not live to say."""
    exit_code: int | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if bool(self.guest) == (self.command in ("recover", "wait")):
            raise ValueError("migrate and check take a guest, recover and wait take none")
        if (self.exit_code is None) != (self.state in ("killed", "waited")):
            raise ValueError("every end has an exit code, only a killed manager and a wait have none")
        return self


class Scenario(_Table):
    """The whole file."""

    promises: list[Literal["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8"]] = Field(min_length=1)
    quiet: bool = True
    """Whether the pair is as at rest at the end: connected, in sync, every window closed, nothing left behind."""
    dialect: Literal["8.4", "9"] = "9"
    guests: list[Literal["web", "db"]] = ["web"]
    resync_s: float = 2.0
    notice_s: tuple[float, float] = (2.6, 4.0)
    """When alpha and beta notice a dead link; measured on two nodes."""
    fence: dict[Literal["alpha", "beta"], Literal["works", "refuses", "lies"]] = {}
    """The power switch a host has for the other one."""
    schedule: ScheduleTable | None = None
    migration: MigrationTable = MigrationTable()
    fault: list[FaultTable] = []
    world: list[WorldTable] = []
    run: list[RunTable] = Field(min_length=1)


def read(folder: Path) -> Scenario:
    """The scenario of a folder."""
    return Scenario.model_validate(tomllib.loads((folder / "scenario.toml").read_text(encoding="utf-8")))


assert set(TAKES) == set(get_args(Action))
