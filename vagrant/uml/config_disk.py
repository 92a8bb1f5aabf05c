"""A node's configuration disk: a bare tar on a block device, unpacked at boot. No file system, no mounting."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from uml import access, settings
from uml.access import Keys
from uml.facts import REPOSITORY, Facts

#: tar reads 10 KiB records and UML's disk has 512-byte sectors; a round size keeps both content.
_ROUND_TO = 64 * 1024
_WRAPPER = f'#!/bin/sh\nexec {REPOSITORY}/.venv/bin/dualsrm --config /etc/dualsrm/dualsrm.toml "$@"\n'
#: The host's own Python and nothing but the sources: what runs while I/O is frozen needs no virtual environment. An
#: installed package is compiled; here the first call does that, beside the sources' read-only mount.
_HOST_WRAPPER = f"""#!/bin/sh
PYTHONPATH={REPOSITORY} PYTHONPYCACHEPREFIX=/var/cache/dualsrm exec /usr/bin/python3 -S -m dualsrm.hostside "$@"
"""
#: The unit is the user's own. In it the checkout, which may lie in /tmp or /home, is shown where the unit can see it.
_EXPORTER_UNIT = REPOSITORY / "exporters" / "systemd" / "dualsrm-exporter.service"
_EXPORTER_IN_LAB = f"""[Service]
ExecStart=
ExecStart=/opt/dualsrm/bin/dualsrm-exporter --web.listen-address=:10184
BindReadOnlyPaths={REPOSITORY}:/opt/dualsrm/checkout
CacheDirectory=dualsrm-exporter
Environment=PYTHONPYCACHEPREFIX=/var/cache/dualsrm-exporter
"""


#: Path to (text, mode).
Files = dict[str, tuple[str, int]]


def identity(node: str, nodes: Sequence[str], keys: Keys, facts: Facts, *, bmc_password: str | None = None) -> Files:
    """A node's keys, and what it knows of its peer; without password no fence device. The same whatever the node is."""
    peer = next(name for name in nodes if name != node)
    fencing = {str(settings.password_file(peer)).lstrip("/"): (bmc_password + "\n", 0o600)} if bmc_password else {}
    return {
        "etc/ssh/ssh_host_ed25519_key": (keys.host(node).read_text(), 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": (access.public(keys.host(node)) + "\n", 0o644),
        "root/.ssh/authorized_keys": (access.authorized_keys(keys, nodes), 0o600),
        **_client(keys.root(node), nodes, keys, facts),
        "etc/dualsrm/host.toml": (settings.render_host(facts, peer, fenced=bool(fencing)), 0o600),
        **fencing,
    }


def manager(own: Path, nodes: Sequence[str], keys: Keys, facts: Facts) -> Files:
    """For a manager that is root on some machine and logs in with this key: that key, and dualsrm's configuration."""
    text = settings.render(
        facts,
        nodes,
        identity=Path("/root/.ssh/id_ed25519"),
        known_hosts=Path("/root/.ssh/known_hosts"),
        state=Path("/var/lib/dualsrm"),
    )
    return {**_client(own, nodes, keys, facts), "etc/dualsrm/dualsrm.toml": (text, 0o600)}


def _client(own: Path, nodes: Sequence[str], keys: Keys, facts: Facts) -> Files:
    return {
        "root/.ssh/id_ed25519": (own.read_text(), 0o600),
        "root/.ssh/id_ed25519.pub": (access.public(own) + "\n", 0o644),
        "root/.ssh/known_hosts": (access.known_hosts(keys, facts, nodes), 0o600),
    }


def files(node: str, nodes: Sequence[str], keys: Keys, facts: Facts, *, bmc_password: str | None = None) -> Files:
    """Everything that differs between labs or nodes; without password no fence device."""
    return {
        **identity(node, nodes, keys, facts, bmc_password=bmc_password),
        **manager(keys.root(node), nodes, keys, facts),
        "etc/hostname": (node + "\n", 0o644),
        "etc/dualsrm-lab/repository": (f"{REPOSITORY}\n", 0o644),
        "usr/local/bin/dualsrm": (_WRAPPER, 0o755),
        "usr/sbin/dualsrm-host": (_HOST_WRAPPER, 0o755),
        "etc/systemd/system/dualsrm-exporter.service": (_EXPORTER_UNIT.read_text(), 0o644),
        "etc/systemd/system/dualsrm-exporter.service.d/lab.conf": (_EXPORTER_IN_LAB, 0o644),
    }


def write(path: Path, content: Files) -> None:
    """Write the disk, readable by its owner only: it carries private keys."""
    path.touch(mode=0o600)
    with path.open("wb") as disk, tarfile.open(fileobj=disk, mode="w") as archive:
        made: set[str] = set()
        for name, (text, mode) in content.items():
            if name.startswith("root/.ssh/") and "root/.ssh" not in made:
                made.add("root/.ssh")
                archive.addfile(_member("root/.ssh", 0o700, tarfile.DIRTYPE))
            data = text.encode()
            archive.addfile(_member(name, mode, tarfile.REGTYPE, len(data)), io.BytesIO(data))
    size = path.stat().st_size
    with path.open("r+b") as whole:
        whole.truncate(-(-size // _ROUND_TO) * _ROUND_TO)


def _member(name: str, mode: int, kind: bytes, size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode, member.type, member.size = mode, kind, size
    return member
