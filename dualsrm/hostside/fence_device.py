"""A power switch through fence-agents: any agent, its parameters on standard input, believed only when seen off.

The agents' interface (ClusterLabs' FenceAgentAPI): `action=...` and options as `name=value` lines on stdin; `status`
ends with 0 for on and 2 for off. But 2 is also how an agent ends that misses a parameter (EC_BAD_ARGS of ClusterLabs'
library), and a shell with a syntax error: so it has to print `Status: OFF` too, as that library does.
"""

from __future__ import annotations

import re
import time
from subprocess import CompletedProcess
from typing import Final

from dualsrm.hosts.text import clean
from dualsrm.hostside.port import HostsideError, NotAsked
from dualsrm.hostside.run import run
from dualsrm.hostside.settings import FenceDevice, check_private
from dualsrm.model import Power

_AGENT_S: Final = 60.0
"""One call of an agent: most wait up to 20 s for the power to go."""
_OFF_S: Final = 60.0
"""From the answer to `off` to the status that shows it."""
_LOOK_S: Final = 1.0
_STATUS_ON: Final = 0
_STATUS_OFF: Final = 2
_SAYS_OFF: Final = re.compile(r"^Status: OFF\s*$", re.MULTILINE)


def power_off(device: FenceDevice) -> Power:
    """Switch off, and return once the device's status shows it: what it was before. Raises `HostsideError` otherwise.

    One that is off already is not switched.
    """
    try:
        was, why = power(device)
    except HostsideError as error:
        raise NotAsked(str(error)) from error
    if was is Power.OFF:
        return was
    if was is Power.UNKNOWN:
        raise NotAsked(f"the status of {device.agent} does not show off, nor on: {why}")
    said = _ask(device, "off").returncode
    # An agent that reports a failure is asked for its status once: some fail and have switched all the same.
    deadline = time.monotonic() + (_OFF_S if said == 0 else 0.0)
    while power(device)[0] is not Power.OFF:
        if time.monotonic() >= deadline:
            raise HostsideError(f"{device.agent} ended with {said} for `off`, and its status does not show off")
        time.sleep(_LOOK_S)
    return was


def power(device: FenceDevice) -> tuple[Power, str]:
    """What its status says, and in which words where that is nothing. Raises `HostsideError` when it does not run."""
    done = _ask(device, "status")
    if done.returncode == _STATUS_ON:
        return Power.ON, ""
    if done.returncode == _STATUS_OFF and _SAYS_OFF.search(done.stdout) is not None:
        return Power.OFF, ""
    said = clean(done.stderr) or clean(done.stdout) or "nothing"
    return Power.UNKNOWN, f"it ended with {done.returncode} and said {said}"


def _ask(device: FenceDevice, action: str) -> CompletedProcess[str]:
    lines = [f"action={action}", *(f"{name}={value}" for name, value in device.options.items())]
    if device.password_file is not None:
        lines.append(f"password={_password(device)}")
    return run([device.agent], deadline_s=_AGENT_S, stdin="\n".join(lines) + "\n")


def _password(device: FenceDevice) -> str:
    path = device.password_file
    assert path is not None  # noqa: S101 - the caller has looked
    try:
        check_private(path)
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise HostsideError(f"{path} cannot be read: {error}") from error
    if len(lines) != 1:
        raise HostsideError(f"{path} must hold one line, the password")
    return lines[0]
