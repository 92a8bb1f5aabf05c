"""The first command of a newcomer: two hosts, three guests, each moved there and back, and nothing lost."""

from __future__ import annotations

import signal
import subprocess

from rich.console import Console

from uml import scores
from uml.errors import LabError
from uml.facts import GUESTS, NODES, REPOSITORY
from uml.lab import Lab
from uml.outside import printable, wait_until

#: Seconds. A guest boots in 20 to 40 under emulation; a move takes about as long.
_ANNOUNCING_DEADLINE, _COMMAND_DEADLINE = 240.0, 900.0


def run(the: Lab, out: Console) -> int:
    """Play the demo in a lab of its own and take that down afterwards, whatever happened; the exit code."""
    if not the.up():  # asked under the lab's lock: another demo may be booting it now
        raise LabError(
            f"lab {the.layout.name} is already up",
            "the demo takes its lab down at the end, and that one may be somebody's",
            f"vagrant/lab --name {the.layout.name} down, or another --name",
        )
    try:
        return _play(the, out)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave half of it
        the.down()


def _play(the: Lab, out: Console) -> int:
    the.say("waiting for every guest to announce acknowledged writes")
    wait_until("all guests to announce writes", lambda: _announcing(the), deadline=_ANNOUNCING_DEADLINE)
    scores.reset(the)
    failed = [words for words in _commands() if not _dualsrm(the, out, words)]
    results = scores.judge(the)
    out.print(scores.table(results))
    for name, result in results.items():
        lost = "an unknown number of" if result["lost"] is None else result["lost"]
        out.print(f"{name}: {lost} acknowledged writes lost")
        if result["lost"] is None:
            _evidence(the, out, name)
    for words in failed:
        out.print(f"failed: dualsrm {' '.join(words)}")
    return 0 if scores.nothing_lost(results) and not failed else 1


def _evidence(the: Lab, out: Console, guest: str) -> None:
    """What the nodes know about a guest that does not answer: the lab is about to go down, and this with it."""
    for node in NODES:
        for words in (("virsh", "domstate", "--reason", guest), ("tail", f"/var/log/libvirt/qemu/{guest}.console")):
            said = the.access.run(node, *words, check=False)
            out.print(f"{node}: {' '.join(words)}:\n{printable(said.stdout + said.stderr)}", markup=False)


def _commands() -> list[list[str]]:
    commands = [["status"]]
    for guest in GUESTS:
        away = next(node for node in NODES if node != guest.home)
        commands += [["check", guest.name], ["migrate", guest.name, "--to", away]]
        commands += [["migrate", guest.name, "--to", guest.home]]
    return [*commands, ["status"]]


def _announcing(the: Lab) -> bool:
    """Heard is enough here; reading every disk back at each poll would only slow the guests' boot."""
    return scores.heard(the).keys() >= {guest.name for guest in GUESTS}


def _dualsrm(the: Lab, out: Console, words: list[str]) -> bool:
    out.rule(f"dualsrm {' '.join(words)}", align="left")
    program = str(REPOSITORY / ".venv" / "bin" / "dualsrm")
    argv = the.inside([program, "--config", str(the.layout.settings), *words])
    try:
        return subprocess.run(argv, check=False, timeout=_COMMAND_DEADLINE).returncode == 0
    except subprocess.TimeoutExpired:
        out.print(f"no end after {_COMMAND_DEADLINE:.0f} s")
        return False
