"""SSH against a real sshd: quoting, bounds, deadlines, one kept connection, and every way a host may refuse."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paramiko import Channel, Transport

from dualsrm.errors import CommandFailed, DeadlineExceeded, HostUnreachable
from dualsrm.hosts.ssh import SshConnection, SshSettings
from dualsrm.hosts.ssh import execute as execute_module
from dualsrm.hosts.ssh.connection import command_line
from tests.unit.hosts.sshd import Sshd, key

HOSTILE = [
    "two words",
    "it's",
    'say "hi"',
    "a;reboot",
    "$(touch pwned)`id`",
    "line\nbreak",
    "tab\tand\\backslash",
    "--option",
    "",
    "*?[a]~",
    "Kundenmaschine-Zürich-日本",
    "back\x1b[31mred",
    "!history",
]


def words_as_seen(ssh: SshConnection, words: list[str]) -> list[str]:
    done = ssh.run(["printf", "%s\\0", *words], deadline_s=10)
    assert done.exit == 0
    return done.stdout.split("\0")[:-1]


def test_hostile_words_arrive_as_they_are(ssh: SshConnection) -> None:
    assert words_as_seen(ssh, HOSTILE) == HOSTILE


@settings(max_examples=40)
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20), min_size=1))
def test_any_words_survive_a_real_shell(words: list[str]) -> None:
    printed = subprocess.run(["sh", "-c", command_line(["printf", "%s\\0", *words])], capture_output=True, check=True)
    assert printed.stdout.decode().split("\0")[:-1] == words


def test_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        command_line(["echo", "a\0b"])


def test_exit_streams_and_input(ssh: SshConnection) -> None:
    done = ssh.run(["sh", "-c", "cat; echo oops >&2; exit 3"], deadline_s=10, stdin="grüße\n")
    assert (done.exit, done.stdout, done.stderr) == (3, "grüße\n", "oops\n")


def test_bytes_that_are_no_text_stay_visible(ssh: SshConnection) -> None:
    assert ssh.run(["printf", "a\\377b"], deadline_s=10).stdout == "a\\xffb"


def test_a_killed_command_has_no_exit_status(ssh: SshConnection) -> None:
    assert ssh.run(["sh", "-c", "kill -9 $$"], deadline_s=10).exit == -1


def test_much_on_both_streams_does_not_stall(ssh: SshConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute_module, "STDERR_LIMIT", 8 * 1024 * 1024)
    script = "head -c 3000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero | tr '\\0' y >&2"
    done = ssh.run(["sh", "-c", script], deadline_s=30)
    assert (len(done.stdout), len(done.stderr)) == (3_000_000, 3_000_000)


def test_endless_output_is_refused(ssh: SshConnection) -> None:
    with pytest.raises(CommandFailed, match="more than"):
        ssh.run(["yes"], deadline_s=30)


def test_the_deadline_holds_and_the_connection_lives_on(ssh: SshConnection) -> None:
    ssh.open()
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        ssh.run(["sleep", "30"], deadline_s=0.5)
    assert time.monotonic() - started < 2
    assert "`sleep` on alpha did not answer within 0.5 s" in caught.value.seen
    assert caught.value.why
    assert ssh.run(["echo", "on"], deadline_s=10).stdout == "on\n"


def test_many_threads_share_one_connection(ssh: SshConnection) -> None:
    with ThreadPoolExecutor(12) as pool:
        done = list(pool.map(lambda n: ssh.run(["sh", "-c", f"echo $SSH_CONNECTION {n}"], deadline_s=20), range(12)))
    assert len({line.stdout.rsplit(" ", 1)[0] for line in done}) == 1
    assert {line.stdout.split()[-1] for line in done} == {str(n) for n in range(12)}


def test_a_lost_connection_fails_its_command_once_and_serves_the_next(
    sshd: Sshd, ssh: SshConnection, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    script = f"echo run >> '{count}'; sleep 20"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lambda: ssh.run(["sh", "-c", script], deadline_s=15))
        while not count.exists():
            time.sleep(0.05)
        sshd.drop_connections()
        try:
            outcome: object = running.result(timeout=15)
        except HostUnreachable as error:
            outcome = error
    assert isinstance(outcome, HostUnreachable) or getattr(outcome, "exit", None) == -1
    assert ssh.run(["cat", str(count)], deadline_s=10).stdout == "run\n"


def test_a_connection_found_lost_before_anything_was_asked_is_opened_anew(
    ssh: SshConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen on a busy machine: the guard's disarm failed twice, once for each time the lost connection was tried."""
    lost, open_session = list[Transport](), Transport.open_session

    def found_lost(transport: Transport, *, timeout: float) -> Channel:
        if not lost:
            lost.append(transport)
            transport.close()
        return open_session(transport, timeout=timeout)

    monkeypatch.setattr(Transport, "open_session", found_lost)
    assert ssh.run(["true"], deadline_s=10).exit == 0
    assert lost


