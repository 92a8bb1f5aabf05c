"""The program itself: a real process that serves and ends, and the textfile mode."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as prometheus

import dualsrm_exporter
from dualsrm_exporter import main as module
from dualsrm_exporter.drbd import collector as drbd_collector
from dualsrm_exporter.drbd import look
from dualsrm_exporter.main import main
from dualsrm_exporter.metrics import drbd as m
from tests.unit.docs.pages import DOCS, REPOSITORY
from tests.unit.exporter.rig import FakeHost
from tests.unit.hostside.host import eventually

UNIT = REPOSITORY / "exporters" / "systemd" / "dualsrm-exporter.service"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def program(tmp_path: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    places = f"{Path(dualsrm_exporter.__file__).parents[1]}:{REPOSITORY}"
    state = ["--state-directory", str(tmp_path), "--journal-directory", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "dualsrm_exporter", *state, *arguments],
        env={**os.environ, "PYTHONPATH": places},
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def _get(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own
            return int(response.status)
    except OSError:
        return 0


def test_it_serves_and_ends_when_told(tmp_path: Path) -> None:
    port = _free_port()
    with program(tmp_path, "--web.listen-address", f"127.0.0.1:{port}") as process:
        assert eventually(lambda: _get(f"http://127.0.0.1:{port}/metrics") == 200, within_s=30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--web.listen-address", "nothing"], "HOST:PORT"),
        (["--web.listen-address", "127.0.0.1:99999"], "HOST:PORT"),
        (["--web.listen-address", "203.0.113.7:9"], "address"),
        (["--web.config.file", "/no/such/file"], "/no/such/file cannot be read"),
        (["--no-such-option"], "unrecognized"),
    ],
)
def test_a_wrong_set_up_ends_with_2(
    tmp_path: Path, arguments: list[str], said: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    given = ["--state-directory", str(tmp_path), "--journal-directory", str(tmp_path), *arguments]
    if "config" in arguments[0]:
        given += ["--web.listen-address", f"127.0.0.1:{_free_port()}"]
    try:
        status: object = main(given)
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert said in capfd.readouterr().err + caplog.text


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:1", ("127.0.0.1", 1)),
        (":10184", ("", 10184)),
        ("[::1]:65535", ("::1", 65535)),
        ("localhost:80", ("localhost", 80)),
        ("192.0.2.1:80", ("192.0.2.1", 80)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert module._address(text) == address


def test_nothing_leaves_the_host_unless_asked_for() -> None:
    assert module._stays_here(module._address(module.ADDRESS)[0])
    assert not any(module._stays_here(host) for host in ("", "::", "10.0.0.1", "alpha"))


@pytest.fixture
def on_host(host84: FakeHost, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """The program finds this host's /proc/drbd and /run/dualsrm."""
    real = drbd_collector.DrbdCollector
    monkeypatch.setattr(
        module,
        "DrbdCollector",
        lambda state, *, follow: real(state, run=host84.run, lasting=host84.lasting, proc=host84.proc, follow=follow),
    )
    assert look.PROC.name == "drbd"
    return host84


def test_the_textfile_is_whole_and_claims_nothing_about_events(on_host: FakeHost, tmp_path: Path) -> None:
    target = tmp_path / "dualsrm.prom"
    arguments = [
        "--no-guests",
        "--textfile",
        str(target),
        "--state-directory",
        str(on_host.state),
        "--journal-directory",
        str(tmp_path),
    ]
    assert main(arguments) == 0
    names = {sample.name for family in prometheus(target.read_text()) for sample in family.samples}
    assert {m.ROLE.name, m.SNAPSHOT.name, m.PEER_UPTODATE.name} <= names
    assert not {m.STREAM_UP.name, m.HELPER_CALLS.name, m.SPLIT_BRAIN.name, m.CONNECTION_LOSSES.name} & names
    assert [path.name for path in tmp_path.glob("dualsrm.prom*")] == ["dualsrm.prom"]
    assert "drbdsetup events2" not in on_host.tools.calls()
    assert (on_host.state / "drbd.json").exists()


def test_what_is_to_be_remembered_has_a_place_of_its_own(on_host: FakeHost, tmp_path: Path) -> None:
    state = tmp_path / "not" / "there"
    target = tmp_path / "dualsrm.prom"
    assert main(["--textfile", str(target), "--state-directory", str(state), "--journal-directory", str(tmp_path)]) == 0
    assert (state / "drbd.json").exists()
    assert state.stat().st_mode & 0o077 == 0
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_textfile_that_cannot_be_written(on_host: FakeHost, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    target = tmp_path / "none" / "dualsrm.prom"
    arguments = [
        "--no-guests",
        "--textfile",
        str(target),
        "--state-directory",
        str(on_host.state),
        "--journal-directory",
        str(tmp_path),
    ]
    assert main(arguments) == 1
    assert "cannot be written" in caplog.text


def test_the_page_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    options = set(re.findall(r"--[a-z][a-z.-]+", capsys.readouterr().out)) - {"--help", "--version"}
    documented = set(re.findall(r"^\| `(--[a-z.-]+)", (DOCS / "exporter.md").read_text(), re.MULTILINE))
    assert options == documented


def test_the_unit_starts_this_program_where_it_keeps_its_state() -> None:
    text = UNIT.read_text()
    settings = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Za-z]+=", line))
    assert settings["ExecStart"].split()[0].endswith("/dualsrm-exporter")
    assert f"/var/lib/{settings['StateDirectory']}" == str(module.STATE)
    assert settings["NoNewPrivileges"] == "yes"
    assert settings["CapabilityBoundingSet"] == settings["AmbientCapabilities"]
