"""Memory encrypted on its way, on real nodes (`tests/run encrypted`): unreadable, and no stranger gets it.

The same eavesdropper reads a move in plain first: one that cannot read that proves nothing by reading nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.lab.eavesdrop import Overheard, eavesdropping, overheard
from tests.lab.handle import HOSTS, LabHandle
from uml.network import tap

GUEST = "web"
DIRECTORY = "/etc/pki/qemu"
ROLLED_BACK = 3
LEAST_OCTETS = 10 << 20
"""Less than this is not a guest's memory."""


@pytest.fixture
def encrypted(lab: LabHandle, tmp_path: Path) -> Path:
    """The lab's configuration, but with encrypted memory."""
    return lab.settings_with(tmp_path / "encrypted.toml", 'transport = "tls"', instead_of='transport = "tcp"')


@pytest.fixture
def authority(lab: LabHandle) -> Iterator[trustme.CA]:
    """Has signed a certificate for each host's migration address; all are taken away again."""
    authority = trustme.CA()
    try:
        for host in HOSTS:
            _install(lab, host, authority.cert_pem, authority.issue_cert(_address(lab, host)))
        yield authority
    finally:
        for host in HOSTS:
            lab.node(host, "rm", "-rf", DIRECTORY)


def _address(lab: LabHandle, host: str) -> str:
    """Where the host takes memory, as it is configured."""
    hosts = tomllib.loads(lab.settings.read_text())["hosts"]
    return str(hosts[host]["migration_address"])


def _install(lab: LabHandle, host: str, trusted: trustme.Blob, own: trustme.LeafCert) -> None:
    """As docs/installing.md says: one certificate serves both ends."""
    lab.node(host, "mkdir", "-p", DIRECTORY)
    files = {"ca-cert.pem": trusted}
    for end in ("server", "client"):
        files |= {f"{end}-cert.pem": own.cert_chain_pems[0], f"{end}-key.pem": own.private_key_pem}
    for name, content in files.items():
        lab.put(host, f"{DIRECTORY}/{name}", content.bytes().decode(), 0o600)


def _moved(lab: LabHandle, tmp_path: Path, *options: str) -> Overheard:
    """The guest moved, with somebody reading along."""
    source = lab.host_of(GUEST)
    assert source is not None
    file = tmp_path / "overheard.json"
    lab.lab("score", "--reset")
    with eavesdropping(lab, tap(source, "memory"), file):
        answer = lab.dualsrm(*options, "migrate", GUEST)
    assert (answer.exit, answer.document["result"]["state"]) == (0, "moved"), answer
    _assert_at(lab, lab.other(source))
    seen = overheard(file)
    assert seen.octets > LEAST_OCTETS, seen
    return seen


def _assert_at(lab: LabHandle, host: str) -> None:
    score = lab.score()[GUEST]
    assert (score["host"], score["lost"], score["runs_at_once"]) == (host, 0, 0), score


def test_encrypted_memory_cannot_be_read(
    lab: LabHandle, encrypted: Path, authority: trustme.CA, tmp_path: Path
) -> None:
    assert _moved(lab, tmp_path).readable > 0, "who cannot read what is plain proves nothing"
    assert _moved(lab, tmp_path, "--config", str(encrypted)).readable == 0
    assert _moved(lab, tmp_path, "--config", str(encrypted)).readable == 0  # and the other way


@pytest.mark.parametrize("end", ["target", "source"])
def test_a_stranger_gets_no_memory(
    lab: LabHandle, encrypted: Path, authority: trustme.CA, tmp_path: Path, end: str
) -> None:
    """That host trusts everybody, and has the other's address, but a certificate of nobody the other knows."""
    source = lab.host_of(GUEST)
    assert source is not None
    host = source if end == "source" else lab.other(source)
    nobody = trustme.CA()
    both = trustme.Blob(authority.cert_pem.bytes() + nobody.cert_pem.bytes())
    _install(lab, host, both, nobody.issue_cert(_address(lab, host)))
    lab.lab("score", "--reset")
    file = tmp_path / "overheard.json"
    with eavesdropping(lab, tap(source, "memory"), file):
        answer = lab.dualsrm("--config", str(encrypted), "migrate", GUEST)
    assert answer.exit == ROLLED_BACK, answer
    assert overheard(file).readable == 0
    assert overheard(file).octets < LEAST_OCTETS, "memory went to somebody with the wrong certificate"
    assert not any(lab.window_open(each) or lab.would_freeze(each) for each in HOSTS)
    _assert_at(lab, source)
    assert "journalctl" in answer.document["result"]["fix"], "libvirt's words alone do not say it"
