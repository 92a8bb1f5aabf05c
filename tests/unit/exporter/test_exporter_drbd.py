"""What the collector says of DRBD, on what real kernels printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dualsrm.hosts.drbd import Dialect
from dualsrm_exporter.drbd.look import Look
from dualsrm_exporter.metrics import DRBD
from dualsrm_exporter.metrics import drbd as m
from dualsrm_exporter.render import render
from tests.unit.drbd.captures import FIXTURES, capture
from tests.unit.exporter.rig import (
    HERE,
    IN_SYNC,
    PEER,
    PROC,
    FakeHost,
    collect,
    names_with_samples,
    samples,
    true_states,
)
from tests.unit.hostside.host import eventually, window

PROGRESS = (
    " 0: cs:SyncSource ro:Primary/Secondary ds:UpToDate/Inconsistent C r-----\n"
    "    ns:0 nr:0 dw:0 dr:0 al:8 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:240900\n"
    "\t[=>..................] sync'ed:  8.1% (240900/262100)K\n\tfinish: 0:00:19 speed: 12,345 (12,345) K/sec\n"
)


def test_every_metric_is_had_from_both_versions(host: FakeHost) -> None:
    """All captures of a version together, a stream, a window and an alarm show every metric there is."""
    host.host_files.leave(window())
    host.host_files.raise_alarm("vm1", "the fence device does not answer")
    host.says(PROC[host.dialect] + (PROGRESS if host.dialect is Dialect.V84 else ""))
    name = "streamC.node1" if host.dialect is Dialect.V84 else "streamD.nine1"
    host.streams(capture(host.dialect, f"{name}.events2"))
    collector = host.collector()
    collector.start()
    assert eventually(lambda: collector._follower.counts().events["helper"] > 0)
    seen: set[str] = set()
    for path in sorted((FIXTURES / host.dialect.value).glob("*.events2-now")):
        host.shows(path.name.removesuffix(".events2-now"))
        collected = collect(collector)
        assert collected.failures == {}
        seen |= names_with_samples(collected, DRBD)
    only_9 = {metric.name for metric in DRBD if metric.only_drbd == "9"}
    wanted = {metric.name for metric in DRBD}
    assert seen == (wanted - only_9 if host.dialect is Dialect.V84 else wanted)


def test_a_healthy_resource(host: FakeHost) -> None:
    found = collect(host.collector())
    peer = PEER[host.dialect]
    assert true_states(found, m.ROLE) == {("vm1", "Primary")}
    assert true_states(found, m.CONNECTION_STATE) == {("vm1", peer, "Connected")}
    assert true_states(found, m.DISK_STATE) == {("vm1", "0", "UpToDate")}
    assert true_states(found, m.PEER_DISK_STATE) == {("vm1", "0", peer, "UpToDate")}
    assert true_states(found, m.REPLICATION_STATE) == {("vm1", "0", peer, "Established")}
    assert true_states(found, m.IO_SUSPENDED) == set()
    assert samples(found, m.RESOURCE_UP) == samples(found, m.RESOURCE_CONFIGURED) == {("vm1",): 1}
    assert samples(found, m.SIZE) == {("vm1", "0"): 262100 * 1024}
    assert samples(found, m.RESYNC_DONE) == {}
    assert samples(found, m.SPLIT_BRAIN) == samples(found, m.WINDOW_OPEN) == samples(found, m.ALARM) == {("vm1",): 0}
    assert samples(found, m.SPLIT_BRAINS) == samples(found, m.DUAL_PRIMARY) == {("vm1",): 0}
    assert samples(found, m.CONNECTION_LOSSES) == {("vm1", peer): 0}
    assert samples(found, m.HELPER_CALLS)["vm1", "fence-peer"] == 0
    assert samples(found, m.FENCE_ANSWERS)["vm1", "none"] == 0
    assert samples(found, m.MODULE_LOADED) == {(): 1}


def test_every_stateset_has_all_its_states_at_each_object(host: FakeHost) -> None:
    text = render(tuple(collect(host.collector()))).body.decode()
    for metric in (m.ROLE, m.DISK_STATE, m.CONNECTION_STATE, m.REPLICATION_STATE):
        lines = [line for line in text.splitlines() if line.startswith(metric.name + "{")]
        assert len(lines) == len(metric.states)
        assert sum(line.endswith(" 1.0") for line in lines) == 1


_DUMP = (
    "exists resource name:vm1 role:{role} suspended:no\n"
    "exists connection name:vm1 peer-node-id:0 connection:{connection} role:{peer}\nexists -\n"
)


def test_both_primary(host: FakeHost) -> None:
    host.shows(f"12-dual-primary.{HERE[host.dialect]}")
    found = collect(host.collector())
    assert samples(found, m.DUAL_PRIMARY) == samples(found, m.TWO_PRIMARIES) == {("vm1",): 1}
    assert samples(found, m.TWO_PRIMARIES_AT_REST) == {("vm1",): 1}


def test_primary_beside_a_peer_nobody_sees_may_be_a_second_one(host84: FakeHost) -> None:
    host84.prints(_DUMP.format(role="Primary", connection="StandAlone", peer="Unknown"))
    assert samples(collect(host84.collector()), m.DUAL_PRIMARY) == {}
    host84.prints(_DUMP.format(role="Secondary", connection="StandAlone", peer="Unknown"))
    assert samples(collect(host84.collector()), m.DUAL_PRIMARY) == {("vm1",): 0}


def test_a_peers_volume_without_a_device_has_nobody_elses_progress(host84: FakeHost) -> None:
    host84.says(PROC[Dialect.V84] + " 0: cs:SyncSource ro:Primary/Secondary\n\t[>..] sync'ed: 33.5% (1/2)K\n")
    host84.prints(
        "exists resource name:vm1 role:Primary suspended:no\n"
        "exists peer-device name:vm1 volume:3 replication:SyncSource peer-disk:Inconsistent\nexists -\n"
    )
    assert samples(collect(host84.collector()), m.RESYNC_DONE) == {}


def test_whether_two_primaries_are_at_rest_is_unknown_without_the_windows(host84: FakeHost) -> None:
    host84.shows("12-dual-primary.node1")
    (host84.run / "windows").write_text("in the way")
    found = collect(host84.collector())
    assert samples(found, m.TWO_PRIMARIES) == {("vm1",): 1}
    assert samples(found, m.TWO_PRIMARIES_AT_REST) == {}


def test_a_window_with_a_record_is_not_at_rest(host: FakeHost) -> None:
    host.shows(f"12-dual-primary.{HERE[host.dialect]}")
    host.host_files.leave(window("op-7", guest='web "1"\n'))
    found = collect(host.collector())
    assert samples(found, m.TWO_PRIMARIES_AT_REST) == {("vm1",): 0}
    assert samples(found, m.WINDOW_OPEN) == {("vm1",): 1}
    ((labels, _),) = samples(found, m.WINDOW).items()
    assert labels[:4] == ("vm1", "op-7", "lab", 'web "1"\n')
    assert labels[-1] == ""
    assert samples(found, m.WINDOW_OPENED) == {("vm1",): 1795345200.0}
    assert samples(found, m.WINDOW_GUARDED) == {("vm1",): 0}


@pytest.mark.parametrize("begins", [True, False], ids=["begins", "ends"])
def test_a_window_that_begins_or_ends_during_the_look_is_not_at_rest(
    host84: FakeHost, monkeypatch: pytest.MonkeyPatch, *, begins: bool
) -> None:
    """The record is left before the option is set and forgotten after it was taken back."""
    host84.shows("12-dual-primary.node1")
    opened = window()
    if not begins:
        host84.host_files.leave(opened)
    collector = host84.collector()
    real = collector._eyes.look

    def look() -> Look:
        (host84.host_files.leave if begins else host84.host_files.forget)(opened)
        return real()

    monkeypatch.setattr(collector._eyes, "look", look)
    found = collect(collector)
    assert samples(found, m.TWO_PRIMARIES) == {("vm1",): 1}
    assert samples(found, m.TWO_PRIMARIES_AT_REST) == {("vm1",): 0}


def test_a_window_says_who_owns_the_guest_and_whether_it_is_guarded(host84: FakeHost) -> None:
    opened = window()
    host84.host_files.leave(opened)
    lease = host84.host_files.take_lease(opened)
    host84.host_files.decide(opened, "beta")
    found = collect(host84.collector())
    assert samples(found, m.WINDOW_GUARDED) == {("vm1",): 1}
    ((labels, _),) = samples(found, m.WINDOW).items()
    assert labels[-1] == "beta"
    assert lease >= 0


def test_looking_at_windows_never_takes_a_guards_lease(host84: FakeHost) -> None:
    """A guard that begins while the exporter tries the lock would be refused, and its move with it."""
    opened = window()
    host84.host_files.leave(opened)
    collector = host84.collector()
    collect(collector)
    assert not (host84.run / "windows" / opened.operation / "lease").exists()
    assert host84.host_files.lease_held(opened) is False


def test_alarms_say_what_and_since_when(host84: FakeHost) -> None:
    host84.host_files.raise_alarm("vm1", "frozen:\nthe peer cannot be fenced")
    found = collect(host84.collector())
    assert samples(found, m.ALARM) == {("vm1",): 1}
    assert samples(found, m.ALARM_WHY) == {("vm1", "frozen: the peer cannot be fenced"): 1}
    assert samples(found, m.ALARM_SINCE)[("vm1",)] > 1.7e9


def test_a_torn_alarm_is_an_alarm(host84: FakeHost) -> None:
    host84.host_files.raise_alarm("vm1", "x")
    (host84.run / "alarms" / "vm1.json").write_text('{"since": ')
    found = collect(host84.collector())
    assert samples(found, m.ALARM) == {("vm1",): 1}
    assert samples(found, m.ALARM_SINCE) == {}


def test_suspended_io_says_why(host: FakeHost) -> None:
    node = "node2" if host.dialect is Dialect.V84 else "nine2"
    host.shows(f"14-suspended-io-user.{node}")
    assert true_states(collect(host.collector()), m.IO_SUSPENDED) == {("vm1", "user")}


def test_suspended_by_lost_quorum(host9: FakeHost) -> None:
    host9.shows("37-quorum-lost-suspended.nine1")
    found = collect(host9.collector())
    assert ("vm1", "quorum") in true_states(found, m.IO_SUSPENDED)
    assert samples(found, m.QUORUM) == {("vm1", "0"): 0}


def test_stand_alone_on_84_is_seen_under_the_same_peer(host84: FakeHost) -> None:
    """The dump has no `conn-name` then: the label comes from the files, and stays what it was."""
    collector = host84.collector()
    before = samples(collect(collector), m.CONNECTION_STATE)
    host84.shows("30-split-brain-standalone.node1")
    found = collect(collector)
    assert true_states(found, m.CONNECTION_STATE) == {("vm1", "node2", "StandAlone")}
    assert set(samples(found, m.CONNECTION_STATE)) == set(before)


def test_a_resource_that_is_down_is_shown(host: FakeHost) -> None:
    host.files("vm1", "db")
    found = collect(host.collector())
    assert samples(found, m.RESOURCE_UP) == {("vm1",): 1, ("db",): 0}
    assert samples(found, m.RESOURCE_CONFIGURED) == {("vm1",): 1, ("db",): 1}


def test_a_resource_in_the_kernel_only_is_shown(host: FakeHost) -> None:
    host.files("db")
    found = collect(host.collector())
    assert samples(found, m.RESOURCE_CONFIGURED) == {("vm1",): 0, ("db",): 1}
    assert samples(found, m.RESOURCE_UP) == {("vm1",): 1, ("db",): 0}


def test_without_the_module_no_tool_is_run(host: FakeHost) -> None:
    """They would load it: looking must not change the host."""
    host.proc.unlink()
    found = collect(host.collector())
    assert samples(found, m.MODULE_LOADED) == {(): 0}
    assert found.failures == {}
    assert host.tools.calls() == []


def test_out_of_sync_is_absent_without_a_disk(host84: FakeHost) -> None:
    host84.shows("59c-diskless-primary-suspended-nodata.node1")
    found = collect(host84.collector())
    assert true_states(found, m.DISK_STATE) == {("vm1", "0", "Diskless")}
    assert samples(found, m.OUT_OF_SYNC) == {}


def test_out_of_sync_in_bytes(host84: FakeHost) -> None:
    host84.shows("30-split-brain-standalone.node1")
    assert samples(collect(host84.collector()), m.OUT_OF_SYNC) == {("vm1", "0", "node2"): 640 * 1024}


def test_a_side_that_hears_of_no_writes_does_not_say_that_nothing_differs(host84: FakeHost) -> None:
    """Cut off, a Secondary's bitmap stays at 0 while the peer writes on; what it does count is known all the same."""
    dump = (FIXTURES / "lab" / "cut.events2-now").read_text()
    host84.files("web", "mail", "db-data")
    host84.prints(dump)
    known = {("mail", "0", "node2"): 308 * 1024, ("db-data", "0", "node2"): 296 * 1024}
    assert samples(collect(host84.collector()), m.OUT_OF_SYNC) == known
    host84.prints(dump.replace("out-of-sync:0 ", "out-of-sync:4 "))
    assert samples(collect(host84.collector()), m.OUT_OF_SYNC) == known | {("web", "0", "node2"): 4096}
    host84.prints(
        dump.replace("name:mail role:Primary", "name:mail role:Secondary").replace("of-sync:308", "of-sync:0")
    )
    assert ("mail", "0", "node2") not in samples(collect(host84.collector()), m.OUT_OF_SYNC)


