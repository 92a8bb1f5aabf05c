"""The guard as a process, on a host of small programs and of DRBD's recordings."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dualsrm import __version__
from dualsrm.hostside.files import Files
from dualsrm.model import Window
from tests.unit.hostside.host import FIXTURES, PEER, Tools, window

REPOSITORY = Path(__file__).parents[3]
GUARD = """
import sys
from functools import partial
from pathlib import Path
from dualsrm.hostside import guard, local_drbd
from dualsrm.hostside.run import ENVIRONMENT
from dualsrm.hostside.settings import load_peer
root, ENVIRONMENT["PATH"], proc, lease, peer = sys.argv[1:]
local_drbd.PROC = Path(proc)
guard.LEASE_S = float(lease)
guard._LOOK_AT_OPTIONS_S = 0.1
guard.Machine = partial(guard.Machine, Path(root))
guard.load_peer = partial(load_peer, path=Path(root) / "host.toml")
sys.exit(guard.guard(peer))
"""
AT_REST = "08-connected-uptodate-primary-secondary.nine1"
OPEN = "12-dual-primary.nine1"
CONNECTION = "2026-11-22T09:14:40.000000+00:00 change connection name:vm1 peer-node-id:1 conn-name:nine2"
LOST = f"{CONNECTION} connection:Connecting role:Unknown\n"
BACK = f"{CONNECTION} connection:Connected role:Primary\n"


class Rig:
    """A guard, its pipes, and the host around it."""

    def __init__(self, tools: Tools, root: Path, files: Files) -> None:
        self.tools = tools
        self.files = files
        self._root = root
        self._stream = tools.directory / "stream"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._heard: list[dict[str, Any]] = []
        self._rest = b""
        self._stream.write_text((FIXTURES / f"{OPEN}.events2-now").read_text())
        self.show(OPEN)
        tools.put(
            "drbdsetup",
            f"""cd {tools.directory}
case "$*" in
    events2) exec tail -n +1 -f stream ;;
    "events2 --now") cat stream ;;
    show) cat show ;;
    *) exit 1 ;;
esac""",
        )
        tools.put("ssh", f"echo dualsrm-host {__version__}")
        for quiet in ("systemd-run", "systemctl", "drbdadm"):
            tools.put(quiet, "exit 0")

    def show(self, recording: str) -> None:
        """What `drbdsetup show` says from now on; a window's fencing is not in the recordings."""
        text = (FIXTURES / f"{recording}.show").read_text()
        if recording == OPEN:
            text = text.replace("allow-two-primaries", "fencing resource-and-stonith;\nallow-two-primaries")
        fresh = self.tools.directory / "show.new"
        fresh.write_text(text)
        fresh.replace(self.tools.directory / "show")

    def role(self, role: str) -> None:
        """This side's role, from the beginning."""
        before, middle, after = self._stream.read_text().partition("role:Primary")
        assert middle
        self._stream.write_text(f"{before}role:{role}{after}")

    def event(self, line: str) -> None:
        """DRBD says something."""
        with self._stream.open("a") as stream:
            stream.write(line)

    def argv(self, lease_s: float = 30.0, peer: str = PEER) -> list[str]:
        """The guard's command, to be run in the repository."""
        arguments = [str(self._root), self.tools.path, str(FIXTURES / f"{OPEN}.proc-drbd"), str(lease_s), peer]
        return [sys.executable, "-c", GUARD, *arguments]

    def start(self, lease_s: float = 30.0) -> subprocess.Popen[bytes]:
        """A guard that has been told nothing yet."""
        guard = subprocess.Popen(
            self.argv(lease_s),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
            bufsize=0,
        )
        self._processes.append(guard)
        return guard

    def armed(self, lease_s: float = 30.0, record: Window | None = None) -> subprocess.Popen[bytes]:
        """A guard that has said that it is armed."""
        guard = self.start(lease_s)
        tell(guard, (record or window()).to_json())
        assert self.hear(guard, "armed") == {"armed": True}
        return guard

    def hear(self, guard: subprocess.Popen[bytes], key: str) -> dict[str, Any]:
        """Its next message of a kind, within ten seconds."""
        assert guard.stdout is not None
        end = time.monotonic() + 10
        while time.monotonic() < end:
            for message in self._heard:
                if key in message:
                    self._heard.remove(message)
                    return message
            ready, _, _ = select.select([guard.stdout], [], [], 0.1)
            if ready:
                data = guard.stdout.read(4096)
                if not data:
                    break
                *lines, self._rest = (self._rest + data).split(b"\n")
                self._heard += [json.loads(line) for line in lines]
        errors = guard.stderr.read() if guard.stderr is not None and guard.poll() is not None else b""
        pytest.fail(f"no {key!r} from the guard, which said {self._heard} and {errors!r}")

    def end(self) -> None:
        """Every guard, whatever its state."""
        for process in self._processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


def tell(guard: subprocess.Popen[bytes], line: str) -> None:
    assert guard.stdin is not None
    guard.stdin.write(line.encode() + b"\n")
