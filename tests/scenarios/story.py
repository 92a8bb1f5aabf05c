"""Tells a scenario: the real engine on the simulated pair, every act, event and word of it in one log."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from dualsrm.checks import blocking
from dualsrm.cli.progress import LOG_EVERY_S, describe
from dualsrm.cli.text import duration
from dualsrm.engine.environment import Environment
from dualsrm.engine.progress import Copying
from dualsrm.engine.progress import Event as Progress
from dualsrm.engine.recover import RecoveryReport
from dualsrm.engine.report import MoveReport
from dualsrm.errors import DualsrmError, ExitCode
from dualsrm.model import DiskState, Finding
from tests.scenarios.script import RunTable, Scenario, WorldTable
from tests.simulator.driving import Manager, reported
from tests.simulator.pair import CLEAN, DB, WEB, Fault, ManagerCrash, Reported, SimPair, broken_promises, unquiet

GUESTS = {"web": WEB, "db": DB}
KILLED = "killed"
LAST_TICK_S = 20.0
"""A closed window's timer ends at its next tick."""
_OPERATION = re.compile(r"\b(\S+-(?:migrate|recover))-[0-9a-f]{6}\b")
_MANAGER = re.compile(r"(of the manager on|taken by) \S+")


@dataclass
class End:
    """What a command came to."""

    state: str
    exit_code: int | None
    reported: Reported = CLEAN
    lines: tuple[str, ...] = ()


@dataclass
class Narrated(Manager):
    """A manager whose progress goes into the story."""

    tell: Callable[[Progress], None] = field(default=lambda _event: None)

    @property
    def environment(self) -> Environment:
        """The same world, somebody listening."""
        return replace(super().environment, observer=self.tell)


