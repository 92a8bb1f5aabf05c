"""The exporter on a made host, as a process of its own: `python -m benchmarks.exporter_host DIRECTORY PORT`.

It serves until it is ended. DRBD's tools, the files they print and `/proc/drbd` are in the directory,
where `tests/unit/exporter/rig.py` puts them.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from dualsrm.hostside.run import ENVIRONMENT
from dualsrm_exporter.drbd.collector import DrbdCollector
from dualsrm_exporter.garbage import collect_rarely
from dualsrm_exporter.operations.collector import OperationsCollector
from dualsrm_exporter.scraper import Scraper
from tests.unit.exporter.serving import serving
from tests.unit.hostside.host import Tools


def main() -> None:
    """Serve."""
    directory = Path(sys.argv[1])
    ENVIRONMENT["PATH"] = Tools(directory / "bin").path
    collector = DrbdCollector(
        directory / "state", run=directory / "run", lasting=directory / "lasting", proc=directory / "proc-drbd"
    )
    collector.start()
    collect_rarely()
    scraper = Scraper((collector, OperationsCollector(directory / "journal")))
    with serving(scraper.scrape, port=int(sys.argv[2])):
        signal.sigwait({signal.SIGTERM})
    collector.stop()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main()
