"""Refusals on real nodes: a reason, the command that fixes it, and nothing touched."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.handle import HOSTS, Answer, LabHandle, wait_for

REFUSED, USAGE, UNREACHABLE = 1, 2, 6
HOSTILE = 'odd; reboot "$(x)" \'é'


def _failed(answer: Answer) -> set[str]:
    return {finding["check"] for finding in answer.document["findings"] if finding["severity"] in ("failed", "unknown")}


def _refused(lab: LabHandle, guest: str, *expected: str) -> None:
    """A migrate is refused for these checks, each with a fix, and nothing is touched."""
    before = lab.touched()
    answer = lab.migrate(guest)
    assert answer.exit == REFUSED, answer.document
    assert set(expected) <= _failed(answer)
    for finding in answer.document["findings"]:
        if finding["check"] in expected and finding["severity"] == "failed":
            assert finding["seen"]
            assert finding["why"]
            assert finding["fix"]
    assert lab.touched() == before


def _error(lab: LabHandle, exit_code: int, *words: str) -> dict[str, str]:
    """An error before any check: its text; nothing is touched."""
    before = lab.touched()
    answer = lab.dualsrm(*words)
    assert answer.exit == exit_code, answer.document
    assert lab.touched() == before
    error: dict[str, str] = answer.document["error"]
    assert error["seen"]
    assert error["fix"]
    return error


# --- DRBD -------------------------------------------------------------------------------------------


def test_target_not_up_to_date(lab: LabHandle) -> None:
    target = lab.other(lab.host_of("web"))
    lab.node(target, "drbdadm", "detach", "web")
    try:
        _refused(lab, "web", "disks-up-to-date")
    finally:
        lab.node(target, "drbdadm", "attach", "web")
        _wait_in_sync(lab, target)


def test_resync_running(lab: LabHandle) -> None:
    target = lab.other(lab.host_of("web"))
    lab.node(target, "drbdadm", "pause-sync", "web")
    try:
        lab.node(target, "drbdadm", "invalidate", "web")
        wait_for("the resync to be there", lambda: "Sync" in _replication(lab, target))
        _refused(lab, "web", "replication-established", "disks-up-to-date")
    finally:
        lab.node(target, "drbdadm", "resume-sync", "web")
        _wait_in_sync(lab, target)


def _replication(lab: LabHandle, host: str) -> str:
    lines = lab.node(host, "drbdsetup", "events2", "--now", "web").splitlines()
    return next(line for line in lines if " peer-device " in line)


def _wait_in_sync(lab: LabHandle, host: str) -> None:
    wait_for("web to be in sync again", lambda: "replication:Established peer-disk:UpToDate" in _replication(lab, host))
    wait_for(
        "web's own disk to be UpToDate",
        lambda: "disk:UpToDate" in lab.node(host, "drbdsetup", "events2", "--now", "web"),
    )


# --- guests -----------------------------------------------------------------------------------------


def _domain(name: str, devices: str) -> str:
    escaped = name.replace("&", "&amp;").replace('"', "&quot;").replace("'", "&apos;")
    return (
        f"<domain type='qemu'><name>{escaped}</name><uuid>{uuid.uuid5(uuid.NAMESPACE_DNS, name)}</uuid>"
        "<memory unit='MiB'>16</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>"
        f"<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{devices}<memballoon model='none'/></devices>"
        "</domain>"
    )


@contextmanager
def _guest(lab: LabHandle, host: str, name: str, devices: str = "", *, verb: str = "create") -> Iterator[None]:
    """A guest of the test's own: `create` starts it, `define` leaves it shut off."""
    path = "/run/test-guest.xml"
    lab.node(host, "sh", "-c", 'printf %s "$1" > "$2"', "sh", _domain(name, devices), path)
    lab.node(host, "virsh", verb, path)
    try:
        yield
    finally:
        lab.node(host, "virsh", "destroy" if verb == "create" else "undefine", name, check=False)


def test_disk_not_on_drbd_cache_unsafe_bridge_missing_hostile_name(lab: LabHandle) -> None:
    """One guest with all three faults, whose name would do harm in any shell."""
    lab.node("alpha", "ip", "link", "add", "br-odd", "type", "bridge")
    lab.node("alpha", "truncate", "-s", "1M", "/run/odd.img")
    devices = (
        "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='writeback'/>"
        "<source file='/run/odd.img'/><target dev='vda' bus='virtio'/></disk>"
        "<interface type='bridge'><source bridge='br-odd'/><model type='virtio'/><rom enabled='no'/></interface>"
    )
    try:
        with _guest(lab, "alpha", HOSTILE, devices):
            _refused(lab, HOSTILE, "disks-on-drbd", "disk-cache", "networks")
    finally:
        lab.node("alpha", "ip", "link", "del", "br-odd")


