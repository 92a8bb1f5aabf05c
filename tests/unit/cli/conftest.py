"""The whole program, from arguments to exit code, over the simulated pair instead of real hosts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from dualsrm.cli.main import main
from dualsrm.cli.session import Session
from dualsrm.engine.environment import Environment, one_by_one, unwatched
from dualsrm.engine.progress import Observer
from dualsrm.model import Pair
from tests.simulator.pair import SimPair
from tests.unit.cli.running import Program, Ran

HOST = '[hosts.{name}]\naddress = "192.0.2.{number}"\nmigration_address = "198.51.100.{number}"\n' + (
    'peer_uri = "qemu+ssh://{name}/system"\n'
)


@pytest.fixture
def pair() -> SimPair:
    return SimPair("9", name="lab")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    hosts = "".join(HOST.format(name=name, number=number) for number, name in enumerate(("alpha", "beta"), 11))
    path = tmp_path / "dualsrm.toml"
    state = tmp_path / "state"
    path.write_text(f'{hosts}[pairs.lab]\nhosts = ["alpha", "beta"]\n[state]\ndirectory = "{state}"\n')
    path.chmod(0o600)
    return path


@pytest.fixture
def program(pair: SimPair, config: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    """Run `dualsrm` with these arguments."""

    class SimSession(Session):
        def environment(self, pairs: Iterable[Pair], observer: Observer = unwatched) -> Environment:
            real = super().environment(pairs, observer)
            assert set(real.ports) == set(pair.ports)
            return replace(real, ports=pair.ports, clock=pair.clock, gather=one_by_one)

        def stop_on_signals(self) -> None:
            """The tests keep their own Ctrl-C."""

    def run(*arguments: str, path: Path = config) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(["--config", str(path), *arguments], SimSession)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        assert isinstance(left.value.code, int)
        return Ran(left.value.code, captured.out, captured.err)

    return run
