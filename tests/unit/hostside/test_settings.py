"""/etc/dualsrm/host.toml: root's alone, refused as a whole when anything in it is wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from dualsrm.hostside import settings
from dualsrm.hostside.port import HostsideError
from dualsrm.hostside.settings import FenceDevice, Peer, load_peer
from tests.unit.hostside.host import AS_ROOT

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="the file has to belong to root")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "host.toml"


def write(file: Path, text: str, mode: int = 0o600) -> None:
    file.write_text(text)
    file.chmod(mode)


def test_without_a_file_or_a_section_the_peer_is_reached_by_its_name(file: Path) -> None:
    assert load_peer("beta", file) == Peer("beta", "beta")
    write(file, '[peers.gamma]\naddress = "10.0.0.3"\n')
    assert load_peer("beta", file) == Peer("beta", "beta")


def test_the_example_in_the_module_is_read_as_it_says(file: Path) -> None:
    assert settings.__doc__ is not None
    write(file, settings.__doc__.partition("\n\n")[2])
    device = FenceDevice(
        "fence_ipmilan", {"ip": "10.0.9.2", "username": "admin"}, Path("/etc/dualsrm/beta-bmc.password")
    )
    expected = Peer("beta", "10.0.0.2", "root", 22, "/root/.ssh/id_ed25519", "/root/.ssh/known_hosts", device)
    assert load_peer("beta", file) == expected


def test_numbers_and_switches_are_given_to_the_agent_as_text(file: Path) -> None:
    text = '[peers.beta.fence]\nagent = "/usr/sbin/fence_x"\n[peers.beta.fence.options]\nport = 7\nlanplus = true\n'
    write(file, text)
    device = load_peer("beta", file).fence
    assert device is not None
    assert device.options == {"port": "7", "lanplus": "True"}


@pytest.mark.parametrize("mode", [0o660, 0o602, 0o604, 0o644])
def test_a_file_others_may_change_or_read_is_not_used(file: Path, mode: int) -> None:
    write(file, '[peers.beta]\naddress = "10.0.0.2"\n', mode)
    with pytest.raises(HostsideError, match="chmod 600"):
        load_peer("beta", file)


def test_a_file_of_somebody_else_is_not_used(file: Path) -> None:
    write(file, '[peers.beta]\naddress = "10.0.0.2"\n')
    os.chown(file, 65534, 65534)
    with pytest.raises(HostsideError, match="must belong to root"):
        load_peer("beta", file)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[peers.beta", "cannot be read"),
        ("peers = 7", r"\[peers.beta\]"),
        ("[peers]\nbeta = 7", r"\[peers.beta\]"),
        ('[peers.beta]\nadress = "10.0.0.2"', "unknown keys: adress"),
        ('[peers.beta]\naddress = "-oProxyCommand=reboot"', "address"),
        ('[peers.beta]\naddress = ""', "address"),
        ('[peers.beta]\nuser = "-x"', "user"),
        ("[peers.beta]\nuser = 0", "user"),
        ("[peers.beta]\nport = 0", "no port"),
        ("[peers.beta]\nport = true", "no port"),
        ("[peers.beta]\nport = 65536", "no port"),
        ("[peers.beta]\nfence = 7", "no section"),
        ("[peers.beta.fence]", "names no agent"),
        ('[peers.beta.fence]\nagent = "reboot"', "agent"),
        ('[peers.beta.fence]\nagent = "fence_x"\nip = "10.0.0.9"', "unknown keys: ip"),
        ('[peers.beta.fence]\nagent = "fence_x"\noptions = 7', "no section"),
        ('[peers.beta.fence]\nagent = "fence_x"\n[peers.beta.fence.options]\nip = "a\\naction=on"', "one line"),
        ('[peers.beta.fence]\nagent = "fence_x"\n[peers.beta.fence.options]\nip = "a\\raction=on"', "one line"),
        ('[peers.beta.fence]\nagent = "fence_x"\n[peers.beta.fence.options]\nip = []', "one line"),
        ('[peers.beta.fence]\nagent = "fence_x"\n[peers.beta.fence.options]\n"a=b" = "c"', "one line"),
        ('[peers.beta.fence]\nagent = "fence_x"\n[peers.beta.fence.options]\naction = "on"', "name an action"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(file: Path, text: str, says: str) -> None:
    write(file, text)
    with pytest.raises(HostsideError, match=says) as caught:
        load_peer("beta", file)
    assert re.search(re.escape(str(file)), str(caught.value))


def test_bytes_that_are_no_text_are_an_error_the_programs_expect(file: Path) -> None:
    write(file, "")
    file.write_bytes(b"\xff")
    with pytest.raises(HostsideError, match="cannot be read"):
        load_peer("beta", file)
