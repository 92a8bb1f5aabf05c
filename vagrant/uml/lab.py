"""One lab's life: up, down, power, cuts, status. What is, is read from the kernel; the state file only holds pids."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from uml import access as access_module
from uml import bmc, config_disk, guests, image, outside, processes, settings
from uml.access import Access, Keys
from uml.bmc import Mood
from uml.errors import LabError
from uml.facts import GUESTS, NETWORKS, NODES, REPOSITORY, STORAGE_GUESTS, VAGRANT, Facts, Guest, read_facts
from uml.image import Image
from uml.layout import LABS, Layout
from uml.machine import Disk, Machine
from uml.network import Networks, tap
from uml.outside import tail, wait_until
from uml.processes import Process

#: Seconds. A quiet machine needs 8 and 12; the rest is for a loaded one.
_LOGIN_DEADLINE, _BOOT_DEADLINE, _REPLICATION_DEADLINE, _LOCK_DEADLINE = 120.0, 60.0, 60.0, 30.0

#: MiB of a node, enough for the three guests on either host.
MEMORY = 1536

Say = Callable[[str], None]


@dataclass(frozen=True)
class Lab:
    """The lab of one name, whether it runs or not."""

    layout: Layout
    say: Say
    nodes: tuple[str, ...] = NODES
    facts: Facts = field(default_factory=read_facts)

    @cached_property
    def networks(self) -> Networks:
        """Its namespace."""
        return Networks(self.layout.namespace, self.facts)

    @cached_property
    def access(self) -> Access:
        """Logins on its nodes."""
        return Access(self.layout, self.networks)

    @property
    def guests(self) -> tuple[Guest, ...]:
        """Its guests; more once `vagrant/lab storage` has added some."""
        return (*GUESTS, *STORAGE_GUESTS) if self.layout.storage.exists() else GUESTS

    @cached_property
    def keys(self) -> Keys:
        """Its key files."""
        return Keys(self.layout.directory)

    # -- state: which process is which node's kernel, and which its power switch

    @property
    def _state_file(self) -> Path:
        return self.layout.directory / "state.json"

    def _recorded(self, kind: str) -> dict[str, Process]:
        try:
            recorded = json.loads(self._state_file.read_text())
        except FileNotFoundError:
            return {}
        return {node: Process(**value) for node, value in recorded.get(kind, {}).items()}

    def kernels(self) -> dict[str, Process]:
        """The recorded kernel of each node, running or not."""
        return self._recorded("kernels")

    def bmcs(self) -> dict[str, Process]:
        """The recorded power switch of each node, running or not; empty in a lab without fence devices."""
        return self._recorded("bmcs")

    def _record(self, kind: str, node: str, process: Process) -> None:
        recorded = {"kernels": self.kernels(), "bmcs": self.bmcs()}
        recorded[kind][node] = process
        text = json.dumps({k: {name: asdict(process) for name, process in v.items()} for k, v in recorded.items()})
        fresh = self._state_file.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self._state_file)

    def powered(self, node: str) -> bool:
        """Whether the node's kernel runs."""
        return processes.alive(self.kernels().get(node))

    def is_up(self) -> bool:
        """Whether any node has power."""
        return any(self.powered(node) for node in self.nodes)

    def require_up(self) -> None:
        """Refuse when there is no lab to work on."""
        if not (self.networks.exists() and self.is_up()):
            raise self._not_up()

    def _not_up(self) -> LabError:
        return LabError(
            f"lab {self.layout.name} is not up",
            "there is no node to talk to",
            f"vagrant/lab --name {self.layout.name} up",
        )

    def require_console(self, node: str) -> None:
        """Refuse when there is no console to follow; that of a node without power can still be read."""
        if not self.layout.console(node).exists():
            raise LabError(
                f"lab {self.layout.name} has no console of {node}",
                "the lab is down; consoles of a boot that failed lie beside its directory",
                f"vagrant/lab --name {self.layout.name} up, or read {LABS}/{self.layout.name}.{node}.console",
            )

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One command at a time may change this lab. The lock lies beside its directory, which comes and goes."""
        LABS.mkdir(parents=True, exist_ok=True)
        with (LABS / f"{self.layout.name}.lock").open("w") as lock:
            end = time.monotonic() + _LOCK_DEADLINE
            while True:
                try:
                    fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > end:
                        raise LabError(
                            f"another command works on lab {self.layout.name}",
                            "two at once would undo each other's work",
                            "wait for it to end, or stop it, then try again",
                        ) from error
                    time.sleep(0.2)
            yield

    # -- up and down

    def up(self, *, fencing: bool = True, memory: int = MEMORY) -> bool:
        """Build what is missing, boot both nodes, wait for replication, start guests. All or nothing.

        With fencing each node has a power switch its peer can use. Memory is each node's, in MiB.

        Whether this call did it: false when the lab was up already, and so is somebody else's to take down.
        """
        with self.exclusive():
            if self.is_up():
                self.say(f"lab {self.layout.name} is already up")
                return False
            self._remove()
            try:
                self._up(fencing=fencing, memory=memory)
            except BaseException:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave half of it
                self.say(f"not up; removing what was started (consoles stay: {LABS}/{self.layout.name}.*.console)")
                self._remove(keep_logs=True)
                raise
            return True

    def _up(self, *, fencing: bool, memory: int) -> None:
        self.networks.create(self.nodes)  # first: what a machine may lack shows in a second
        built = image.ensure(self.say)
        self._prepare(built, bmc_password=secrets.token_hex(8) if fencing else None)
        self.layout.memory.write_text(str(memory))
        self._start_recorder()
        if fencing:
            self._start_bmcs()
        for node in self.nodes:
            self._boot(node, built)
        self.say("booting")
        self._each(self._wait_for_login)
        for node in self.nodes:
            self.access.keep_connected(node)
            if fencing:
                self._require_bmc(node)
        self.say("nodes answer")
        self._each(self._wait_for_replication)
        self.say("replication is connected and up to date")
        self._each(lambda node: guests.start_home_guests(self.access, node))
        self.say("guests started")

    def _prepare(self, built: Image, *, bmc_password: str | None) -> None:
        directory = self.layout.directory
        directory.mkdir(parents=True, mode=0o700)
        (directory / "image").write_text(f"{built.directory}\n")  # first, so that nobody's build prunes it
        self.layout.spool.mkdir()
        self.keys.create(self.nodes)
        known = directory / "known_hosts"
        known.write_text(access_module.known_hosts(self.keys, self.facts, self.nodes))
        self.layout.ssh_config.write_text(access_module.ssh_config(self.layout, self.facts, self.nodes))
        self.layout.settings.write_text(
            settings.render(
                self.facts, self.nodes, identity=self.keys.manager, known_hosts=known, state=directory / "state"
            )
        )
        for node in self.nodes:
            image.copy_sparse(built.data, directory / f"{node}.data")
            content = config_disk.files(node, self.nodes, self.keys, self.facts, bmc_password=bmc_password)
            config_disk.write(directory / f"{node}.config", content)
            if bmc_password:
                text = bmc.configuration(self.layout.name, node, self.facts.bmcs[node], bmc_password)
                bmc.write(self.layout.bmc(node), text)

    def _boot(self, node: str, built: Image) -> None:
        directory = self.layout.directory
        machine = Machine(
            name=node,
            disks=(
                Disk(directory / f"{node}.cow", base=built.root),
                Disk(directory / f"{node}.data"),
                Disk(directory / f"{node}.config", read_only=True),
            ),
            console=self.layout.console(node),
            sockets=directory / "sockets",
            taps=tuple(tap(node, network) for network in NETWORKS),
            memory=int(self.layout.memory.read_text()),
        )
        self._record("kernels", node, machine.start(self.networks.enter()))

    def _start_bmcs(self) -> None:
        for node in self.nodes:
            self.networks.mend_bmc(node)  # first: it binds its address
            self._record("bmcs", node, bmc.start(node, self.layout.bmc(node), self.networks))

    def _wait_for_login(self, node: str) -> None:
        def answers() -> bool:
            if not self.powered(node):
                raise LabError(
                    f"the kernel of {node} ended{tail(self.layout.console(node))}",
                    "the node does not run",
                    "vagrant/lab down, then vagrant/lab up",
                )
            return self.access.answers(node)

        console = self.layout.console(node)
        wait_until(f"{node} to answer ssh", answers, deadline=_LOGIN_DEADLINE, console=console)

    def _wait_for_replication(self, node: str) -> None:
        wait_until(
            f"DRBD on {node} to be Connected and UpToDate",
            lambda: guests.replicated(self.access, node),
            deadline=_REPLICATION_DEADLINE,
            console=self.layout.console(node),
        )

    def _each(self, work: Callable[[str], None]) -> None:
        """Do the work for all nodes at once. When one fails, or on Ctrl-C, the others are ended, not waited for."""
        try:
            with ThreadPoolExecutor(len(self.nodes)) as pool:
                try:
                    for done in as_completed([pool.submit(work, node) for node in self.nodes]):
                        done.result()
                except BaseException:
                    outside.GIVE_UP.set()
                    processes.end(processes.in_namespace(self.networks.path))
                    raise
        finally:
            outside.GIVE_UP.clear()

    def _start_recorder(self) -> None:
        if not (VAGRANT / "score" / "recorder.py").exists():
            self.say("no vagrant/score/recorder.py: nothing is measured")
            return
        python = str(REPOSITORY / ".venv" / "bin" / "python")
        listen = f"{self.facts.manager}:7100"
        with (self.layout.directory / "recorder.log").open("ab") as log:
            subprocess.Popen(
                self.networks.enter(
                    python, "-m", "score.recorder", "--listen", listen, "--spool", str(self.layout.spool)
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(VAGRANT)},
            )

    def down(self) -> None:
        """End everything of this lab, also what a crashed run left."""
        with self.exclusive():
            self._remove()

    def _remove(self, *, keep_logs: bool = False) -> None:
        # The power switches first, so that none boots a node meanwhile.
        for process in (*self.bmcs().values(), *self.kernels().values()):
            processes.kill(processes.session_of(process))
        processes.kill(processes.in_namespace(self.networks.path))
        self.networks.remove()
        directory = self.layout.directory
        if keep_logs:
            for console in directory.glob("*.console"):
                console.replace(LABS / f"{self.layout.name}.{console.name}")
        shutil.rmtree(directory, ignore_errors=True)

    # -- faults

    def power(self, node: str, *, on: bool) -> None:
        """Cut the node's power without warning, or boot it from the disks it had."""
        if not on:
            self.switch_off(node)
        elif self.switch_on(node):
            self._wait_for_login(node)
            # Returns when every unit is done: DRBD's resources are up, libvirtd answers.
            self.access.run(node, "systemctl", "is-system-running", "--wait", check=False, deadline=_BOOT_DEADLINE)

    def switch_off(self, node: str) -> None:
        """Kill the node at once. Not under the lab's lock: fencing must not wait for another command to end."""
        processes.kill(processes.session_of(self._kernel(node)))

    def switch_on(self, node: str) -> bool:
        """Start the node's kernel and do not wait for its boot; false when it runs already."""
        with self.exclusive():
            kernel = self._kernel(node)
            if processes.alive(kernel):
                return False
            processes.kill(processes.session_of(kernel))
            self._boot(node, Image(Path((self.layout.directory / "image").read_text().strip())))
            return True

    def draws_power(self, node: str) -> bool:
        """Whether anything of the node still runs: its disks are written by a process beside the kernel's own."""
        return any(processes.alive(each) for each in processes.session_of(self._kernel(node)))

    def _kernel(self, node: str) -> Process:
        kernel = self.kernels().get(node)
        if kernel is None:
            raise self._not_up()
        return kernel

    def set_bmc(self, node: str, mood: Mood) -> None:
        """Make the node's power switch unreachable, slow or lying for everybody, or whole again."""
        self._require_bmc(node)
        bmc.set_mood(self.layout.bmc(node), mood)
        (self.networks.break_bmc if mood is Mood.BROKEN else self.networks.mend_bmc)(node)

    def _require_bmc(self, node: str) -> None:
        self.require_up()
        switch = self.bmcs().get(node)
        if switch is None:
            raise LabError(
                f"lab {self.layout.name} was brought up without fence devices",
                "there is no power switch to change",
                f"vagrant/lab --name {self.layout.name} down, then up without --no-fencing",
            )
        if not processes.alive(switch):
            raise bmc.ended(node, self.layout.bmc(node) / "log")

    def cut(self, network: str, node: str) -> None:
        """Take one node off one network."""
        self.require_up()
        self.networks.cut(network, node)

    def heal(self) -> None:
        """Undo every cut."""
        self.require_up()
        self.networks.heal(self.nodes)

    # -- looking

    def status(self) -> dict[str, Any]:
        """What the README documents for `status --json`, all of it asked now."""
        kernels = self.kernels()
        on = [node for node in self.nodes if self.powered(node)]
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            seen = dict(zip(on, pool.map(self._running, on), strict=True))
        return {
            "name": self.layout.name,
            "namespace": self.layout.namespace if self.networks.exists() else None,
            "directory": str(self.layout.directory),
            "nodes": {
                node: {
                    "power": "on" if node in on else "off",
                    "pid": kernels[node].pid if node in on else None,
                    "addresses": self.facts.addresses[node],
                    "ssh": seen.get(node) is not None,
                    "bmc": self._bmc_state(node),
                }
                for node in self.nodes
            },
            "cuts": [list(cut) for cut in self.networks.cuts(self.nodes)],
            "guests": guests.hosts(seen, self.guests),
        }

    def _bmc_state(self, node: str) -> str | None:
        switch = self.bmcs().get(node)
        if switch is None:
            return None
        reachable = processes.alive(switch) and self.networks.bmc_has_address(node)
        return bmc.mood(self.layout.bmc(node)).value if reachable else Mood.BROKEN.value

    def _running(self, node: str) -> list[str] | None:
        with contextlib.suppress(LabError):
            return guests.running(self.access, node)
        return None

    def inside(self, command: Sequence[str]) -> list[str]:
        """The argv that runs a command on the manager's side of this lab."""
        self.require_up()
        return self.networks.enter(*command)


def forget_all() -> None:
    """Delete consoles and locks that labs left; no lab may run."""
    shutil.rmtree(LABS, ignore_errors=True)


def existing() -> list[str]:
    """Names of labs that have a directory, or a lock: one whose image is being built has no directory yet."""
    paths = list(LABS.iterdir()) if LABS.is_dir() else []
    return sorted({path.name.removesuffix(".lock") for path in paths if path.is_dir() or path.suffix == ".lock"})
