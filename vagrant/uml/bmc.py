"""Power switches: each node has a BMC, OpenIPMI's ipmi_sim, at an address of its own on the management network.

It speaks real IPMI and switches its node with `python -m uml.chassis`, so that fencing is tested with real agents.
"""

from __future__ import annotations

import os
import subprocess
from enum import Enum
from pathlib import Path

from uml.errors import LabError
from uml.facts import REPOSITORY, VAGRANT
from uml.network import Networks
from uml.outside import tail
from uml.processes import Process, identify

#: The fence agent that speaks to it, and the user it logs in as.
AGENT, USER = "fence_ipmilan", "fence"
_PORT = 623
#: A management controller without sensors; 0x20 is where IPMI wants a BMC. The numbers are its version and maker.
_COMMANDS = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n"


class Mood(Enum):
    """What is wrong with a BMC; the values are what `status` says."""

    WORKS = "works"
    BROKEN = "broken"
    """Nobody reaches it."""
    SLOW = "slow"
    """It takes its time to switch."""
    LIES = "lies"
    """It says that it has switched the node off, which runs on."""


def set_mood(directory: Path, mood: Mood) -> None:
    """From now on; what it runs to switch its node looks."""
    (directory / "mood").write_text(mood.value)


def mood(directory: Path) -> Mood:
    """As it was set last."""
    path = directory / "mood"
    return Mood(path.read_text()) if path.exists() else Mood.WORKS


def agent_options(address: str) -> dict[str, str]:
    """The fence agent's own parameters. Cipher 3 is the best that ipmi_sim has; newer ipmitool begins with 17."""
    return {"ip": address, "username": USER, "lanplus": "1", "cipher": "3"}


def configuration(lab: str, node: str, address: str, password: str) -> str:
    """The text of ipmi_sim's lan.conf. User 1 is IPMI's anonymous one, hence 2; a password has 16 bytes at most."""
    lines = [
        f'name "{node}"',
        "set_working_mc 0x20",
        "startlan 1",
        f"addr {address} {_PORT}",
        "priv_limit admin",
        "allowed_auths_admin md5",
        'guid "dualsrm-lab"',
        "endlan",
        f'chassis_control "python -m uml.chassis {lab} {node}"',
        f'user 2 true "{USER}" "{password}" admin 10 md5',
    ]
    return "\n".join(lines) + "\n"


def write(directory: Path, text: str) -> None:
    """Make the directory of one BMC, with its configuration readable by its owner only."""
    directory.mkdir(parents=True)
    settings = directory / "lan.conf"
    settings.touch(mode=0o600)
    settings.write_text(text)
    (directory / "commands").write_text(_COMMANDS)


def start(node: str, directory: Path, networks: Networks) -> Process:
    """Start the BMC in its own session; its log and what it remembers lie in directory."""
    files = ["-c", str(directory / "lan.conf"), "-f", str(directory / "commands"), "-s", str(directory)]
    # ipmi_sim gives chassis_control to a shell: with our python first on the path it needs no quoting.
    path = f"{REPOSITORY / '.venv' / 'bin'}:{os.environ.get('PATH', os.defpath)}"
    log = directory / "log"
    with log.open("ab") as said:
        child = subprocess.Popen(
            networks.enter("ipmi_sim", "-n", *files),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(VAGRANT)},
        )
    process = identify(child.pid)
    if process is None:
        raise ended(node, log)
    return process


def ended(node: str, log: Path) -> LabError:
    """What to say about a BMC that ended by itself."""
    return LabError(
        f"the BMC of {node} ended{tail(log)}",
        f"nobody can fence {node}",
        "vagrant/lab down, then vagrant/lab up; without fence devices: vagrant/lab up --no-fencing",
    )
