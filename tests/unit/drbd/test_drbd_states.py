"""Every captured dump as the model's states."""

from __future__ import annotations

import pytest

from dualsrm.hosts.drbd import Dialect, Store
from dualsrm.hosts.drbd.view import read_dump
from dualsrm.model import Resource
from tests.unit.drbd.captures import capture, names

# oos: out of sync in KiB
TABLE = """
version capture                                       role      disk         suspended connection peer-role replication peer-disk    paused oos
8.4     03-syncsource-synctarget.node1                Primary   UpToDate     -         Connected  Secondary SyncSource  Inconsistent -      240900
8.4     03-syncsource-synctarget.node2                Secondary Inconsistent -         Connected  Primary   SyncTarget  UpToDate     -      244280
8.4     05-pausedsync.node1                           Primary   UpToDate     -         Connected  Secondary PausedSyncS Inconsistent user   112184
8.4     06-standalone-inconsistent-target.node2       Secondary Inconsistent -         StandAlone Unknown   Off         DUnknown     -      68564
8.4     08-connected-uptodate-primary-secondary.node1 Primary   UpToDate     -         Connected  Secondary Established UpToDate     -      0
8.4     12-dual-primary.node1                         Primary   UpToDate     -         Connected  Primary   Established UpToDate     -      0
8.4     14-suspended-io-user.node2                    Primary   UpToDate     user      Connected  Secondary Established UpToDate     -      0
8.4     15-verify-running.node1                       Secondary UpToDate     -         Connected  Primary   VerifyS     UpToDate     -      0
8.4     21-outdated-standalone.node2                  Secondary Outdated     -         StandAlone Unknown   Off         DUnknown     -      0
8.4     24-peer-diskless.node1                        Primary   UpToDate     -         Connected  Secondary Established Diskless     -      0
8.4     24-peer-diskless.node2                        Secondary Diskless     -         Connected  Primary   Established UpToDate     -      unknown
8.4     30-split-brain-standalone.node1               Primary   UpToDate     -         StandAlone Unknown   Off         DUnknown     -      640
8.4     57b-fence-handler-failed-suspended.node1      Primary   UpToDate     fencing   Connecting Unknown   Off         DUnknown     -      0
8.4     59c-diskless-primary-suspended-nodata.node1   Primary   Diskless     no-data   Connecting Unknown   Off         DUnknown     -      unknown
9       01-connecting-inconsistent.nine1              Secondary Inconsistent -         Connecting Unknown   Off         DUnknown     -      262100
9       03-syncsource-synctarget.nine2                Secondary Inconsistent -         Connected  Primary   SyncTarget  UpToDate     -      17364
9       08-connected-uptodate-primary-secondary.nine1 Primary   UpToDate     -         Connected  Secondary Established UpToDate     -      0
9       12-dual-primary.nine1                         Primary   UpToDate     -         Connected  Primary   Established UpToDate     -      0
9       14-suspended-io-user.nine2                    Primary   UpToDate     user      Connected  Secondary Established UpToDate     -      0
9       21-outdated-standalone.nine2                  Secondary Outdated     -         StandAlone Unknown   Off         DUnknown     -      0
9       24-peer-diskless.nine2                        Secondary Diskless     -         Connected  Primary   Established UpToDate     -      unknown
9       30-split-brain-standalone.nine1               Primary   UpToDate     -         StandAlone Unknown   Off         DUnknown     -      640
9       34-netcut-fencing-suspended.nine1             Primary   UpToDate     fencing   Connecting Unknown   Off         DUnknown     -      0
9       37-quorum-lost-suspended.nine1                Primary   UpToDate     quorum    Connecting Unknown   Off         DUnknown     -      0
9       51b-pausedsync.nine1                          Primary   UpToDate     -         Connected  Secondary PausedSyncS Inconsistent user   221652
"""  # noqa: E501 - a recording is not folded
ROWS = [row.split() for row in TABLE.strip().splitlines()[1:]]


def dump(dialect: Dialect, name: str) -> tuple[Resource, ...]:
    return read_dump(capture(dialect, f"{name}.events2-now"), dialect)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1]}")
def test_captured_state(row: list[str]) -> None:
    (resource,) = dump(Dialect(row[0]), row[1])
    assert resource.connection is not None
    (volume,) = resource.volumes
    (peer,) = resource.connection.volumes
    assert [
        str(resource.role),
        str(volume.disk),
        ",".join(resource.suspended) or "-",
        str(resource.connection.state),
        str(resource.connection.peer_role),
        str(peer.replication),
        str(peer.peer_disk),
        ",".join(peer.resync_suspended) or "-",
        "unknown" if peer.out_of_sync_bytes is None else str(peer.out_of_sync_bytes // 1024),
    ] == row[2:]
    assert volume.size_bytes == 262100 * 1024


@pytest.mark.parametrize(("dialect", "name"), names("*.events2-now"))
def test_every_captured_word_is_known(dialect: Dialect, name: str) -> None:
    for resource in read_dump(capture(dialect, name), dialect):
        assert resource.connection is not None
        words = [resource.role, resource.connection.state, resource.connection.peer_role]
        assert all(word.known for word in words)
        assert all(volume.disk.known for volume in resource.volumes)
        assert all(peer.replication.known and peer.peer_disk.known for peer in resource.connection.volumes)


@pytest.mark.parametrize(("dialect", "name"), names("00-*.events2-now") + names("42-*.events2-now"))
def test_nothing_configured(dialect: Dialect, name: str) -> None:
    assert read_dump(capture(dialect, name), dialect) == ()


def test_what_only_9_says() -> None:
    (resource,) = dump(Dialect.V9, "37-quorum-lost-suspended.nine1")
    assert resource.volumes[0].quorum is False
    assert resource.connection is not None
    assert resource.connection.peer == "nine2"
    (paused,) = dump(Dialect.V9, "51b-pausedsync.nine1")
    assert paused.connection is not None
    assert paused.connection.volumes[0].done_ratio == pytest.approx(0.1543)


def test_what_84_does_not_say() -> None:
    (resource,) = dump(Dialect.V84, "03-syncsource-synctarget.node1")
    assert resource.volumes[0].quorum is None
    assert resource.connection is not None
    assert resource.connection.peer is None
    assert resource.connection.volumes[0].done_ratio is None


def test_volumes_come_in_order_whatever_the_dump_does() -> None:
    """9.2.18 printed volume 1 before volume 0."""
    multi, single = dump(Dialect.V9, "40-two-resources-multivolume.nine1")
    assert (multi.name, single.name) == ("multi", "vm1")
    assert [(volume.number, volume.minor) for volume in multi.volumes] == [(0, 10), (1, 11)]
    assert multi.connection is not None
    assert [volume.number for volume in multi.connection.volumes] == [0, 1]
    assert single.role == "Secondary"


def test_raw_values_for_exporters() -> None:
    store = Store(Dialect.V9)
    store.feed_all(capture(Dialect.V9, "40-two-resources-multivolume.nine1.events2-now").splitlines())
    devices = store.objects("device")
    assert {(key.resource, key.volume): values["size"] for key, values in devices.items()} == {
        ("multi", 0): "40920",
        ("multi", 1): "24536",
        ("vm1", 0): "262100",
    }
    assert {key.peer for key in store.objects("path")} == {1}