def test_progress_of_a_resync_on_84_is_that_of_proc_drbd(host84: FakeHost) -> None:
    host84.says(PROC[Dialect.V84] + PROGRESS)
    host84.shows("03-syncsource-synctarget.node1")
    found = collect(host84.collector())
    where = ("vm1", "0", "node2")
    assert samples(found, m.RESYNC_DONE) == {where: pytest.approx(1 - 240900 / 262100)}
    assert samples(found, m.RESYNC_ETA) == {where: 19}
    assert samples(found, m.RESYNC_RATE) == {where: 12345 * 1024}


def test_progress_of_a_resync_on_9(host9: FakeHost) -> None:
    host9.shows("03-syncsource-synctarget.nine1")
    found = collect(host9.collector())
    where = ("vm1", "0", "nine2")
    assert samples(found, m.RESYNC_DONE) == {where: pytest.approx(0.9308)}
    assert samples(found, m.RESYNC_ETA) == {where: 0}
    assert samples(found, m.RESYNC_RATE) == {where: pytest.approx(40.87 * 1024 * 1024)}
    assert samples(found, m.RS_IN_FLIGHT) == {("vm1", "nine2"): 1024 * 512}


def test_a_state_nobody_has_heard_of_is_other(host: FakeHost) -> None:
    text = capture(host.dialect, f"{IN_SYNC[host.dialect]}.events2-now").replace("disk:UpToDate", "disk:TOO_LARGE", 1)
    host.prints(text)
    assert ("vm1", "0", "other") in true_states(collect(host.collector()), m.DISK_STATE)


