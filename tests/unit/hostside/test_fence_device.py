"""A power switch is believed only when its status shows off."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualsrm.hostside import fence_device
from dualsrm.hostside.fence_device import power_off
from dualsrm.hostside.port import HostsideError
from dualsrm.hostside.settings import FenceDevice
from tests.unit.hostside.host import AS_ROOT, Tools

OFF = "echo 'Status: OFF'; exit 2"
ON = "echo 'Status: ON'; exit 0"


class Switch:
    """An agent that keeps what it was told, and answers as it is made to."""

    def __init__(self, tools: Tools, *, status: str, off: str = "exit 0") -> None:
        self._told = tools.directory / "told"
        self.device = FenceDevice(
            str(
                tools.put(
                    "fence_test",
                    f"""cd {tools.directory}
asked=$(tee -a told | sed -n s/^action=//p)
case $asked in
    status) {status} ;;
    off) {off} ;;
    *) exit 1 ;;
esac""",
                )
            ),
            {"ip": "10.0.9.2", "plug": "7"},
        )

    @property
    def actions(self) -> list[str]:
        return [line.partition("=")[2] for line in self.told if line.startswith("action=")]

    @property
    def told(self) -> list[str]:
        return self._told.read_text().splitlines()


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence_device, "_OFF_S", 0.5)
    monkeypatch.setattr(fence_device, "_LOOK_S", 0.05)


def test_off_once_its_status_shows_it(tools: Tools) -> None:
    """The power goes a while after the answer: the third look shows it."""
    looks = f"echo . >>looks; if test -e switched && test $(wc -l <looks) -ge 3; then {OFF}; else {ON}; fi"
    switch = Switch(tools, status=looks, off="touch switched")
    power_off(switch.device)
    assert switch.actions == ["status", "off", "status", "status"]
    assert switch.told[1:3] == ["ip=10.0.9.2", "plug=7"]
    assert set(tools.calls()) == {"fence_test "}, "nothing on the command line, which others can read"


def test_what_is_off_already_is_not_switched(tools: Tools) -> None:
    switch = Switch(tools, status=OFF)
    power_off(switch.device)
    assert switch.actions == ["status"]


def test_an_agent_that_says_done_and_shows_on_has_not_done_it(tools: Tools) -> None:
    switch = Switch(tools, status=ON)
    with pytest.raises(HostsideError, match="does not show off"):
        power_off(switch.device)
    assert switch.actions.count("off") == 1
    assert switch.actions.count("status") > 2


def test_an_agent_that_fails_but_shows_off_has_done_it(tools: Tools) -> None:
    switch = Switch(tools, status=f"if test -e switched; then {OFF}; else {ON}; fi", off="touch switched; exit 1")
    power_off(switch.device)
    assert switch.actions == ["status", "off", "status"]


@pytest.mark.parametrize(
    "status",
    [
        "exit 2",
        "echo 'Failed: You have to enter plug number' >&2; exit 2",
        "echo 'Status: OFF'; exit 1",
        "echo 'Status: OFF'; exit 0",
        "echo 'Status: ON'; exit 2",
        "echo 'Status: OFFLINE'; exit 2",
        "echo 'unknown Status: OFF'; exit 2",
        "echo 'Status: OFF' >&2; exit 2",
    ],
)
def test_only_the_code_and_the_word_together_mean_off(tools: Tools, status: str) -> None:
    """2 alone is how an agent ends that misses a parameter, and a shell with a syntax error."""
    with pytest.raises(HostsideError, match="does not show off"):
        power_off(Switch(tools, status=status).device)


def test_an_agent_that_hangs_is_an_error(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence_device, "_AGENT_S", 0.3)
    with pytest.raises(HostsideError, match="did not end"):
        power_off(Switch(tools, status="sleep 60").device)


def test_an_agent_that_is_not_there_is_an_error(tools: Tools) -> None:
    with pytest.raises(HostsideError, match="cannot be run"):
        power_off(FenceDevice("fence_nothing", {}))


# --- the password -------------------------------------------------------------------------------------------------


def with_password(tools: Tools, content: bytes, mode: int = 0o600) -> Switch:
    switch = Switch(tools, status=OFF)
    file = tools.directory / "password"
    file.write_bytes(content)
    file.chmod(mode)
    switch.device = FenceDevice(switch.device.agent, {}, file)
    return switch


@pytest.mark.skipif(not AS_ROOT, reason="the password file has to belong to root")
def test_the_password_goes_over_standard_input(tools: Tools) -> None:
    switch = with_password(tools, b"it's = secret \n")
    power_off(switch.device)
    assert "password=it's = secret " in switch.told
    assert tools.calls() == ["fence_test "]


@pytest.mark.parametrize(
    ("content", "mode"), [(b"secret\n", 0o644), (b"", 0o600), (b"two\nlines\n", 0o600), (b"\xff\n", 0o600)]
)
def test_a_password_file_that_is_wrong_stops_it(tools: Tools, content: bytes, mode: int) -> None:
    switch = with_password(tools, content, mode)
    with pytest.raises(HostsideError, match="password"):
        power_off(switch.device)
    assert tools.calls() == []


def test_a_password_file_that_is_missing_stops_it(tools: Tools, tmp_path: Path) -> None:
    with pytest.raises(HostsideError, match="cannot be read"):
        power_off(FenceDevice("fence_test", {}, tmp_path / "nothing"))
