"""Readiness asked from this machine, and hooks run on it: what counts as seen, what is said otherwise, deadlines."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dualsrm.engine.ports import ManagerPort
from dualsrm.hosts import manager as module
from dualsrm.hosts.manager import Manager
from dualsrm.model import AgentAnswers, CommandSucceeds, HttpAnswers, Pings, TcpAccepts

MANAGER: ManagerPort = Manager()


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code = int(self.path.strip("/"))
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def server() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Page) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening.server_address[1]
        listening.shutdown()
        thread.join()


@pytest.fixture
def closed() -> int:
    """A port where nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def test_a_port_that_accepts_and_one_that_does_not(server: int, closed: int) -> None:
    assert MANAGER.probe(TcpAccepts("127.0.0.1", server)) == ""
    assert "refused" in MANAGER.probe(TcpAccepts("127.0.0.1", closed))


@pytest.mark.parametrize(("path", "seen"), [("200", ""), ("302", ""), ("404", "status 404"), ("503", "status 503")])
def test_a_page(server: int, path: str, seen: str) -> None:
    assert MANAGER.probe(HttpAnswers(f"http://127.0.0.1:{server}/{path}")) == seen


def test_a_page_is_asked_past_any_proxy(server: int, closed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed}")
    assert MANAGER.probe(HttpAnswers(f"http://127.0.0.1:{server}/200")) == ""


def test_something_that_is_not_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            talk, _ = listening.accept()
            with talk:
                talk.recv(1000)
                talk.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert "not HTTP" in MANAGER.probe(HttpAnswers(f"http://127.0.0.1:{listening.getsockname()[1]}/"))
        thread.join()


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_NETWORK_S", 0.1)
    monkeypatch.setattr(module, "PROBE_COMMAND_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert MANAGER.probe(HttpAnswers(f"http://127.0.0.1:{port}/"))
        assert MANAGER.probe(TcpAccepts("127.0.0.1", port)) == ""


def test_a_ping_is_an_argument_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever the address is, it stands behind `--`."""
    seen = tmp_path / "arguments"
    ping = tmp_path / "ping"
    ping.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {seen}\n')
    ping.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert MANAGER.probe(Pings("192.0.2.1")) == ""
    assert seen.read_text().split()[-2:] == ["--", "192.0.2.1"]


def test_commands_and_what_is_said_of_those_that_fail() -> None:
    assert MANAGER.probe(CommandSucceeds(("/bin/true",))) == ""
    assert MANAGER.probe(CommandSucceeds(("/bin/false",))) == "it ended with exit code 1"
    assert "cannot be run: No such file" in MANAGER.probe(CommandSucceeds(("/no/such/program",)))
    assert MANAGER.probe(AgentAnswers("web")), "an agent is asked through its host"


def test_a_hook_gets_its_variables_and_says_why_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    script = 'echo "$DUALSRM_GROUP $INHERITED \x1b[2J"; exit 3'
    assert MANAGER.run_hook(["/bin/sh", "-c", "exit 0"], {}, 10) == ""
    said = MANAGER.run_hook(["/bin/sh", "-c", script], {"DUALSRM_GROUP": "shop"}, 10)
    assert said.startswith("it ended with exit code 3: shop yes")
    assert "\x1b" not in said
    assert MANAGER.run_hook(["/bin/sh", "-c", "kill -9 $$"], {}, 10) == "it ended with signal 9"


def test_a_hook_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    child = tmp_path / "child"
    said = MANAGER.run_hook(["/bin/sh", "-c", f"sleep 600 & echo $! > {child}; wait"], {}, 2)
    assert said == "it did not end within 2 s, and was ended"
    try:
        process = os.pidfd_open(int(child.read_text()))
    except ProcessLookupError:
        return  # gone, and reaped
    ended, _, _ = select.select([process], [], [], 10)
    os.close(process)
    assert ended