class Story:
    """One scenario being told."""

    def __init__(self, scenario: Scenario, directory: Path) -> None:
        self.scenario = scenario
        self.pair = SimPair(scenario.dialect, [GUESTS[name] for name in scenario.guests])
        self.pair.script = scenario.migration.script()
        self.pair.drbd.resync_s = scenario.resync_s
        self.pair.drbd.notice_s = dict(zip(self.pair.pair.hosts, scenario.notice_s, strict=True))
        for host, device in scenario.fence.items():
            self.pair.machines[host].fence = device
        self.pair.faults += [table.fault() for table in scenario.fault]
        self.managers = {
            name: Narrated(self.pair, directory / name, tell=self._progress) for name in ("first", "second")
        }
        if scenario.schedule is not None:
            self.managers["first"].convergence = scenario.schedule.convergence()
        self._said: list[tuple[int, str]] = []
        self._last_copying = -LOG_EVERY_S
        self.ends: list[End] = []
        self.faults: list[Fault] = []
        """Those that struck."""
        for table in scenario.world:
            self._arrange(table)

    def tell(self) -> str:
        """Run it all; the log."""
        for run in self.scenario.run:
            self._run(run)
        self.pair.clock.advance(LAST_TICK_S)
        self._say("")
        for line in self._how_it_stands():
            self._say(line)
        return "\n".join(self._log()) + "\n"

    def broken(self) -> list[str]:
        """Promises broken, held against what the last command said; at rest what is not quiet counts too."""
        found = broken_promises(self.pair, self.ends[-1].reported)
        return found + (unquiet(self.pair) if self.scenario.quiet else [])

    # --- commands ---------------------------------------------------------------------------------

    def _run(self, run: RunTable) -> None:
        self.pair.clock.advance(run.wait_s)
        self._say("")
        if run.command == "wait":
            self._say(f"= {run.wait_s:g} s later")
            self.ends.append(End("waited", None, self.ends[-1].reported))
            return
        self._say(f"$ {_command_line(run)}" + (" (second manager)" if run.manager == "second" else ""))
        if self.pair.dead:
            self.pair.restart_manager()
        self.ends.append(self._command(self.managers[run.manager], run))
        self._say_end(self.ends[-1])
        # A fault belongs to one command; the next finds a world that is well again.
        self.faults += [fault for fault in self.pair.faults if fault.hit]
        self.pair.faults = [fault for fault in self.pair.faults if not fault.hit]

    def _say_end(self, end: End) -> None:
        code = "no exit code" if end.exit_code is None else f"exit code {end.exit_code}"
        self._say(f"= {end.state} ({code})")
        for line in end.lines:
            self._say(f"  {line}")

    def _command(self, manager: Narrated, run: RunTable) -> End:
        try:
            match run.command:
                case "migrate":
                    return self._migrate(manager, run.guest, run.to)
                case "check":
                    return _findings_end(manager.prepare(run.guest, run.to).findings)
                case "recover" | "wait":
                    return self._recover(manager.recover(take_over=run.take_over))
        except ManagerCrash:
            return End(KILLED, None)
        except DualsrmError as error:
            # Nothing was touched: what an earlier command said still stands.
            said = self.ends[-1].reported if self.ends else CLEAN
            return End(
                error.exit_code.name.lower(), error.exit_code, said, (f"seen: {error.seen}", f"fix: {error.fix}")
            )

    def _migrate(self, manager: Narrated, guest: str, to: str | None) -> End:
        prepared, report = manager.ending(lambda: manager.try_to_migrate(guest, to))
        if report is None:
            return _findings_end(prepared.findings)
        return _move_end(report, prepared.goal.resources)

    def _recover(self, report: RecoveryReport) -> End:
        lines = [f"{guest}: settled" for guest in report.settled]
        lines += [f"{one.subject}: not touched: {one.refusal}; {one.fix}" for one in report.refused]
        lines += [f"{guest}: {seen}" for guest, seen in report.failed]
        if report.exit_code is ExitCode.OK:
            return End("quiet" if lines else "nothing to do", report.exit_code, CLEAN, tuple(lines))
        said = Reported(
            window_open=frozenset(self.pair.drbd.link_up),
            in_doubt=frozenset(one.subject for one in report.refused) | {guest for guest, _ in report.failed},
        )
        return End(report.exit_code.name.lower().replace("_", " "), report.exit_code, said, tuple(lines))

    # --- the world --------------------------------------------------------------------------------

    def _arrange(self, table: WorldTable) -> None:
        act = self._act(table)
        if table.at is not None:
            self.pair.at(table.at, act)
        elif table.during_copy is not None:
            self.pair.during_copy(table.during_copy, act)
        elif table.before_call is not None:
            self.pair.before_call(table.before_call, act, host=table.call_host, nth=table.nth)
        elif table.after_call is not None:
            self.pair.after_call(table.after_call, act, host=table.call_host, nth=table.nth)

    def _act(self, table: WorldTable) -> Callable[[], None]:
        match table.do:
            case "operator_stops":
                return self._operator_stops
            case "another_manager_migrates":
                return partial(self._another_manager, table.guest or "")
            case "outdate":
                return partial(self._outdate, table.host or "", table.resource or "")
            case known:
                given = {name: value for name, value in table.arguments().items() if value is not None}
                return partial(getattr(self.pair, known), **given)

    def _operator_stops(self) -> None:
        self.pair.note("the operator asks to stop")
        self.managers["first"].stop = True

    def _outdate(self, host: str, resource: str) -> None:
        self.pair.note(f"the disk of {resource} on {host} is Outdated")
        self.pair.drbd.node(host, resource).disk = DiskState.OUTDATED

    def _another_manager(self, guest: str) -> None:
        self._say(f"$ dualsrm migrate {guest} (second manager)")
        self._say_end(
            self._command(self.managers["second"], RunTable(command="migrate", guest=guest, state="?", exit_code=0))
        )

    # --- the log ----------------------------------------------------------------------------------

    def _progress(self, event: Progress) -> None:
        if isinstance(event, Copying):
            if 0 <= event.seconds - self._last_copying < LOG_EVERY_S:
                return
            self._last_copying = event.seconds
        self._say(f"{self.pair.clock.monotonic():8.2f} {describe(event)}")

    def _say(self, words: str) -> None:
        self._said.append((len(self.pair.timeline), _MANAGER.sub(r"\1 HOST", _numberless(words))))

    def _log(self) -> list[str]:
        lines: list[str] = []
        said = iter([*self._said, (len(self.pair.timeline) + 1, "")])
        position, words = next(said)
        for number, entry in enumerate([*self.pair.timeline, None]):
            while position <= number:
                lines.append(words)
                position, words = next(said)
            if entry is not None and getattr(entry, "mutating", True):
                lines.append(_indented(_numberless(str(entry))))
        return _folded(lines[1:] if lines and not lines[0] else lines)

    def _how_it_stands(self) -> list[str]:
        lines = [
            f"{name} runs on {', '.join(self.pair.running_on(name)) or 'no host'}" for name in self.scenario.guests
        ]
        for resource in self.pair.drbd.link_up:
            sides = []
            for host in self.pair.pair.hosts:
                node = self.pair.drbd.nodes[host, resource]
                window = ", two primaries allowed" if node.two_primaries else ""
                frozen = ", frozen" if node.suspended else ""
                disk = "" if node.disk is DiskState.UP_TO_DATE else f", {node.disk}"
                words = f"{host} {node.role} {node.connection}{disk}{frozen}{window}"
                sides.append(words if node.up else f"{host} down")
            lines.append(f"resource {resource}: {'; '.join(sides)}")
        broken = self.broken()
        return [*lines, "promises: " + ("kept" if not broken else "BROKEN"), *broken]


