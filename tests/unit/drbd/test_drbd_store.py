"""Merging events: dumps, streams, and what each kernel means by `destroy`."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.hosts.drbd import Dialect, EndOfDump, Event, Key, Line, Malformed, Skipped, Store, parse_line
from dualsrm.hosts.drbd.units import done_ratio, eta_seconds, in_bytes, resync_bytes_per_second
from dualsrm.model import Connection, ConnectionState, DiskState, PeerVolume, ReplicationState, Role
from tests.unit.drbd.captures import capture, names, states

V84_UP = [
    "exists resource name:vm1 role:Primary suspended:no write-ordering:flush",
    "exists connection name:vm1 peer-node-id:0 conn-name:peer connection:Connected role:Secondary congested:no",
    "exists device name:vm1 volume:0 minor:0 disk:UpToDate size:262100 read:0 written:0",
    "exists peer-device name:vm1 peer-node-id:0 conn-name:peer volume:0 replication:Established peer-disk:UpToDate "
    "resync-suspended:no received:0 sent:0 out-of-sync:0 pending:0 unacked:0",
    "exists -",
]
V9_UP = [
    "exists resource name:vm1 role:Secondary suspended:no force-io-failures:no may_promote:no promotion_score:10102",
    "exists connection name:vm1 peer-node-id:1 conn-name:nine2 connection:Connected role:Primary",
    "exists device name:vm1 volume:0 minor:0 backing_dev:/dev/vdb disk:UpToDate client:no quorum:yes",
    "exists peer-device name:vm1 peer-node-id:1 conn-name:nine2 volume:0 replication:Established peer-disk:UpToDate "
    "peer-client:no resync-suspended:no",
    "exists path name:vm1 peer-node-id:1 conn-name:nine2 local:ipv4:1.2.3.4:7789 peer:ipv4:5.6.7.8:7789 established:no",
    "exists -",
]


def store(dialect: Dialect, *texts: str) -> Store:
    filled = Store(dialect)
    assert not [line for line in filled.feed_all(texts) if isinstance(line, Malformed)]
    return filled


def parsed(dialect: Dialect, name: str) -> list[Line]:
    return [parse_line(text) for text in capture(dialect, name).splitlines()]


def replay(dialect: Dialect, lines: list[Line]) -> Store:
    filled = Store(dialect)
    for line in lines:
        filled.apply(line)
    return filled


def connection_of(filled: Store) -> Connection:
    (resource,) = filled.resources()
    assert resource.connection is not None
    return resource.connection


def moment(line: Line) -> datetime:
    assert isinstance(line, Event | EndOfDump)
    assert line.timestamp is not None
    return line.timestamp


STREAMS = [
    (Dialect.V84, [], "streamC.node1.events2", 8),
    (Dialect.V84, [], "streamC-nostat.node1.events2", 8),
    (Dialect.V9, [], "streamD.nine1.events2", 5),
    (Dialect.V9, [], "streamD-nostat.nine1.events2", 5),
    (Dialect.V9, ["38-quorum-back.nine1.events2-now"], "streamM.nine1.events2", 2),
]


@pytest.mark.parametrize(("dialect", "before", "stream", "expected"), STREAMS)
def test_the_stream_says_what_each_dump_said_at_its_moment(
    dialect: Dialect, before: list[str], stream: str, expected: int
) -> None:
    node = stream.split(".")[-2]
    lines = [line for name in before for line in parsed(dialect, name)] + parsed(dialect, stream)
    compared = 0
    for other, name in names(f"*.{node}.events2-now"):
        dump = parsed(dialect, name) if other is dialect else []
        if not dump or not moment(lines[0]) <= moment(dump[0]) <= moment(lines[-1]):
            continue
        replayed = replay(dialect, [line for line in lines if moment(line) <= moment(dump[0])])
        assert states(replayed.resources()) == states(replay(dialect, dump).resources()), name
        compared += 1
    assert compared >= expected


@pytest.mark.parametrize(
    ("dialect", "before", "stream", "final"),
    [
        (Dialect.V84, "", "streamC.node1.events2", "59d-reattached.node1.events2-now"),
        (Dialect.V84, "", "streamC-nostat.node1.events2", "59d-reattached.node1.events2-now"),
        (Dialect.V9, "38-quorum-back.nine1.events2-now", "streamM.nine1.events2", "42-all-down.nine1.events2-now"),
    ],
)
def test_the_end_of_the_stream_is_the_next_dump(dialect: Dialect, before: str, stream: str, final: str) -> None:
    lines = (parsed(dialect, before) if before else []) + parsed(dialect, stream)
    assert states(replay(dialect, lines).resources()) == states(replay(dialect, parsed(dialect, final)).resources())


# --- the traps ------------------------------------------------------------------------------------


def test_trap_84_announces_standalone_as_destroy() -> None:
    filled = store(
        Dialect.V84,
        *V84_UP,
        "change connection name:vm1 peer-node-id:0 conn-name:peer connection:Disconnecting role:Unknown",
        "change peer-device name:vm1 peer-node-id:0 conn-name:peer volume:0 replication:Off peer-disk:DUnknown",
        "change connection name:vm1 peer-node-id:0 conn-name:peer connection:StandAlone",
        "destroy peer-device name:vm1 peer-node-id:0 conn-name:peer volume:0",
        "destroy connection name:vm1 peer-node-id:0 conn-name:peer",
    )
    off = PeerVolume(0, ReplicationState.OFF, DiskState.UNKNOWN, out_of_sync_bytes=0)
    assert connection_of(filled) == Connection(None, ConnectionState.STANDALONE, Role.UNKNOWN, (off,))


def test_trap_84_destroy_of_an_unheard_of_connection_is_standalone_too() -> None:
    filled = store(
        Dialect.V84, "create resource name:vm1 role:Primary suspended:no", "destroy connection name:vm1 peer-node-id:0"
    )
    assert connection_of(filled).state is ConnectionState.STANDALONE


def test_84_standalone_looks_like_a_new_dump_whatever_came_before() -> None:
    filled = store(
        Dialect.V84,
        *V84_UP,
        "destroy peer-device name:vm1 peer-node-id:0 conn-name:peer volume:0",
        "destroy connection name:vm1 peer-node-id:0 conn-name:peer",
    )
    assert connection_of(filled).volumes[0].replication is ReplicationState.OFF
    for kind in ("connection", "peer-device"):
        (values,) = filled.objects(kind).values()
        assert "conn-name" not in values


def test_84_resource_takes_its_connection_with_it() -> None:
    filled = store(Dialect.V84, *V84_UP, "destroy connection name:vm1 peer-node-id:0", "destroy resource name:vm1")
    assert filled.resources() == ()
    assert not filled.objects("connection")
    filled.feed("destroy connection name:vm1 peer-node-id:0 conn-name:peer")
    assert not filled.objects("connection")


def test_trap_84_change_lines_are_partial() -> None:
    filled = store(
        Dialect.V84, *V84_UP, "change connection name:vm1 peer-node-id:0 conn-name:peer connection:NetworkFailure"
    )
    assert connection_of(filled).peer_role is Role.SECONDARY
    assert connection_of(filled).state is ConnectionState.NETWORK_FAILURE


def test_trap_84_conn_name_comes_and_goes() -> None:
    without = [text.replace(" conn-name:peer", "") for text in V84_UP]
    old_utils = [text.replace(" peer-node-id:0", "") for text in V84_UP]
    filled = store(Dialect.V84, *without, *old_utils[:-1], *V84_UP[:-1])
    assert len(filled.objects("connection")) == 1
    assert len(filled.objects("peer-device")) == 1
    assert connection_of(filled).peer is None


def test_the_same_lines_mean_another_thing_on_9() -> None:
    filled = store(Dialect.V9, *V9_UP, "destroy connection name:vm1 peer-node-id:1 conn-name:nine2")
    (resource,) = filled.resources()
    assert resource.connection is None
    assert not filled.objects("peer-device"), "9 says nothing of the peer-devices that go with it"
    assert not filled.objects("path")


def test_trap_84_skipped_events_change_nothing() -> None:
    filled = store(Dialect.V84, *V84_UP)
    before = filled.resources()
    assert filled.feed("- skipped 3") == Skipped(3)
    assert filled.resources() == before


@pytest.mark.parametrize("disk", ["Diskless", "Attaching", "Detaching", "Failed", "Negotiating", "Novel"])
@pytest.mark.parametrize(("dialect", "up"), [(Dialect.V84, V84_UP), (Dialect.V9, V9_UP)])
def test_trap_out_of_sync_is_unknown_without_a_local_disk(dialect: Dialect, up: list[str], disk: str) -> None:
    peer = next(text for text in up if " peer-device " in text).replace("exists", "change") + " out-of-sync:0"
    filled = store(dialect, *up, peer)
    assert connection_of(filled).volumes[0].out_of_sync_bytes == 0
    filled.feed(f"change device name:vm1 volume:0 minor:0 disk:{disk}")
    assert connection_of(filled).volumes[0].out_of_sync_bytes is None


def test_out_of_sync_is_unknown_without_statistics() -> None:
    filled = store(Dialect.V9, *V9_UP)
    assert connection_of(filled).volumes[0].out_of_sync_bytes is None
    assert filled.resources()[0].volumes[0].size_bytes is None


PEER = "change peer-device name:vm1 peer-node-id:1 conn-name:nine2 volume:0 "


def test_trap_done_is_a_percentage_and_eta_may_be_nan() -> None:
    filled = store(
        Dialect.V9,
        *V9_UP,
        PEER + "replication:SyncSource done:42.19 received:0 sent:110592 out-of-sync:151508 dbdt1:36.00 eta:nan",
    )
    volume = connection_of(filled).volumes[0]
    assert volume.done_ratio == pytest.approx(0.4219)
    assert volume.out_of_sync_bytes == 151508 * 1024
    (values,) = filled.objects("peer-device").values()
    assert eta_seconds(values) is None
    assert resync_bytes_per_second(values) == 36 * 1024 * 1024


@pytest.mark.parametrize(
    "text",
    [
        "replication:Established",
        "replication:Established sent:262100 out-of-sync:0",
        "received:0 sent:262100 out-of-sync:0",
    ],
)
def test_done_does_not_outlive_the_resync(text: str) -> None:
    filled = store(Dialect.V9, *V9_UP, PEER + "replication:SyncSource done:93.77 out-of-sync:16340", PEER + text)
    assert connection_of(filled).volumes[0].done_ratio is None
    filled.feed(PEER + "replication:SyncSource peer-disk:Inconsistent")
    assert connection_of(filled).volumes[0].done_ratio is None, "of the resync before"


def test_done_means_nothing_while_established() -> None:
    text = PEER.replace("change", "exists") + "replication:Established peer-disk:UpToDate done:12.00"
    assert connection_of(store(Dialect.V9, *V9_UP[:-2], text, "exists -")).volumes[0].done_ratio is None


def test_progress_lines_of_9_are_kept_between_statistics() -> None:
    filled = store(
        Dialect.V9,
        *V9_UP,
        PEER + "peer-disk:Outdated done:0.00 out-of-sync:262100 dbdt1:0.00 eta:nan",
        PEER + "replication:SyncSource peer-disk:Inconsistent",
        PEER + "done:81.26",
        PEER + "resync-suspended:user",
    )
    assert connection_of(filled).volumes[0].done_ratio == pytest.approx(0.8126)


@pytest.mark.parametrize("done", ["-3.00", "250.00", "nan", "inf", "x", ""])
def test_nonsense_progress_is_unknown(done: str) -> None:
    assert done_ratio({"done": done}) is None


def test_trap_in_flight_is_in_sectors_all_else_in_kib() -> None:
    values = {"ap-in-flight": "8", "rs-in-flight": "4096", "size": "262100", "received": "1", "sent": "x"}
    assert in_bytes(values, "ap-in-flight") == 4096
    assert in_bytes(values, "rs-in-flight") == 2097152
    assert in_bytes(values, "size") == 268390400
    assert in_bytes(values, "received") == 1024
    assert in_bytes(values, "sent") is None
    assert in_bytes(values, "read") is None


def kept(filled: Store) -> set[tuple[str, int | None, int | None]]:
    return {(key.kind, key.peer, key.volume) for objects in filled.by_kind().values() for key in objects}


V9_TWO_OF_EACH = [
    *V9_UP[:-1],
    "exists device name:vm1 volume:1 minor:1 disk:UpToDate",
    "exists connection name:vm1 peer-node-id:2 conn-name:nine3 connection:Connected role:Secondary",
    *(
        f"exists peer-device name:vm1 peer-node-id:{peer} volume:{volume} replication:Established"
        for peer, volume in ((1, 1), (2, 0), (2, 1))
    ),
    "exists path name:vm1 peer-node-id:2 local:ipv4:1.2.3.4:7789 peer:ipv4:9.9.9.9:7789 established:yes",
    "exists -",
]


@pytest.mark.parametrize(
    ("gone", "missing"),
    [
        (
            "connection name:vm1 peer-node-id:2",
            {("connection", 2, None), ("path", 2, None), ("peer-device", 2, 0), ("peer-device", 2, 1)},
        ),
        ("device name:vm1 volume:1", {("device", None, 1), ("peer-device", 1, 1), ("peer-device", 2, 1)}),
        ("peer-device name:vm1 peer-node-id:2 volume:1", {("peer-device", 2, 1)}),
        (
            "path name:vm1 peer-node-id:2 local:ipv4:1.2.3.4:7789 peer:ipv4:9.9.9.9:7789",
            {("path", 2, None)},
        ),
    ],
)
def test_what_9_destroys_takes_along_what_hangs_on_it_and_nothing_else(
    gone: str, missing: set[tuple[str, int | None, int | None]]
) -> None:
    before = kept(store(Dialect.V9, *V9_TWO_OF_EACH))
    assert before - kept(store(Dialect.V9, *V9_TWO_OF_EACH, f"destroy {gone}")) == missing


def test_two_paths_of_one_connection_are_two() -> None:
    second = "exists path name:vm1 peer-node-id:1 local:ipv4:2.2.2.2:7789 peer:ipv4:5.6.7.8:7789 established:yes"
    paths = store(Dialect.V9, *V9_UP[:-1], second).objects("path")
    assert {key.path: values["established"] for key, values in paths.items()} == {
        "ipv4:1.2.3.4:7789 ipv4:5.6.7.8:7789": "no",
        "ipv4:2.2.2.2:7789 ipv4:5.6.7.8:7789": "yes",
    }


def test_a_connection_84_destroys_before_anybody_named_it_stands_alone() -> None:
    filled = store(Dialect.V84, V84_UP[0], "destroy connection name:vm1")
    assert filled.get(Key("connection", "vm1")) == {"name": "vm1", "connection": "StandAlone", "role": "Unknown"}


def test_a_resync_ends_with_the_word_that_it_did_even_without_statistics() -> None:
    going = PEER + "replication:SyncTarget done:50.00 dbdt1:1.00 eta:10"
    filled = store(Dialect.V9, *V9_UP, going, PEER + "replication:Established")
    values = filled.get(Key("peer-device", "vm1", 1, 0))
    assert values is not None
    assert not {"done", "dbdt1", "eta"} & set(values)


def test_what_a_line_about_a_resync_leaves_out_stays() -> None:
    going = PEER + "replication:SyncTarget done:50.00 dbdt1:1.00 eta:10"
    filled = store(Dialect.V9, *V9_UP, going, PEER + "done:60.00 out-of-sync:4")
    values = filled.get(Key("peer-device", "vm1", 1, 0))
    assert values is not None
    assert (values["done"], values["dbdt1"], values["eta"]) == ("60.00", "1.00", "10")


def test_nothing_is_whole_before_a_dump_has_ended() -> None:
    filled = Store(Dialect.V9)
    assert filled.complete is False
    filled.feed_all(V9_UP[:-1])
    assert filled.complete is False
    filled.feed(V9_UP[-1])
    assert filled.complete is True


# --- dumps, renames, the unforeseen ---------------------------------------------------------------


def test_a_new_dump_makes_what_it_does_not_name_vanish() -> None:
    other = ["create resource name:old role:Secondary suspended:no", "create device name:old volume:0 minor:5"]
    filled = store(Dialect.V84, *V84_UP, *other)
    assert [resource.name for resource in filled.resources()] == ["old", "vm1"]
    filled.feed_all(V84_UP[:-1])
    assert [resource.name for resource in filled.resources()] == ["old", "vm1"], "not before the dump has ended"
    filled.feed("exists -")
    assert [resource.name for resource in filled.resources()] == ["vm1"]
    filled.feed("exists -")
    assert filled.resources() == (), "a dump of nothing"


def test_what_happens_during_a_dump_counts() -> None:
    filled = store(
        Dialect.V84,
        *V84_UP[:-1],
        "create resource name:new role:Secondary suspended:no",
        "destroy resource name:vm1",
        "exists -",
    )
    assert [resource.name for resource in filled.resources()] == ["new"]


def test_complete_only_after_a_whole_dump() -> None:
    filled = store(Dialect.V84, *V84_UP[:-1])
    assert not filled.complete
    filled.feed("exists -")
    assert filled.complete


def test_rename_takes_everything_along() -> None:
    filled = store(Dialect.V9, *V9_UP)
    before = filled.resources()[0]
    filled.feed_all(["rename resource name:vm1 new_name:web", "change resource name:web role:Primary"])
    (after,) = filled.resources()
    assert (after.name, after.role) == ("web", Role.PRIMARY)
    assert (after.volumes, after.connection) == (before.volumes, before.connection)
    for objects in filled.by_kind().values():
        assert {(key.resource, values["name"]) for key, values in objects.items()} == {("web", "web")}


def test_rename_during_a_dump() -> None:
    filled = store(Dialect.V9, *V9_UP[:-1], "rename resource name:vm1 new_name:web", "exists -")
    assert [resource.name for resource in filled.resources()] == ["web"]
    filled.feed("rename resource name:web new_name:web")
    assert [resource.name for resource in filled.resources()] == ["web"]


def test_device_and_volume_of_9_go_together() -> None:
    filled = store(Dialect.V9, *V9_UP, "destroy device name:vm1 volume:0")
    (resource,) = filled.resources()
    assert resource.volumes == ()
    assert connection_of(filled).volumes == ()


def test_words_from_the_future_are_kept_and_not_known() -> None:
    filled = store(
        Dialect.V9,
        *V9_UP,
        "change device name:vm1 volume:0 minor:0 disk:TOO_LARGE open:yes",
        PEER + "replication:Teleporting",
        "explode resource name:vm1",
        "exists gizmo name:vm1",
    )
    (resource,) = filled.resources()
    assert resource.volumes[0].disk == "TOO_LARGE"
    assert not resource.volumes[0].disk.known
    assert resource.volumes[0].held_open is True
    assert connection_of(filled).volumes[0].replication == "Teleporting"
    assert not connection_of(filled).volumes[0].replication.known


def test_what_was_never_said_is_no_good_state() -> None:
    """A stream joined in the middle: the first lines are changes to things nobody introduced."""
    (resource,) = store(
        Dialect.V9,
        "change resource name:vm1 may_promote:no",
        "change device name:vm1 volume:0 minor:0 quorum:yes",
        "change connection name:vm1 peer-node-id:1",
        PEER,
    ).resources()
    assert not resource.role.known
    assert resource.suspended
    assert not resource.volumes[0].disk.known
    assert resource.connection is not None
    assert not resource.connection.state.known
    assert not resource.connection.volumes[0].replication.known


def test_two_peers_are_no_pair() -> None:
    second = "create connection name:vm1 peer-node-id:2 conn-name:nine3 connection:Connected role:Secondary"
    connection = connection_of(store(Dialect.V9, *V9_UP, second))
    assert connection.state == "2 peers (nine2, nine3)"
    assert not connection.state.known
    assert not connection.peer_role.known


# --- properties -----------------------------------------------------------------------------------

CAPTURED = {
    dialect: [line for other, name in names("*.events2*") if other is dialect for line in parsed(dialect, name)]
    for dialect in Dialect
}


@given(st.sampled_from(Dialect), st.lists(st.text(max_size=60), max_size=8))
def test_no_text_makes_the_store_raise(dialect: Dialect, texts: list[str]) -> None:
    filled = Store(dialect)
    filled.feed_all(texts)
    filled.resources()


@given(st.sampled_from(Dialect), st.data())
def test_no_order_of_real_lines_makes_the_store_raise(dialect: Dialect, data: st.DataObject) -> None:
    lines = data.draw(st.lists(st.sampled_from(CAPTURED[dialect]), max_size=40))
    filled = replay(dialect, lines)
    for resource in filled.resources():
        assert resource.name


@given(st.sampled_from([stream[:3] for stream in STREAMS]), st.data())
def test_where_a_stream_is_split_does_not_matter(stream: tuple[Dialect, list[str], str], data: st.DataObject) -> None:
    dialect, before, name = stream
    text = "".join(capture(dialect, part) for part in [*before, name])
    lines = text.splitlines()
    cut = data.draw(st.integers(0, len(lines)))
    parts = Store(dialect)
    parts.feed_all(lines[:cut])
    parts.resources()  # looking at it in between changes nothing
    parts.objects("connection")
    parts.feed_all(lines[cut:])
    whole = Store(dialect)
    whole.feed_all(lines)
    assert parts.resources() == whole.resources()
    assert parts.objects("peer-device") == whole.objects("peer-device")


@given(st.data())
def test_how_two_resources_interleave_does_not_matter(data: st.DataObject) -> None:
    first = [line for line in parsed(Dialect.V84, "streamC.node1.events2") if isinstance(line, Event)][:60]
    second = [Event(event.action, event.kind, {**event.values, "name": "vm2"}, event.timestamp) for event in first]
    turns = data.draw(st.permutations([0] * len(first) + [1] * len(second)))
    queues = [iter(first), iter(second)]
    mixed: list[Line] = [next(queues[turn]) for turn in turns]
    in_turn: list[Line] = [*first, *second]
    assert replay(Dialect.V84, mixed).resources() == replay(Dialect.V84, in_turn).resources()


@pytest.mark.parametrize(("dialect", "name"), names("*.events2-now"))
def test_all_kinds_at_once_and_one_object_are_what_each_kind_gives(dialect: Dialect, name: str) -> None:
    filled = store(dialect, *capture(dialect, name).splitlines())
    found = filled.by_kind()
    assert set(found) == {"resource", "device", "connection", "peer-device", "path"}
    for kind, objects in found.items():
        assert objects == filled.objects(kind)
        assert all(filled.get(key) == values for key, values in objects.items())
    assert filled.get(Key("resource", "none")) is None