def test_guest_running_on_both(lab: LabHandle) -> None:
    with _guest(lab, "alpha", "twin"), _guest(lab, "beta", "twin"):
        assert "active on alpha and beta" in _error(lab, REFUSED, "migrate", "twin")["seen"]


def test_guest_shut_off(lab: LabHandle) -> None:
    with _guest(lab, "alpha", HOSTILE, verb="define"):
        _error(lab, REFUSED, "migrate", HOSTILE)


@pytest.mark.parametrize("name", ["no such guest", "web; reboot \"'é\nweb"])
def test_guest_unknown(lab: LabHandle, name: str) -> None:
    _error(lab, USAGE, "migrate", name)


@pytest.mark.parametrize("name", ["no such host", "beta; reboot 'ê"])
def test_host_unknown(lab: LabHandle, name: str) -> None:
    _error(lab, USAGE, "migrate", "web", "--to", name)


# --- the way to the hosts ---------------------------------------------------------------------------


def test_host_unreachable(lab: LabHandle) -> None:
    target = lab.other(lab.host_of("web"))
    lab.lab("cut", "management", target)
    try:
        answer = lab.migrate("web")
        status = lab.dualsrm("status")
    finally:
        lab.lab("heal")
    assert answer.exit in (REFUSED, UNREACHABLE), answer.document
    assert target in json.dumps(answer.document)
    assert status.exit == REFUSED
    assert not status.document["healthy"]


def _with(lab: LabHandle, directory: Path, before: str, after: str) -> Answer:
    """Migrate with a changed configuration; nothing is touched."""
    changed = lab.settings_with(directory / "changed.toml", after, instead_of=before)
    touched = lab.touched()
    done = lab.lab("dualsrm", "--config", str(changed), "migrate", "web", "--json", check=False)
    assert lab.touched() == touched
    return Answer(done.returncode, json.loads(done.stdout), done.stderr)


def test_host_key_changed(lab: LabHandle, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    real = lab.directory / "known_hosts"
    key = (real.parent / "id_ed25519.pub").read_text().split()[1]
    lines = [line.split() for line in real.read_text().splitlines() if line.strip()]
    known.write_text("".join(f"{words[0]} ssh-ed25519 {key}\n" for words in lines))
    answer = _with(lab, tmp_path, str(real), str(known))
    assert answer.exit in (REFUSED, UNREACHABLE), answer.document
    text = json.dumps(answer.document)
    assert "ssh-keygen" in text
    assert "key" in text


def test_no_certificates_for_encrypted_memory(lab: LabHandle, tmp_path: Path) -> None:
    """The lab has none. Where the files are, which is all that can be seen before, nothing is said against it."""
    answer = _with(lab, tmp_path, 'transport = "tcp"', 'transport = "tls"')
    assert answer.exit == REFUSED, answer.document
    failed = {one["subject"]: one["seen"] for one in answer.document["findings"] if one["check"] == "certificates"}
    assert failed.keys() == set(HOSTS)
    assert all("ca-cert.pem" in seen and "not in /etc/pki/qemu" in seen for seen in failed.values())
    files = "mkdir -p /etc/pki/qemu && touch /etc/pki/qemu/{ca-cert,server-cert,server-key,client-cert,client-key}.pem"
    try:
        for host in HOSTS:
            lab.node(host, "bash", "-c", files)
        check = lab.dualsrm("--config", str(tmp_path / "changed.toml"), "check", "web")
    finally:
        for host in HOSTS:
            lab.node(host, "rm", "-rf", "/etc/pki/qemu")
    assert check.exit == 0, check.document
    said = [one["severity"] for one in check.document["findings"] if one["check"] == "certificates"]
    assert said == ["passed"] * len(HOSTS)


def test_unknown_key_in_the_configuration(lab: LabHandle, tmp_path: Path) -> None:
    answer = _with(lab, tmp_path, "[migration]\n", "[migration]\nbandwith = 3\n")
    assert answer.exit == USAGE
    assert "bandwith" in answer.document["error"]["seen"]


def test_host_in_no_pair(lab: LabHandle, tmp_path: Path) -> None:
    extra = '[hosts.gamma]\naddress = "10.79.0.13"\nmigration_address = "10.79.2.13"\n'
    extra += 'peer_uri = "qemu+ssh://gamma/system"\n\n'
    answer = _with(lab, tmp_path, "[pairs.lab]\n", extra + "[pairs.lab]\n")
    assert answer.exit == USAGE
    assert "gamma" in answer.document["error"]["seen"]


def test_nothing_was_lost_by_all_this(lab: LabHandle) -> None:
    assert {guest: score["lost"] for guest, score in lab.score().items()} == {"web": 0, "mail": 0, "db": 0}
    assert all(lab.host_of(guest) in HOSTS for guest in ("web", "mail", "db"))
