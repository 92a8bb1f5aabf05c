"""vagrant/Vagrantfile as Vagrant understands it, and the lab: the same hosts, networks, scripts in the same order."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from uml import access, config_disk, on_machine
from uml.access import Keys
from uml.facts import MANAGER, NETWORKS, NODES, PROVISION, VAGRANT, read_facts
from uml.image import IMAGE_SCRIPTS

PROVIDERS: Final = ("libvirt", "virtualbox")
MACHINES: Final = (*NODES, MANAGER)
_DEADLINE_S: Final = 100
_ONLY_UML: Final = {"uml", "strip"}
_ONLY_VAGRANT: Final = {"wheel", "vagrant"}

Machine = dict[str, Any]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Nothing of it lands in the checkout or at home, keys included."""
    own = tmp_path_factory.mktemp("vagrant")
    home = {"HOME": str(own), "VAGRANT_HOME": str(own / "home"), "VAGRANT_DOTFILE_PATH": str(own / "dot")}
    return {**os.environ, **home, "VAGRANT_CHECKPOINT_DISABLE": "1"}


def _run(argv: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        argv, cwd=VAGRANT, env=environment, capture_output=True, text=True, check=False, timeout=_DEADLINE_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def said(environment: dict[str, str]) -> dict[str, dict[str, Machine]]:
    """By provider and machine."""
    says = Path(__file__).with_name("vagrant_says.rb")
    found: dict[str, dict[str, Machine]] = json.loads(_run(["ruby", str(says), str(VAGRANT)], environment))
    return found


def _each(said: dict[str, dict[str, Machine]], *names: str) -> Iterator[tuple[str, Machine]]:
    return ((name, said[provider][name]) for provider in PROVIDERS for name in names)


def _scripts(machine: Machine) -> list[str]:
    found = (re.search(r"/provision/(\S+)\.sh$", one.get("inline") or "") for one in machine["provisioners"])
    return [match[1] for match in found if match]


def _cards(machine: Machine) -> list[dict[str, Any]]:
    return [network for network in machine["networks"] if network["type"] == "private_network"]


def test_vagrant_validates_it(environment: dict[str, str]) -> None:
    """With the options of libvirt's plugin; VirtualBox itself would have to be installed for its own."""
    said = _run(["vagrant", "validate"], {**environment, "VAGRANT_DEFAULT_PROVIDER": "libvirt"})
    assert "validated successfully" in said


def test_the_machines_are_the_labs_hosts_and_the_manager(said: dict[str, dict[str, Machine]]) -> None:
    for provider in PROVIDERS:
        assert tuple(said[provider]) == MACHINES
    for name, machine in _each(said, *MACHINES):
        assert (machine["hostname"], machine["box"]) == (name, "debian/bookworm64")


def test_every_host_has_the_labs_addresses_each_in_a_network_of_its_own(said: dict[str, dict[str, Machine]]) -> None:
    for name, machine in _each(said, *NODES):
        cards = _cards(machine)
        assert [card["ip"] for card in cards] == [read_facts().addresses[name][network] for network in NETWORKS]
        for naming in ("libvirt__network_name", "virtualbox__intnet"):
            assert [card[naming] for card in cards] == [f"dualsrm-{network}" for network in NETWORKS]


def test_the_manager_is_where_the_guests_look_for_it(said: dict[str, dict[str, Machine]]) -> None:
    for _, machine in _each(said, MANAGER):
        (card,) = _cards(machine)
        assert (card["ip"], card["libvirt__network_name"]) == (read_facts().manager, "dualsrm-management")


def test_hosts_run_the_labs_scripts_in_the_labs_order(said: dict[str, dict[str, Machine]]) -> None:
    sealing = re.findall(r"\$here/(\w+)\.sh", (PROVISION / "uml-seal.sh").read_text())
    lab = ["packages", *(name for name in IMAGE_SCRIPTS if name not in _ONLY_UML), *sealing]
    for _, machine in _each(said, *NODES):
        assert [name for name in _scripts(machine) if name not in _ONLY_VAGRANT] == lab


def test_the_first_boot_is_between_what_is_installed_and_what_needs_the_kernel(
    said: dict[str, dict[str, Machine]],
) -> None:
    for _, machine in _each(said, *NODES):
        names = [one["name"] for one in machine["provisioners"]]
        assert names.index("vagrant") < names.index("reboot") < names.index("volumes") < names.index("up")


def test_every_script_is_there_and_executable(said: dict[str, dict[str, Machine]]) -> None:
    for _, machine in _each(said, *MACHINES):
        assert _scripts(machine)
        for name in _scripts(machine):
            assert (PROVISION / f"{name}.sh").stat().st_mode & 0o100


def test_providers_differ_in_disk_and_emulation_only(said: dict[str, dict[str, Machine]]) -> None:
    own = {"volumes": {"DATA_DISK"}, "guests": {"EMULATED"}}

    def shared(machine: Machine) -> list[dict[str, Any]]:
        return [
            {**one, "env": {key: value for key, value in (one.get("env") or {}).items() if key not in mine}}
            for one in machine["provisioners"]
            for mine in [own.get(one["name"], set())]
        ]

    for name in MACHINES:
        libvirt, virtualbox = (said[provider][name] for provider in PROVIDERS)
        assert shared(libvirt) == shared(virtualbox)
        assert libvirt["disks"] == virtualbox["disks"] == (name in NODES)
    for _, machine in _each(said, *NODES):
        (volumes,) = (one for one in machine["provisioners"] if one["name"] == "volumes")
        assert volumes["env"]["DATA_DISK"].startswith("/dev/")


def test_cards_are_named_after_the_networks_they_are_in(said: dict[str, dict[str, Machine]]) -> None:
    """By their MACs, which nobody else has: not the bridge, no guest."""
    macs = [card["mac"] for name in MACHINES for card in _cards(said["libvirt"][name])]
    assert len(set(macs)) == len(macs)
    guests = "".join(path.read_text() for path in (PROVISION / "guests").iterdir()).replace(":", "")
    assert not [mac for mac in macs if mac in guests]
    for _, machine in _each(said, *NODES):
        (told,) = (one["env"]["INTERFACES"] for one in machine["provisioners"] if one["name"] == "vagrant")
        named = dict(word.split("=") for word in told.split())
        assert tuple(named) == NETWORKS
        assert [mac.replace(":", "") for mac in named.values()] == [card["mac"] for card in _cards(machine)]


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_gets_its_own_secrets_and_nobody_elses(
    said: dict[str, dict[str, Machine]], machine: str, tmp_path: Path
) -> None:
    """As Vagrant uploads them, and as they then lie on the machine."""
    (uploaded,) = (one["source"] for one in said["libvirt"][machine]["provisioners"] if one["name"] == "keys")
    given = shutil.copytree(uploaded, tmp_path / "keys")
    on_machine.put(machine, Keys(given), tmp_path)
    keys = Keys(given)
    own = keys.manager if machine == MANAGER else keys.root(machine)
    assert {path for path in given.iterdir() if path.suffix != ".pub"} == (
        {own} if machine == MANAGER else {own, keys.host(machine)}
    )
    key = tmp_path / "root/.ssh/id_ed25519"
    assert key.read_text() == own.read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "root/.ssh/known_hosts").read_text() == access.known_hosts(keys, read_facts(), NODES)


def test_a_hosts_settings_are_the_labs_without_power_switches(
    said: dict[str, dict[str, Machine]], tmp_path: Path
) -> None:
    (uploaded,) = (one["source"] for one in said["libvirt"]["alpha"]["provisioners"] if one["name"] == "keys")
    on_machine.put("alpha", Keys(Path(uploaded)), tmp_path)
    lab = config_disk.files("alpha", NODES, Keys(Path(uploaded)), read_facts())
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {name: (tmp_path / name).read_text() for name in written} == {name: lab[name][0] for name in written}
    assert "etc/dualsrm/host.toml" in written
