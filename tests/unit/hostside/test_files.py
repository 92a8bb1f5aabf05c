"""What lies below /run/dualsrm: whole or not there, one decision, a lease that ends with its process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from dualsrm.hostside.files import CONFIRMED_FOR_S, JUST_NOW_S, Alarm, Files
from dualsrm.hostside.port import HostsideError
from tests.unit.hostside.host import HERE, PEER, window

BY_ANOTHER = """
import sys
from pathlib import Path
from dualsrm.hostside.files import Files
files = Files(Path(sys.argv[1]))
window = files.windows()[0]
"""


def another(root: Path, code: str) -> subprocess.Popen[str]:
    """Another process on the same files, with the one window there is."""
    return subprocess.Popen(
        [sys.executable, "-c", BY_ANOTHER + code, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


# --- records ------------------------------------------------------------------------------------------------------


def test_a_record_is_read_as_it_was_left(files: Files) -> None:
    assert files.windows() == ()
    left = window("op1", "db-data", "db-log", guest="Zürich, 7")
    files.leave(left)
    files.leave(window("op2", "web"))
    assert set(files.windows()) == {left, window("op2", "web")}
    files.forget(left)
    assert files.windows() == (window("op2", "web"),)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"format": 1, "operation": "../../etc"}', "\xff"])
def test_a_torn_record_is_nobodys_and_hides_no_other(files: Files, tmp_path: Path, text: str) -> None:
    files.leave(window("op1"))
    files.leave(window("op2", "web"))
    (tmp_path / "run" / "windows" / "op1" / "window.json").write_bytes(text.encode("latin-1"))
    assert files.windows() == (window("op2", "web"),)


def test_an_older_record_of_the_same_resource_is_over(files: Files) -> None:
    """The manager that leaves the new one holds the pair's lock."""
    files.leave(window("old", "web", "data"))
    files.decide(window("old", "web", "data"), PEER)
    files.leave(window("beside", "mail"))
    files.leave(window("new", "web"))
    assert {one.operation for one in files.windows()} == {"beside", "new"}
    assert files.owner(window("old", "web", "data")) is None


def test_a_resource_that_is_guarded_has_no_second_window(files: Files) -> None:
    old = window("old", "web")
    lease = files.take_lease(old)
    files.leave(old)
    with pytest.raises(HostsideError, match="old guards web here"):
        files.leave(window("new", "web"))
    os.close(lease)
    files.leave(window("new", "web"))
    assert [one.operation for one in files.windows()] == ["new"]


def test_the_same_record_again_keeps_what_was_decided(files: Files) -> None:
    files.leave(window())
    files.decide(window(), HERE)
    files.leave(window())
    assert files.owner(window()) == HERE


def test_only_root_may_look(files: Files, tmp_path: Path) -> None:
    files.leave(window())
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "run" / "windows" / "op1" / "window.json").stat().st_mode & 0o777 == 0o600


# --- decisions ----------------------------------------------------------------------------------------------------


def test_the_first_decision_stands(files: Files) -> None:
    files.leave(window())
    assert files.owner(window()) is None
    assert files.decide(window(), PEER) == PEER
    assert files.decide(window(), HERE) == PEER
    assert files.owner(window()) == PEER


