"""A guest whose disk is a file on its group's file system: from a healthy pair, one fact at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dualsrm.checks import blocking, check_move
from dualsrm.checks.start import check_start
from dualsrm.discovery import Elsewhere, OnDrbd, placements, resources_of, tenants
from dualsrm.model import (
    BootMount,
    Disk,
    DomainState,
    Filesystem,
    Mounted,
    MountView,
    Role,
    Severity,
    Snapshot,
    Unknown,
)
from tests import builders as b
from tests.builders import ALPHA, BETA, FACTS, MOVE

FILES = Filesystem("office", "web", 0, "/srv/files", "ext4", ("web", "mail"))
HERE = Mounted("/dev/drbd0", "/srv/files", "ext4", 0)
NOBODY = Unknown("the reader timed out")


def image(name: str, target: str = "vda") -> Disk:
    return Disk(target, "disk", "file", f"/srv/files/{name}.img", "none")


MAIL = b.domain("mail", uuid="5b1cdd3e-0c1f-4a77-9d5e-7a1f00000022", disks=(image("mail"),))


def healthy() -> Snapshot:
    """Both guests run on alpha, where it is mounted."""
    seen = b.add_domain(b.change_domain(b.snapshot(), ALPHA, disks=(image("web"),)), ALPHA, MAIL)
    seen = replace(seen, pair=replace(seen.pair, filesystems=(FILES,)))
    for host, mounted in ((ALPHA, (HERE,)), (BETA, ())):
        seen = b.change_view(seen, host, mounts=MountView(mounted, ()), filesystems=(FILES,))
    return seen


OK = healthy()


def mounts(seen: Snapshot, host: str, *mounted: Mounted, at_boot: tuple[BootMount, ...] = ()) -> Snapshot:
    return b.change_view(seen, host, mounts=MountView(mounted, at_boot))


def test_a_healthy_one_is_refused_for_what_it_is_alone() -> None:
    (against,) = blocking(check_move(OK, MOVE, FACTS, None))
    assert against.check == "moves-alone"
    assert against.fix == "dualsrm migrate --cold -- office"
    assert "ext4 of web/0 at /srv/files" in against.seen


def test_a_file_leads_to_the_resource_and_its_neighbours_are_its_tenants() -> None:
    view = OK.view(ALPHA)
    domain = b.domain(disks=(image("web"), Disk("vdb", "disk", "file", "/srv/files/../etc/x", "none")))
    spot, other = placements(domain, view)
    assert isinstance(spot, OnDrbd)
    assert (spot.resource, spot.volume, spot.minor, spot.filesystem) == ("web", 0, 0, FILES)
    assert isinstance(other, Elsewhere), "a path that climbs out of it is not on it"
    assert resources_of(domain, view) == ("web",)
    assert [one.name for one in tenants(view, "web")] == ["web", "mail"]


@pytest.mark.parametrize("path", ["/srv/files", "/srv/filesystem/web.img", "/srv/other/web.img", "srv/files/web.img"])
def test_what_only_looks_like_it_is_not_on_it(path: str) -> None:
    assert not FILES.holds(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda seen: mounts(seen, ALPHA), "is not mounted there"),
        (lambda seen: mounts(seen, BETA, HERE), "is mounted there too"),
        (lambda seen: mounts(seen, ALPHA, HERE, replace(HERE, point="/mnt")), "/dev/drbd0 is mounted at /mnt"),
        (lambda seen: mounts(seen, ALPHA, replace(HERE, kind="xfs")), "/srv/files is xfs, not ext4"),
        (lambda seen: mounts(seen, BETA, Mounted("tmpfs", "/srv/files", "tmpfs", None)), "tmpfs is mounted at"),
        (lambda seen: mounts(seen, BETA, at_boot=(BootMount("/dev/drbd0", "/x", "fstab"),)), "by itself (fstab)"),
        (lambda seen: mounts(seen, BETA, at_boot=(BootMount("", "/srv/files", "srv-files.mount"),)), "srv-files.mount"),
        (lambda seen: b.add_domain(seen, BETA, replace(b.domain("till"), disks=(image("till"),))), "not in group"),
    ],
)  # fmt: skip
def test_one_fact_changed_is_seen(change: Callable[[Snapshot], Snapshot], says: str) -> None:
    found = [one for one in check_move(change(OK), MOVE, FACTS, None) if one.check == "filesystem"]
    assert any(one.severity is Severity.FAILED and says in one.seen and one.fix and one.why for one in found), found


@pytest.mark.parametrize("view", [NOBODY, MountView((HERE,), NOBODY)])
def test_what_nobody_could_see_is_unknown(view: MountView | Unknown) -> None:
    found = check_move(b.change_view(OK, ALPHA, mounts=view), MOVE, FACTS, None)
    assert {one.severity for one in found if one.check == "filesystem"} == {Severity.UNKNOWN}


def test_a_guest_of_the_group_that_lies_elsewhere_is_said() -> None:
    seen = b.change_domain(OK, ALPHA, disks=(b.disk(),))
    (against,) = (one for one in blocking(check_move(seen, MOVE, FACTS, None)) if one.check == "filesystem")
    assert "no disk of it lies below /srv/files" in against.seen


def off(seen: Snapshot) -> Snapshot:
    return b.change_domain(seen, ALPHA, state=DomainState.SHUTOFF)


def started(seen: Snapshot, here: str = ALPHA) -> list[str]:
    found = check_start(seen, MAIL, here, ("web",), None)
    return [one.seen for one in found if one.severity.blocks]


def test_it_may_be_started_beside_another_file_and_not_on_the_same() -> None:
    beside = b.add_domain(off(b.change_domain(OK, ALPHA, name="x")), ALPHA, b.domain("web", disks=(image("web"),)))
    assert started(beside) == []
    same = b.add_domain(off(b.change_domain(OK, ALPHA, name="x")), ALPHA, b.domain("web", disks=(image("mail"),)))
    assert started(same) == ["web runs on it"]


def test_it_is_not_started_where_another_mount_is_in_the_way() -> None:
    quiet = b.change_resource(off(OK), ALPHA, role=Role.SECONDARY)
    assert started(mounts(quiet, ALPHA)) == []
    assert started(mounts(quiet, ALPHA, Mounted("tmpfs", "/srv/files", "tmpfs", None))) == [
        "tmpfs is mounted at /srv/files"
    ]
    assert started(b.change_view(quiet, ALPHA, mounts=NOBODY)) == [
        "what is mounted on alpha is not known: the reader timed out"
    ]
