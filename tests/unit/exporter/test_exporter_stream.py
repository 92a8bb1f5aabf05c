"""The event stream of a program that misbehaves: nothing it prints or does ends the exporter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dualsrm.hosts.drbd import Dialect
from dualsrm_exporter.drbd import stream as module
from dualsrm_exporter.drbd.follower import Follower
from dualsrm_exporter.drbd.memory import Memory
from dualsrm_exporter.drbd.stream import Stream
from tests.unit.drbd.captures import capture
from tests.unit.exporter.rig import IN_SYNC, SILENT, FakeHost
from tests.unit.hostside.host import eventually

Start = Callable[[], tuple[Stream, Follower]]
DUMP = capture(Dialect.V84, f"{IN_SYNC[Dialect.V84]}.events2-now")


@pytest.fixture
def start(host84: FakeHost) -> Iterator[Start]:
    made: list[Stream] = []

    def begin() -> tuple[Stream, Follower]:
        follower = Follower(Memory(host84.state / "drbd.json"))
        stream = Stream(follower, host84.proc, back_off_s=(0.05,))
        made.append(stream)
        stream.start()
        return stream, follower

    yield begin
    for one in made:
        one.stop()


def test_it_follows(host84: FakeHost, start: Start) -> None:
    host84.streams(DUMP)
    stream, follower = start()
    assert eventually(lambda: follower.complete)
    assert stream.restarts == 0
    assert host84.tools.calls("drbdsetup") == ["drbdsetup events2"]


def test_it_is_begun_anew_when_it_ends(host84: FakeHost, start: Start) -> None:
    host84.streams(DUMP, then="exit 20")
    stream, follower = start()
    assert eventually(lambda: stream.restarts >= 3)
    host84.streams(DUMP)
    assert eventually(lambda: follower.complete)


def test_one_that_ran_for_long_is_begun_anew_at_once(host84: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed on a lab node after twelve minutes, it was away for half a minute, and with it all that happened then."""
    monkeypatch.setattr(module, "_LONG_RUN_S", 0.0)
    host84.streams(DUMP, then="exit 0")
    stream = Stream(Follower(Memory(host84.state / "drbd.json")), host84.proc, back_off_s=(0.01, 60.0))
    stream.start()
    try:
        assert eventually(lambda: stream.restarts >= 3)
    finally:
        stream.stop()


def test_one_that_ends_at_once_is_begun_less_and_less_often(host84: FakeHost) -> None:
    host84.streams(DUMP, then="exit 0")
    stream = Stream(Follower(Memory(host84.state / "drbd.json")), host84.proc, back_off_s=(0.01, 60.0))
    stream.start()
    try:
        assert eventually(lambda: stream.restarts == 2)
        assert not eventually(lambda: stream.restarts > 2, 0.5)
    finally:
        stream.stop()


@pytest.mark.parametrize(
    "rubbish",
    [
        "change device name:vm1 volume:0 minor:0 disk:UpTo",
        "exists res",
        "\x00\x01\x02",
        "x" * 100_000,
    ],
)
def test_a_stream_that_ends_within_a_line(host84: FakeHost, start: Start, rubbish: str) -> None:
    """Half a word may be another word: it is not applied, and counted."""
    host84.streams(DUMP + rubbish, then="exit 0")
    stream, follower = start()
    assert eventually(lambda: stream.restarts >= 2)
    assert follower.counts().malformed >= 2


def test_a_stream_of_rubbish_goes_on(host84: FakeHost, start: Start) -> None:
    host84.streams("rubbish\n" * 1000 + "\xff\xfe: :: \n" + DUMP)
    stream, follower = start()
    assert eventually(lambda: follower.complete)
    assert follower.counts().malformed == 1000
    assert follower.counts().events["other"] == 1
    assert stream.restarts == 0


def test_skipped_events_begin_a_new_stream(host84: FakeHost, start: Start) -> None:
    host84.streams(DUMP + "- skipped 3\n")
    stream, follower = start()
    assert eventually(lambda: stream.restarts >= 2)
    assert follower.counts().skipped >= 6


def test_a_line_without_an_end_does_not_fill_the_memory(host84: FakeHost, start: Start) -> None:
    host84.follows("cat /dev/zero")
    stream, follower = start()
    assert eventually(lambda: stream.restarts >= 2)
    assert follower.counts().malformed >= 2


def test_a_program_that_is_not_there(host84: FakeHost, start: Start) -> None:
    (host84.tools.directory / "drbdsetup").unlink()
    _, follower = start()
    assert not eventually(lambda: follower.complete, within_s=0.3)
    host84.shows(IN_SYNC[Dialect.V84])
    host84.streams(DUMP)
    assert eventually(lambda: follower.complete)


def test_a_module_that_comes_later(host84: FakeHost, start: Start) -> None:
    """And no tool before it is there."""
    text = host84.proc.read_text()
    host84.proc.unlink()
    host84.streams(DUMP)
    _, follower = start()
    assert not eventually(lambda: bool(host84.tools.calls()), within_s=0.3)
    host84.says(text)
    assert eventually(lambda: follower.complete)


def test_stopping_ends_the_process(host84: FakeHost, start: Start, tmp_path: Path) -> None:
    host84.streams(DUMP, then=f"echo $$ >{tmp_path}/pid; {SILENT}")
    stream, _ = start()
    assert eventually((tmp_path / "pid").exists)
    pid = (tmp_path / "pid").read_text().strip()
    stream.stop()
    assert eventually(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_text())


def test_without_a_stream_nothing_is_claimed(host84: FakeHost, start: Start, tmp_path: Path) -> None:
    host84.streams(DUMP, then=f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done")
    _, follower = start()
    assert eventually(lambda: follower.complete)
    (host84.tools.directory / "drbdsetup").unlink()
    (tmp_path / "go").touch()
    assert eventually(lambda: not follower.complete)
