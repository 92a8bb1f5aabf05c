"""`dualsrm-host`: what of dualsrm runs on the hosts themselves. Needs Python's standard library and no manager."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import syslog
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Final

from dualsrm.hosts.text import clean
from dualsrm.hostside import local_drbd
from dualsrm.hostside.fence_peer import Exit, FencePeer
from dualsrm.hostside.fencing import fence, look
from dualsrm.hostside.files import CONFIRMED_FOR_S
from dualsrm.hostside.guard import guard, stop_timer
from dualsrm.hostside.machine import Machine
from dualsrm.hostside.port import Answer, Reply
from dualsrm.hostside.settings import HOST_NAME, configured_peers
from dualsrm.hostside.settings import PATH as HOST_TOML
from dualsrm.hostside.settle import settle
from dualsrm.hostside.yielding import answer_peer

_RESOURCE: Final = re.compile(r"(?!all\Z)[A-Za-z0-9_][A-Za-z0-9_.+-]{0,254}", re.ASCII)
_BY_LIMIT: Final = 200
_QUARANTINE: Final = "and put it in quarantine: its guests go on here; the manager's failover says so"
_AGAIN_S: Final = 1.0
"""Between two attempts at a verdict or at giving way."""
_YIELD_S: Final = 8.0
"""How long one question of the peer is worked on before the answer is `not yet`; it asks again."""


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit status."""
    given = build_parser().parse_args(arguments)
    syslog.openlog("dualsrm-host", syslog.LOG_PID, syslog.LOG_DAEMON)
    does: dict[str, Callable[[], int]] = {
        "fence-peer": _fence_peer,
        "yield": lambda: _yield(given.resource, claims=given.claims),
        "settle": lambda: _settle(given.operation),
        "peer-is-off": lambda: _peer_is_off(given.host, given.by, given.quarantine),
        "peer-status": lambda: _peer_status(given.host, noted=given.noted),
        "fence": lambda: _fence(given.host, given.quarantine),
        "lift-quarantine": lambda: _lift_quarantine(given.host),
        "guard": lambda: guard(given.peer),
    }
    return does[given.command]()


