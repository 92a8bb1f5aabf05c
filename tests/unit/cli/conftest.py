"""The whole program, from arguments to exit code, over the simulated pair instead of real hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualsrm.cli.main import main
from tests.simulator.pair import SimPair
from tests.unit.cli.running import Program, Ran, simulated, write_config


@pytest.fixture
def pair() -> SimPair:
    return SimPair("9", name="lab")


@pytest.fixture
def config(tmp_path: Path, pair: SimPair) -> Path:
    return write_config(tmp_path, pair)


@pytest.fixture
def program(pair: SimPair, config: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    """Run `dualsrm` with these arguments."""

    def run(*arguments: str, path: Path = config) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(["--config", str(path), *arguments], simulated(pair))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        assert isinstance(left.value.code, int)
        return Ran(left.value.code, captured.out, captured.err)

    return run
