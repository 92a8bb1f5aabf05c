import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import score
from score.recorder import Recorder
from score.spool import read
from score.wire import DATAGRAM_SIZE, Announcement, Kind, pack_announcement


def datagram(seq: int) -> bytes:
    return pack_announcement(Announcement(Kind.DURABLE, "web", 1, 0, 100, seq))


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(("127.0.0.1", 0), tmp_path)


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        yield sock


def test_keeps_announcements_and_drops_the_rest(recorder: Recorder, sender: socket.socket, tmp_path: Path) -> None:
    rest = [b"", b"\0", datagram(9)[:-1], datagram(9) + b"\0", os.urandom(DATAGRAM_SIZE), os.urandom(60_000)]
    for data in [datagram(1), *rest, datagram(2)]:
        sender.sendto(data, recorder.address)
        recorder.receive_one()
    assert (recorder.kept, recorder.dropped) == (2, len(rest))
    entries = list(read(tmp_path))
    assert [entry.said.seq for entry in entries] == [1, 2]
    assert 0 < entries[0].mono_ns < entries[1].mono_ns
    assert entries[1].wall_ns - entries[0].wall_ns < 60e9


def test_what_was_received_can_be_read_at_once(recorder: Recorder, sender: socket.socket, tmp_path: Path) -> None:
    sender.sendto(datagram(1), recorder.address)
    recorder.receive_one()
    assert [entry.said.seq for entry in read(tmp_path)] == [1]


def test_stops_while_it_waits(recorder: Recorder) -> None:
    thread = threading.Thread(target=recorder.run)
    thread.start()
    recorder.stop()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert (recorder.kept, recorder.dropped) == (0, 0)


def test_as_a_process_it_ends_cleanly_on_sigterm(tmp_path: Path, sender: socket.socket) -> None:
    command = [sys.executable, "-m", "score.recorder", "--listen", "127.0.0.1:0", "--spool", str(tmp_path)]
    source = Path(score.__file__).parents[1]
    process = subprocess.Popen(
        command, env={"PYTHONPATH": str(source)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        sender.sendto(datagram(1), ("127.0.0.1", port))
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert said.startswith("kept ")
