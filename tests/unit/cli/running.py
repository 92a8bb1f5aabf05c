"""The whole program over the simulated pair instead of real hosts, and what a run of it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dualsrm.cli.session import Session
from dualsrm.engine.environment import Environment, unwatched
from dualsrm.engine.progress import Observer
from dualsrm.hosts.ssh import SshSettings
from dualsrm.model import Host, Pair
from tests.simulator.driving import one_by_one
from tests.simulator.pair import SimPair

HOST = '[hosts.{name}]\naddress = "192.0.2.{number}"\nmigration_address = "198.51.100.{number}"\n' + (
    'peer_uri = "qemu+ssh://{name}/system"\n'
)


def write_config(directory: Path, pair: SimPair, more: str = "") -> Path:
    """A configuration of this pair, its state beside it; and more tables."""
    hosts = "".join(HOST.format(name=name, number=number) for number, name in enumerate(pair.pair.hosts, 11))
    names = ", ".join(f'"{name}"' for name in pair.pair.hosts)
    path = directory / "dualsrm.toml"
    path.write_text(
        f'{hosts}[pairs.{pair.pair.name}]\nhosts = [{names}]\n[state]\ndirectory = "{directory / "state"}"\n{more}'
    )
    path.chmod(0o600)
    return path


def simulated(pair: SimPair) -> type[Session]:
    """The program's session, its hosts the simulated pair's."""
    pair_simulated = pair

    class SimSession(Session):
        def environment(self, pairs: Iterable[Pair], observer: Observer = unwatched) -> Environment:
            real = super().environment(pairs, observer)
            assert set(real.ports) == set(pair.ports)
            return replace(real, ports=pair.ports, clock=pair.clock, gather=one_by_one, manager=pair.manager)

        def strangers(self, hosts: Iterable[Host], ssh: SshSettings) -> Environment:
            real = super().strangers(hosts, ssh)
            at = {host.address: pair.ports[name] for name, host in pair.configured.items()}
            ports = {name: at[port.host.address] for name, port in real.ports.items()}
            return replace(real, ports=ports, clock=pair.clock, gather=one_by_one, manager=pair.manager)

        def lanes(self, count: int, pair: Pair, observer: Observer) -> list[Environment]:
            world = self.environment([pair], observer)
            return [replace(world, ports=pair_simulated.lane()) for _ in range(count)]

        def stop_on_signals(self) -> None:
            """The tests keep their own Ctrl-C."""

    return SimSession


@dataclass
class Ran:
    """What one run of the program left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output, which must be exactly one JSON document."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        assert value["format"] == 1
        return value


Program = Callable[..., Ran]
