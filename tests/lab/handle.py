"""A running lab as the tests use it: only through `vagrant/lab`, as a person would."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
RESOURCES = {"web": ("web",), "mail": ("mail",), "db": ("db-data", "db-log")}
HOSTS = ("alpha", "beta")
COMMAND_DEADLINE_S = 600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a dualsrm command answered."""

    exit: int
    document: dict[str, Any]
    told: str


class LabHandle:
    """One lab."""

    def __init__(self, name: str) -> None:
        self.name = name

    def lab(
        self, *words: str, check: bool = True, deadline_s: float = COMMAND_DEADLINE_S
    ) -> subprocess.CompletedProcess[str]:
        """Run `vagrant/lab WORDS`."""
        done = subprocess.run(
            [str(REPOSITORY / "vagrant" / "lab"), "--name", self.name, *words],
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"vagrant/lab {' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def node(self, host: str, *command: str, check: bool = True) -> str:
        """Run a command on a node and give its output."""
        return self.lab("ssh", host, "--", *command, check=check, deadline_s=120).stdout

    def dualsrm(self, *words: str) -> Answer:
        """Run dualsrm on the manager's side and read its JSON."""
        done = self.lab("dualsrm", *words, "--json", check=False)
        try:
            document = json.loads(done.stdout)
        except json.JSONDecodeError:
            raise AssertionError(f"dualsrm {words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}") from None
        return Answer(done.returncode, document, done.stderr)

    def migrate(self, guest: str, *words: str) -> Answer:
        """Migrate; the report is in `document["result"]`, None when it was refused."""
        return self.dualsrm("migrate", guest, *words)

    def score(self) -> dict[str, dict[str, Any]]:
        """The score by guest."""
        found: dict[str, dict[str, Any]] = json.loads(self.lab("score", "--json").stdout)
        return found

    def host_of(self, guest: str) -> str | None:
        """Where libvirt says it runs, asked of the nodes themselves."""
        running = [host for host in HOSTS if guest in self.node(host, "virsh", "list", "--name").split()]
        assert len(running) <= 1, f"{guest} runs on {running}"
        return running[0] if running else None

    def other(self, host: str | None) -> str:
        """The other node."""
        return HOSTS[1] if host == HOSTS[0] else HOSTS[0]

    # --- what the kernels say -------------------------------------------------------------------------

    def window_open(self, host: str) -> bool:
        """Whether any resource allows two primaries, by `drbdsetup show`, not by dualsrm's word."""
        return "allow-two-primaries" in self.node(host, "drbdsetup", "show")

    def would_freeze(self, host: str) -> bool:
        """Whether a lost link would freeze any resource, by the same word."""
        return "resource-and-stonith" in self.node(host, "drbdsetup", "show")

    def roles(self, host: str) -> dict[str, str]:
        """Role by resource, as the node's kernel says."""
        lines = self.node(host, "drbdsetup", "events2", "--now", "all").splitlines()
        facts = [dict(word.split(":", 1) for word in line.split()[2:]) for line in lines if " resource " in line]
        return {fact["name"]: fact["role"] for fact in facts}

    def touched(self) -> dict[str, str]:
        """All that a refusal must leave as it is: options, roles and connections, domains."""
        look = "drbdsetup show && drbdsetup events2 --now all && virsh list --all"
        return {host: self.node(host, "sh", "-c", look) for host in HOSTS}

    def connection_changes(self, host: str) -> int:
        """How often a connection left Connected since boot, counted in the kernel's log."""
        log = self.node(host, "dmesg")
        return sum("conn( Connected ->" in line for line in log.splitlines())

    # --- faults ---------------------------------------------------------------------------------------

    @contextmanager
    def drbdadm_refuses(self, host: str, words: Sequence[str]) -> Iterator[None]:
        """On that node `drbdadm` fails, without doing anything, whenever its arguments begin with these words."""
        script = (
            "#!/bin/sh\n"
            f'case "$*" in "{" ".join(words)}"*) echo "refused by the test" >&2; exit 17;; esac\n'
            'exec /usr/sbin/drbdadm "$@"\n'
        )
        self.node(host, "sh", "-c", 'printf %s "$1" > /usr/local/sbin/drbdadm', "sh", script)
        self.node(host, "chmod", "755", "/usr/local/sbin/drbdadm")
        try:
            yield
        finally:
            self.node(host, "rm", "-f", "/usr/local/sbin/drbdadm")

    @contextmanager
    def held_open(self, host: str, minor: int, seconds: int) -> Iterator[str]:
        """Something on that node holds a device open for so long; gives its pid."""
        pid = self.node(
            host, "sh", "-c", 'sleep "$1" < "$2" > /dev/null 2>&1 & echo $!', "sh", str(seconds), f"/dev/drbd{minor}"
        ).strip()
        try:
            yield pid
        finally:
            self.node(host, "kill", pid, check=False)


@contextmanager
def lab_of_our_own(prefix: str) -> Iterator[LabHandle]:
    """A lab that is booted here, with every guest writing, and taken down whatever happens."""
    lab = LabHandle(f"{prefix}{os.getpid()}")
    try:
        lab.lab("up")
        wait_for("every guest to write", lambda: _all_write(lab), 300)
        yield lab
    finally:
        lab.lab("down")


def _all_write(lab: LabHandle) -> bool:
    score = lab.score()
    return all((score[guest]["announced"] or 0) > 0 for guest in RESOURCES)


def wait_for(what: str, holds: Callable[[], bool], deadline_s: float = 120.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < deadline, f"waited {deadline_s:.0f} s for {what}"
        time.sleep(0.5)
