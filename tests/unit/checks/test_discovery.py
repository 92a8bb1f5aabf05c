"""From disk to resource, from guest to host."""

from __future__ import annotations

from dataclasses import replace

from dualsrm.discovery import (
    Elsewhere,
    GuestLocation,
    OnDrbd,
    guest_location,
    guests,
    placements,
    resources_of,
    tenants,
    writable_disks,
)
from dualsrm.model import Disk, DomainState, DrbdView, LibvirtView, Unknown
from tests import builders as b
from tests.builders import ALPHA, BETA

TWO = b.host_view(
    ALPHA,
    domains=(),
    resources=(b.resource("db-data", minor=2, primary=True), b.resource("db-log", minor=3, primary=True)),
)
DATA = b.disk("vda", "/dev/drbd/by-res/db-data/0")
LOG = b.disk("vdb", "/dev/drbd3")
ISO = Disk("sda", "cdrom", "file", "/iso/debian.iso", "default")


def test_each_writable_disk_leads_to_its_volume() -> None:
    guest = b.domain("db", disks=(DATA, LOG, ISO))
    assert placements(guest, TWO) == (OnDrbd(DATA, "db-data", 0, 2), OnDrbd(LOG, "db-log", 0, 3))
    assert resources_of(guest, TWO) == ("db-data", "db-log")


def test_two_disks_on_one_resource_name_it_once() -> None:
    assert resources_of(b.domain(disks=(DATA, b.disk("vdb", "/dev/drbd2"))), TWO) == ("db-data",)


def test_a_disk_elsewhere_says_where() -> None:
    disks = (b.disk("a", "/dev/vg/x"), b.disk("b", "/dev/drbd7"), Disk("c", "disk", "file", "/x.img", "none"))
    reasons = [spot.why for spot in placements(b.domain(disks=disks), TWO) if isinstance(spot, Elsewhere)]
    assert len(reasons) == 3
    assert "/dev/vg/x" in reasons[0]
    assert "minor 7" in reasons[1]
    assert "/x.img" in reasons[2]


def test_a_number_no_minor_has_is_no_drbd_device() -> None:
    """Whoever may define a guest may write any path; Python refuses to read numbers of more than 4300 digits."""
    (spot,) = placements(b.domain(disks=(b.disk("vda", "/dev/drbd" + "1" * 5000),)), TWO)
    assert isinstance(spot, Elsewhere)


def test_without_drbd_no_disk_is_placed() -> None:
    view = replace(TWO, drbd=Unknown("timed out"))
    (spot,) = placements(b.domain(disks=(DATA,)), view)
    assert isinstance(spot, Elsewhere)
    assert "timed out" in spot.why
    assert resources_of(b.domain(disks=(DATA,)), view) == ()


def test_what_a_guest_can_write() -> None:
    floppy = Disk("fda", "floppy", "file", None, "default")
    assert writable_disks(b.domain(disks=(DATA, replace(LOG, read_only=True), ISO, floppy))) == (DATA,)


def test_tenants_are_found_through_read_only_disks_as_well() -> None:
    assert isinstance(TWO.drbd, DrbdView)
    reader = b.domain("reader", disks=(replace(LOG, read_only=True),))
    libvirt = LibvirtView(1, 1, (b.domain("db", disks=(DATA, LOG)), reader, b.domain("web")), (), frozenset(), 0)
    view = replace(TWO, libvirt=libvirt)
    assert [found.name for found in tenants(view, "db-log")] == ["db", "reader"]


def test_a_guest_is_where_a_qemu_is() -> None:
    snapshot = b.add_domain(b.snapshot(), BETA, replace(b.domain(), state=DomainState.SHUTOFF))
    snapshot = b.add_domain(snapshot, BETA, b.domain("mail"))
    assert guests(snapshot) == (
        GuestLocation("mail", (BETA,), (BETA,), ()),
        GuestLocation("web", (ALPHA,), (ALPHA, BETA), ()),
    )


def test_an_incoming_guest_is_active_but_not_defined() -> None:
    incoming = replace(b.domain(), state=DomainState.PAUSED, persistent=False)
    assert guest_location(b.add_domain(b.snapshot(), BETA, incoming), "web") == GuestLocation(
        "web", (ALPHA, BETA), (ALPHA,), ()
    )


def test_a_silent_host_may_have_the_guest_too() -> None:
    snapshot = b.change_view(b.snapshot(), BETA, libvirt=Unknown("timed out"))
    location = guest_location(snapshot, "mail")
    assert location == GuestLocation("mail", (), (), (BETA,))
    assert not location.known
