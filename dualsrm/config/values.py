"""The values a key may have, each refused with what is allowed there."""

from __future__ import annotations

import ipaddress
import re
from pathlib import PurePosixPath
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

_RESOURCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}", re.ASCII)
_NO_OPTIONS = ("ro", "bind", "rbind", "move", "remount", "noauto", "auto", "loop", "offset")
NAME_RULE = "letters, digits, dot, dash and underscore, a letter or digit first, 64 at most: it becomes a file name"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_PEER_SCHEMES = ("qemu+ssh", "qemu+tls", "qemu+tcp")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"allowed are {NAME_RULE}")
    return value


def _user(value: str) -> str:
    if not _USER.fullmatch(value):
        raise ValueError("allowed is a login name, e.g. root")
    return value


def _is_address(value: str) -> bool:
    """Whether this is a host name or an IP address. It becomes an argument of ssh: no dash first, no odd character."""
    labels = value.removesuffix(".").split(".")
    if labels[-1].isdigit() or ":" in value:
        try:
            return "%" not in value and bool(ipaddress.ip_address(value))
        except ValueError:
            return False
    return len(value) <= 253 and all(_LABEL.fullmatch(label) for label in labels)  # noqa: PLR2004 - DNS's limit


def _address(value: str) -> str:
    if not _is_address(value):
        raise ValueError("allowed is a host name or an IP address, e.g. 10.79.0.11 (no zone, no port)")
    return value


def _migration_address(value: str) -> str:
    _address(value)
    try:
        ip = ipaddress.ip_address(value)
    except ValueError:
        return value
    if ip.is_unspecified or ip.is_loopback or ip.is_multicast:
        raise ValueError("allowed is an address of this host that the other host reaches")
    return value


def _peer_uri(value: str) -> str:
    example = "e.g. qemu+ssh://alpha/system"
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f"allowed is a libvirt URI without spaces or control characters, {example}")
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"allowed is a libvirt URI ({error}), {example}") from None
    if parts.scheme not in _PEER_SCHEMES:
        raise ValueError(f"allowed are {', '.join(_PEER_SCHEMES)}, {example}")
    if host is None or not _is_address(host):
        raise ValueError(f"it must name a host, {example}")
    if parts.username is not None and not _USER.fullmatch(parts.username):
        raise ValueError(f"the user in it must be a login name, {example}")
    if parts.path != "/system":
        raise ValueError(f"its path must be /system, {example}")
    return value


def _absolute(value: str) -> str:
    if not value.startswith("/") or not value.isprintable():
        raise ValueError("allowed is an absolute path (~ and variables are not expanded)")
    return value


def _at_deadline(value: object) -> object:
    if value == "cold":
        raise ValueError("allowed are 'abort' and 'pause': to move it cold then, 'abort' and on_failure = \"cold\"")
    return value


def _guest_name(value: str) -> str:
    if not value or len(value) > 255 or "/" in value or not value.isprintable() or value != value.strip():  # noqa: PLR2004 - a file name's limit
        raise ValueError("allowed is a guest's name as `virsh list --all` shows it")
    return value


def _endpoint(value: str) -> str:
    host, _, port = value.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if (":" in host) != (bare != host) or not _is_address(bare):
        raise ValueError("allowed is HOST:PORT, e.g. 192.0.2.10:5432 or [2001:db8::10]:5432")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535):  # noqa: PLR2004 - TCP's limit
        raise ValueError("the port after the colon must be a number from 1 to 65535")
    return value


def _http_url(value: str) -> str:
    example = "e.g. http://192.0.2.10:8080/health"
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f"allowed is a URL without spaces or control characters, {example}")
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"allowed is a URL ({error}), {example}") from None
    if parts.scheme not in ("http", "https") or host is None or not _is_address(host):
        raise ValueError(f"allowed are http and https and a host, {example}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must name no user and no password: this file is no place for them; use a command")
    return value


def _program(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or not value[0].startswith("/"):
        raise ValueError("allowed is a list that begins with the absolute path of a program")
    if any("\0" in word for word in value):
        raise ValueError("no argument of a program holds a NUL")
    return value


def _resource_name(value: str) -> str:
    if value == "all" or not _RESOURCE.fullmatch(value):
        raise ValueError("allowed is a resource's name as `drbdadm sh-resources` shows it")
    return value


def _mount_point(value: str) -> str:
    path = PurePosixPath(value)
    if str(path) != value or ".." in path.parts or not re.fullmatch(r"/[A-Za-z0-9_./@+-]*", value):
        raise ValueError("allowed is an absolute path of letters, digits and . _ - + @, without .. or a closing slash")
    if len(path.parts) < 2:  # noqa: PLR2004 - the root and one name
        raise ValueError("allowed is a directory of its own, not /")
    return value


def _mount_option(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:/=+-]{0,127}", value):
        raise ValueError("allowed is one option without commas, e.g. noatime or data=ordered")
    if value.partition("=")[0] in _NO_OPTIONS:
        raise ValueError("it must not be mounted read-only, elsewhere or later: guests write there")
    return value


def _variable_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) or value.startswith("DUALSRM_"):
        raise ValueError("allowed is a variable's name, and not one of dualsrm's own (DUALSRM_...)")
    return value


Name: TypeAlias = Annotated[str, AfterValidator(_name)]
Login: TypeAlias = Annotated[str, AfterValidator(_user)]
Address: TypeAlias = Annotated[str, AfterValidator(_address)]
MigrationAddress: TypeAlias = Annotated[str, AfterValidator(_migration_address)]
PeerUri: TypeAlias = Annotated[str, AfterValidator(_peer_uri)]
AbsolutePath: TypeAlias = Annotated[str, AfterValidator(_absolute)]
WhenLate: TypeAlias = Annotated[Literal["abort", "pause"], BeforeValidator(_at_deadline)]
GuestName: TypeAlias = Annotated[str, AfterValidator(_guest_name)]
Endpoint: TypeAlias = Annotated[str, AfterValidator(_endpoint)]
HttpUrl: TypeAlias = Annotated[str, AfterValidator(_http_url)]
Program: TypeAlias = Annotated[tuple[str, ...], AfterValidator(_program)]
ResourceName: TypeAlias = Annotated[str, AfterValidator(_resource_name)]
MountPoint: TypeAlias = Annotated[str, AfterValidator(_mount_point)]
MountOption: TypeAlias = Annotated[str, AfterValidator(_mount_option)]
VariableName: TypeAlias = Annotated[str, AfterValidator(_variable_name)]
