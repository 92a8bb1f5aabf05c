"""A private sshd on 127.0.0.1: real handshakes, real shells, nothing of the machine's own configuration."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from dualsrm.hosts.ssh import SshSettings
from dualsrm.model import Host

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


@dataclass(frozen=True)
class Sshd:
    """A running server, and what a client needs for it."""

    host: Host
    settings: SshSettings
    directory: Path
    process: subprocess.Popen[bytes]

    def drop_connections(self) -> None:
        """Kill the processes that serve connections, not the server."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)


def key(path: Path) -> Path:
    """A new ed25519 key pair without passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


def start(directory: Path) -> Sshd:
    """Start a server below `directory`; fails the test where there is none to start."""
    if not Path(SSHD).exists():
        pytest.fail("sshd is not installed; tests/run installs it")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True, mode=0o755)  # sshd wants its empty directory, also when not a service
    host_key, identity = key(directory / "host_key"), key(directory / "id")
    authorized = directory / "authorized_keys"
    authorized.write_bytes(identity.with_name("id.pub").read_bytes())
    port = _free_port()
    configuration = directory / "sshd_config"
    configuration.write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {host_key}\nAuthorizedKeysFile {authorized}\nStrictModes no\n"
        "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\nMaxSessions 64\n"
        "PermitRootLogin prohibit-password\n"
        "SetEnv SHLVL=5\n"  # bash started by sshd reads ~/.bashrc unless it believes to be a shell in a shell
    )
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(configuration)], stderr=subprocess.DEVNULL)
    _wait_for(port, process)
    kind, blob, *_ = host_key.with_name("host_key.pub").read_text().split()
    known_hosts = directory / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{port} {kind} {blob}\n")
    host = Host("alpha", "127.0.0.1", "127.0.0.1", "qemu+ssh://beta/system", _user(), port)
    return Sshd(host, SshSettings(identity, known_hosts), directory, process)


def stop(server: Sshd) -> None:
    """End the server and what it serves."""
    server.drop_connections()
    server.process.kill()
    server.process.wait()


def _user() -> str:
    return subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"sshd ended with {process.returncode}")
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("sshd did not answer within 10 s")
