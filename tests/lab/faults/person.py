"""What a person does when a move has met a fault: only what the command's message, or a silent alarm, asks for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from tests.lab.faults.judge import KILLED, UNREADABLE, Reported
from tests.lab.faults.look import MINORS, look, look_at_both, not_quiet
from tests.lab.faults.rows import Row, Scene
from tests.lab.faults.watch import Watch
from tests.lab.handle import RESOURCES, LabHandle

HOST_PROGRAM = "/usr/sbin/dualsrm-host"
NOTICED_S = 15.0
"""DRBD needs 6 to 12 s to miss its peer."""
FENCED_S = 60.0
"""How long a survivor whose guests are frozen may take to fence its peer before a person steps in."""
ALONE_S = 180.0
"""How long the hosts may take to close an abandoned window: lease, dead-man's timer, and emulation."""
QUIET_S = 180.0
RECOVER_S = 300.0
POLL_S = 2.0


class Operator:
    """One run's operator; `steps` is what was done, `troubles` what should not have been."""

    def __init__(self, scene: Scene, row: Row, watch: Watch) -> None:
        self._scene, self._row, self._watch = scene, row, watch
        self._lab: LabHandle = scene.lab
        self.steps: list[str] = []
        self.troubles: list[str] = []

    def attest_if_frozen(self, dead: str) -> None:
        """Say that the dead host is off, if its peer stands frozen and has nobody else to tell it."""
        survivor = self._lab.other(dead)
        time.sleep(NOTICED_S)
        if not self._waited(lambda: self._thawed(survivor), FENCED_S):
            self._lab.node(survivor, HOST_PROGRAM, "peer-is-off", dead)
            self.steps.append("attested")

    def _thawed(self, host: str) -> bool:
        seen = look(self._lab, host)
        return seen is not None and not seen.frozen

    def settle(self, end: Reported) -> None:
        """From the command's end to a pair at rest; given up where somebody has switched off a host unasked."""
        if self._row.power is None and (off := self._without_power()):
            self.troubles.append(f"{', '.join(off)} was switched off, though both hosts could be asked")
            return
        if self._row.power is not None:
            self._fail_over_and_power_on(getattr(self._scene.journey, self._row.power))
        if self._row.alone and not self._waited(self._closed, ALONE_S):
            self.troubles.append(f"a window was still open {ALONE_S:.0f} s after the command's end")
        if end.exit in (4, 5) or end.state in (KILLED, UNREADABLE):
            self._recover()
        self._be_quiet()

    def _without_power(self) -> list[str]:
        nodes = json.loads(self._lab.lab("status", "--json").stdout)["nodes"]
        return [host for host, facts in nodes.items() if facts["power"] == "off"]

    def _closed(self) -> bool:
        seen = look_at_both(self._lab).values()
        return all(view is not None and not view.windows for view in seen)

    def _fail_over_and_power_on(self, dead: str) -> None:
        survivor, guest = self._lab.other(dead), self._scene.journey.guest
        seen = look(self._lab, survivor)
        if seen is None or guest not in seen.running:
            self._lab.node(survivor, HOST_PROGRAM, "peer-is-off", dead)
            self._lab.node(survivor, "drbdadm", "primary", *RESOURCES[guest])
            self._lab.node(survivor, "virsh", "--quiet", "start", guest)
            self.steps.append("failed over")
        if not self._waited(lambda: self._lab.write([guest]), QUIET_S):
            self.troubles.append(f"{guest} acknowledged no write on {survivor} while {dead} was off")
        self._lab.lab("power", "on", dead)
        self._watch.start(dead)
        self._waited(self._replicates, QUIET_S)
        for idle in [guest for guest in RESOURCES if self._lab.host_of(guest) is None]:
            self._lab.node(dead, "drbdadm", "primary", *RESOURCES[idle])
            self._lab.node(dead, "virsh", "--quiet", "start", idle)

    def _replicates(self) -> bool:
        seen = look_at_both(self._lab).values()
        return all(view is not None and all(view.devices[m].healthy for m in MINORS.values()) for view in seen)

    def _recover(self) -> None:
        """`recover` until it says that all is well, then once more: that one must find nothing to do."""
        if not self._waited(lambda: self._lab.dualsrm("recover").exit == 0, RECOVER_S):
            self.troubles.append(f"`recover` did not end with 0: {self._lab.dualsrm('recover').document}")
            return
        second = self._lab.dualsrm("recover").document["pairs"][0]
        if any(second[key] for key in ("settled", "failed", "refused")):
            self.troubles.append(f"the second `recover` was no no-op: {second}")
        self.steps.append("recovered")

    def _be_quiet(self) -> None:
        if not self._waited(lambda: not not_quiet(look_at_both(self._lab)), QUIET_S):
            self.troubles += not_quiet(look_at_both(self._lab))
        elif not self._waited(lambda: self._lab.write(RESOURCES), QUIET_S):
            self.troubles.append("not every guest acknowledges writes")

    @staticmethod
    def _waited(holds: Callable[[], bool], deadline_s: float) -> bool:
        end = time.monotonic() + deadline_s
        while not holds():
            if time.monotonic() > end:
                return False
            time.sleep(POLL_S)
        return True
