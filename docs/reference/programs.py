"""The programs there are, and what no parser knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from docs.reference import from_argparse, from_click
from docs.reference.pages import Entry, Page
from dualsrm.cli.main import cli
from dualsrm.config import DEFAULT_PATH, PATH_VARIABLE
from dualsrm.errors import ExitCode
from dualsrm.hostside.commands import build_parser as host_parser
from dualsrm.hostside.fence_peer import Exit
from dualsrm_exporter.main import build_parser as exporter_parser

EXIT_STATUS: Final[Mapping[ExitCode, str]] = {
    ExitCode.OK: "Done, and verified. For `status` and `check`: nothing is in the way.",
    ExitCode.REFUSED: "Refused; nothing was touched. What was seen and the command that mends it are named.",
    ExitCode.USAGE: "Wrong command line or configuration; nothing was touched.",
    ExitCode.ROLLED_BACK: "It failed and was undone, both verified.",
    ExitCode.NEEDS_ATTENTION: "Something is left to do by hand; the message names it.",
    ExitCode.IN_DOUBT: "Where the guest is, or whether it runs, could not be established. Nothing more was touched.",
    ExitCode.UNREACHABLE: "A host did not answer, or not in time.",
    ExitCode.INTERNAL: "A fault of dualsrm itself.",
}
"""In short; docs/exit-codes.md has them in full."""

HANDLER: Final[Mapping[Exit, str]] = {
    Exit.NONE: "`fence-peer`: no verdict. Any other command: it did not get through; the message says why.",
    Exit.PEER_INCONSISTENT: "`fence-peer`: the peer's disk is inconsistent.",
    Exit.PEER_OUTDATED: "`fence-peer`: the peer has given way and is outdated.",
    Exit.PEER_PRIMARY: "`fence-peer`: the peer goes on; this side outdates itself.",
    Exit.PEER_FENCED: "`fence-peer`: the peer is off.",
}
"""DRBD's numbers."""

_HOST: Final = """
What of dualsrm runs on the hosts of a DRBD pair.

It is started when it is needed and ends then: by the kernel when a resource loses its peer (DRBD's fence-peer
handler), by the peer over ssh, by a timer, and by the manager for a move. It needs Python's standard library and no
manager.

The command for a person is `peer-is-off HOST`: say it of a host that is off, and only then. Whatever stood frozen
because nobody could tell goes on.

What it decides and why is in the journal: `journalctl -t dualsrm-host`.
"""
_EXPORTER: Final = """
Prometheus metrics of DRBD and dualsrm on this host.

It serves what DRBD does here, whether a window is open or an alarm raised, and how the operations of a manager on
this host ended; or it writes the same to a file once. It reads only.

It listens on the host itself unless told otherwise: without TLS it speaks to everybody who reaches it.
"""


@dataclass(frozen=True)
class Program:
    """A program: its pages and what stands below each of them."""

    page: Page
    exit_status: tuple[Entry, ...]
    files: tuple[Entry, ...]
    environment: tuple[Entry, ...] = ()
    see_also: tuple[str, ...] = ()


def programs() -> tuple[Program, ...]:
    """All of them."""
    return (_dualsrm(), _host(), _exporter())


def _dualsrm() -> Program:
    return Program(
        page=from_click.page(cli, None, "dualsrm"),
        exit_status=tuple(Entry(str(code.value), text) for code, text in EXIT_STATUS.items()),
        files=(
            Entry(str(DEFAULT_PATH), "Hosts, pairs and policies."),
            Entry("/var/lib/dualsrm", "The journal of operations."),
        ),
        environment=(Entry(PATH_VARIABLE, f"The configuration file instead of {DEFAULT_PATH}."),),
        see_also=("dualsrm-host(8)", "dualsrm-exporter(8)", "drbdadm(8)", "virsh(1)"),
    )


def _host() -> Program:
    return Program(
        page=from_argparse.page(host_parser(), _HOST),
        exit_status=(
            Entry("0", "Done."),
            Entry("2", "Wrong command line."),
            *(Entry(str(code.value), text) for code, text in HANDLER.items()),
        ),
        files=(
            Entry("/etc/dualsrm/host.toml", "How the peer is reached and switched off; root's, mode 0600."),
            Entry("/run/dualsrm", "Windows, alarms, locks and who was said to be off; gone after a boot."),
            Entry("/var/lib/dualsrm/quarantine", "Hosts that a failover has seen off."),
        ),
        see_also=("dualsrm(1)", "dualsrm-exporter(8)", "drbd.conf(5)", "drbdadm(8)"),
    )


def _exporter() -> Program:
    return Program(
        page=from_argparse.page(exporter_parser(), _EXPORTER),
        exit_status=(
            Entry("0", "Told to stop, or the file was written."),
            Entry("1", "The file could not be written."),
            Entry("2", "The options, web.yml or the address cannot be used, or a library is missing."),
        ),
        files=(
            Entry("/etc/dualsrm/web.yml", "TLS and users, if `--web.config.file` names it."),
            Entry("/var/lib/dualsrm-exporter", "What the exporter itself remembers."),
        ),
        see_also=("dualsrm(1)", "dualsrm-host(8)", "systemctl(1)"),
    )
