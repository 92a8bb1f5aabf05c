"""Image files of two guests on one file system, on real nodes (`tests/run filesystem`): moved cold as one, failed over.

The resource of `mail` gets the file system, and `mail` and `web` get an image file on it; both keep score. Afterwards
each has its own device again, begun anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.handle import HOSTS, REPOSITORY, RESOURCES, Answer, LabHandle, wait_for

GUESTS = ("mail", "web")
MOUNT = "/srv/office"
REFUSED = 1
GROUP = f"""
[groups.office]
pair = "lab"
guests = ["mail", "web"]
cold = "if-not-live"
[groups.office.filesystem]
resource = "mail"
mount = "{MOUNT}"
type = "ext4"
options = ["noatime"]
fsck = "preen"
"""
IMAGE_MIB = 20
DEFINITIONS = REPOSITORY / "vagrant" / "provision" / "guests"


class Office:
    """The group, as the tests ask for it."""

    def __init__(self, lab: LabHandle, config: Path) -> None:
        self.lab = lab
        self._config = config

    def dualsrm(self, *words: str) -> Answer:
        """With the configuration that has the group."""
        return self.lab.dualsrm("--config", str(self._config), *words)

    def host(self) -> str:
        """Where both run."""
        found = {self.lab.host_of(guest) for guest in GUESTS}
        assert len(found) == 1, found
        (host,) = found
        assert host is not None
        return host

    def assert_settled_on(self, host: str) -> None:
        """Mounted and Primary there, on the other one neither; both guests write, and nothing is lost."""
        other = self.lab.other(host)
        assert self.host() == host
        assert (self.mounts(host), self.mounts(other)) == ([f"/dev/drbd1 {MOUNT} ext4"], [])
        assert (self.lab.roles(host)["mail"], self.lab.roles(other)["mail"]) == ("Primary", "Secondary")
        self.lab.write_again(GUESTS)
        score = self.lab.score()
        assert {guest: (score[guest]["lost"], score[guest]["runs_at_once"]) for guest in GUESTS} == dict.fromkeys(
            GUESTS, (0, 0)
        ), score

    def mounts(self, host: str) -> list[str]:
        """Of any DRBD device, as the kernel says."""
        lines = self.lab.node(host, "cat", "/proc/mounts").splitlines()
        return [" ".join(line.split()[:3]) for line in lines if line.startswith("/dev/drbd")]


def _define(lab: LabHandle, guest: str, text: str) -> None:
    for host in HOSTS:
        lab.node(host, "sh", "-c", 'printf %s "$1" > /run/one.xml && virsh -q define /run/one.xml', "sh", text)


def _in_a_file(guest: str) -> str:
    text = (DEFINITIONS / f"{guest}.xml").read_text()
    text, changed = re.subn(
        r"<disk type='block'(.*?)<source dev='[^']*'/>",
        rf"<disk type='file'\1<source file='{MOUNT}/{guest}.img'/>",
        text,
        flags=re.DOTALL,
    )
    assert changed == 1
    return text


@pytest.fixture(scope="module")
def office(booted: LabHandle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The two guests on one file system, on alpha, and each on its own device again in the end."""
    lab, host = booted, "alpha"
    found = Office(lab, lab.settings_with(tmp_path_factory.mktemp("office") / "dualsrm.toml", GROUP))
    for guest in GUESTS:
        assert lab.dualsrm("stop", guest).exit == 0
    lab.node(host, "drbdadm", "primary", "mail")
    images = "; ".join(
        f"dd if=/dev/zero of={MOUNT}/{guest}.img bs=1M count={IMAGE_MIB} status=none" for guest in GUESTS
    )
    make = f"set -e; mkfs.ext4 -q -F /dev/drbd1; mkdir -p {MOUNT}; mount /dev/drbd1 {MOUNT}; {images}; umount {MOUNT}"
    lab.node(host, "sh", "-c", make)
    lab.node(host, "drbdadm", "secondary", "mail")
    for guest in GUESTS:
        _define(lab, guest, _in_a_file(guest))
    started = found.dualsrm("start", "office", "--on", host)
    assert started.exit == 0, started.document
    lab.write_again(GUESTS)
    lab.lab("score", "--reset")  # what was on their devices is gone, as wanted
    yield found
    assert found.dualsrm("stop", "office").exit == 0
    for guest in GUESTS:
        _define(lab, guest, (DEFINITIONS / f"{guest}.xml").read_text())
        assert lab.dualsrm("start", guest, "--on", host).exit == 0
    lab.write_again(GUESTS)
    lab.lab("score", "--reset")


