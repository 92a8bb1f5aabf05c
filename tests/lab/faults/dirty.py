"""A guest that dirties memory faster than it may be sent: another kernel command line, and a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.lab.handle import HOSTS, LabHandle, wait_for

DIRTY_MIB_S = 8
"""Of the guest's 16 MiB set aside for it: no pause that is allowed below is long enough for a link of 2 MiB/s."""
DEADLINE_S = 75
PAUSE_S = 40
_SETTINGS = f"""[migration]
bandwidth_mib_s = 2
schedule = [{{ after_s = 15, downtime_ms = 500 }}, {{ after_s = 30, downtime_ms = 1000 }}]
deadline_s = {DEADLINE_S}
deadline_s_per_gib = 0
"""
_AT_DEADLINE = {"abort": 'at_deadline = "abort"\n', "pause": f'at_deadline = "pause"\npause_s = {PAUSE_S}\n'}

_WORD = f"score.dirty_mib_s={DIRTY_MIB_S} "
#: Arguments: guest, and the sed expression that changes its definition.
_REDEFINE = (
    'virsh dumpxml --inactive "$1" > /run/dualsrm-faults.xml && sed -i "$2" /run/dualsrm-faults.xml'
    " && virsh --quiet define /run/dualsrm-faults.xml && rm /run/dualsrm-faults.xml"
)


@contextmanager
def dirtying(lab: LabHandle, guest: str, host: str) -> Iterator[None]:
    """The guest, which runs on that host, started anew so that it dirties memory; afterwards as it was."""
    _restart(lab, guest, host, f"s/quiet score.name/quiet {_WORD}score.name/")
    try:
        yield
    finally:
        where = lab.host_of(guest)
        assert where is not None, f"{guest} runs nowhere"
        _restart(lab, guest, where, f"s/{_WORD}//")


def _restart(lab: LabHandle, guest: str, host: str, change: str) -> None:
    lab.node(host, "virsh", "--quiet", "shutdown", guest)
    wait_for(f"{guest} to shut down", lambda: lab.host_of(guest) is None, 60)
    for each in HOSTS:
        lab.node(each, "sh", "-c", _REDEFINE, "sh", guest, change)
    lab.node(host, "virsh", "--quiet", "start", guest)
    lab.write_again([guest])


@contextmanager
def slow_configuration(lab: LabHandle, at_deadline: str) -> Iterator[Path]:
    """The lab's configuration with a narrow link and a schedule that acts soon."""
    with TemporaryDirectory() as scratch:
        yield lab.settings_with(
            Path(scratch) / "dualsrm.toml", _SETTINGS + _AT_DEADLINE[at_deadline], instead_of="[migration]\n"
        )
