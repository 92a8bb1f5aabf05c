"""`dualsrm-exporter`: serves the metrics of this host, or writes them to a file once."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import logging
import re
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from dualsrm import __version__
from dualsrm_exporter.drbd.collector import DrbdCollector
from dualsrm_exporter.garbage import collect_rarely
from dualsrm_exporter.guests.collector import GuestsCollector
from dualsrm_exporter.operations.collector import STATE as JOURNAL
from dualsrm_exporter.operations.collector import OperationsCollector
from dualsrm_exporter.readiness.collector import FILE as READINESS
from dualsrm_exporter.readiness.collector import ReadinessCollector
from dualsrm_exporter.readiness.document import hosts_of
from dualsrm_exporter.render import write_textfile
from dualsrm_exporter.scraper import Scraper
from dualsrm_exporter.web.app import App
from dualsrm_exporter.web.config import WebConfigError
from dualsrm_exporter.web.server import Server, listen

STATE: Final = Path("/var/lib/dualsrm-exporter")
ADDRESS: Final = "127.0.0.1:10184"
"""Of this host only: plain HTTP does not leave it unless somebody says so."""
_ADDRESS: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]*)):(?P<port>\d{1,5})", re.ASCII)
_MAX_PORT: Final = 65535

_log = logging.getLogger("dualsrm_exporter")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the exit status: 0 when told to stop or when the file was written, 1 when not, 2 for a wrong set-up."""
    given = build_parser().parse_args(arguments)
    # systemd's journal has the time and the name already.
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    with contextlib.suppress(OSError):  # the collector says that it cannot remember
        given.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    textfile: Path | None = given.textfile
    drbd = DrbdCollector(given.state_directory, follow=textfile is None)
    guests = () if given.no_guests else (GuestsCollector(),)
    journal: Path = given.journal_directory
    seen = journal / READINESS
    manager = (OperationsCollector(journal, partial(hosts_of, seen)), ReadinessCollector(seen))
    scraper = Scraper((drbd, *guests, *manager))
    if textfile is not None:
        return _write_once(textfile, scraper, drbd)
    collect_rarely()
    return _serve(given.addresses or [_address(ADDRESS)], given.web_config, scraper, drbd)


def _write_once(textfile: Path, scraper: Scraper, drbd: DrbdCollector) -> int:
    try:
        write_textfile(textfile, scraper.scrape())
    except OSError as error:
        _log.error("%s cannot be written: %s", textfile, error.strerror or error)
        return 1
    finally:
        _stop(drbd)
    return 0


def _serve(addresses: Sequence[tuple[str, int]], web_config: Path | None, scraper: Scraper, drbd: DrbdCollector) -> int:
    sockets: list[socket.socket] = []
    try:
        for host, port in addresses:
            sockets.append(listen(host, port))
        server = Server(App(scraper.scrape), sockets, web_config)
    except (OSError, WebConfigError) as error:
        for one in sockets:
            one.close()
        _log.error("%s", error)
        return 2
    if not server.encrypted and not all(_stays_here(host) for host, _ in addresses):
        _log.warning("what is served leaves this host unencrypted: give --web.config.file with tls_server_config")
    drbd.start()
    try:
        asyncio.run(_until_told(server))
    finally:
        _stop(drbd)
    return 0


async def _until_told(server: Server) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await server.run(stop)


def _stop(drbd: DrbdCollector) -> None:
    try:
        drbd.stop()
    except OSError as error:
        _log.error("what must survive a restart cannot be written: %s", error)


def build_parser() -> argparse.ArgumentParser:
    """Every option; the man page is made from it too."""
    parser = argparse.ArgumentParser(prog="dualsrm-exporter", description=__doc__, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"dualsrm-exporter {__version__}")
    parser.add_argument(
        "--web.listen-address",
        dest="addresses",
        metavar="HOST:PORT",
        type=_address,
        action="append",
        help=f"where to listen, {ADDRESS} unless given; `:PORT` is every address of this host. May be repeated",
    )
    parser.add_argument(
        "--web.config.file",
        dest="web_config",
        metavar="FILE",
        type=Path,
        help="TLS, client certificates and basic auth, in the shape Prometheus' own exporters read",
    )
    parser.add_argument(
        "--textfile",
        metavar="FILE",
        type=Path,
        help="write the metrics to FILE once and end, for node_exporter's textfile collector; FILE ends in .prom",
    )
    parser.add_argument(
        "--journal-directory",
        metavar="DIRECTORY",
        type=Path,
        default=JOURNAL,
        help="the state directory of a manager on this host (default: %(default)s)",
    )
    parser.add_argument(
        "--no-guests",
        action="store_true",
        help="do not ask libvirt: this machine, such as a manager that is no host, has no guests",
    )
    parser.add_argument(
        "--state-directory",
        metavar="DIRECTORY",
        type=Path,
        default=STATE,
        help="what the exporter itself has to remember (default: %(default)s)",
    )
    return parser


def _address(text: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > _MAX_PORT:
        raise argparse.ArgumentTypeError("this is no HOST:PORT; an IPv6 address stands in brackets")
    return found["six"] or found["host"] or "", int(found["port"])


def _stays_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
