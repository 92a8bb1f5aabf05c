"""The guard as a process: armed, heard, released or left alone; DRBD's words come from recordings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualsrm.hostside.files import Files
from dualsrm.hostside.guard import timer_unit
from dualsrm.model import Window
from tests.unit.hostside.host import PEER, Tools, eventually, window
from tests.unit.hostside.rig import AT_REST, BACK, LOST, Rig, tell


@pytest.fixture
def rig(tools: Tools, tmp_path: Path, files: Files) -> Iterator[Rig]:
    made = Rig(tools, tmp_path / "run", files)
    yield made
    made.end()


# --- arming -------------------------------------------------------------------------------------------------------


def test_armed_is_said_when_record_lease_timer_and_peer_are_there(rig: Rig) -> None:
    rig.files.confirm_off(PEER, "anna")
    rig.armed()
    assert rig.files.windows() == (window(),)
    assert rig.files.lease_held(window())
    (timer,) = rig.tools.calls("systemd-run")
    assert f"--unit={timer_unit('op1')}" in timer
    assert timer.endswith("-- dualsrm-host settle --operation op1")
    assert "--on-active=30 --on-unit-inactive=15 " in timer, "docs/window.md says so"
    (asked,) = rig.tools.calls("ssh")
    assert asked.endswith(f"-- {PEER} dualsrm-host version")
    assert rig.files.confirmed_off(PEER) is None, "it answered: whoever said that it is off was wrong, or it is back"


@pytest.mark.parametrize(
    ("tool", "script", "why"),
    [
        ("systemd-run", "echo no bus >&2; exit 1", "no bus"),
        ("ssh", "echo Permission denied >&2; exit 255", "Permission denied"),
        ("ssh", "echo dualsrm-host 0.0.1", "0.0.1"),
        ("drbdsetup", "", ""),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_armed(rig: Rig, tool: str, script: str, why: str) -> None:
    if script:
        rig.tools.put(tool, script)
    else:
        (rig.tools.directory / tool).unlink()
    guard = rig.start()
    tell(guard, window().to_json())
    answer = rig.hear(guard, "armed")
    assert answer["armed"] is False
    assert why in answer["why"]
    assert guard.wait(timeout=10) == 1
    assert not rig.files.lease_held(window())


@pytest.mark.parametrize("record", ["", "{}", "[" * 100_000, "beat"])
def test_a_record_that_is_none_is_refused(rig: Rig, record: str) -> None:
    guard = rig.start()
    tell(guard, record)
    assert "cannot be used" in rig.hear(guard, "armed")["why"]
    assert not rig.files.windows()


def test_a_host_that_is_neither_source_nor_target_is_not_armed(rig: Rig) -> None:
    guard = rig.start()
    tell(guard, Window("op1", "lab", "web", "uuid", "alpha", "beta", ("vm1",), "now").to_json())
    assert "not alpha and beta" in rig.hear(guard, "armed")["why"]


def test_the_peer_is_asked_before_there_is_a_window_and_nothing_is_left(rig: Rig) -> None:
    """Called in while the manager still looks: a move that is refused must leave no trace."""
    guard = rig.start()
    assert eventually(lambda: bool(rig.tools.calls("ssh")))
    assert guard.stdin is not None
    guard.stdin.close()
    assert "no window record" in rig.hear(guard, "armed")["why"]
    assert guard.wait(timeout=10) == 1
    assert not rig.files.windows()
    assert not rig.tools.calls("systemd-run")


def test_no_second_guard_for_a_resource(rig: Rig) -> None:
    rig.armed()
    second = rig.start()
    tell(second, window("op2").to_json())
    assert "op1 guards vm1" in rig.hear(second, "armed")["why"]
    assert rig.files.lease_held(window())


# --- watching -----------------------------------------------------------------------------------------------------


def test_a_lost_link_is_said_at_once_and_its_end_too(rig: Rig) -> None:
    guard = rig.armed()
    rig.event(LOST)
    assert rig.hear(guard, "differs") == {"differs": "vm1 is Connecting", "link": True}
    rig.event(BACK)
    assert rig.hear(guard, "differs") == {"differs": "", "link": False}


def test_an_option_taken_back_is_said(rig: Rig) -> None:
    """`drbdadm adjust` by somebody: DRBD sends no event for it."""
    guard = rig.armed()
    looks = len(rig.tools.calls("drbdsetup show"))
    assert eventually(lambda: len(rig.tools.calls("drbdsetup show")) > looks + 1)
    rig.show(AT_REST)
    said = rig.hear(guard, "differs")
    assert "allow-two-primaries of vm1 was changed" in said["differs"]
    assert "fencing of vm1 was changed" in said["differs"]
    assert not said["link"]


def test_an_event_stream_that_ends_is_said(rig: Rig) -> None:
    rig.tools.put("drbdsetup", "exit 0")
    assert "event stream ended" in rig.hear(rig.armed(), "differs")["differs"]


# --- the end ------------------------------------------------------------------------------------------------------


def test_released_it_settles_and_forgets(rig: Rig) -> None:
    rig.role("Secondary")
    guard = rig.armed()
    tell(guard, "release")
    assert rig.hear(guard, "released") == {"released": True, "left": []}
    assert guard.wait(timeout=10) == 0
    assert rig.tools.calls("drbdadm") == [
        "drbdadm net-options --allow-two-primaries=no vm1",
        "drbdadm net-options --fencing=resource-only vm1",
    ]
    assert not rig.files.windows()


def test_released_while_something_is_in_the_way_the_record_stays(rig: Rig) -> None:
    rig.tools.put("drbdadm", "echo refused >&2; exit 11")
    rig.role("Secondary")
    guard = rig.armed()
    tell(guard, "release")
    (left,) = rig.hear(guard, "released")["left"]
    assert "refused" in left
    assert rig.files.windows() == (window(),)


def test_the_manager_is_gone_when_its_connection_is(rig: Rig) -> None:
    guard = rig.armed()
    assert guard.stdin is not None
    guard.stdin.close()
    assert guard.wait(timeout=10) == 0
    assert not rig.files.lease_held(window())
    assert rig.files.windows() == (window(),), "the timer settles it"
    assert not rig.tools.calls("drbdadm")


def test_the_manager_is_gone_when_it_is_not_heard(rig: Rig) -> None:
    """A cut network closes no connection."""
    guard = rig.armed(lease_s=1.0)
    for _ in range(6):
        time.sleep(0.3)
        tell(guard, "beat")
    assert rig.files.lease_held(window()), "heard for longer than a lease"
    assert guard.wait(timeout=10) == 0
    assert not rig.files.lease_held(window())
    assert rig.files.windows() == (window(),)


def test_killed_it_leaves_record_and_timer_and_no_lease(rig: Rig) -> None:
    guard = rig.armed()
    guard.kill()
    guard.wait()
    assert rig.files.windows() == (window(),)
    assert not rig.files.lease_held(window())


def test_a_manager_that_listens_no_more_does_not_end_the_guard(rig: Rig) -> None:
    guard = rig.armed()
    assert guard.stdout is not None
    guard.stdout.close()
    rig.event(LOST)
    time.sleep(0.5)
    tell(guard, "beat")
    assert guard.poll() is None
    assert rig.files.lease_held(window())


def test_no_events2_outlives_its_guard(rig: Rig) -> None:
    guard = rig.armed()
    children = Path(f"/proc/{guard.pid}/task/{guard.pid}/children").read_text().split()
    assert children
    assert guard.stdin is not None
    guard.stdin.close()
    guard.wait(timeout=10)
    assert eventually(lambda: not any(Path(f"/proc/{child}/cmdline").exists() for child in children))


def test_a_timers_name_is_a_units_name() -> None:
    assert timer_unit("20261122T110000Z-migrate-ab12cd") == "dualsrm-window-20261122T110000Z-migrate-ab12cd"
    assert timer_unit("a b:c@d+e/../f") == "dualsrm-window-a_b_c_d_e_.._f"
