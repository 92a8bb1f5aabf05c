"""`web.yml`, in the shape of Prometheus' exporter-toolkit: TLS, client certificates, basic auth, response headers.

What that file can say and this exporter cannot do is refused, never passed over: a setting that protects would be
believed to be in force.
"""

from __future__ import annotations

import re
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml


class WebConfigError(Exception):
    """The file cannot be used; says which key and why."""


@dataclass(frozen=True, slots=True)
class Tls:
    """`tls_server_config`."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    client_auth: ssl.VerifyMode = ssl.CERT_NONE
    client_allowed_sans: frozenset[str] = frozenset()
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The whole file; without one, plain HTTP for everybody who reaches the port."""

    tls: Tls | None = None
    users: Mapping[str, bytes] = field(default_factory=dict)
    """bcrypt hashes by user."""
    headers: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    """All that was read: a change in one of them is a new configuration."""


_LIMIT: Final = 1024 * 1024
_SECTIONS: Final = ("tls_server_config", "http_server_config", "basic_auth_users")
_TLS_KEYS: Final = (
    "cert_file",
    "key_file",
    "client_ca_file",
    "client_auth_type",
    "client_allowed_sans",
    "min_version",
    "max_version",
)
_HTTP_KEYS: Final = ("http2", "headers")
_HEADERS: Final = (
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
)
_CLIENT_AUTH: Final = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_UNVERIFIED: Final = ("RequestClientCert", "RequireAnyClientCert")
_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_BCRYPT: Final = re.compile(r"\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}", re.ASCII)
_MAX_COST: Final = 14
"""Takes a second; whoever may connect may make us do it."""
_VISIBLE: Final = re.compile(r"[\x20-\x7e]{0,1024}", re.ASCII)


def load_web_config(path: Path) -> WebConfig:
    """Read and check the file, and that its secrets are none of the world's; raises `WebConfigError`."""
    found = _section(_parse(path), str(path), _SECTIONS)
    users = _users(found.get("basic_auth_users"))
    tls = _tls(found.get("tls_server_config"), path.parent)
    _must_be_closed(path, holds_secrets=bool(users))
    files = [path]
    if tls is not None:
        _must_be_closed(tls.key_file, holds_secrets=True)
        files += [tls.cert_file, tls.key_file, *([tls.client_ca_file] if tls.client_ca_file else [])]
    return WebConfig(tls, users, _headers(found.get("http_server_config")), tuple(files))


