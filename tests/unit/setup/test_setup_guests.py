"""Which guests can be managed, and why the others cannot."""

from __future__ import annotations

from dataclasses import replace

from dualsrm.model import ConnectionState, DomainState, HostAddress, HostSurvey, Snapshot
from dualsrm.setup import GuestDraft, guests_of
from tests.builders import (
    ALPHA,
    BETA,
    add_disk,
    add_domain,
    change_connection,
    change_disk,
    change_domain,
    change_drbd,
    disk,
    domain,
    snapshot,
)


def drafts(seen: Snapshot, *more: str) -> dict[str, GuestDraft]:
    addresses = {ALPHA: ("10.79.1.11",), BETA: ("10.79.1.12", *more)}
    surveys = {
        name: HostSurvey(name, None, tuple(HostAddress("eth1", f"{one}/24") for one in found), ())
        for name, found in addresses.items()
    }
    return {guest.guest: guest for guest in guests_of(seen, surveys)}


def test_a_guest_whose_disk_is_on_a_resource_between_the_two() -> None:
    assert drafts(snapshot()) == {"web": GuestDraft("web", (ALPHA,), ("web",), ())}


def test_one_that_is_shut_off_is_judged_where_it_is_defined() -> None:
    seen = add_domain(snapshot(), BETA, replace(domain("off", disks=(disk(),)), state=DomainState.SHUTOFF))
    assert drafts(seen)["off"] == GuestDraft("off", (), ("web",), ())


def test_a_disk_that_is_no_drbd_device() -> None:
    (guest,) = drafts(change_disk(snapshot(), ALPHA, source="/dev/vg/web")).values()
    assert guest.reasons == ("vda is /dev/vg/web, which is no DRBD device on alpha",)


def test_one_disk_of_two_that_is_a_file_on_a_file_system() -> None:
    image = replace(disk("vdb", "/var/lib/libvirt/images/x.qcow2"), source_type="file")
    (guest,) = drafts(add_disk(snapshot(), ALPHA, image)).values()
    assert guest.resources == ("web",)
    (reason,) = guest.reasons
    assert reason == "vdb is of type file (/var/lib/libvirt/images/x.qcow2), not a block device on alpha"


def test_a_resource_that_the_other_host_does_not_have() -> None:
    (guest,) = drafts(change_drbd(snapshot(), BETA, resources=(), configured=())).values()
    assert guest.reasons == ("its resource web is not one of beta: it does not replicate between these two hosts",)


def test_one_that_is_only_down_there_is_a_check_s_to_say() -> None:
    (guest,) = drafts(change_drbd(snapshot(), BETA, resources=())).values()
    assert guest.reasons == ()


def test_a_resource_of_that_name_that_replicates_to_a_third_host() -> None:
    (guest,) = drafts(change_connection(snapshot(), ALPHA, peer_address="10.79.1.99")).values()
    assert guest.reasons == ("its resource web replicates to 10.79.1.99, which is no address of beta",)
    (same,) = drafts(change_connection(snapshot(), ALPHA, peer_address="10.79.1.99"), "10.79.1.99").values()
    assert same.reasons == ()


def test_one_that_is_cut_off_now_is_still_one_of_theirs() -> None:
    seen = change_connection(snapshot(), ALPHA, state=ConnectionState.CONNECTING)
    assert drafts(seen)["web"].reasons == ()


def test_a_guest_without_a_writable_disk_has_nothing_against_it() -> None:
    assert drafts(change_domain(snapshot(), ALPHA, disks=()))["web"].reasons == ()