@pytest.mark.parametrize("source", ["windows", "alarms"])
def test_a_directory_that_cannot_be_read_is_not_an_empty_one(host84: FakeHost, source: str) -> None:
    (host84.run / source).write_text("in the way")
    found = collect(host84.collector())
    assert set(found.failures) == {source}
    metric = m.WINDOW_OPEN if source == "windows" else m.ALARM
    assert samples(found, metric) == {}


def test_what_cannot_be_kept_is_said(host84: FakeHost) -> None:
    host84.state.rmdir()
    assert set(collect(host84.collector()).failures) == {"memory"}
    host84.state.mkdir()


def test_when_the_peer_was_last_uptodate_survives_a_restart(host: FakeHost) -> None:
    first = host.collector()
    collect(first)
    first.stop()
    (entry,) = json.loads((host.state / "drbd.json").read_text())["uptodate"]
    assert entry[:3] == ["vm1", "" if host.dialect is Dialect.V84 else "nine2", 0]
    standalone = "30-split-brain-standalone"
    host.shows(f"{standalone}.{HERE[host.dialect]}")
    later = samples(collect(host.collector()), m.PEER_UPTODATE)
    assert later == {("vm1", "0", PEER[host.dialect]): entry[3]}


def test_resources_that_come_and_go_leave_nothing_behind(host: FakeHost) -> None:
    collector = host.collector()
    base = capture(host.dialect, f"{IN_SYNC[host.dialect]}.events2-now")
    host.files()
    collector._eyes._configured_at = float("-inf")
    for number in range(30):
        host.prints(base.replace("name:vm1", f"name:guest{number}"))
        found = collect(collector)
        assert {labels[0] for labels in samples(found, m.RESOURCE_UP)} == {f"guest{number}"}
        assert {labels[0] for labels in samples(found, m.PEER_UPTODATE)} == {f"guest{number}"}
    assert len(collector._memory.uptodate()) == 1