def make_context(tls: Tls) -> ssl.SSLContext:
    """What a connection is wrapped in; raises `WebConfigError`."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version, context.maximum_version = tls.minimum, tls.maximum
        context.load_cert_chain(tls.cert_file, tls.key_file, password=_no_password)
        if tls.client_ca_file is not None:
            context.load_verify_locations(tls.client_ca_file)
        context.verify_mode = tls.client_auth
    except (OSError, ValueError) as error:
        # ssl.SSLError is an OSError; its words name no file.
        raise WebConfigError(f"{tls.cert_file}, {tls.key_file}: {error}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted, and nobody is there to type its password")


def _parse(path: Path) -> object:
    try:
        with path.open("rb") as file:
            text = file.read(_LIMIT + 1)
        if len(text) > _LIMIT:
            raise WebConfigError(f"{path} is too large for what it is")
        return yaml.safe_load(text)
    except OSError as error:
        raise WebConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        # yaml's words would quote the line, and that may be a password's hash.
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise WebConfigError(f"{path}{where}: this is no YAML") from error


def _section(value: object, where: str, known: tuple[str, ...]) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WebConfigError(f"{where} must be keys with values")
    for key in value:
        if key not in known:
            raise WebConfigError(f"{where}: there is no key {str(key)[:80]!r} here; known are {', '.join(known)}")
    return value


def _tls(value: object, base: Path) -> Tls | None:
    if value is None:
        return None
    where = "tls_server_config"
    found = _section(value, where, _TLS_KEYS)
    cert, key, ca = (_file(found, name, base) for name in ("cert_file", "key_file", "client_ca_file"))
    if cert is None or key is None:
        raise WebConfigError(f"{where}: cert_file and key_file are both needed")
    wanted = found.get("client_auth_type", "")
    if wanted in _UNVERIFIED:
        raise WebConfigError(f"{where}: client_auth_type {wanted} takes certificates nobody verifies; not done here")
    if not isinstance(wanted, str) or wanted not in _CLIENT_AUTH:
        raise WebConfigError(f"{where}: client_auth_type is one of {', '.join(filter(None, _CLIENT_AUTH))}")
    verify = _CLIENT_AUTH[wanted]
    if (verify is ssl.CERT_NONE) != (ca is None):
        raise WebConfigError(f"{where}: client_ca_file and a client_auth_type that verifies go together")
    sans = found.get("client_allowed_sans", [])
    if not isinstance(sans, list) or not all(isinstance(one, str) and one for one in sans):
        raise WebConfigError(f"{where}: client_allowed_sans is a list of names")
    if sans and verify is not ssl.CERT_REQUIRED:
        raise WebConfigError(f"{where}: client_allowed_sans needs client_auth_type RequireAndVerifyClientCert")
    low, high = (_version(found, name) for name in ("min_version", "max_version"))
    if low and high and low > high:
        raise WebConfigError(f"{where}: min_version is above max_version")
    return Tls(
        cert,
        key,
        ca,
        verify,
        frozenset(sans),
        low or ssl.TLSVersion.TLSv1_2,
        high or ssl.TLSVersion.MAXIMUM_SUPPORTED,
    )


def _file(found: Mapping[str, object], key: str, base: Path) -> Path | None:
    """A path, from the file's own directory if it is relative."""
    value = found.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or "\0" in value:
        raise WebConfigError(f"tls_server_config: {key} is a path")
    return base / value


def _version(found: Mapping[str, object], key: str) -> ssl.TLSVersion | None:
    value = found.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or value not in _VERSIONS:
        raise WebConfigError(f"tls_server_config: {key} is one of {', '.join(_VERSIONS)}")
    return _VERSIONS[value]


def _users(value: object) -> dict[str, bytes]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WebConfigError("basic_auth_users must be names with bcrypt hashes")
    users = {}
    for user, hashed in value.items():
        if not isinstance(user, str) or not user or ":" in user:
            raise WebConfigError("basic_auth_users: a name is text without a colon; quote it if it looks like a number")
        found = _BCRYPT.fullmatch(hashed) if isinstance(hashed, str) else None
        if found is None:
            raise WebConfigError(f"basic_auth_users: what stands for {user!r} is no bcrypt hash (htpasswd -nBC 10 '')")
        if int(found["cost"]) > _MAX_COST:
            raise WebConfigError(f"basic_auth_users: the hash of {user!r} costs more than {_MAX_COST}")
        users[user] = hashed.encode()
    return users


def _headers(value: object) -> dict[str, str]:
    found = _section(value, "http_server_config", _HTTP_KEYS)
    if not isinstance(found.get("http2", False), bool):
        raise WebConfigError("http_server_config: http2 is true or false; this exporter speaks HTTP/1.1 either way")
    headers = _section(found.get("headers"), "http_server_config: headers", _HEADERS)
    for name, text in headers.items():
        if not isinstance(text, str) or not _VISIBLE.fullmatch(text):
            raise WebConfigError(f"http_server_config: {name} is one line of text")
    return headers


def _must_be_closed(path: Path, *, holds_secrets: bool) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise WebConfigError(f"{path} cannot be read: {error.strerror}") from error
    if mode & stat.S_IWOTH:
        raise WebConfigError(f"{path} can be changed by everybody: chmod o-w {path}")
    if holds_secrets and mode & stat.S_IROTH:
        raise WebConfigError(f"{path} holds secrets and can be read by everybody: chmod o-r {path}")
