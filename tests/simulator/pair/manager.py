"""The manager's own machine: services it asks for, and hooks it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dualsrm.model import Pings, Probe, TcpAccepts
from tests.simulator.pair.faults import ManagerCrash

if TYPE_CHECKING:
    from tests.simulator.pair.pair import SimPair


@dataclass
class SimManager:
    """A service or a ping is called like a guest: it answers `answers_after_s` after that runs somewhere."""

    pair: SimPair
    answers_after_s: float = 4.0
    silent: set[str] = field(default_factory=set)
    """Guests whose service never comes up."""
    hooks: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    """What was run, in order, with its variables."""
    failing: set[str] = field(default_factory=set)
    """Programs that end with exit code 1."""
    on_hook: Callable[[str], None] = lambda _program: None
    _since: dict[str, float] = field(default_factory=dict)

    def probe(self, probe: Probe) -> str:
        """Whether the guest has run long enough."""
        self._works()
        assert isinstance(probe, TcpAccepts | Pings)
        guest, now = probe.host, self.pair.clock.monotonic()
        if not self.pair.running_on(guest):
            self._since.pop(guest, None)
            return "No route to host"
        since = self._since.setdefault(guest, now)
        if guest in self.silent or now - since < self.answers_after_s:
            return "Connection refused"
        self.pair.note(f"the service of {guest} was seen")
        return ""

    def run_hook(self, argv: Sequence[str], environment: Mapping[str, str], deadline_s: float) -> str:
        """Takes a second; one called `/hangs` its deadline."""
        self._works()
        self.hooks.append((argv[0], dict(environment)))
        self.pair.note(f"hook {argv[0]} for {environment['DUALSRM_VERB']} of {environment['DUALSRM_GROUP']}")
        self.on_hook(argv[0])
        self.pair.clock.advance(deadline_s if argv[0] == "/hangs" else 1.0)
        if argv[0] == "/hangs":
            return f"it did not end within {deadline_s:g} s, and was ended"
        return "it ended with exit code 1" if argv[0] in self.failing else ""

    def _works(self) -> None:
        self.pair.on_turn()
        if self.pair.dead:
            raise ManagerCrash
