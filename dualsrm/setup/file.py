"""The text of the file: tables for the loader, comments for the person who reads it.

What stands in a table was validated before; what stands in a comment may be anything and is made printable.
"""

from __future__ import annotations

from collections.abc import Iterator

from dualsrm.model import Power, Unknown
from dualsrm.model.text import plain
from dualsrm.setup.draft import Draft, Fence, GuestDraft, HostDraft
from dualsrm.setup.missing import install
from dualsrm.setup.networks import Shares

_SHARES = {
    Shares.NOTHING: "neither replication, management nor a guests' bridge is on it",
    Shares.GUESTS: "a guests' bridge is on it too; a network of its own would be better",
    Shares.MANAGEMENT: "the management network: a network of its own would be better",
    Shares.REPLICATION: "REPLICATION IS ON IT TOO: memory at full speed starves it; set bandwidth_mib_s below",
}


def render(draft: Draft, path: str) -> str:
    """The whole file. `path`: where it will lie, for the commands in its comments."""
    parts = [_head(), _ssh(draft), *(_host(draft, one) for one in draft.hosts), _pair(draft), _migration(draft)]
    parts += [_state(draft), _guests(draft)]
    parts += [_host_file(draft, one, number, path) for number, one in enumerate(draft.hosts, start=1)]
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part))) + "\n"


def quoted(value: str) -> str:
    """A TOML string of printable text."""
    if not value.isprintable():
        raise ValueError("a value with control characters")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _key(name: str) -> str:
    """As a part of a table's name; a dot in it must not make two of it."""
    return quoted(name) if "." in name else name


def _said(value: object) -> str:
    return f"# {plain(value)}"


def _head() -> Iterator[str]:
    yield "# Written by `dualsrm init` from what both hosts say. Every key there is: docs/configuration.md"
    yield "# It looks and writes this file, nothing else. Next: dualsrm check GUEST"


def _ssh(draft: Draft) -> Iterator[str]:
    yield "[ssh]"
    yield f"identity_file = {quoted(draft.identity)}" if draft.identity else '# identity_file = "/root/.ssh/dualsrm"'
    yield (
        f"known_hosts = {quoted(draft.known_hosts)}"
        if draft.known_hosts
        else '# known_hosts = "/root/.ssh/known_hosts"'
    )


def _host(draft: Draft, one: HostDraft) -> Iterator[str]:
    host, survey = one.host, one.survey
    yield _said(
        f"{host.name}: DRBD {one.drbd_version}; CPU {one.cpu or 'not named by libvirt'}; {_bridges(draft, one)}"
    )
    yield _said("addresses: " + ", ".join(f"{found.address} ({found.interface})" for found in survey.addresses))
    yield f"[hosts.{_key(host.name)}]"
    yield f"address = {quoted(host.address)}"
    yield from ([] if host.user == "root" else [f"user = {quoted(host.user)}"])
    yield from ([] if host.port == 22 else [f"port = {host.port}"])  # noqa: PLR2004 - ssh's own port
    yield f"# resources replicate from {plain(', '.join(one.replication) or 'an address that is not known')}"
    yield f"# memory arrives here: {_SHARES[draft.memory.shares]}"
    if draft.memory.others:
        yield _said(f"other networks both hosts are on: {', '.join(draft.memory.others)}")
    yield f"migration_address = {quoted(host.migration_address)}"
    yield f"peer_uri = {quoted(host.peer_uri)}"


def _bridges(draft: Draft, one: HostDraft) -> str:
    mine, theirs = one.survey.bridges, draft.other(one).survey.bridges
    if isinstance(mine, Unknown) or isinstance(theirs, Unknown):
        return "bridges not known"
    both = [name for name in mine if name in theirs]
    alone = [name for name in mine if name not in theirs]
    said = f"bridges on both hosts: {', '.join(both) or 'none'}"
    return f"{said}; only here: {', '.join(alone)}" if alone else said


def _pair(draft: Draft) -> Iterator[str]:
    yield f"[pairs.{_key(draft.pair)}]"
    yield f"hosts = [{', '.join(quoted(one.host.name) for one in draft.hosts)}]"


def _migration(draft: Draft) -> Iterator[str]:
    yield "[migration]"
    yield '# "tls" needs certificates on both hosts; "tcp" sends memory readable: only where nobody can listen.'
    yield f"transport = {quoted(draft.transport)}"
    if draft.memory.shares is Shares.REPLICATION:
        yield "# bandwidth_mib_s = 0    # less than replication leaves of the link"


def _state(draft: Draft) -> Iterator[str]:
    if draft.state:
        yield "[state]"
        yield f"directory = {quoted(draft.state)}"


def _guests(draft: Draft) -> Iterator[str]:
    """Guests are discovered at every command: nothing of them stands in a table."""
    managed = [guest for guest in draft.guests if not guest.reasons]
    yield "# Guests that can be managed. They are found anew at every command; nothing here has to be kept up."
    yield from (_said(f"  {_guest(guest)}") for guest in managed)
    if not managed:
        yield "#   none"
    for guest in draft.guests:
        if guest.reasons:
            yield _said(f"Not managed: {_guest(guest)}")
            yield from (_said(f"    {reason}") for reason in guest.reasons)


def _guest(guest: GuestDraft) -> str:
    where = f"runs on {' and '.join(guest.active_on)}" if guest.active_on else "shut off"
    return f"{guest.guest}: {where}; {', '.join(guest.resources) or 'no resource'}"


def _host_file(draft: Draft, one: HostDraft, number: int, path: str) -> Iterator[str]:
    """The host's own file, if it has none that serves. Its lines carry a mark, so that one command takes them there."""
    other = draft.other(one).host
    fence, seen = draft.fences.get(other.name), one.peer
    if fence is None and not isinstance(seen, Unknown) and seen.reached and seen.power is not Power.NO_DEVICE:
        return
    yield _said(
        f"/etc/dualsrm/host.toml of {one.host.name}, which tells its dualsrm-host how to reach {other.name} and to"
    )
    yield "# switch it off. Edit it here first if need be (keys: docs/installing.md). To put it there if there is none:"
    yield _said(f"  {install(one, number, path)}")
    section = f"peers.{_key(other.name)}"
    lines = [f"[{section}]", f"address = {quoted(other.address)}"]
    lines += [] if other.port == 22 else [f"port = {other.port}"]  # noqa: PLR2004 - ssh's own port
    lines += ['# identity = "/root/.ssh/dualsrm"', '# known_hosts = "/root/.ssh/known_hosts"']
    lines += _fence_lines(section, fence) if fence else [f"# {line}" for line in _fence_lines(section, _EXAMPLE)]
    yield from (f"#{number}> {line}" for line in lines)


_EXAMPLE = Fence(
    "fence_ipmilan", {"ip": "203.0.113.12", "username": "admin", "lanplus": "1"}, "/etc/dualsrm/bmc.password"
)


def _fence_lines(section: str, fence: Fence) -> list[str]:
    lines = [f"[{section}.fence]", f"agent = {quoted(fence.agent)}"]
    lines += [f"password_file = {quoted(fence.password_file)}"] if fence.password_file else []
    return [*lines, f"[{section}.fence.options]", *(f"{key} = {quoted(value)}" for key, value in fence.options.items())]
