"""A command that runs while things happen to it, and what was to be seen the moment it ended."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Mapping
from typing import Any

from tests.lab.faults.look import Look, look_at_both
from tests.lab.handle import REPOSITORY, LabHandle


class Command:
    """`vagrant/lab WORDS`, begun now. The process is the command's own: vagrant/lab becomes it."""

    def __init__(self, lab: LabHandle, *words: str) -> None:
        self.began = time.time()
        self.process = subprocess.Popen(
            [str(REPOSITORY / "vagrant" / "lab"), "--name", lab.name, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out = self.told = ""
        self.ended: float | None = None
        self.seen: Mapping[str, Look | None] = {}
        self._lab = lab
        self._waiter = threading.Thread(target=self._wait)
        self._waiter.start()

    def _wait(self) -> None:
        self.out, self.told = self.process.communicate()
        self.ended = time.time()
        self.seen = look_at_both(self._lab)

    def join(self, deadline_s: float) -> bool:
        """Wait for the end; past the deadline it is killed, and the answer is False."""
        self._waiter.join(deadline_s)
        in_time = not self._waiter.is_alive()
        if not in_time:
            self.process.kill()
            self._waiter.join()
        return in_time

    @property
    def document(self) -> dict[str, Any] | None:
        """Its JSON; None when it wrote none."""
        try:
            found: dict[str, Any] = json.loads(self.out)
        except json.JSONDecodeError:
            return None
        return found