def test_moved_cold_as_one_and_back(office: Office) -> None:
    source = office.host()
    for host in (office.lab.other(source), source):
        answer = office.dualsrm("migrate", "office")
        (end,) = answer.document["result"]["guests"]
        said = (answer.exit, end["guest"], end["state"], end["method"])
        assert said == (0, "office", "moved", "cold"), answer.document
        office.assert_settled_on(host)


def test_one_of_its_guests_alone_is_refused_and_nothing_is_touched(office: Office) -> None:
    before = office.lab.touched()
    answer = office.dualsrm("migrate", "mail")
    found = answer.document["findings"]
    against = {one["check"]: one["fix"] for one in found if one["severity"] == "failed"}
    assert answer.exit == REFUSED
    assert against["moves-alone"] == "dualsrm migrate --cold -- office", against
    assert office.lab.touched() == before


def test_a_target_that_cannot_mount_it_leaves_all_running_at_the_source(office: Office) -> None:
    lab, source = office.lab, office.host()
    target = lab.other(source)
    lab.node(target, "sh", "-c", f"rm -rf {MOUNT} && touch {MOUNT}")
    try:
        answer = office.dualsrm("migrate", "office")
    finally:
        lab.node(target, "rm", "-f", MOUNT)
    (end,) = answer.document["result"]["guests"]
    assert (answer.exit, end["state"]) == (3, "rolled back"), answer.document
    office.assert_settled_on(source)


def test_who_keeps_it_busy_is_named(office: Office) -> None:
    """A shell that stands below the mount point."""
    lab, host = office.lab, office.host()
    pid = lab.node(host, "sh", "-c", f"cd {MOUNT} && exec sleep 600 > /dev/null 2>&1 & echo $!").strip()
    try:
        answer = office.dualsrm("migrate", "office")
    finally:
        lab.node(host, "kill", pid, check=False)
    (end,) = answer.document["result"]["guests"]
    assert (answer.exit, end["state"]) == (3, "rolled back"), answer.document
    assert f"sleep ({pid})" in end["seen"], end["seen"]
    office.assert_settled_on(host)


def test_failed_over_after_its_host_lost_power(office: Office) -> None:
    lab, lost = office.lab, office.host()
    here = lab.other(lost)
    beside = [guest for guest in RESOURCES if guest not in GUESTS and lab.host_of(guest) == lost]
    lab.lab("power", "off", lost)
    try:
        wait_for(f"{here} to notice", lambda: not lab.connected(here))
        answer = office.dualsrm("failover", "office", "--to", here)
        ended = {one["guest"]: one["result"]["state"] for one in answer.document["guests"]}
        assert (answer.exit, ended) == (0, dict.fromkeys(GUESTS, "failed over")), answer.document
        if beside:
            assert office.dualsrm("failover", "--all", "--to", here).exit == 0
    finally:
        lab.lab("power", "on", lost)
        wait_for(f"{lost} to be resynced", lambda: lab.whole(here) and lab.whole(lost), 300)
    office.assert_settled_on(here)
    assert office.dualsrm("reprotect", lost).exit == 0
    assert office.dualsrm("migrate", "office").exit == 0
    office.assert_settled_on(lost)
