from __future__ import annotations

import tarfile
import tomllib
from pathlib import Path

import pytest

from dualsrm.hostside import settings as host_settings
from uml import access, config_disk, settings
from uml.access import Keys
from uml.facts import NODES, PROVISION, REPOSITORY, read_facts
from uml.layout import Layout


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    keys = Keys(tmp_path)
    for path in (keys.manager, *(keys.host(n) for n in NODES), *(keys.root(n) for n in NODES)):
        path.write_text(f"secret of {path.name}\n")
        path.with_name(path.name + ".pub").write_text(f"ssh-ed25519 PUBLIC-{path.name} comment\n")
    return keys


def test_disk_is_a_tar_of_whole_sectors_only_its_owner_may_read(keys: Keys, tmp_path: Path) -> None:
    disk = tmp_path / "alpha.config"
    config_disk.write(disk, config_disk.files("alpha", NODES, keys, read_facts()))
    assert disk.stat().st_mode & 0o777 == 0o600
    assert disk.stat().st_size % 512 == 0
    with tarfile.open(disk) as archive:
        modes = {member.name: member.mode for member in archive}
    assert modes["root/.ssh"] == 0o700
    assert modes["root/.ssh/id_ed25519"] == 0o600
    assert modes["etc/ssh/ssh_host_ed25519_key"] == 0o600


def test_a_node_gets_its_own_secrets_and_nobody_elses(keys: Keys) -> None:
    text = "".join(text for text, _ in config_disk.files("alpha", NODES, keys, read_facts()).values())
    assert "secret of alpha.root_ed25519" in text
    assert "secret of beta" not in text
    assert f"secret of {keys.manager.name}\n" not in text


def test_root_of_every_node_and_the_manager_may_log_in(keys: Keys) -> None:
    assert len(access.authorized_keys(keys, NODES).splitlines()) == 1 + len(NODES)


def test_the_exporters_unit_is_the_users_and_sees_the_checkout(keys: Keys) -> None:
    """A checkout in /tmp or /home is hidden from the unit, which is not changed for the lab."""
    made = config_disk.files("alpha", NODES, keys, read_facts())
    unit, mode = made["etc/systemd/system/dualsrm-exporter.service"]
    assert (unit, mode) == ((REPOSITORY / "exporters/systemd/dualsrm-exporter.service").read_text(), 0o644)
    drop_in, _ = made["etc/systemd/system/dualsrm-exporter.service.d/lab.conf"]
    assert f"BindReadOnlyPaths={REPOSITORY}:/opt/dualsrm/checkout\n" in drop_in
    assert "/opt/dualsrm/checkout" in (PROVISION / "exporter.sh").read_text()


def test_known_hosts_hold_every_name_and_address(keys: Keys) -> None:
    lines = access.known_hosts(keys, read_facts(), NODES).splitlines()
    names = lines[0].split()[0].split(",")
    assert {"alpha", "alpha-memory", "10.79.0.11", "10.79.1.11", "10.79.2.11"} <= set(names)


def test_settings_are_toml_with_both_hosts() -> None:
    text = settings.render(read_facts(), NODES, identity=Path("/k"), known_hosts=Path("/h"), state=Path("/s"))
    parsed = tomllib.loads(text)
    assert parsed["pairs"]["lab"]["hosts"] == list(NODES)
    assert parsed["hosts"]["beta"]["migration_address"] == "10.79.2.12"
    assert parsed["ssh"] == {"identity_file": "/k", "known_hosts": "/h"}


@pytest.mark.parametrize(("node", "peer"), [("alpha", "beta"), ("beta", "alpha")])
def test_a_node_can_switch_off_its_peer_and_not_itself(
    keys: Keys, node: str, peer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = read_facts()
    files = config_disk.files(node, NODES, keys, facts, bmc_password="s3cret")
    text, mode = files["etc/dualsrm/host.toml"]
    assert list(tomllib.loads(text)["peers"]) == [peer]
    assert mode == 0o600
    assert "s3cret" not in text
    written = tmp_path / "host.toml"
    written.write_text(text)
    monkeypatch.setattr(host_settings, "check_private", lambda _path: None)  # it wants root's files
    known = host_settings.load_peer(peer, written)
    assert known.address == facts.addresses[peer]["management"]
    assert known.fence is not None
    assert known.fence.options == {"ip": facts.bmcs[peer], "username": "fence", "lanplus": "1", "cipher": "3"}
    assert files[str(known.fence.password_file).lstrip("/")] == ("s3cret\n", 0o600)


def test_host_settings_name_the_key_and_known_hosts_the_disk_carries(keys: Keys) -> None:
    files = config_disk.files("alpha", NODES, keys, read_facts())
    peer = tomllib.loads(files["etc/dualsrm/host.toml"][0])["peers"]["beta"]
    for path in (peer["identity"], peer["known_hosts"]):
        assert files[path.lstrip("/")][1] == 0o600


def test_without_fence_devices_nothing_says_there_is_one(keys: Keys) -> None:
    files = config_disk.files("alpha", NODES, keys, read_facts())
    assert "fence" not in tomllib.loads(files["etc/dualsrm/host.toml"][0])["peers"]["beta"]
    assert not [path for path in files if "password" in path]


def test_ssh_never_asks_and_never_waits_for_ever() -> None:
    text = access.ssh_config(Layout("lab"), read_facts(), NODES)
    for word in ("BatchMode yes", "ConnectTimeout", "ServerAliveInterval", "HostName 10.79.0.12"):
        assert word in text
