"""The same fact stands in several formats: they must agree."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from uml.facts import GUESTS, NODES, PROVISION, RESOURCES, Guest, read_facts
from uml.image import IMAGE_SCRIPTS
from uml.scores import guest_addresses


@pytest.mark.parametrize("resource", RESOURCES)
def test_resource_file_names_both_nodes_replication_addresses(resource: str) -> None:
    text = (PROVISION / "drbd" / f"{resource}.res").read_text()
    minor = RESOURCES.index(resource)
    for node in NODES:
        address = read_facts().addresses[node]["replication"]
        assert re.search(rf"on {node} {{\s+address {address}:{7789 + minor};", text)
    assert f"device /dev/drbd{minor} minor {minor};" in text
    assert f"disk /dev/guests/{resource};" in text


def test_there_is_no_resource_or_guest_the_lab_does_not_know() -> None:
    assert {path.stem for path in (PROVISION / "drbd").glob("*.res")} == set(RESOURCES)
    assert {path.stem for path in (PROVISION / "guests").glob("*.xml")} == {guest.name for guest in GUESTS}


def test_files_leave_dual_primary_to_the_manager() -> None:
    assert not [path for path in (PROVISION / "drbd").iterdir() if "allow-two-primaries" in path.read_text()]


def test_every_address_on_the_management_network_is_somebody_s_own() -> None:
    facts = read_facts()
    nodes = [facts.addresses[node]["management"] for node in NODES]
    everybody = [facts.manager, *nodes, *facts.bmcs.values(), *guest_addresses().values()]
    assert len(set(everybody)) == len(everybody)
    assert {address.rpartition(".")[0] for address in everybody} == {facts.manager.rpartition(".")[0]}


def test_guests_differ_in_everything_that_identifies_them() -> None:
    trees = [ElementTree.parse(PROVISION / "guests" / f"{guest.name}.xml") for guest in GUESTS]  # noqa: S314 - our own file
    for path in ("uuid", "name"):
        assert len({tree.findtext(path) for tree in trees}) == len(GUESTS)
    macs = {mac.attrib["address"] for tree in trees for mac in tree.iterfind("devices/interface/mac")}
    assert len(macs) == len(GUESTS)
    assert len(set(guest_addresses().values())) == len(GUESTS)


@pytest.mark.parametrize("guest", GUESTS, ids=lambda guest: str(guest.name))
def test_guest_disks_are_its_resources(guest: Guest) -> None:
    tree = ElementTree.parse(PROVISION / "guests" / f"{guest.name}.xml")  # noqa: S314 - our own file
    disks = [disk.attrib["dev"] for disk in tree.iterfind("devices/disk/source")]
    known = {f"/dev/drbd{minor}": name for minor, name in enumerate(RESOURCES)}
    known |= {f"/dev/drbd/by-res/{name}/0": name for name in RESOURCES}
    assert tuple(known[disk] for disk in disks) == guest.resources


def test_every_image_script_exists_and_is_executable() -> None:
    for script in IMAGE_SCRIPTS:
        assert (PROVISION / f"{script}.sh").stat().st_mode & 0o100
