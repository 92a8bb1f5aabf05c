"""`dualsrm init`: two hosts looked at, a configuration of them written, and what is missing said."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import click
from pydantic import TypeAdapter, ValidationError

from dualsrm.checks import blocking
from dualsrm.cli.fence import ask_for_fences, fences_given
from dualsrm.cli.options import json_option, pass_session
from dualsrm.cli.output import console, emit_json, finding_json, print_trouble, whole_file
from dualsrm.cli.session import Session
from dualsrm.cli.text import plain, text
from dualsrm.config import load
from dualsrm.config.values import NAME_RULE, AbsolutePath, Address, Login, Name
from dualsrm.engine.init import GuestFound, check_guests, look_at_hosts
from dualsrm.errors import ExitCode, UsageError
from dualsrm.hosts.ssh import SshSettings
from dualsrm.model import Finding, Host, PeerSeen, Power
from dualsrm.setup import Draft, missing, render

_HOST = re.compile(r"(?:([^@]+)@)?(?:\[([^]]+)\]|([^\[\]:]+|[0-9a-fA-F:]+:[0-9a-fA-F:]*))(?::([0-9]{1,5}))?")
_LAST_PORT = 65_535


@click.command()
@click.argument("host1")
@click.argument("host2")
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write it; the file of --config by default.",
)
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
@click.option("--pair", "pair_name", metavar="NAME", help="Name of the pair; both hosts' names by default.")
@click.option("--identity", metavar="FILE", type=click.Path(path_type=Path), help="Private key for both hosts.")
@click.option("--known-hosts", metavar="FILE", type=click.Path(path_type=Path), help="File with both hosts' keys.")
@click.option("--state", metavar="DIRECTORY", type=click.Path(path_type=Path), help="Where the journal is to lie.")
@click.option(
    "--transport",
    type=click.Choice(["tls", "tcp"]),
    default="tls",
    show_default=True,
    help="How memory crosses; tcp sends it readable.",
)
@click.option(
    "--fence",
    "fence",
    nargs=2,
    multiple=True,
    metavar="HOST KEY=VALUE,...",
    help="The power switch that turns HOST off: agent, password_file (a path, on the other host), and the agent's own"
    " parameters. Can be repeated.",
)
@click.option("--no-input", is_flag=True, help="Ask nothing, also on a terminal.")
@json_option
@pass_session
def init(
    session: Session,
    host1: str,
    host2: str,
    *,
    output: Path | None,
    force: bool,
    pair_name: str | None,
    identity: Path | None,
    known_hosts: Path | None,
    state: Path | None,
    transport: Literal["tls", "tcp"],
    fence: tuple[tuple[str, str], ...],
    no_input: bool,
    as_json: bool,
) -> int:
    """Look at two hosts, write a configuration of them, and say what each guest lacks.

    HOST1 and HOST2 are [USER@]ADDRESS[:PORT] on the management network. Nothing is changed on either. Exit code 0 only
    if every guest that runs and can be managed is ready to migrate and to fail over.
    """
    path = (output or session.path).absolute()
    if path.exists() and not force:
        raise _exists(path)
    if pair_name is not None and not _is(Name, pair_name):
        raise UsageError(f"{plain(pair_name)!r} cannot name a pair", why="nothing was written", fix=f"use {NAME_RULE}")
    typed = (_host(host1), _host(host2))
    ssh = SshSettings(_whole(identity), _whole(known_hosts))
    draft = replace(
        look_at_hosts(session.strangers(typed, ssh), typed, pair_name),
        transport=transport,
        identity=str(ssh.identity_file) if ssh.identity_file else None,
        known_hosts=str(ssh.known_hosts) if ssh.known_hosts else None,
        state=str(_whole(state)) if state else None,
    )
    names = {word: one.host.name for word, one in zip((host1, host2), draft.hosts, strict=True)}
    names |= {one.host.name: one.host.name for one in draft.hosts}
    fences = fences_given(fence, names)
    if not no_input and not as_json and sys.stdin.isatty() and sys.stderr.isatty():
        fences |= ask_for_fences([host for host in _without_switch(draft) if host not in fences])
    draft = replace(draft, fences=fences)
    _write(path, render(draft, str(path)), force=force)
    session.adopt(path)
    findings = missing(draft, str(path))
    guests = _checked(session, draft)
    if as_json:
        emit_json("init", _as_json(path, draft, findings, guests))
    else:
        _print(path, draft, findings, guests)
    return ExitCode.OK if _ready(findings, guests) else ExitCode.REFUSED


# --- what a person typed ----------------------------------------------------------------------------


def _host(typed: str) -> Host:
    found = _HOST.fullmatch(typed)
    user, address, port = (found[1] or "root", found[2] or found[3], int(found[4] or 22)) if found else ("", "", 0)
    if not (_is(Login, user) and _is(Address, address) and 0 < port <= _LAST_PORT) or _is_loopback(address):
        raise UsageError(
            f"{plain(typed)} is no host that both this machine and the other host reach",
            why="the address goes into the file, and the hosts reach each other by it",
            fix="name it as [USER@]ADDRESS[:PORT] on the management network, e.g. root@192.0.2.11",
        )
    return Host(typed, address, address, f"qemu+ssh://{address}/system", user, port)


def _is(kind: Any, value: str) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.rstrip(".") == "localhost"


def _whole(path: Path | None) -> Path | None:
    whole = path.expanduser().absolute() if path else None
    if whole and not _is(AbsolutePath, str(whole)):
        raise UsageError(f"{plain(whole)} has control characters", why="it goes into the file", fix="name another")
    return whole


def _without_switch(draft: Draft) -> list[str]:
    """Hosts whose power switch the other one does not know."""
    return [
        draft.other(one).host.name
        for one in draft.hosts
        if not (isinstance(one.peer, PeerSeen) and one.peer.power is not Power.NO_DEVICE)
    ]


# --- the file -----------------------------------------------------------------------------------------


def _write(path: Path, content: str, *, force: bool) -> None:
    """The whole file under its name, or nothing; what the loader refuses never gets the name."""
    try:
        with whole_file(path, content, 0o600) as fresh:
            load(fresh)
            if force:
                fresh.replace(path)
            else:
                path.hardlink_to(fresh)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}",
            why="nothing was written",
            fix=f"make {path.parent} a directory this user may write to, or name another with --output",
        ) from error


def _exists(path: Path) -> UsageError:
    return UsageError(
        f"{path} is there already",
        why="somebody may have written it by hand; it is not touched",
        fix="name another with --output, or replace it with --force",
    )


# --- what is missing ------------------------------------------------------------------------------------


def _checked(session: Session, draft: Draft) -> tuple[GuestFound, ...]:
    """Each guest by the very checks of `dualsrm check` and `status`, with the file just written."""
    pair = session.settings.pairs[draft.pair]
    return check_guests(session.environment([pair]), pair, draft.guests, session.state_directory)


def _ready(findings: tuple[Finding, ...], guests: tuple[GuestFound, ...]) -> bool:
    return not blocking(findings) and all(guest.fine for guest in guests)


def _as_json(
    path: Path, draft: Draft, findings: tuple[Finding, ...], guests: tuple[GuestFound, ...]
) -> Mapping[str, object]:
    return {
        "file": str(path),
        "pair": draft.pair,
        "ready": _ready(findings, guests),
        "hosts": [_host_json(draft, number) for number in (0, 1)],
        "findings": [finding_json(finding) for finding in findings],
        "guests": [
            {
                **dataclasses.asdict(guest.draft),
                "ready_to_migrate": guest.ready_to_migrate,
                "ready_to_fail_over": guest.ready_to_fail_over,
                "blockers": [finding_json(finding) for finding in guest.blockers],
                "failover_blockers": [finding_json(finding) for finding in guest.failover_blockers],
            }
            for guest in guests
        ],
    }


def _host_json(draft: Draft, number: int) -> dict[str, object]:
    host, survey = draft.hosts[number].host, draft.hosts[number].survey
    return {
        "host": host.name,
        "address": host.address,
        "migration_address": host.migration_address,
        "memory_shares": draft.memory.shares.name.lower(),
        "peer_uri": host.peer_uri,
        "addresses": [found.address for found in survey.addresses],
    }


def _print(path: Path, draft: Draft, findings: tuple[Finding, ...], guests: tuple[GuestFound, ...]) -> None:
    out = console()
    out.print(text(f"wrote {path}: pair {draft.pair} of {' and '.join(one.host.name for one in draft.hosts)}"))
    for finding in findings:
        print_trouble(finding)
    for guest in guests:
        out.print(
            text(_verdict(guest, blocked=bool(blocking(findings))), "green" if guest.fine else "bold red"),
            soft_wrap=True,
        )
        for finding in dict.fromkeys((*guest.blockers, *guest.failover_blockers)):
            print_trouble(finding)


def _verdict(guest: GuestFound, *, blocked: bool) -> str:
    name = plain(guest.draft.guest)
    if guest.draft.reasons:
        return f"{name}: cannot be managed: {'; '.join(guest.draft.reasons)}"
    if not guest.active:
        return f"{name}: shut off; `dualsrm check` tells more once it runs"
    words = [
        f"{'ready' if ready else 'NOT ready'} to {what}"
        for what, ready in (("migrate", guest.ready_to_migrate), ("fail over", guest.ready_to_fail_over))
    ]
    return f"{name}: {', '.join(words)}{', once the above is mended' if blocked else ''}"