def test_close_and_use_again(ssh: SshConnection) -> None:
    ssh.open()
    ssh.close()
    assert ssh.run(["true"], deadline_s=10).exit == 0


def refused(server: Sshd, **changes: object) -> HostUnreachable:
    host = replace(server.host, **{name: value for name, value in changes.items() if name != "settings"})  # type: ignore[arg-type]  # fields by name
    settings = changes.get("settings", server.settings)
    assert isinstance(settings, SshSettings)
    connection = SshConnection(host, settings)
    with pytest.raises(HostUnreachable) as caught:
        connection.run(["true"], deadline_s=20)
    assert caught.value.seen
    assert caught.value.why
    assert caught.value.fix
    return caught.value


def test_unknown_host_key(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    error = refused(sshd, settings=SshSettings(sshd.settings.identity_file, tmp_path / "empty"))
    assert "SHA256:" in error.seen
    assert "ssh-keyscan" in error.fix
    assert str(tmp_path / "empty") in error.fix
    assert (tmp_path / "empty").read_text() == ""


def test_changed_host_key(sshd: Sshd, tmp_path: Path) -> None:
    kind, blob, *_ = key(tmp_path / "other").with_name("other.pub").read_text().split()
    known = tmp_path / "known hosts"
    known.write_text(f"[127.0.0.1]:{sshd.host.port} {kind} {blob}\n")
    error = refused(sshd, settings=SshSettings(sshd.settings.identity_file, known))
    assert f"ssh-keygen -f '{known}' -R '[127.0.0.1]:{sshd.host.port}'" in error.fix
    assert error.fix.startswith("verify first")


def test_refused_key(sshd: Sshd, tmp_path: Path) -> None:
    error = refused(sshd, settings=replace(sshd.settings, identity_file=key(tmp_path / "stranger")))
    assert "refused the login" in error.seen
    assert "ssh-copy-id" in error.fix


def test_key_open_to_others(sshd: Sshd, tmp_path: Path) -> None:
    mine = key(tmp_path / "mine")
    mine.chmod(0o640)
    error = refused(sshd, settings=replace(sshd.settings, identity_file=mine))
    assert "mode 0640" in error.seen
    assert "chmod 600" in error.fix


def test_key_missing(sshd: Sshd, tmp_path: Path) -> None:
    assert "cannot be read" in refused(sshd, settings=replace(sshd.settings, identity_file=tmp_path / "none")).seen


def test_key_with_passphrase(sshd: Sshd, tmp_path: Path) -> None:
    path = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(path)], check=True)
    assert "passphrase" in refused(sshd, settings=replace(sshd.settings, identity_file=path)).seen


def test_known_hosts_file_missing(sshd: Sshd, tmp_path: Path) -> None:
    assert "known hosts file" in refused(sshd, settings=replace(sshd.settings, known_hosts=tmp_path / "none")).seen


def test_nobody_listens(sshd: Sshd) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert "refused the connection" in refused(sshd, port=taken.getsockname()[1]).seen


def test_a_name_that_does_not_resolve(sshd: Sshd) -> None:
    error = refused(sshd, address="no-such-host.invalid")
    assert "cannot be resolved" in error.seen
    assert "getent hosts" in error.fix


def test_a_host_that_accepts_and_says_nothing(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dualsrm.hosts.ssh.connection.CONNECT_S", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        refused(sshd, port=silent.getsockname()[1])
        assert time.monotonic() - started < 5


def test_the_agent_is_left_alone_when_a_key_is_configured(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", os.devnull)
    connection = SshConnection(sshd.host, sshd.settings)
    assert connection.run(["true"], deadline_s=10).exit == 0
    connection.close()


@pytest.mark.parametrize("content", [b"alpha ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI\n", b"\x80\n"])
def test_a_damaged_known_hosts_file_is_named(sshd: Sshd, tmp_path: Path, content: bytes) -> None:
    """A write cut short must not look like a fault of dualsrm, nor hide the host that is meant."""
    path = tmp_path / "known_hosts"
    path.write_bytes(content)
    with pytest.raises(HostUnreachable, match="known_hosts has a line that is damaged"):
        SshConnection(sshd.host, replace(sshd.settings, known_hosts=path)).open()


def test_a_private_key_that_is_no_text_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\x80" * 64)
    path.chmod(0o600)
    with pytest.raises(HostUnreachable, match="a private key cannot be read"):
        SshConnection(sshd.host, replace(sshd.settings, identity_file=path)).open()
