"""The same fact stands in several formats: they must agree."""

from __future__ import annotations

import re
import subprocess
import tomllib
from xml.etree import ElementTree

import pytest

from uml.facts import (
    GUESTS,
    NODES,
    PROVISION,
    RESOURCES,
    STORAGE,
    STORAGE_GUESTS,
    STORAGE_RESOURCES,
    Guest,
    read_facts,
    storage_addresses,
)
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


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ElementTree.Element]:
    """The definitions of the guests that `vagrant/lab storage` adds, as its script makes them."""
    directory = tmp_path_factory.mktemp("guests")
    subprocess.run([str(STORAGE / "guests.sh"), "--into", str(directory)], check=True)
    return {path.stem: ElementTree.fromstring(path.read_text()) for path in directory.iterdir()}  # noqa: S314 - our own


@pytest.mark.parametrize("resource", STORAGE_RESOURCES)
def test_an_added_resource_s_file_follows_on_the_lab_s_own(resource: str) -> None:
    text = (STORAGE / f"{resource}.res").read_text()
    minor = len(RESOURCES) + STORAGE_RESOURCES.index(resource)
    for node in NODES:
        address = read_facts().addresses[node]["replication"]
        assert re.search(rf"on {node} {{\s+address {address}:{7789 + minor};", text)
    assert f"device /dev/drbd{minor} minor {minor};" in text
    assert (f"resource {resource} {{" in text, f"disk /dev/guests/{resource};" in text) == (True, True)


def test_added_volumes_are_the_added_resources_and_find_room() -> None:
    script = (STORAGE / "add.sh").read_text()
    sizes = dict(re.findall(r"([a-z0-9-]+):(\d+)m", script))
    assert tuple(sizes) == STORAGE_RESOURCES
    assert f"for resource in {' '.join(STORAGE_RESOURCES)};" in script
    assert sum(map(int, sizes.values())) + 4 * 64 < 448


def test_added_guests_have_their_own_names_addresses_and_disks(added: dict[str, ElementTree.Element]) -> None:
    assert set(added) == {guest.name for guest in STORAGE_GUESTS}
    for guest in STORAGE_GUESTS:
        definition = added[guest.name]
        text = ElementTree.tostring(definition, encoding="unicode")
        disks = [disk.attrib["dev"] for disk in definition.iterfind("devices/disk/source")]
        assert disks == [f"/dev/drbd/by-res/{name}/0" for name in guest.resources]
        assert f"score.name={guest.name} score.ip={storage_addresses()[guest.name]}/24 " in text
        assert (definition.findtext("name"), f"/{guest.name}.console" in text) == (guest.name, True)
        assert not [other.name for other in GUESTS if f"/{other.name}.console" in text]


def test_added_guests_differ_from_all_others_in_what_identifies_them(added: dict[str, ElementTree.Element]) -> None:
    usual = [ElementTree.parse(PROVISION / "guests" / f"{guest.name}.xml").getroot() for guest in GUESTS]  # noqa: S314
    everyone = [*usual, *added.values()]
    assert len({one.findtext("uuid") for one in everyone}) == len(everyone)
    assert len({mac.attrib["address"] for one in everyone for mac in one.iterfind("devices/interface/mac")}) == len(
        everyone
    )
    assert len({*guest_addresses().values(), *storage_addresses().values()}) == len(everyone)


def test_added_memory_is_no_multiple_of_256_kib(added: dict[str, ElementTree.Element]) -> None:
    """vagrant/README.md: QEMU before 9.0 loses pages of an emulated guest else."""
    for definition in added.values():
        sizes = re.findall(r"size=(\d+)K", ElementTree.tostring(definition, encoding="unicode"))
        assert len(sizes) == 2
        assert [int(size) % 256 for size in sizes] == [8, 8]


def test_the_server_s_clients_and_its_port_are_what_the_groups_and_guests_say() -> None:
    server, *clients = STORAGE_GUESTS
    addresses = storage_addresses()
    rows = (STORAGE / "guests.list").read_text()
    assert f"storage.clients={','.join(addresses[client.name] for client in clients)}" in rows
    assert rows.count(f"storage.mount={addresses[server.name]}") == len(clients)
    groups = tomllib.loads((STORAGE / "groups.toml").read_text())["groups"]
    assert groups["storage"]["guests"] == [server.name]
    assert groups["storage"]["ready"][0]["tcp"] == f"{addresses[server.name]}:2049"
    assert groups["clients"]["guests"] == [client.name for client in clients]
    assert set(groups["clients"]["after"]) == {"storage", "database"}


def test_there_is_no_resource_or_guest_the_lab_does_not_know() -> None:
    assert {path.stem for path in (PROVISION / "drbd").glob("*.res")} == set(RESOURCES)
    assert {path.stem for path in STORAGE.glob("*.res")} == set(STORAGE_RESOURCES)
    assert {path.stem for path in (PROVISION / "guests").glob("*.xml")} == {guest.name for guest in GUESTS}


def test_files_leave_dual_primary_to_the_manager() -> None:
    assert not [path for path in (PROVISION / "drbd").iterdir() if "allow-two-primaries" in path.read_text()]


def test_every_address_on_the_management_network_is_somebody_s_own() -> None:
    facts = read_facts()
    nodes = [facts.addresses[node]["management"] for node in NODES]
    everybody = [facts.manager, *nodes, *facts.bmcs.values(), *guest_addresses().values()]
    everybody += storage_addresses().values()
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