def build_parser() -> argparse.ArgumentParser:
    """Every command with its arguments; the man page is made from it too."""
    parser = argparse.ArgumentParser(prog="dualsrm-host", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version", help="the version of dualsrm on this host")  # answered before this is loaded
    commands.add_parser("fence-peer", help="DRBD's fence-peer handler; the kernel runs it")
    asked = commands.add_parser("yield", help="give way for the peer; the peer's handler runs it over ssh")
    asked.add_argument("--claims", action="store_true", help="the guest runs on the peer")
    asked.add_argument("resource", type=_resource)
    guarding = commands.add_parser("guard", help="guard a window; the manager runs it over ssh")
    guarding.add_argument("peer")
    closing = commands.add_parser("settle", help="close what an absent manager left open; a timer runs it")
    closing.add_argument("--operation", help="the window whose timer this is; it ends with the window")
    off = commands.add_parser("peer-is-off", help="confirm that a host is off: you have switched it off, or seen it")
    off.add_argument("--by", help="who says so, where it is not you; the manager names its user")
    off.add_argument("--quarantine", default="", metavar="OPERATION", help=_QUARANTINE)
    off.add_argument("host")
    seen = commands.add_parser("peer-status", help="whether a peer answers, and what its fence device says")
    seen.add_argument("--noted", action="store_true", help="only who says that it is off, as noted here")
    seen.add_argument("host", type=_host)
    fencing = commands.add_parser("fence", help="switch a peer off by its fence device, and see it off")
    fencing.add_argument("--quarantine", default="", metavar="OPERATION", help=_QUARANTINE)
    fencing.add_argument("host", type=_host)
    lifting = commands.add_parser(
        "lift-quarantine", help="a host that was lost has all data again; the manager asks it"
    )
    lifting.add_argument("host", type=_host)
    return parser


def _host(text: str) -> str:
    if not HOST_NAME.fullmatch(text) or text == os.uname().nodename:
        raise argparse.ArgumentTypeError("no name of a peer")
    return text


def _resource(text: str) -> str:
    if not _RESOURCE.fullmatch(text):
        raise argparse.ArgumentTypeError("no name of a DRBD resource")
    return text


def _fence_peer() -> int:
    """DRBD names resource and peer in the environment (8.4 and 9 alike, by drbdadm)."""
    machine = Machine()
    resource, peer = os.environ.get("DRBD_RESOURCE", ""), os.environ.get("DRBD_PEER", "")
    if not _RESOURCE.fullmatch(resource) or not peer:
        print("dualsrm-host fence-peer is run by DRBD, which sets DRBD_RESOURCE and DRBD_PEER", file=sys.stderr)
        return Exit.NONE
    machine.log(f"{resource}: DRBD has lost {peer}; looking for a verdict")
    promoting = local_drbd.is_promotion(resource, os.environ.get("DRBD_MINOR", ""))
    handler = FencePeer(machine, resource, peer, time.monotonic(), promoting=promoting)
    while (verdict := handler.attempt(time.monotonic())) is None:
        time.sleep(_AGAIN_S)
    return verdict


def _yield(resource: str, *, claims: bool) -> int:
    machine = Machine()
    deadline = time.monotonic() + _YIELD_S
    while True:
        reply = answer_peer(machine, resource, peer_claims=claims)
        if reply.answer is not Answer.NOT_YET or time.monotonic() >= deadline:
            break
        time.sleep(_AGAIN_S)
    machine.log(f"{resource}: the peer asked to go on alone: {reply.answer}: {reply.why}")
    print(_reply_json(reply))
    return 0


def _reply_json(reply: Reply) -> str:
    return json.dumps(asdict(reply))


def _settle(operation: str | None) -> int:
    machine = Machine()
    for text in settle(machine):
        print(text)
    if operation is not None and all(window.operation != operation for window in machine.windows()):
        stop_timer(operation)
    return 0


def _peer_status(host: str, *, noted: bool) -> int:
    machine = Machine()
    if noted:
        quarantined = any(one.host == host for one in machine.quarantined())
        print(json.dumps({"confirmed_off": machine.confirmed_off(host), "quarantined": quarantined}))
    else:
        print(look(machine, host, _at_once).to_json())
    return 0


def _at_once(*calls: Callable[[], None]) -> None:
    """ssh waits 3 to 10 s for a host that is gone; the rest is done meanwhile."""
    with ThreadPoolExecutor(len(calls)) as pool:
        for future in [pool.submit(call) for call in calls]:
            future.result()


def _fence(host: str, quarantine: str) -> int:
    fenced = fence(Machine(), host, time.monotonic, quarantine)
    print(fenced.to_json())
    return 0 if fenced.off else 1


def _lift_quarantine(host: str) -> int:
    Machine().lift_quarantine(host)
    return 0


def _peer_is_off(host: str, by: str | None, quarantine: str) -> int:
    by = clean(by, _BY_LIMIT) if by else os.environ.get("SUDO_USER") or os.environ.get("USER") or f"uid {os.getuid()}"
    machine = Machine()
    if host == machine.name:
        print(f"{host} is this host: name the one that is off", file=sys.stderr)
        return 1
    known = {window.peer_of(machine.name) for window in machine.windows()} | configured_peers()
    if host not in known:
        print(
            f"neither a window nor {HOST_TOML} names {host}: it must be spelled as `uname -n` on it does",
            file=sys.stderr,
        )
    if quarantine:
        machine.quarantine(host, quarantine)
    machine.confirm_off(host, by)
    machine.log(f"{by} confirmed that {host} is off")
    print(f"noted for {CONFIRMED_FOR_S / 60:g} minutes, or until it answers: {host} is off, says {by}")
    return 0
