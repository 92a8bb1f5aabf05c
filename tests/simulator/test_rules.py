"""The simulator against real nodes: every rule that a recording shows is held against it.

A simulated DRBD that lets you demote an open device, or close the window with two Primaries, proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dualsrm.errors import CommandFailed, DeviceHeldOpen
from dualsrm.model import ConnectionState, DiskState, ReplicationState, Role
from tests.simulator.pair import ALPHA, BETA, WEB, SimPair, rules
from tests.simulator.pair.drbd import KernelRefused
from tests.simulator.pair.rules import Dialect, Handshake, OpenEffect, Refusal

RECORDED = Path(__file__).parent.parent / "fixtures" / "rules"
FOLDER = {Dialect.EIGHT: "drbd84", Dialect.NINE: "drbd9"}
both_dialects = pytest.mark.parametrize("dialect", list(Dialect))


# --- reading the recordings -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recorded:
    section: str
    node: str
    command: str
    output: str
    exit_code: int

    @property
    def number(self) -> int | None:
        found = re.search(r"(?:failed|Failure): \((-?\d+)\)", self.output)
        return int(found[1]) if found else None


def recorded(dialect: Dialect) -> Iterator[Recorded]:
    section = ""
    for block in re.split(r"\n(?=## |\[)", (RECORDED / FOLDER[dialect] / "commands.log").read_text()):
        if block.startswith("## "):
            section = block.removeprefix("## ").strip()
        elif found := re.match(r"\[(\w+)\] # (.*)\n((?s:.*))rc=(\d+)", block):
            yield Recorded(section, found[1], found[2], found[3], int(found[4]))


def find(dialect: Dialect, section: str, command: str, node: str | None = None) -> Recorded:
    matches = [r for r in recorded(dialect) if r.section == section and r.command == command and node in (None, r.node)]
    assert matches, f"no recording of {command!r} in {section!r}"
    return matches[0]


def queries(dialect: Dialect, state: str, node: str) -> dict[str, str]:
    text = (RECORDED / FOLDER[dialect] / f"{state}.{node}.drbdadm-queries").read_text()
    return dict(re.findall(r"\$ drbdadm ([\w-]+) vm1\n(.*)\n", text))


def generations(dialect: Dialect, state: str, node: str) -> tuple[int, int]:
    """Current and bitmap UUID; the lowest bit of the current one only says Primary."""
    current, bitmap, *_ = queries(dialect, state, node)["get-gi"].split(":")
    return int(current, 16) & ~1, int(bitmap, 16) & ~1


# --- refusals: number, exit code, words -----------------------------------------------------------

RECORDED_REFUSALS = [
    (
        Dialect.NINE,
        "promote node2 while node1 primary, allow-two-primaries=no",
        "drbdadm primary vm1",
        rules.TWO_PRIMARIES,
    ),
    (Dialect.NINE, "try: promote the sync target while peer primary", "drbdadm primary vm1", rules.TWO_PRIMARIES),
    (Dialect.NINE, "promote Outdated", "drbdadm primary vm1", rules.NO_UP_TO_DATE_DISK),
    (Dialect.NINE, "diskless and disconnected promote", "drbdadm primary vm1", rules.NO_UP_TO_DATE_DISK),
    (Dialect.NINE, "demote while open", "drbdadm secondary vm1", rules.HELD_OPEN),
    (
        Dialect.NINE,
        "switch allow-two-primaries off while both primary",
        "drbdadm net-options --allow-two-primaries=no vm1",
        rules.CANNOT_CLEAR,
    ),
    (
        Dialect.NINE,
        "net-options variants",
        "drbdsetup net-options vm1 1 --protocol=B",
        rules.PROTOCOL_C_REQUIRED,
    ),
    (
        Dialect.NINE,
        "allow-two-primaries while no connection (peer down)",
        "drbdadm primary vm1",
        rules.UNKNOWN_RESOURCE[Dialect.NINE],
    ),
    (
        Dialect.EIGHT,
        "fencing resource-and-stonith, handler fails after 6 s",
        "drbdadm primary vm1",
        rules.PEER_NOT_OUTDATED,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "section", "command", "refusal"), RECORDED_REFUSALS, ids=lambda v: str(v)[:40])
def test_refusals_are_those_of_the_recordings(dialect: Dialect, section: str, command: str, refusal: Refusal) -> None:
    seen = find(dialect, section, command)
    assert (seen.number, seen.exit_code) == (refusal.number, refusal.exit_code)
    assert str(refusal) in seen.output


def test_a_stand_alone_connection_is_unknown_to_8_4() -> None:
    refused = [r for r in recorded(Dialect.EIGHT) if r.number == rules.NO_CONNECTION.number]
    assert refused
    assert refused[0].exit_code == rules.NO_CONNECTION.exit_code
    assert "unknown connection" in refused[0].output


# --- promote and demote ---------------------------------------------------------------------------


@both_dialects
def test_promoting_beside_a_primary_is_refused(dialect: Dialect) -> None:
    pair = SimPair(dialect.value)
    with pytest.raises(CommandFailed, match=r"\(-1\)"):
        pair.ports[BETA].promote("web")
    assert pair.drbd.nodes[BETA, "web"].role is Role.SECONDARY


@both_dialects
@pytest.mark.parametrize("disk", [DiskState.INCONSISTENT, DiskState.OUTDATED, DiskState.DISKLESS])
def test_promoting_without_data_is_refused_unless_the_peer_has_it(dialect: Dialect, disk: DiskState) -> None:
    pair = SimPair(dialect.value)
    pair.drbd.nodes[BETA, "web"].disk = disk
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.ports[BETA].promote("web")  # "two-primaries allowed on node1 only, promote SyncTarget": promoted
    pair.ports[BETA].demote("web")
    pair.cut_link("web")
    with pytest.raises(CommandFailed, match=r"\(-2\)"):
        pair.ports[BETA].promote("web")


def test_a_sync_target_was_promoted_once_two_primaries_were_allowed() -> None:
    section = "two-primaries allowed on node1 only, promote SyncTarget"
    assert find(Dialect.NINE, section, "drbdadm primary vm1").exit_code == 0


@both_dialects
def test_a_disconnected_secondary_calls_itself_up_to_date_and_is_promoted(dialect: Dialect) -> None:
    """The hole a stale Secondary is: recorded on both versions after a cut."""
    state = {Dialect.EIGHT: "28-netcut-primary-wfconnection", Dialect.NINE: "28-netcut-primary-connecting"}[dialect]
    node = {Dialect.EIGHT: "node2", Dialect.NINE: "nine2"}[dialect]
    assert queries(dialect, state, node)["dstate"] == "UpToDate/DUnknown"
    pair = SimPair(dialect.value, fencing="dont-care")
    pair.cut_link("web")
    pair.ports[BETA].promote("web")
    assert pair.drbd.nodes[BETA, "web"].role is Role.PRIMARY


@both_dialects
def test_with_fencing_it_is_not_promoted(dialect: Dialect) -> None:
    """Recorded with a handler that fails; here the hosts cannot ask each other."""
    pair = SimPair(dialect.value)
    pair.cut_management_between_hosts()
    pair.cut_link("web")
    with pytest.raises(CommandFailed, match=r"\(-7\)"):
        pair.ports[BETA].promote("web")


@both_dialects
def test_with_fencing_a_peer_that_lives_outdates_it(dialect: Dialect) -> None:
    pair = SimPair(dialect.value)
    pair.cut_link("web")
    with pytest.raises(CommandFailed, match=r"\(-2\)"):
        pair.ports[BETA].promote("web")
    assert pair.drbd.nodes[BETA, "web"].disk is DiskState.OUTDATED


@both_dialects
def test_promoting_twice_and_demoting_twice_succeed(dialect: Dialect) -> None:
    assert [r.exit_code for r in recorded(Dialect.EIGHT) if r.section.startswith("misc: up twice")] == [0, 0]
    pair = SimPair(dialect.value)
    pair.ports[ALPHA].promote("web")
    pair.ports[BETA].demote("web")


@both_dialects
def test_an_open_device_is_not_demoted(dialect: Dialect) -> None:
    pair = SimPair(dialect.value)
    with pytest.raises(DeviceHeldOpen, match="qemu-system-x86"):
        pair.ports[ALPHA].demote("web")
    assert pair.drbd.nodes[ALPHA, "web"].role is Role.PRIMARY


@both_dialects
def test_an_unknown_resource_is_refused(dialect: Dialect) -> None:
    pair = SimPair(dialect.value)
    with pytest.raises(CommandFailed, match=rf"\({rules.UNKNOWN_RESOURCE[dialect].number}\)"):
        pair.ports[ALPHA].promote("nosuch")


# --- two primaries --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "section"),
    [
        (Dialect.EIGHT, "allow-two-primaries set on node1 only; promote node2"),
        (Dialect.NINE, "allow-two-primaries set on one side only: what does the peer show"),
    ],
)
def test_the_peer_takes_two_primaries_over(dialect: Dialect, section: str) -> None:
    assert re.search(r"allow-two-primaries\s+yes", find(dialect, section, "drbdsetup show vm1").output)
    assert find(dialect, section, "drbdadm primary vm1").exit_code == 0
    pair = SimPair(dialect.value)
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    assert pair.drbd.nodes[BETA, "web"].two_primaries
    pair.ports[BETA].promote("web")


@both_dialects
def test_the_peer_takes_clearing_over_too(dialect: Dialect) -> None:
    """nine2 cleared it, nine1 shows none."""
    section = "migration style: dual primary window, then demote source, then allow-two-primaries=no"
    clear = find(Dialect.NINE, section, "drbdadm net-options --allow-two-primaries=no vm1")
    show = find(Dialect.NINE, section, "drbdsetup show vm1")
    assert (clear.node, show.node) == ("nine2", "nine1")
    assert "allow-two-primaries" not in show.output
    pair = SimPair(dialect.value)
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.ports[BETA].set_two_primaries("web", allowed=False)
    assert not pair.drbd.nodes[ALPHA, "web"].two_primaries


@both_dialects
def test_clearing_beside_a_primary_is_refused_from_either_side(dialect: Dialect) -> None:
    pair = both_primary(dialect)
    for port in pair.ports.values():
        with pytest.raises(CommandFailed, match=r"\(164\)"):
            port.set_two_primaries("web", allowed=False)
    assert all(pair.drbd.nodes[host, "web"].two_primaries for host in pair.pair.hosts)


@both_dialects
def test_clearing_reaches_no_peer_that_is_away(dialect: Dialect) -> None:
    """And is not refused then: a peer out of sight is not known to be Primary."""
    section = "allow-two-primaries while no connection (peer down)"
    assert find(Dialect.NINE, section, "drbdadm net-options --allow-two-primaries=no vm1").exit_code == 0
    pair = both_primary(dialect)
    pair.cut_link("web")
    pair.ports[ALPHA].set_two_primaries("web", allowed=False)
    assert pair.drbd.nodes[BETA, "web"].two_primaries


@both_dialects
def test_two_primaries_need_protocol_c(dialect: Dialect) -> None:
    pair = SimPair(dialect.value)
    pair.drbd.nodes[ALPHA, "web"].protocol = "B"
    with pytest.raises(CommandFailed, match=r"\(139\)"):
        pair.ports[ALPHA].set_two_primaries("web", allowed=True)


@both_dialects
def test_adjust_closes_a_window_and_is_refused_between_two_primaries(dialect: Dialect) -> None:
    pair = SimPair(dialect.value)
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.adjust(BETA, "web")
    assert not any(pair.drbd.nodes[host, "web"].two_primaries for host in pair.pair.hosts)
    pair = both_primary(dialect)
    with pytest.raises(KernelRefused):
        pair.drbd.adjust(BETA, "web")


# --- opening --------------------------------------------------------------------------------------


def test_a_secondary_was_not_opened_for_writing() -> None:
    for section in ("open on secondary, auto-promote no", "peer open while auto-promoted here"):
        seen = find(Dialect.NINE, section, "dd if=/dev/zero of=/dev/drbd0 bs=4k count=1")
        assert seen.exit_code == 1
        assert rules.READ_ONLY in seen.output


def test_auto_promote_opened_and_went_back() -> None:
    seen = [r for r in recorded(Dialect.NINE) if r.section == "auto-promote"]
    assert [(r.command.split()[0], r.exit_code) for r in seen][2:4] == [("dd", 0), ("drbdadm", 0)]
    assert seen[3].output.strip() == "Secondary"


@pytest.mark.parametrize(
    ("dialect", "auto_promote", "refused", "effect"),
    [
        (Dialect.EIGHT, False, False, OpenEffect.READ_ONLY),
        (Dialect.NINE, False, False, OpenEffect.READ_ONLY),
        (Dialect.NINE, True, True, OpenEffect.READ_ONLY),
        (Dialect.NINE, True, False, OpenEffect.PROMOTES),
    ],
)
def test_what_opening_a_secondary_does(dialect: Dialect, auto_promote: bool, refused: bool, effect: OpenEffect) -> None:
    got = rules.open_for_writing(dialect, role=Role.SECONDARY, auto_promote=auto_promote, promote_refused=refused)
    assert got is effect


def test_9_auto_promotes_while_something_has_it_open() -> None:
    pair = SimPair("9")
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.drbd.open_for_writing(BETA, "web")
    assert pair.drbd.nodes[BETA, "web"].role is Role.PRIMARY
    pair.drbd.closed(BETA, "web")
    assert pair.drbd.nodes[BETA, "web"].role is Role.SECONDARY


# --- generations ----------------------------------------------------------------------------------


def both_primary(dialect: Dialect) -> SimPair:
    pair = SimPair(dialect.value)
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.ports[BETA].promote("web")
    return pair


def test_8_4_rotated_both_uuids_at_a_cut_between_two_primaries() -> None:
    """Recorded with both sides writing; that it happens without a write is drbd_state.c (anchors b5)."""
    before, _ = generations(Dialect.EIGHT, "12-dual-primary", "node1")
    first, second = (generations(Dialect.EIGHT, "51-dual-primary-cut", node) for node in ("node1", "node2"))
    assert first[0] != second[0]
    assert first[1] == second[1] != 0
    assert before not in (first[0], second[0])
    pair = both_primary(Dialect.EIGHT)
    pair.cut_link("web")
    nodes = [pair.drbd.nodes[host, "web"] for host in pair.pair.hosts]
    assert len({node.current_uuid for node in nodes}) == 2
    assert {node.bitmap_uuid for node in nodes} == {1}


def test_9_rotates_only_where_it_is_written() -> None:
    """Recorded: a Primary that lost its peer and wrote nothing keeps its generation (8.4 rotates at once)."""
    current, bitmap = generations(Dialect.NINE, "28-netcut-primary-connecting", "nine1")
    assert (current, bitmap) == (generations(Dialect.NINE, "28-netcut-primary-connecting", "nine2")[0], 0)
    assert generations(Dialect.EIGHT, "28-netcut-primary-wfconnection", "node1")[1] != 0
    pair = both_primary(Dialect.NINE)
    pair.cut_link("web")
    assert [pair.drbd.nodes[host, "web"].bitmap_uuid for host in pair.pair.hosts] == [0, 0]
    pair.clock.sleep(1)
    assert [pair.drbd.nodes[host, "web"].bitmap_uuid for host in pair.pair.hosts] == [1, 0]


@pytest.mark.parametrize(
    ("dialect", "state", "nodes", "verdict"),
    [
        (Dialect.EIGHT, "12-dual-primary", ("node1", "node2"), Handshake.NO_SYNC),
        (Dialect.EIGHT, "28-netcut-primary-wfconnection", ("node1", "node2"), Handshake.FIRST_IS_SOURCE),
        (Dialect.EIGHT, "51-dual-primary-cut", ("node1", "node2"), Handshake.SPLIT_BRAIN),
        (Dialect.NINE, "12-dual-primary", ("nine1", "nine2"), Handshake.NO_SYNC),
        (Dialect.NINE, "28-netcut-primary-connecting", ("nine1", "nine2"), Handshake.NO_SYNC),  # nothing written since
        (Dialect.NINE, "52-dual-primary-cut", ("nine1", "nine2"), Handshake.SPLIT_BRAIN),
    ],
)
def test_generations_of_real_nodes_are_compared_as_they_did(
    dialect: Dialect, state: str, nodes: tuple[str, str], verdict: Handshake
) -> None:
    first, second = (generations(dialect, state, node) for node in nodes)
    assert rules.compare_generations(first, second) is verdict


@pytest.mark.parametrize(
    ("dialect", "state", "node"),
    [
        (Dialect.EIGHT, "52-dual-primary-split-brain", "node1"),
        (Dialect.NINE, "53-dual-primary-split-brain", "nine2"),
    ],
)
def test_split_brain_leaves_both_stand_alone(dialect: Dialect, state: str, node: str) -> None:
    assert queries(dialect, state, node)["cstate"] == "StandAlone"
    pair = both_primary(dialect)
    pair.cut_link("web")
    pair.clock.sleep(1)
    if dialect is Dialect.NINE:
        pair.drbd.write(BETA, "web", range(99999, 100000))
    pair.heal_link("web")
    assert {pair.drbd.nodes[host, "web"].connection for host in pair.pair.hosts} == {ConnectionState.STANDALONE}


@both_dialects
def test_after_a_plain_cut_the_secondary_resyncs(dialect: Dialect) -> None:
    pair = SimPair(dialect.value)
    pair.cut_link("web")
    pair.clock.sleep(2)
    target = pair.drbd.nodes[BETA, "web"]
    assert pair.libvirt.guests["web"].acknowledged["web"] - target.data
    pair.heal_link("web")
    assert (target.replication, target.disk) == (ReplicationState.SYNC_TARGET, DiskState.INCONSISTENT)
    pair.clock.sleep(3)
    assert (target.replication, target.disk) == (ReplicationState.ESTABLISHED, DiskState.UP_TO_DATE)
    assert not pair.libvirt.guests["web"].acknowledged["web"] - target.data


@both_dialects
def test_unequal_options_end_stand_alone(dialect: Dialect) -> None:
    """Recorded for the protocol (54-protocol-mismatch); the same comparison covers allow-two-primaries (F25)."""
    text = (RECORDED / "drbd84" / "54-protocol-mismatch.node1.status-txt").read_text()
    assert "connection:" not in text
    pair = SimPair(dialect.value)
    pair.cut_link("web")
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.heal_link("web")
    assert pair.drbd.nodes[ALPHA, "web"].connection is ConnectionState.STANDALONE


@pytest.mark.parametrize(("dialect", "node"), [(Dialect.EIGHT, "node1"), (Dialect.NINE, "nine1")])
def test_8_4_does_not_show_a_stand_alone_connection(dialect: Dialect, node: str) -> None:
    text = (RECORDED / FOLDER[dialect] / f"30-split-brain-standalone.{node}.status-txt").read_text()
    pair = SimPair(dialect.value)
    pair.disconnect(ALPHA, "web")
    seen = pair.ports[ALPHA].drbd().resource("web")
    assert seen is not None
    assert (seen.connection is None) == ("connection:StandAlone" not in text)


def test_8_4_forgets_net_options_when_stand_alone() -> None:
    """So a window that was open is closed there, and cannot be closed once more: (162)."""
    assert "net {" not in (RECORDED / "drbd84" / "30-split-brain-standalone.node1.show").read_text()
    pair = SimPair("8.4")
    pair.ports[ALPHA].set_two_primaries("web", allowed=True)
    pair.disconnect(ALPHA, "web")
    assert not pair.drbd.nodes[ALPHA, "web"].two_primaries
    with pytest.raises(CommandFailed, match=r"\(162\)"):
        pair.ports[ALPHA].set_two_primaries("web", allowed=False)


# --- suspended I/O and fence-peer -----------------------------------------------------------------


def cut_without_verdict(dialect: Dialect, fencing: str) -> SimPair:
    """A Primary whose handler finds nobody to ask."""
    pair = SimPair(dialect.value, [WEB], fencing=fencing)
    pair.cut_management_between_hosts()
    pair.cut_link("web")
    return pair


def acknowledged(pair: SimPair) -> int:
    return len(pair.libvirt.guests["web"].acknowledged["web"])


@both_dialects
def test_resource_and_stonith_freezes_a_primary_that_lost_its_peer(dialect: Dialect) -> None:
    recorded_text = {
        Dialect.EIGHT: "57b-fence-handler-failed-suspended.node1.status-txt",
        Dialect.NINE: "34-netcut-fencing-suspended.nine1.status-txt",
    }[dialect]
    assert "suspended:fencing" in (RECORDED / FOLDER[dialect] / recorded_text).read_text()
    pair = cut_without_verdict(dialect, "resource-and-stonith")
    node = pair.drbd.nodes[ALPHA, "web"]
    assert node.suspended == {"fencing"}
    assert node.bitmap_uuid == 0
    pair.clock.sleep(5)
    assert acknowledged(pair) == 0
    pair.drbd.answer_fence_peer(node, 4, node.connects)
    assert node.bitmap_uuid == 1
    pair.clock.sleep(1)
    assert acknowledged(pair) == 10


def test_a_frozen_8_4_kept_its_generation() -> None:
    """Recorded while the handler of a frozen Primary had failed: no bitmap UUID yet."""
    _, bitmap = generations(Dialect.EIGHT, "57b-fence-handler-failed-suspended", "node1")
    assert bitmap == 0


@both_dialects
def test_resource_only_freezes_nobody(dialect: Dialect) -> None:
    pair = cut_without_verdict(dialect, "resource-only")
    assert not pair.drbd.nodes[ALPHA, "web"].suspended
    assert pair.drbd.nodes[ALPHA, "web"].bitmap_uuid == (1 if dialect is Dialect.EIGHT else 0)
    pair.clock.sleep(1)
    assert acknowledged(pair) == 10


@both_dialects
def test_a_healed_link_thaws_by_resending(dialect: Dialect) -> None:
    """Recorded: `57d-healed`, both UpToDate and nothing suspended, no resync."""
    text = (RECORDED / "drbd84" / "57d-healed.node1.status-txt").read_text()
    assert "suspended:no" in text
    assert "peer-disk:UpToDate" in text
    pair = cut_without_verdict(dialect, "resource-and-stonith")
    pair.clock.sleep(5)
    pair.heal_link("web")
    pair.clock.sleep(1)
    source, target = (pair.drbd.nodes[host, "web"] for host in pair.pair.hosts)
    assert not source.suspended
    assert source.data == target.data
    assert source.current_uuid == target.current_uuid
    assert acknowledged(pair) == 10


@pytest.mark.parametrize(
    ("code", "peer", "own", "thawed"),
    [
        (3, DiskState.INCONSISTENT, DiskState.UP_TO_DATE, True),
        (4, DiskState.OUTDATED, DiskState.UP_TO_DATE, True),
        (5, DiskState.OUTDATED, DiskState.UP_TO_DATE, True),
        (6, DiskState.UNKNOWN, DiskState.UP_TO_DATE, False),
        (7, DiskState.OUTDATED, DiskState.UP_TO_DATE, True),
        (1, DiskState.UNKNOWN, DiskState.UP_TO_DATE, False),
        (127, DiskState.UNKNOWN, DiskState.UP_TO_DATE, False),
    ],
)
@both_dialects
def test_verdicts_of_a_primarys_handler(
    dialect: Dialect, code: int, peer: DiskState, own: DiskState, thawed: bool
) -> None:
    """drbd_nl.c, conn_try_outdate_peer."""
    pair = cut_without_verdict(dialect, "resource-and-stonith")
    node = pair.drbd.nodes[ALPHA, "web"]
    pair.drbd.answer_fence_peer(node, code, node.connects)
    assert (node.peer_known, node.disk, not node.suspended) == (peer, own, thawed)


@both_dialects
def test_answer_6_outdates_a_side_that_was_demoted_and_rotates_nothing(dialect: Dialect) -> None:
    """Design, section 3: demoted while its handler waited, then 6."""
    pair = both_primary(dialect)
    pair.cut_management_between_hosts()
    node = pair.drbd.nodes[BETA, "web"]
    node.fencing = "resource-and-stonith"
    pair.cut_link("web")
    pair.ports[BETA].demote("web")
    if dialect is Dialect.NINE:
        pair.clock.sleep(1)
        with pytest.raises(KernelRefused, match="handler"):
            pair.drbd.outdate(BETA, "web")
    pair.drbd.answer_fence_peer(node, 6, node.connects)
    assert (node.role, node.disk, node.bitmap_uuid) == (Role.SECONDARY, DiskState.OUTDATED, 0)


@both_dialects
def test_a_verdict_of_an_older_connection_is_ignored(dialect: Dialect) -> None:
    pair = cut_without_verdict(dialect, "resource-and-stonith")
    node = pair.drbd.nodes[ALPHA, "web"]
    before = node.connects
    pair.heal_link("web")
    pair.cut_link("web")
    pair.drbd.answer_fence_peer(node, 4, before)
    assert node.suspended == {"fencing"}


@both_dialects
def test_until_the_loss_is_noticed_a_write_is_neither_done_nor_lost(dialect: Dialect) -> None:
    pair = SimPair(dialect.value, [WEB])
    pair.drbd.notice_s = {ALPHA: 6.0, BETA: 9.0}
    pair.cut_link("web")
    node = pair.drbd.nodes[ALPHA, "web"]
    pair.clock.sleep(5)
    assert node.connected
    assert (acknowledged(pair), len(node.pending)) == (0, 1)
    pair.clock.sleep(2)
    assert not node.connected
    assert acknowledged(pair) > 0
    assert pair.drbd.nodes[BETA, "web"].connected


@both_dialects
def test_a_link_back_before_it_was_missed_delivers_what_waited(dialect: Dialect) -> None:
    pair = SimPair(dialect.value, [WEB])
    pair.drbd.notice_s = {ALPHA: 6.0, BETA: 9.0}
    pair.cut_link("web")
    pair.clock.sleep(5)
    pair.heal_link("web")
    assert acknowledged(pair) == 1
    assert pair.drbd.nodes[BETA, "web"].data == pair.drbd.nodes[ALPHA, "web"].data
    assert pair.drbd.nodes[ALPHA, "web"].connects == 0


@both_dialects
def test_after_a_crash_with_equal_generations_the_side_that_runs_wins(dialect: Dialect) -> None:
    """drbd_receiver.c uuid_compare, rules 40 and 41."""
    primary, secondary, crashed = (Role.PRIMARY, False), (Role.SECONDARY, False), (Role.SECONDARY, True)
    assert rules.after_a_crash(primary, crashed) is Handshake.FIRST_IS_SOURCE
    assert rules.after_a_crash(secondary, crashed) is Handshake.SECOND_IS_SOURCE
    assert rules.after_a_crash(secondary, secondary) is Handshake.NO_SYNC
    pair = SimPair(dialect.value, [WEB])
    pair.clock.sleep(1)
    pair.power_off(ALPHA)
    pair.power_on(ALPHA)
    pair.clock.sleep(5)
    assert {pair.drbd.nodes[host, "web"].disk for host in pair.pair.hosts} == {DiskState.UP_TO_DATE}
    assert pair.drbd.nodes[BETA, "web"].data >= pair.libvirt.guests["web"].acknowledged["web"]


@both_dialects
def test_a_booted_disk_is_consistent_until_the_peer_is_asked(dialect: Dialect) -> None:
    """drbd_nl.c drbd_adm_attach: with a fencing policy; promoted only once the peer is known to be stale or off."""
    pair = SimPair(dialect.value, [WEB])
    pair.power_off(ALPHA)
    pair.cut_link("web")
    pair.cut_management_between_hosts()
    pair.power_on(ALPHA)
    assert pair.drbd.nodes[ALPHA, "web"].disk is DiskState.CONSISTENT
    with pytest.raises(CommandFailed, match=r"\(-2\)"):
        pair.ports[ALPHA].promote("web")
    pair.peer_is_off(ALPHA, BETA)
    pair.ports[ALPHA].promote("web")
    assert pair.drbd.nodes[ALPHA, "web"].disk is DiskState.UP_TO_DATE


@pytest.mark.parametrize(
    ("connected", "suspended", "local", "disks"),
    [
        (True, False, True, {"local", "peer"}),
        (False, False, True, {"local"}),
        (True, False, False, {"peer"}),
        (False, False, False, set()),
        (True, True, True, set()),
    ],
)
def test_an_acknowledged_write_is_on_every_disk_it_could_reach(
    connected: bool, suspended: bool, local: bool, disks: set[str]
) -> None:
    assert rules.acknowledged_by(connected=connected, suspended=suspended, local_disk=local) == disks
