"""web.yml: what it can say, what is refused, and what it does on a real connection."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import bcrypt
import pytest
import trustme

from dualsrm_exporter.web import server as server_module
from dualsrm_exporter.web.app import App
from dualsrm_exporter.web.auth import Users
from dualsrm_exporter.web.config import WebConfigError, load_web_config
from dualsrm_exporter.web.settings import read_settings
from tests.unit.exporter.serving import serving
from tests.unit.exporter.test_exporter_web import families
from tests.unit.hostside.host import eventually

HASH = bcrypt.hashpw(b"secret", b"$2b$04$" + b"x" * 21 + b".").decode()
"""Always the same: it is in the names of tests, and two workers have to agree on those."""
USERS = f"basic_auth_users:\n  prometheus: {HASH}\n"
TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
BY_CLIENTS = f"{TLS}  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def directory(tmp_path: Path, authority: trustme.CA) -> Path:
    _issue(tmp_path, authority)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path


def _issue(directory: Path, authority: trustme.CA, name: str = "127.0.0.1") -> None:
    made = authority.issue_cert(name)
    made.cert_chain_pems[0].write_to_path(str(directory / "server.pem"))
    made.private_key_pem.write_to_path(str(directory / "server.key"))
    (directory / "server.key").chmod(0o600)


def write(directory: Path, text: str, mode: int = 0o600) -> Path:
    path = directory / "web.yml"
    path.write_text(text)
    path.chmod(mode)
    return path


def client(authority: trustme.CA, name: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if name is not None:
        authority.issue_cert(name).configure_cert(context)
    return context


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


# --- the file ---------------------------------------------------------------------------------------------------------


def test_an_empty_file_is_plain_http_for_everybody(directory: Path) -> None:
    found = load_web_config(write(directory, "", 0o644))
    assert found.tls is None
    assert not found.users
    assert not found.headers


def test_all_of_it(directory: Path) -> None:
    more = "  min_version: TLS13\n  client_allowed_sans: [prometheus]\n"
    http = "http_server_config:\n  http2: true\n  headers:\n    X-Frame-Options: deny\n"
    found = read_settings(write(directory, BY_CLIENTS + more + http + USERS))
    assert found.context is not None
    assert found.context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert found.context.verify_mode is ssl.CERT_REQUIRED
    assert found.config.headers == {"X-Frame-Options": "deny"}
    assert [path.name for path in found.config.files] == ["web.yml", "server.pem", "server.key", "ca.pem"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tls: {}", "there is no key 'tls'"),
        ("rate_limit: {}", "there is no key 'rate_limit'"),
        (f"{TLS}  cipher_suites: [x]", "there is no key 'cipher_suites'"),
        ("http_server_config: {http3: true}", "there is no key 'http3'"),
        ("http_server_config: {http2: maybe}", "true or false"),
        ("http_server_config: {headers: {X-Evil: x}}", "there is no key 'X-Evil'"),
        ('http_server_config: {headers: {X-Frame-Options: "a\\r\\nb"}}', "one line"),
        ("[]", "keys with values"),
        ("just text", "keys with values"),
        ("a: [", "line 1: this is no YAML"),
        ("!!python/object/apply:os.system [reboot]", "no YAML"),
        ("&a [*a]", "keys with values"),
        ("tls_server_config: {cert_file: server.pem}", "both needed"),
        ("tls_server_config: {cert_file: 7, key_file: server.key}", "cert_file is a path"),
        (f"{TLS}  client_auth_type: Sometimes", "is one of NoClientCert"),
        (f"{TLS}  client_auth_type: [x]", "is one of"),
        (f"{TLS}  client_auth_type: RequireAnyClientCert", "nobody verifies"),
        (f"{TLS}  client_auth_type: RequireAndVerifyClientCert", "go together"),
        (f"{TLS}  client_ca_file: ca.pem", "go together"),
        (f"{TLS}  client_allowed_sans: [x]", "needs client_auth_type"),
        (f"{BY_CLIENTS}  client_allowed_sans: x", "list of names"),
        (f"{TLS}  min_version: TLS10", "is one of TLS12"),
        (f"{TLS}  min_version: TLS13\n  max_version: TLS12", "above max_version"),
        ("tls_server_config: {cert_file: no.pem, key_file: server.key}", "no.pem"),
        ("tls_server_config: {cert_file: server.pem, key_file: no.key}", "no.key cannot be read"),
        ("tls_server_config: {cert_file: server.key, key_file: server.key}", "server.key"),
        ("basic_auth_users: [x]", "bcrypt hashes"),
        ("basic_auth_users: {x: secret}", "no bcrypt hash"),
        ("basic_auth_users: {7: x}", "quote it"),
        (f"basic_auth_users: {{'a:b': {HASH}}}", "without a colon"),
        (f"basic_auth_users: {{x: {HASH.replace('$04$', '$31$')}}}", "costs more than"),
    ],
)
def test_what_is_refused(directory: Path, text: str, why: str) -> None:
    with pytest.raises(WebConfigError) as refused:
        read_settings(write(directory, text))
    assert why in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WebConfigError, match="cannot be read"):
        load_web_config(tmp_path / "none.yml")


def test_a_file_too_large_for_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(WebConfigError, match="too large"):
        load_web_config(write(tmp_path, "#" * 2_000_000))


@pytest.mark.parametrize(("mode", "fix"), [(0o644, "chmod o-r"), (0o602, "chmod o-w")])
def test_a_file_with_secrets_the_world_can_reach(directory: Path, mode: int, fix: str) -> None:
    with pytest.raises(WebConfigError, match=fix):
        load_web_config(write(directory, USERS, mode))


def test_a_key_the_world_can_read(directory: Path) -> None:
    (directory / "server.key").chmod(0o644)
    with pytest.raises(WebConfigError, match=r"chmod o-r .*server\.key"):
        load_web_config(write(directory, TLS, 0o644))


def test_a_key_with_a_password_asks_nobody(directory: Path) -> None:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - paramiko brings it
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    key = load_pem_private_key((directory / "server.key").read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    (directory / "server.key").write_bytes(locked)
    with pytest.raises(WebConfigError, match="encrypted"):
        read_settings(write(directory, TLS))


# --- on a connection --------------------------------------------------------------------------------------------------


def test_users_by_their_passwords(directory: Path) -> None:
    with serving(families, write(directory, USERS)) as running:
        assert running.get("/metrics").status == 401
        assert running.get("/metrics").headers["www-authenticate"].startswith("Basic ")
        right = basic("prometheus", "secret")
        assert running.get("/metrics", right).status == 200
        assert running.get("/-/healthy", right).status == 200
        for path in ("/", "/metrics", "/-/healthy", "/none"):
            assert running.get(path, basic("prometheus", "wrong")).status == 401
        assert running.get("/metrics", right).status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic !!!",
        "Bearer x",
        "Basic " + base64.b64encode(b"prometheus").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        basic("nobody", "secret")["Authorization"],
        basic("prometheus", "")["Authorization"],
        basic("prometheus", "secret\x00")["Authorization"],
        basic("prometheus", "s" * 5000)["Authorization"],
        basic("", "secret")["Authorization"],
        basic("PROMETHEUS", "secret")["Authorization"],
    ],
)
def test_wrong_credentials(directory: Path, authorization: str) -> None:
    with serving(families, write(directory, USERS)) as running:
        assert running.get("/metrics", {"Authorization": authorization}).status == 401


def test_a_password_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    users = Users({"a": HASH.encode()})
    checked: list[bytes] = []
    costs: list[bytes] = []
    real = bcrypt.checkpw

    def note(password: bytes, hashed: bytes) -> bool:
        checked.append(password)
        costs.append(hashed[:7])
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", note)
    right = basic("a", "secret")["Authorization"]
    assert users.known(right) is False
    assert users.check(right) is True
    assert users.known(right) is True
    assert users.known(basic("a", "other")["Authorization"]) is False
    assert users.check(basic("nobody", "x")["Authorization"]) is False
    assert checked == [b"secret", b"x"]
    assert costs == [b"$2b$04$"] * 2  # a user there is not takes as long as one there is
    assert not any(b"secret" in key for key in users._known)


def test_guessing_passwords_does_not_stop_who_knows_one(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(families, write(directory, USERS)) as running:
        right = basic("prometheus", "secret")
        assert running.get("/metrics", right).status == 200
        gate = threading.Event()
        monkeypatch.setattr(bcrypt, "checkpw", lambda *_given: gate.wait(10) and False)
        guessers = [running.connect() for _ in range(30)]
        for number, one in enumerate(guessers):
            header = basic("prometheus", f"guess{number}")["Authorization"]
            one.sendall(f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: {header}\r\n\r\n".encode())
        assert running.get("/metrics", right).status == 200
        gate.set()
        for one in guessers:
            one.close()


def test_tls(directory: Path, authority: trustme.CA) -> None:
    with serving(families, write(directory, TLS), tls=client(authority)) as running:
        assert running.get("/metrics").status == 200
        assert running.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        stranger = ssl.create_default_context()
        running.tls = stranger
        with pytest.raises(ssl.SSLError):
            running.get()


def test_old_tls_is_refused(directory: Path, authority: trustme.CA) -> None:
    context = client(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    text = f"{TLS}  min_version: TLS13\n"
    with serving(families, write(directory, text), tls=context) as running, pytest.raises(OSError, match=r".*"):
        running.get()


def test_a_client_certificate_is_needed(directory: Path, authority: trustme.CA) -> None:
    with serving(families, write(directory, BY_CLIENTS), tls=client(authority, "prometheus")) as running:
        assert running.get("/metrics").status == 200
        for context in (client(authority), client(authority)):
            running.tls = context
            with pytest.raises(OSError, match=r".*"):
                running.get("/metrics")
        other = trustme.CA()
        running.tls = client(authority)
        other.issue_cert("prometheus").configure_cert(running.tls)
        with pytest.raises(OSError, match=r".*"):
            running.get("/metrics")


def test_a_client_certificate_if_given(directory: Path, authority: trustme.CA) -> None:
    text = BY_CLIENTS.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven")
    with serving(families, write(directory, text), tls=client(authority)) as running:
        assert running.get("/metrics").status == 200
        running.tls = client(authority, "prometheus")
        assert running.get("/metrics").status == 200


def test_only_certificates_with_these_names(directory: Path, authority: trustme.CA) -> None:
    text = f"{BY_CLIENTS}  client_allowed_sans: [prometheus.example]\n"
    with serving(families, write(directory, text), tls=client(authority, "prometheus.example")) as running:
        assert running.get("/metrics").status == 200
        running.tls = client(authority, "other.example")
        assert running.get("/metrics").status == 403


def test_headers_are_added(directory: Path) -> None:
    text = "http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=1\n"
    with serving(families, write(directory, text)) as running:
        assert running.get().headers["strict-transport-security"] == "max-age=1"


def test_many_who_begin_no_handshake_do_not_stop_one_who_does(directory: Path, authority: trustme.CA) -> None:
    with serving(families, write(directory, TLS), tls=client(authority)) as running:
        hanging: list[socket.socket] = []
        for number in range(200):
            one = running.connect()
            if number % 2:
                one.sendall(b"\x16\x03\x01")
            hanging.append(one)
        assert running.get("/metrics").status == 200
        for one in hanging:
            one.close()


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The server looks at its files all the time, and what it says is caught."""
    monkeypatch.setattr(server_module, "_LOOK_AT_FILES_S", 0.05)
    caplog.set_level(logging.INFO)
    return caplog