def test_of_many_deciding_at_once_all_hear_the_same(files: Files, tmp_path: Path) -> None:
    """Two resources of a guest lose their peer together: each has a handler of its own."""
    files.leave(window())
    code = "sys.stdin.readline(); print(files.decide(window, sys.argv[2]))"
    deciders = [
        subprocess.Popen(
            [sys.executable, "-c", BY_ANOTHER + code, str(tmp_path / "run"), f"host{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for number in range(6)
    ]
    time.sleep(0.3)
    answers = {decider.communicate("\n", timeout=30)[0] for decider in deciders}
    assert len(answers) == 1
    assert answers == {f"{files.owner(window())}\n"}


def test_nothing_is_decided_for_a_window_that_is_gone(files: Files) -> None:
    with pytest.raises(HostsideError, match="cannot be written"):
        files.decide(window(), HERE)


def test_that_the_peer_asked_is_kept_with_the_window(files: Files) -> None:
    files.leave(window())
    assert not files.asked(window())
    files.note_asked(window())
    assert files.asked(window())
    files.forget(window())
    assert not files.asked(window())


# --- leases -------------------------------------------------------------------------------------------------------


def test_a_lease_is_held_once_and_given_back(files: Files) -> None:
    assert not files.lease_held(window())
    lease = files.take_lease(window())
    assert files.lease_held(window())
    with pytest.raises(HostsideError, match="another guard"):
        files.take_lease(window())
    os.close(lease)
    assert not files.lease_held(window())
    assert not files.windows(), "a lease alone is no window"


def test_a_lease_ends_with_its_process_however_it_ends(files: Files, tmp_path: Path) -> None:
    files.leave(window())
    holder = another(tmp_path / "run", "lease = files.take_lease(window); print('held', flush=True); sys.stdin.read()")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert files.lease_held(window())
    holder.kill()
    holder.wait()
    assert not files.lease_held(window())


# --- alarms and confirmations -------------------------------------------------------------------------------------


def test_an_alarm_is_as_old_as_its_first_word(files: Files, tmp_path: Path) -> None:
    path = tmp_path / "run" / "alarms" / "web.json"
    assert files.raise_alarm("web", "beta is silent")
    assert not files.raise_alarm("web", "beta is silent")
    path.write_text('{"since": "2026-11-22T11:00:00+00:00", "why": "beta is silent"}')
    assert files.raise_alarm("web", "beta is silent and has no fence device")
    assert path.read_text() == (
        '{"since": "2026-11-22T11:00:00+00:00", "why": "beta is silent and has no fence device"}\n'
    )
    assert files.clear_alarm("web")
    assert not files.clear_alarm("web")
    assert not path.exists()


def test_who_confirmed_that_a_host_is_off(files: Files) -> None:
    assert files.confirmed_off(PEER) is None
    files.confirm_off(PEER, "anna")
    assert files.confirmed_off(PEER) == "anna"
    assert files.confirmed_off(HERE) is None
    files.seen_alive(PEER)
    assert files.confirmed_off(PEER) is None
    files.seen_alive(PEER)


def test_what_a_power_switch_showed_is_another_thing_than_somebodys_word(files: Files, tmp_path: Path) -> None:
    files.confirm_off(PEER, "anna")
    assert files.tested_off(PEER) is None
    files.confirm_off(PEER, "fence_x on here", shown=True)
    assert files.tested_off(PEER) == files.confirmed_off(PEER) == "fence_x on here"
    (note,) = tmp_path.rglob(f"{PEER}.json")
    long_ago = time.time() - JUST_NOW_S - 1
    os.utime(note, (long_ago, long_ago))
    assert (files.tested_off(PEER), files.confirmed_off(PEER)) == (None, "fence_x on here")


def test_a_person_is_believed_when_the_host_was_asked_just_before_and_was_silent(files: Files, tmp_path: Path) -> None:
    files.heard_nothing(PEER)
    files.confirm_off(PEER, "anna")
    assert files.tested_off(PEER) == "anna"
    files.seen_alive(PEER)
    files.confirm_off(PEER, "anna")
    assert files.tested_off(PEER) is None
    files.heard_nothing(PEER)
    long_ago = time.time() - JUST_NOW_S - 1
    (note,) = tmp_path.glob("**/silent/*")
    os.utime(note, (long_ago, long_ago))
    files.confirm_off(PEER, "anna")
    assert files.tested_off(PEER) is None


def test_a_quarantine_outlives_a_boot_and_ends_only_when_it_is_lifted(files: Files, tmp_path: Path) -> None:
    assert files.quarantined() == ()
    files.quarantine(PEER, "op1")
    files.quarantine(PEER, "op2")
    booted = Files(tmp_path / "another run", tmp_path / "lasting")
    (found,) = booted.quarantined()
    assert (found.host, found.operation, found.since[:2]) == (PEER, "op2", "20"), "the last one counts"
    assert (tmp_path / "lasting" / "quarantine" / f"{PEER}.json").stat().st_mode & 0o777 == 0o600
    booted.lift_quarantine(PEER)
    booted.lift_quarantine(PEER)
    assert files.quarantined() == ()


@pytest.mark.parametrize("text", ["", "null", "[]", '{"since": 7}', "\xff"])
def test_a_torn_quarantine_is_one_all_the_same(files: Files, tmp_path: Path, text: str) -> None:
    files.quarantine(PEER, "op1")
    (tmp_path / "lasting" / "quarantine" / f"{PEER}.json").write_text(text, encoding="latin-1")
    (found,) = files.quarantined()
    assert found.host == PEER


@pytest.mark.parametrize("age", [CONFIRMED_FOR_S + 60, -CONFIRMED_FOR_S - 60])
def test_last_weeks_confirmation_says_nothing_about_today(files: Files, tmp_path: Path, age: float) -> None:
    """The host was repaired and switched on again, and nobody has asked it since."""
    files.confirm_off(PEER, "anna")
    path = tmp_path / "run" / "off" / f"{PEER}.json"
    os.utime(path, (time.time() - age, time.time() - age))
    assert files.confirmed_off(PEER) is None


@pytest.mark.parametrize("text", ["", "null", "[]", '{"by": 7}', "\xff"])
def test_a_confirmation_that_cannot_be_read_confirms_nothing(files: Files, tmp_path: Path, text: str) -> None:
    files.confirm_off(PEER, "anna")
    (tmp_path / "run" / "off" / f"{PEER}.json").write_bytes(text.encode("latin-1"))
    assert files.confirmed_off(PEER) is None


def test_names_stay_in_their_directory(files: Files, tmp_path: Path) -> None:
    files.raise_alarm("../../outside", "x")
    files.confirm_off("../../outside", "anna")
    found = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert {str(path.parent) for path in found} == {"run/alarms", "run/off"}
    assert files.confirmed_off("../../outside") == "anna"


@pytest.mark.parametrize(
    "act",
    [
        lambda files: files.leave(window()),
        lambda files: files.take_lease(window()),
        lambda files: files.note_asked(window()),
        lambda files: files.decide(window(), HERE),
        lambda files: files.raise_alarm("web", "x"),
        lambda files: files.confirm_off(PEER, "anna"),
    ],
)
def test_what_cannot_be_written_is_an_error_the_programs_expect(tmp_path: Path, act: Callable[[Files], object]) -> None:
    """A handler that ends by a traceback leaves the guest frozen."""
    (tmp_path / "run").write_text("no directory")
    with pytest.raises(HostsideError):
        act(Files(tmp_path / "run"))


def test_when_the_peer_is_met_again_what_was_noted_without_it_is_over(files: Files) -> None:
    left = window("op1", "vm1")
    files.leave(left)
    files.note_asked(left)
    files.confirm_off(PEER, "somebody")
    files.met(PEER, left)
    assert not files.asked(left)
    assert files.confirmed_off(PEER) is None
    assert files.windows() == (left,)


def test_all_alarms_are_listed_whatever_their_resource_is_called(files: Files) -> None:
    assert files.alarms() == ()
    for resource in ("web", "a/../b c%", "Zürich"):
        files.raise_alarm(resource, f"about {resource}")
    assert {alarm.resource: alarm.why for alarm in files.alarms()} == {
        resource: f"about {resource}" for resource in ("web", "a/../b c%", "Zürich")
    }
    assert all(datetime.fromisoformat(alarm.since).tzinfo for alarm in files.alarms())
    files.clear_alarm("web")
    assert {alarm.resource for alarm in files.alarms()} == {"a/../b c%", "Zürich"}


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"since": 7, "why": ["x"]}'])
def test_a_torn_alarm_is_still_one(files: Files, tmp_path: Path, text: str) -> None:
    files.raise_alarm("web", "x")
    (tmp_path / "run" / "alarms" / "web.json").write_text(text)
    assert files.alarms() == (Alarm("web", "", ""),)


def test_alarms_that_cannot_be_read_are_not_none(files: Files, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "alarms").write_text("in the way")
    with pytest.raises(NotADirectoryError):
        files.alarms()
