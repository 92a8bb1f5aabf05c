from __future__ import annotations

import tarfile
import tomllib
from pathlib import Path

import pytest

from uml import access, config_disk, settings
from uml.access import Keys
from uml.facts import NODES, read_facts
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


def test_ssh_never_asks_and_never_waits_for_ever() -> None:
    text = access.ssh_config(Layout("lab"), read_facts(), NODES)
    for word in ("BatchMode yes", "ConnectTimeout", "ServerAliveInterval", "HostName 10.79.0.12"):
        assert word in text
