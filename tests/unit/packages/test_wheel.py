"""The wheel and the sdist have everything that is committed, and the programs run from the wheel alone."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from dualsrm import __version__

REPOSITORY = Path(__file__).parents[3]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
PACKAGES = {"dualsrm": "dualsrm", "exporters/dualsrm_exporter": "dualsrm_exporter"}
UNITS = f"dualsrm-{__version__}.data/data/share/dualsrm/systemd"
BUILD_DEADLINE_S = 60


def _tracked(*under: str) -> set[str]:
    """Files that are committed or will be; without git, as in an unpacked sdist, there is nothing to compare with."""
    listing = ["git", "-C", str(REPOSITORY), "ls-files", "--cached", "--others", "--exclude-standard", "--", *under]
    found = subprocess.run(listing, capture_output=True, text=True, check=False, timeout=BUILD_DEADLINE_S)
    if found.returncode:
        pytest.skip("not a git checkout")
    return {name for name in found.stdout.splitlines() if (REPOSITORY / name).exists()}


def _build(kind: str, into: Path) -> Path:
    """Built by the backend itself, as pip does, without an environment of its own: no network."""
    act = f"import sys, hatchling.build as backend; backend.build_{kind}(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", act, str(into)],
        cwd=REPOSITORY,
        check=True,
        timeout=BUILD_DEADLINE_S,
        stdout=subprocess.DEVNULL,
    )
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("unpacked")
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-e", str(wheel), str(where)], check=True, timeout=BUILD_DEADLINE_S
    )
    return where


def test_the_wheel_has_both_packages_whole_the_units_and_nothing_else(wheel: Path) -> None:
    wanted = {
        f"{package}{name.removeprefix(folder)}" for folder, package in PACKAGES.items() for name in _tracked(folder)
    }
    wanted |= {f"{UNITS}/{Path(name).name}" for name in _tracked("exporters/systemd")}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == wanted
    assert {"dualsrm/py.typed", "dualsrm/hosts/scripts/probe.sh"} <= names


def test_the_metadata_is_complete(unpacked: Path) -> None:
    metadata = Parser().parsestr((unpacked / f"dualsrm-{__version__}.dist-info" / "METADATA").read_text())
    assert (metadata["Version"], metadata["License-Expression"]) == (__version__, "Apache-2.0")
    assert metadata["Requires-Python"] == ">=3.11"
    assert all(metadata[key] for key in ("Summary", "Author", "Keywords", "Description-Content-Type"))
    assert str(metadata.get_payload()).startswith("# dualsrm\n")
    assert (unpacked / f"dualsrm-{__version__}.dist-info" / "licenses" / "LICENSE").exists()


def test_every_program_starts_from_the_wheel(unpacked: Path) -> None:
    entries = configparser.ConfigParser()
    entries.read(unpacked / f"dualsrm-{__version__}.dist-info" / "entry_points.txt")
    programs = dict(entries["console_scripts"])
    assert programs == PROJECT["project"]["scripts"]
    for name, where in programs.items():
        module, _, function = where.partition(":")
        act = f"import sys; from {module} import {function} as run; sys.argv = [{name!r}, '--help']; sys.exit(run())"
        run = subprocess.run(
            [sys.executable, "-c", act],
            cwd=unpacked,
            env={**os.environ, "PYTHONPATH": str(unpacked)},
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_DEADLINE_S,
        )
        assert (run.returncode, run.stderr) == (0, "")
        assert name in run.stdout


def test_the_sdist_has_everything_that_is_committed(tmp_path: Path) -> None:
    with tarfile.open(_build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert _tracked() - names == set()


def test_the_exporter_without_its_libraries_says_which_is_missing(unpacked: Path) -> None:
    act = "import sys; sys.modules['h11'] = None; from dualsrm_exporter.__main__ import main; sys.exit(main())"
    run = subprocess.run(
        [sys.executable, "-c", act],
        cwd=unpacked,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_DEADLINE_S,
    )
    assert run.returncode == 2
    assert "the Python module h11 is not installed: pip install" in run.stderr
    assert len(run.stderr.splitlines()) == 1
