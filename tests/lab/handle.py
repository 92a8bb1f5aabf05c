"""A running lab as the tests use it: only through `vagrant/lab`, as a person would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
RESOURCES: dict[str, tuple[str, ...]] = {"web": ("web",), "mail": ("mail",), "db": ("db-data", "db-log")}
HOSTS = ("alpha", "beta")
COMMAND_DEADLINE_S = 600.0
WRITES_WITHIN_S = 3.0


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
        self, *words: str, check: bool = True, deadline_s: float = COMMAND_DEADLINE_S, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `vagrant/lab WORDS`. `given`: for its standard input."""
        done = subprocess.run(
            [str(REPOSITORY / "vagrant" / "lab"), "--name", self.name, *words],
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=False,
            input=given,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"vagrant/lab {' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def node(self, host: str, *command: str, check: bool = True) -> str:
        """Run a command on a node and give its output."""
        return self.lab("ssh", host, "--", *command, check=check, deadline_s=120).stdout

    def put(self, host: str, path: str, text: str, mode: int) -> None:
        """Write a file on a node."""
        self.lab("ssh", host, "--", "install", "-m", f"{mode:o}", "/dev/stdin", path, deadline_s=120, given=text)

    def dualsrm(self, *words: str) -> Answer:
        """Run dualsrm on the manager's side and read its JSON."""
        done = self.lab("dualsrm", *words, "--json", check=False)
        try:
            document = json.loads(done.stdout)
        except json.JSONDecodeError:
            raise AssertionError(f"dualsrm {words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}") from None
        return Answer(done.returncode, document, done.stderr)

    @property
    def directory(self) -> Path:
        """Where the lab keeps its configuration, keys, journals and consoles."""
        return Path(json.loads(self.lab("status", "--json").stdout)["directory"])

    @property
    def settings(self) -> Path:
        """The manager's configuration."""
        return self.directory / "dualsrm.toml"

    def settings_with(self, file: Path, more: str, *, instead_of: str = "") -> Path:
        """That configuration in a file of its own, with more at its end, or instead of some words."""
        usual = self.settings.read_text()
        assert instead_of in usual, f"the lab's configuration has no {instead_of!r}"
        file.write_text(usual.replace(instead_of, more) if instead_of else usual + more)
        file.chmod(0o600)
        return file

    @contextmanager
    def running(self, argv: Sequence[str], log: Path) -> Iterator[None]:
        """A program in the lab's network, its words in a file; ended by its pid."""
        # vagrant/lab becomes it by exec
        become = [str(REPOSITORY / "vagrant" / "lab"), "--name", self.name, "exec", "--", *argv]
        with log.open("w") as said:
            process = subprocess.Popen(become, cwd=REPOSITORY, stdout=said, stderr=said)
            try:
                yield
            finally:
                process.terminate()
                process.wait(30)

    def migrate(self, guest: str, *words: str) -> Answer:
        """Migrate; the report is in `document["result"]`, None when it was refused."""
        return self.dualsrm("migrate", guest, *words)

    def dualsrm_killed(self, step: str, *words: str) -> None:
        """Run dualsrm and kill it with SIGKILL when it begins that step."""
        argv = [str(REPOSITORY / "vagrant" / "lab"), "--name", self.name, "dualsrm", *words]
        said = []
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if re.fullmatch(rf"(\S+: )?\[\d+/\d+\] {re.escape(step)}", line.strip()):
                    process.kill()  # vagrant/lab has become the manager by exec
                    return
        raise AssertionError(f"dualsrm {words} did not come to {step}: {''.join(said)}")

    def score(self) -> dict[str, dict[str, Any]]:
        """The score by guest."""
        found: dict[str, dict[str, Any]] = json.loads(self.lab("score", "--json").stdout)
        return found

    def heard(self) -> dict[str, float]:
        """When each guest last announced an acknowledged write, by `time.time`; one long silent is not in it."""
        found: dict[str, float] = json.loads(self.lab("score", "--heard").stdout)
        return found

    def write(self, guests: Collection[str]) -> bool:
        """Whether each has acknowledged a write within the last seconds."""
        heard, now = self.heard(), time.time()
        return all(now - heard.get(guest, 0.0) < WRITES_WITHIN_S for guest in guests)

    def write_again(self, guests: Collection[str]) -> None:
        """Wait until each has announced a new write: a boot is over then."""
        began = time.time()
        wait_for(
            f"{', '.join(guests)} to write", lambda: all(self.heard().get(guest, 0.0) > began for guest in guests), 300
        )

    def host_of(self, guest: str) -> str | None:
        """Where libvirt says it runs, asked of the nodes themselves."""
        running = [host for host in HOSTS if guest in self._domains(host)]
        assert len(running) <= 1, f"{guest} runs on {running}"
        return running[0] if running else None

    def all_on(self, host: str) -> None:
        """Every guest there, by the command that empties the other host."""
        if any(self.host_of(guest) != host for guest in RESOURCES):
            answer = self.dualsrm("evacuate", self.other(host))
            assert answer.exit == 0, answer.document

    def _domains(self, host: str) -> list[str]:
        done = self.lab("ssh", host, "--", "virsh", "list", "--name", check=False)
        assert done.returncode == 0 or self.power(host) == "off", done.stderr
        return done.stdout.split()

    def power(self, node: str) -> str:
        """`on` or `off`, as the lab knows it, whatever the BMC says."""
        return str(json.loads(self.lab("status", "--json").stdout)["nodes"][node]["power"])

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

    def events(self, host: str, *resource: str) -> str:
        """The state of everything, or of one resource, as the node's kernel tells it."""
        return self.node(host, "drbdsetup", "events2", "--now", *(resource or ("all",)))

    def connected(self, host: str) -> bool:
        """Whether any resource there has its peer."""
        return "connection:Connected" in self.events(host)

    def whole(self, host: str, guests: Mapping[str, Sequence[str]] = RESOURCES) -> bool:
        """Whether the node answers, and every resource of these guests is Connected and UpToDate on both sides."""
        seen = self.node(host, "drbdsetup", "events2", "--now", "all", check=False)
        states = re.findall(r" (?:connection|disk|peer-disk):(\w+)", seen)
        names = sum(map(len, guests.values()))
        return len(states) == 3 * names and set(states) == {"Connected", "UpToDate"}

    def touched(self) -> dict[str, str]:
        """All that a refusal must leave as it is: options, roles and connections, domains."""
        look = "drbdsetup show && drbdsetup events2 --now all && virsh list --all"
        with ThreadPoolExecutor(len(HOSTS)) as pool:
            return dict(zip(HOSTS, pool.map(lambda host: self.node(host, "sh", "-c", look), HOSTS), strict=True))

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
    def wrong_password(self, host: str, peer: str) -> Iterator[None]:
        """That node has the wrong password for its peer's power switch."""
        path = f"/etc/dualsrm/{peer}-bmc.password"
        self.node(host, "cp", "-p", path, f"{path}.right")
        self.node(host, "sh", "-c", 'echo wrong > "$1"', "sh", path)
        try:
            yield
        finally:
            self.node(host, "mv", f"{path}.right", path)

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
def lab_of_our_own(prefix: str, *words: str) -> Iterator[LabHandle]:
    """A lab that is booted here (`up WORDS`), with every guest writing, and taken down whatever happens."""
    lab = LabHandle(f"{prefix}{os.getpid()}")
    try:
        lab.lab("up", *words)
        lab.write_again(RESOURCES)
        yield lab
    finally:
        lab.lab("down")


def wait_for(what: str, holds: Callable[[], bool], deadline_s: float = 120.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < deadline, f"waited {deadline_s:.0f} s for {what}"
        time.sleep(0.5)