def test_a_changed_file_is_taken_up_and_a_broken_one_is_not(
    directory: Path, authority: trustme.CA, looking: pytest.LogCaptureFixture
) -> None:
    with serving(families, write(directory, TLS), tls=client(authority)) as running:
        assert running.get().status == 200
        write(directory, TLS + USERS)
        assert eventually(lambda: running.get().status == 401)
        write(directory, TLS + "rubbish: x\n")
        assert eventually(lambda: "stays in force" in looking.text)
        assert running.get().status == 401
        other = bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()
        write(directory, TLS + USERS.replace(HASH, other))
        assert eventually(lambda: running.get("/", basic("prometheus", "other")).status == 200)
        assert running.get("/", basic("prometheus", "secret")).status == 401


def test_a_file_that_still_changes_is_not_read_yet(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of it may say less than all."""
    path = write(directory, USERS)
    server = server_module.Server(App(families), [], path)
    users = [USERS + f"  user{number}: {HASH}\n" for number in range(3)]
    steps: list[Callable[[], object]] = [
        lambda: write(directory, users[0]),
        lambda: write(directory, users[1] + "\n" * 7),
        lambda: None,
        lambda: None,
    ]
    known: list[int] = []

    async def sleep(_seconds: float) -> None:
        known.append(len(server._settings.config.users))
        if not steps:
            raise asyncio.CancelledError
        steps.pop(0)()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(server._reload())
    assert known == [1, 1, 1, 2, 2]


def test_a_new_certificate_is_taken_up(
    directory: Path, authority: trustme.CA, looking: pytest.LogCaptureFixture
) -> None:
    with serving(families, write(directory, TLS), tls=client(authority)) as running:
        fresh = trustme.CA()
        _issue(directory, fresh)
        trusting = client(fresh)

        def new_one_is_shown() -> bool:
            running.tls = trusting
            try:
                return running.get().status == 200
            except ssl.SSLError:
                return False

        assert eventually(new_one_is_shown)


@pytest.mark.parametrize("text", ["", "http_server_config: {}\n", TLS, USERS])
def test_what_protects_is_not_taken_away_by_a_change(
    directory: Path, authority: trustme.CA, looking: pytest.LogCaptureFixture, text: str
) -> None:
    """An editor that empties the file before it fills it must not open the door for a moment."""
    with serving(families, write(directory, TLS + USERS), tls=client(authority)) as running:
        write(directory, text)
        assert eventually(lambda: "if that is meant" in looking.text)
        assert running.get().status == 401


def test_the_key_may_be_a_groups(directory: Path) -> None:
    (directory / "server.key").chmod(0o640)
    assert load_web_config(write(directory, TLS + USERS, 0o640)).tls is not None
    assert os.stat(directory / "web.yml").st_mode & 0o777 == 0o640  # noqa: PTH116
