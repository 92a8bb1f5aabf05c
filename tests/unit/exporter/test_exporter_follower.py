"""What is learnt from the event stream, on real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dualsrm.hosts.drbd import Dialect
from dualsrm_exporter.drbd.follower import Follower
from dualsrm_exporter.drbd.memory import Memory, PeerVolume
from tests.unit.drbd.captures import capture, names

COPY = PeerVolume("vm1", "", 0)
UP = (
    "exists resource name:vm1 role:Primary suspended:no",
    "exists connection name:vm1 peer-node-id:0 conn-name:peer connection:Connected role:Secondary",
    "exists device name:vm1 volume:0 minor:0 disk:UpToDate",
    "exists peer-device name:vm1 peer-node-id:0 conn-name:peer volume:0 replication:Established peer-disk:UpToDate "
    "resync-suspended:no",
    "exists -",
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(tmp_path: Path, clock: Clock) -> Memory:
    return Memory(tmp_path / "drbd.json", clock)


@pytest.fixture
def feed(memory: Memory) -> Callable[..., Follower]:
    def make(*lines: str, dialect: Dialect = Dialect.V84) -> Follower:
        follower = Follower(memory)
        follower.begin(dialect)
        for line in lines:
            assert follower.feed(line)
        return follower

    return make


def _helper(name: str, status: int | None = None, **more: str) -> str:
    action = "call" if status is None else "response"
    rest = "" if status is None else f" status:{status}"
    return f"{action} helper name:vm1 peer-node-id:0 conn-name:peer helper:{name}{rest}"


def test_split_brains_of_a_real_stream_are_latched_until_it_replicates(memory: Memory) -> None:
    """streamC: a split brain, one more at the next connect, then healed; later the same again."""
    follower = Follower(memory)
    follower.begin(Dialect.V84)
    states: list[bool] = []
    for line in capture(Dialect.V84, "streamC.node1.events2").splitlines():
        follower.feed(line)
        split = "vm1" in memory.split_brains()
        if not states or states[-1] is not split:
            states.append(split)
    assert states[:5] == [False, True, False, True, False]
    calls = capture(Dialect.V84, "streamC.node1.events2").count("helper:split-brain") // 2
    assert follower.counts().split_brains["vm1"] == calls
    assert calls >= 3


def test_connected_alone_does_not_heal(feed: Callable[..., Follower], memory: Memory) -> None:
    """8.4 is Connected for a moment at every attempt, before it calls the handler and drops the link again."""
    connect = "change connection name:vm1 peer-node-id:0 conn-name:peer connection:Connected"
    off = "change peer-device name:vm1 peer-node-id:0 conn-name:peer volume:0 replication:Off peer-disk:DUnknown"
    statistics = "change peer-device name:vm1 peer-node-id:0 conn-name:peer volume:0 received:0 sent:1 out-of-sync:640"
    feed(*UP, off, _helper("split-brain"), connect, statistics)
    assert memory.split_brains() == {"vm1"}


def test_a_split_brain_drbd_solves_itself_is_none(feed: Callable[..., Follower], memory: Memory) -> None:
    follower = feed(*UP, _helper("initial-split-brain"), _helper("initial-split-brain", 0))
    assert memory.split_brains() == set()
    assert follower.counts().split_brains["vm1"] == 0


def test_the_latch_survives_a_restart_of_stream_and_exporter(
    feed: Callable[..., Follower], memory: Memory, tmp_path: Path
) -> None:
    follower = feed(_helper("split-brain"))
    follower.end()
    memory.save()
    again = Memory(tmp_path / "drbd.json")
    assert again.split_brains() == {"vm1"}


def test_a_destroy_that_is_stand_alone_counts_as_a_loss_and_stamps_the_peer(
    feed: Callable[..., Follower], memory: Memory, clock: Clock
) -> None:
    feed(*UP)
    clock.now = 5000.0
    follower = feed(
        *UP,
        "destroy peer-device name:vm1 peer-node-id:0 conn-name:peer volume:0",
        "destroy connection name:vm1 peer-node-id:0 conn-name:peer",
    )
    assert memory.uptodate() == {COPY: pytest.approx(5000, abs=5)}
    assert follower.counts().losses == {("vm1", ""): 1}


def test_the_stamp_is_when_it_ceased_to_be(feed: Callable[..., Follower], memory: Memory, clock: Clock) -> None:
    """Nothing is printed while all is well; what counts is the moment it ends, not the line that began it."""
    follower = feed(*UP)
    clock.now = 9000.0
    follower.feed("change connection name:vm1 peer-node-id:0 conn-name:peer connection:NetworkFailure role:Unknown")
    assert memory.uptodate() == {COPY: 9001.0}
    clock.now = 20000.0
    follower.feed("change peer-device name:vm1 peer-node-id:0 volume:0 replication:Off peer-disk:DUnknown")
    follower.feed("change connection name:vm1 peer-node-id:0 conn-name:peer connection:Connecting")
    assert memory.uptodate() == {COPY: 9001.0}
    assert follower.counts().losses == {("vm1", ""): 1}


def test_a_lost_peer_84_still_calls_uptodate_is_not(feed: Callable[..., Follower], memory: Memory) -> None:
    lines = [line.replace("connection:Connected", "connection:Connecting") for line in UP]
    feed(*lines)
    assert memory.uptodate() == {}


def test_peers_have_their_names_on_9(memory: Memory) -> None:
    follower = Follower(memory)
    follower.begin(Dialect.V9)
    for line in capture(Dialect.V9, "streamD.nine1.events2").splitlines():
        follower.feed(line)
    assert set(memory.uptodate()) == {PeerVolume("vm1", "nine2", 0)}
    assert follower.counts().losses["vm1", "nine2"] >= 2


@pytest.mark.parametrize(
    ("status", "answer", "failed"),
    [
        (3 << 8, "inconsistent", 0),
        (4 << 8, "outdated", 0),
        (5 << 8, "unreachable", 0),
        (6 << 8, "primary", 0),
        (7 << 8, "stonithed", 0),
        (0, "none", 1),
        (1 << 8, "none", 1),
        (9, "none", 1),
        ((1 << 32) - 2, "none", 1),
    ],
)
def test_what_the_fence_peer_handler_answered(
    feed: Callable[..., Follower], status: int, answer: str, failed: int
) -> None:
    counts = feed(_helper("fence-peer"), _helper("fence-peer", status)).counts()
    assert counts.helper_calls == {("vm1", "fence-peer"): 1}
    assert counts.fence_answers == {("vm1", answer): 1}
    assert counts.helper_failures["vm1", "fence-peer"] == failed


def test_a_helper_nobody_knows_is_other(feed: Callable[..., Follower]) -> None:
    """Names from the stream must not become labels without end."""
    counts = feed(*(_helper(f"helper-{number}") for number in range(50))).counts()
    assert counts.helper_calls == {("vm1", "other"): 50}


def test_events_left_out_end_the_stream(feed: Callable[..., Follower]) -> None:
    follower = feed(*UP)
    assert follower.feed("- skipped 17") is False
    assert follower.counts().skipped == 17


def test_a_line_that_makes_no_sense_is_counted(feed: Callable[..., Follower]) -> None:
    follower = feed(*UP, "rubbish", "\x00\xff", "change device name:vm1", "destroy - -")
    assert follower.counts().malformed == 4
    assert follower.complete


def test_what_is_gone_is_forgotten(feed: Callable[..., Follower]) -> None:
    follower = feed(*UP, _helper("fence-peer"), _helper("fence-peer", 1024), _helper("split-brain"))
    follower.feed("change connection name:vm1 peer-node-id:0 connection:Connecting")
    follower.keep_only({"other"})
    counts = follower.counts()
    assert not any((counts.helper_calls, counts.helper_failures, counts.fence_answers, counts.losses))
    assert not counts.split_brains


def test_a_resource_that_is_gone_while_nobody_listened_is_no_peer_lost_later(
    feed: Callable[..., Follower], memory: Memory, clock: Clock
) -> None:
    follower = feed(*UP)
    stamped = dict(memory.uptodate())
    follower.end()
    assert not follower.complete
    events = follower.counts().events
    assert follower.feed(UP[1].replace("Connected", "Connecting"))
    assert memory.uptodate() == stamped
    assert follower.counts().events == events


@pytest.mark.parametrize(("dialect", "name"), names("*.events2"))
def test_real_streams_make_sense_to_the_end(dialect: Dialect, name: str, memory: Memory) -> None:
    follower = Follower(memory)
    follower.begin(dialect)
    lines = capture(dialect, name).splitlines()
    assert all(follower.feed(line) for line in lines)
    counts = follower.counts()
    assert counts.malformed == counts.events["other"] == 0
    assert sum(counts.events.values()) >= len(lines) - 3