def _numberless(words: str) -> str:
    """Operations have a random part."""
    return _OPERATION.sub(r"\1-N", words)


def _indented(line: str) -> str:
    """Acts and events stand a little to the right of what dualsrm says."""
    moment, rest = line[:8], line[9:]
    return f"{moment}          {rest.removeprefix('------ ') if '------' not in rest[:6] else '* ' + rest[7:]}".rstrip()


def _folded(lines: list[str]) -> list[str]:
    """What repeats many times is told by its first and its last time."""
    folded: list[str] = []
    start = 0
    while start < len(lines):
        period, times = _repeats(lines, start)
        folded += lines[start : start + period]
        if times > 1:
            last = lines[start + period * times - 1][:8].strip()
            folded.append(f"{'':8}           ... {times - 1} times more, the last at {last}")
        start += period * times
    return folded


def _repeats(lines: list[str], start: int) -> tuple[int, int]:
    """How many lines from here repeat how often, in the same words; single lines before pairs."""
    for period in (1, 2):
        block = [line[8:] for line in lines[start : start + period]]
        times = 1
        while [line[8:] for line in lines[start + period * times : start + period * (times + 1)]] == block:
            times += 1
        if times > 2 and all(line[:8].strip() for line in lines[start : start + period]):
            return period, times
    return 1, 1


def _command_line(run: RunTable) -> str:
    words = [
        "dualsrm",
        run.command,
        run.guest,
        f"--to {run.to}" if run.to else "",
        "--take-over" if run.take_over else "",
    ]
    return " ".join(word for word in words if word)


def _findings_end(findings: tuple[Finding, ...]) -> End:
    blockers = blocking(findings)
    if not blockers:
        return End("ready", ExitCode.OK)
    lines = [line for one in blockers for line in (f"{one.check} ({one.subject}): {one.seen}", f"  fix: {one.fix}")]
    return End("refused", ExitCode.REFUSED, CLEAN, tuple(lines))


def _move_end(report: MoveReport, resources: tuple[str, ...]) -> End:
    lines = [
        f"outage {duration(report.outage_s)}, window {duration(report.window_s)}, total {duration(report.total_s)}"
    ]
    lines += [f"seen: {report.seen}"] if report.seen else []
    lines += [f"fix: {report.fix}"] if report.fix else []
    return End(report.state.value, report.exit_code, reported(report, resources), tuple(lines))
