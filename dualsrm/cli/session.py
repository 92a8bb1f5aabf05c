"""What one command works with: the configuration, and connections that end with the command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from dualsrm.cli.progress import harmless
from dualsrm.config import Settings, load
from dualsrm.engine.environment import Environment, SystemClock, unwatched
from dualsrm.engine.locate import find_pair
from dualsrm.engine.progress import Observer
from dualsrm.errors import UsageError
from dualsrm.hosts.host import RealHost
from dualsrm.hosts.libvirt.migration import MigrationSettings, Throttle
from dualsrm.hosts.manager import Manager
from dualsrm.hosts.ssh import SshSettings
from dualsrm.model import Group, Host, Pair


class Session:
    """Connections are opened when first used and closed at the end of the command."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._settings: Settings | None = None
        self._hosts: dict[str, RealHost] = {}
        self._in_lanes: list[RealHost] = []
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in (*self._hosts.values(), *self._in_lanes):
            host.close()

    @property
    def path(self) -> Path:
        """The configuration file."""
        return self._path

    def adopt(self, path: Path) -> None:
        """From here on that file is the configuration: this command has just written it."""
        self._path, self._settings = path, None

    @property
    def settings(self) -> Settings:
        """The configuration, read at first use so that `--help` needs none."""
        if self._settings is None:
            self._settings = load(self._path)
        return self._settings

    @property
    def state_directory(self) -> Path:
        """Where the journal lies."""
        return Path(self.settings.state.directory)

    def environment(self, pairs: Iterable[Pair], observer: Observer = unwatched) -> Environment:
        """The world of an operation on these pairs."""
        for pair in pairs:
            for name in pair.hosts:
                if name not in self._hosts:
                    self._hosts[name] = self._real_host(name)
        return self._world(self._hosts, observer)

    def strangers(self, hosts: Iterable[Host], ssh: SshSettings) -> Environment:
        """The world of hosts that no file names yet; their connections end with the command, too."""
        ports = {host.name: RealHost(host, ssh) for host in hosts}
        self._in_lanes += ports.values()
        return self._world(ports, unwatched)

    def lanes(self, count: int, pair: Pair, observer: Observer) -> list[Environment]:
        """As many worlds as guests are worked on at once, each with connections of its own to both hosts.

        An SSH server allows ten sessions on a connection, and a connection has one guard. What memory may take of the
        link is divided among them.
        """
        if count == 1:
            return [self.environment([pair], observer)]
        worlds = []
        for _ in range(count):
            hosts = {name: self._real_host(name, share=count) for name in pair.hosts}
            self._in_lanes += hosts.values()
            worlds.append(self._world(hosts, observer))
        return worlds

    def _world(self, hosts: Mapping[str, RealHost], observer: Observer) -> Environment:
        return Environment(
            ports=dict(hosts),
            clock=SystemClock(),
            observer=harmless(observer),
            cancelled=self._stop.is_set,
            manager=Manager(),
        )

    def _real_host(self, name: str, share: int = 1) -> RealHost:
        ssh, migration = self.settings.ssh, self.settings.migration
        return RealHost(
            self.settings.hosts[name],
            SshSettings(
                identity_file=Path(ssh.identity_file) if ssh.identity_file else None,
                known_hosts=Path(ssh.known_hosts) if ssh.known_hosts else None,
            ),
            migration=MigrationSettings(
                tls=migration.transport == "tls",
                bandwidth_mib_per_s=max(1, migration.bandwidth_mib_s // share) if migration.bandwidth_mib_s else None,
                throttle=Throttle(migration.throttle_initial_percent, migration.throttle_increment_percent)
                if migration.auto_converge
                else None,
                post_copy=migration.post_copy,
            ),
        )

    def group(self, name: str) -> Group | None:
        """The group of that name, if there is one: where a command takes a guest, it takes a group as well."""
        return self.settings.groups.get(name)

    def group_of(self, guest: str) -> Group | None:
        """The group a guest is in."""
        return next((group for group in self.settings.groups.values() if guest in group.guests), None)

    def pair_for(self, guest: str) -> Pair:
        """The pair that knows this guest; with one pair configured there is nothing to ask."""
        pairs = tuple(self.settings.pairs.values())
        return pairs[0] if len(pairs) == 1 else find_pair(self.environment(pairs), pairs, guest)

    def pair_of(self, host: str) -> Pair:
        """The pair of a host; every configured host is in exactly one."""
        found = next((pair for pair in self.settings.pairs.values() if host in pair.hosts), None)
        if found is None:
            hosts = ", ".join(name for pair in self.settings.pairs.values() for name in pair.hosts)
            raise UsageError(f"{host} is no configured host", why="", fix=f"name one of {hosts}")
        return found

    def stop_on_signals(self) -> None:
        """From now on Ctrl-C and SIGTERM ask the operation to stop where that is safe, instead of killing it."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: self._stop.set())
