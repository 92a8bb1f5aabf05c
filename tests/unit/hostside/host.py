"""A host made of files and small programs: the tools the host's side calls, and the DRBD it reads."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dualsrm.model import Window

HERE = os.uname().nodename
PEER = "the-other-host"
UUID = "5b1cdd3e-0c1f-4a77-9d5e-7a1f00000021"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "drbd" / "9"
AS_ROOT = os.geteuid() == 0


def window(operation: str = "op1", *resources: str, guest: str = "web", uuid: str = UUID) -> Window:
    """A window around a move from here to the peer."""
    return Window(operation, "lab", guest, uuid, HERE, PEER, resources or ("vm1",), "2026-11-22T11:00:00+00:00")


@dataclass(frozen=True)
class Tools:
    """Programs in a directory of their own; each call is written down."""

    directory: Path

    @property
    def path(self) -> str:
        """For PATH: these first, then what the scripts themselves need."""
        return f"{self.directory}:/usr/bin:/bin"

    @property
    def _log(self) -> Path:
        return self.directory / "calls"

    def put(self, name: str, script: str) -> Path:
        """A program that runs a piece of shell."""
        program = self.directory / name
        fresh = program.with_suffix(".new")
        log = shlex.quote(str(self._log))
        fresh.write_text(f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >>{log}\n{script}\n')
        fresh.chmod(0o755)
        fresh.replace(program)
        return program

    def calls(self, begin: str = "") -> list[str]:
        """Calls so far that begin with these words."""
        try:
            return [line for line in self._log.read_text().splitlines() if line.startswith(begin)]
        except FileNotFoundError:
            return []


def eventually(holds: Callable[[], bool], within_s: float = 10.0) -> bool:
    """Whether it comes to hold."""
    end = time.monotonic() + within_s
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()