def test_the_secret_of_the_files_is_nowhere(host84: FakeHost, tmp_path: Path) -> None:
    secret = "hunter2"
    text = (FIXTURES / "8.4" / "90-handlers.alpha.dump").read_text().replace("hunter", secret)
    (tmp_path / "with-secret").write_text(text)
    host84.files(script=f"cat {tmp_path}/with-secret; echo 'near {secret}' >&2")
    found = collect(host84.collector())
    assert samples(found, m.RESOURCE_CONFIGURED)[("c d",)] == 1
    assert ("e",) not in samples(found, m.RESOURCE_CONFIGURED)
    host84.files(script=f"cat {tmp_path}/with-secret; echo 'near {secret}' >&2; exit 10")
    failed = collect(host84.collector())
    assert "10" in failed.failures["files"]
    assert secret not in str(failed.failures) + render(tuple(failed)).body.decode()


def test_who_is_in_quarantine(host84: FakeHost) -> None:
    """Zero for the peers the files name, before anything was lost."""
    host84.files("vm1")
    peer = PEER[Dialect.V84]
    assert samples(collect(host84.collector()), m.QUARANTINED) == {(peer,): 0}
    host84.host_files.quarantine(peer, "20261122-failover-1")
    host84.host_files.quarantine("gone", "20261122-failover-0")
    (host84.lasting / "quarantine" / "torn.json").write_text("{")
    assert samples(collect(host84.collector()), m.QUARANTINED) == {(peer,): 1, ("gone",): 1, ("torn",): 1}
    host84.host_files.lift_quarantine(peer)
    assert samples(collect(host84.collector()), m.QUARANTINED)[(peer,)] == 0


def test_a_quarantine_that_cannot_be_read_is_not_none(host84: FakeHost) -> None:
    host84.files("vm1")
    host84.lasting.mkdir()
    (host84.lasting / "quarantine").write_text("in the way")
    found = collect(host84.collector())
    assert set(found.failures) == {"quarantine"}
    assert samples(found, m.QUARANTINED) == {}
