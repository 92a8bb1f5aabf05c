"""Why a host could not be reached, in words: what paramiko or the system raised becomes seen, why and fix."""

from __future__ import annotations

import errno
import socket
from shlex import quote

from paramiko import SSHException
from paramiko.hostkeys import HostKeys
from paramiko.pkey import PKey
from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    ChannelException,
    NoValidConnectionsError,
    PasswordRequiredException,
)

from dualsrm.errors import HostUnreachable
from dualsrm.hosts.ssh.settings import SshSettings
from dualsrm.hosts.text import clean
from dualsrm.model import Host


class UnknownHostKey(SSHException):
    """The host showed a key that no trusted file names."""

    def __init__(self, key: PKey) -> None:
        super().__init__("host key not known")
        self.key = key


def explain(error: BaseException, host: Host, settings: SshSettings) -> HostUnreachable:
    """The `HostUnreachable` for whatever connecting or executing raised."""
    match error:
        case HostUnreachable():
            found = error
        case BadHostKeyException():
            found = _changed_key(error, host, settings)
        case UnknownHostKey():
            found = _unknown_key(error, host, settings)
        case AuthenticationException():  # PasswordRequiredException among them
            found = _refused_login(error, host, settings)
        case ChannelException():
            found = _refused_channel(error, host)
        case NoValidConnectionsError():
            found = _network(next(iter(error.errors.values()), error), host)
        case OSError():
            found = _network(error, host)
        case _:
            found = _broken(error, host)
    return found


def is_silence(error: BaseException | None) -> bool | None:
    """Whether nobody was there, by what connecting raised; None where it does not tell.

    A refusal of any kind is an answer: that host runs. A missing route of our own, or a name that cannot be resolved,
    says nothing about it.
    """
    match error:
        case BadHostKeyException() | UnknownHostKey() | AuthenticationException() | ChannelException():
            return False
        case NoValidConnectionsError():
            error = next(iter(error.errors.values()), None)
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, TimeoutError) or number in (errno.ETIMEDOUT, errno.EHOSTUNREACH):
        return True
    return False if number in (errno.ECONNREFUSED, errno.ECONNRESET) else None


def key_name(host: Host) -> str:
    """How known_hosts names the host: the port belongs to it unless it is 22."""
    return host.address if host.port == 22 else f"[{host.address}]:{host.port}"  # noqa: PLR2004 - ssh's own port


def _where(host: Host) -> str:
    return f"{host.name} ({host.user}@{host.address}, port {host.port})"


def _manual(host: Host) -> str:
    return f"ssh -v -p {host.port} {quote(f'{host.user}@{host.address}')} true"


def _changed_key(error: BadHostKeyException, host: Host, settings: SshSettings) -> HostUnreachable:
    name = key_name(host)
    file = next((path for path in settings.known_hosts_files if _names(path, name)), settings.known_hosts_files[0])
    return HostUnreachable(
        f"{_where(host)} shows another host key than {file} has: {error.key.fingerprint}",
        why="either the host was reinstalled, or somebody stands between it and this machine; "
        "what would be sent is root's word",
        fix="verify first, on the host's own console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. Only if it is "
        f"the host's: ssh-keygen -f {quote(str(file))} -R {quote(name)}, then {_scan(host, settings)}",
    )


def _unknown_key(error: UnknownHostKey, host: Host, settings: SshSettings) -> HostUnreachable:
    files = " or ".join(str(path) for path in settings.known_hosts_files)
    return HostUnreachable(
        f"the host key of {_where(host)} is not in {files}: it shows {error.key.fingerprint}",
        why="a host that is not known by its key may be any machine",
        fix=f"{_scan(host, settings)}; then compare `ssh-keygen -lf` of that file with the host's own console "
        "(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) before using it",
    )


def _scan(host: Host, settings: SshSettings) -> str:
    return f"ssh-keyscan -p {host.port} {quote(host.address)} >> {quote(str(settings.known_hosts_files[0]))}"


def _names(path: object, name: str) -> bool:
    try:
        return HostKeys(str(path)).lookup(name) is not None
    except (OSError, SSHException):
        return False


def _refused_login(error: AuthenticationException, host: Host, settings: SshSettings) -> HostUnreachable:
    identity = settings.identity_file.expanduser() if settings.identity_file else None
    if identity is not None and isinstance(error, PasswordRequiredException):
        return HostUnreachable(
            f"the SSH key {identity} has a passphrase",
            why="dualsrm must be able to log in with nobody there",
            fix="configure a key without one, readable by this user only; or configure none and load it in ssh-agent",
        )
    offered = f"the key {identity}" if identity else "the agent's keys and ~/.ssh/id_*"
    public = quote(f"{identity}.pub") if identity else "~/.ssh/id_ed25519.pub"
    return HostUnreachable(
        f"{_where(host)} refused the login with {offered}",
        why="nothing can be asked of the host or done on it",
        fix=f"ssh-copy-id -f -i {public} -p {host.port} {quote(f'{host.user}@{host.address}')}",
    )


def _refused_channel(error: ChannelException, host: Host) -> HostUnreachable:
    return HostUnreachable(
        f"{_where(host)} opened no further session on the connection: {clean(str(error))}",
        why="dualsrm runs several commands at once over one connection",
        fix="raise MaxSessions in the host's sshd_config (OpenSSH's default is 10)",
    )


_NETWORK = {
    errno.ECONNREFUSED: ("refused the connection", "sshd does not run there, or a firewall rejects: {manual}"),
    errno.EHOSTUNREACH: ("cannot be reached: no route", "ip route get {address}; is the host up?"),
    errno.ENETUNREACH: ("cannot be reached: no route", "ip route get {address}"),
    errno.ECONNRESET: ("reset the connection", "sshd's MaxStartups, fail2ban or a firewall: {manual}"),
    errno.ETIMEDOUT: ("does not answer", "ping {address}; is the host up, does a firewall drop?"),
}


def _network(error: BaseException, host: Host) -> HostUnreachable:
    why = "what cannot be seen is unknown, and unknown stops every move"
    if isinstance(error, socket.gaierror):
        return HostUnreachable(
            f"the address of {_where(host)} cannot be resolved: {clean(str(error.strerror))}",
            why=why,
            fix=f"getent hosts {quote(host.address)}; or write the IP address in the configuration",
        )
    number = error.errno if isinstance(error, OSError) and error.errno is not None else 0
    if isinstance(error, TimeoutError):
        number = errno.ETIMEDOUT
    seen, fix = _NETWORK.get(number, (f"cannot be reached: {clean(str(error)) or type(error).__name__}", "{manual}"))
    return HostUnreachable(
        f"{_where(host)} {seen}", why=why, fix=fix.format(manual=_manual(host), address=quote(host.address))
    )


def _broken(error: BaseException, host: Host) -> HostUnreachable:
    said = clean(str(error)) or type(error).__name__
    return HostUnreachable(
        f"the SSH connection to {_where(host)} failed: {said}",
        why="whether a command that was under way took effect is unknown",
        fix=_manual(host),
    )
