"""The kernel's refusals, as pure functions over what the kernel looks at.

Each names its source: a capture of two real nodes (excerpts in tests/fixtures/rules, checked by test_rules.py) or a
place in DRBD's source. A function returns the refusal, or None when the kernel would say yes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from dualsrm.model import DiskState, Role


class Dialect(StrEnum):
    """Which DRBD the pair runs."""

    EIGHT = "8.4"
    NINE = "9"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the kernel and drbdadm say when they refuse."""

    number: int
    exit_code: int
    text: str

    def __str__(self) -> str:
        kind = "State change failed" if self.number < 0 else "Failure"
        return f"{kind}: ({self.number}) {self.text}"


TWO_PRIMARIES = Refusal(-1, 11, "Multiple primaries not allowed by config")
NO_UP_TO_DATE_DISK = Refusal(-2, 17, "Need access to UpToDate data")
PEER_NOT_OUTDATED = Refusal(-7, 11, "Refusing to be Primary while peer is not outdated")
HELD_OPEN = Refusal(-12, 11, "Device is held open by someone")
PROTOCOL_C_REQUIRED = Refusal(139, 10, "Protocol C required")
NO_CONNECTION = Refusal(162, 10, "Invalid configuration request")
CANNOT_CLEAR = Refusal(164, 10, "Can not clear allow_two_primaries as long as")

UNKNOWN_RESOURCE = {
    Dialect.EIGHT: Refusal(127, 10, "Device minor not allocated"),
    Dialect.NINE: Refusal(158, 10, "Unknown resource"),
}
"""captures/README.md: unknown resource, exit 10 (127) on 8.4 and exit 10 (158) on 9."""

READ_ONLY = "Read-only file system"
"""EROFS: opening a Secondary for writing (commands.nine2.log, "open on secondary, auto-promote no"; 8.4: README)."""


STALE = (DiskState.OUTDATED, DiskState.INCONSISTENT)
_WHOLE = (DiskState.UP_TO_DATE, DiskState.CONSISTENT)


def refuse_outdate(dialect: Dialect, *, role: Role, connected: bool, handler_runs: bool) -> str | None:
    """Why `drbdadm outdate` is refused, in words: the numbers were not recorded.

    A Primary or connected disk is not outdated by hand; 9 also refuses while this side's own handler runs (tried on
    9.2.18, where 8.4.11 did it: design, section 3).
    """
    if role is Role.PRIMARY:
        return "a Primary is not outdated"
    if connected:
        return "a connected disk is not outdated"
    return "the fence-peer handler runs" if dialect is Dialect.NINE and handler_runs else None


def refuse_promote(
    *, disk: DiskState, connected: bool, peer_role: Role, peer_disk: DiskState, two_primaries: bool, fencing: str
) -> Refusal | None:
    """Whether a Secondary may become Primary; the answer for one volume.

    -1 before -2: a SyncTarget whose peer is Primary is refused with -1, and once two primaries are allowed it is
    promoted, Inconsistent as it is, for it reads through its peer (commands.nine2.log, "try: promote the sync target").
    -2 for Outdated after a clean disconnect (commands.nine2.log, "peer alone") and disconnected Diskless
    (commands.nine1.log, before "diskless and disconnected promote").
    -7 with any fencing and a peer nobody outdated (8.4 commands.node2.log, "fencing resource-and-stonith").
    """
    if connected and peer_role is Role.PRIMARY and not two_primaries:
        return TWO_PRIMARIES
    reads_through_peer = connected and peer_disk is DiskState.UP_TO_DATE
    if disk is not DiskState.UP_TO_DATE and not reads_through_peer:
        return NO_UP_TO_DATE_DISK
    if fencing != "dont-care" and not connected and peer_disk is DiskState.UNKNOWN:
        return PEER_NOT_OUTDATED
    return None


def refuse_demote(*, held_open: bool) -> Refusal | None:
    """A device that is open is not demoted (commands.nine1.log, "demote while open"; 8.4: captures/README.md)."""
    return HELD_OPEN if held_open else None


def refuse_two_primaries(
    dialect: Dialect,
    *,
    allowed: bool,
    allowed_now: bool,
    protocol: str,
    net_configured: bool,
    role: Role,
    peer_role: Role,
) -> Refusal | None:
    """Whether the runtime option may change.

    164 while this side knows both to be Primary; a peer out of sight is Unknown and does not count (drbd_nl.c
    drbd_check_net_options; commands.nine1.log, "switch allow-two-primaries off while both primary").
    139 seen from the other end: two primaries on, then protocol B (commands.nine1.log, "net-options variants").
    162 on 8.4 when StandAlone: its connection no longer exists (commands.node1.log, "disconnect when not").
    """
    if dialect is Dialect.EIGHT and not net_configured:
        return NO_CONNECTION
    if allowed_now and not allowed and role is Role.PRIMARY and peer_role is Role.PRIMARY:
        return CANNOT_CLEAR
    if allowed and protocol != "C":
        return PROTOCOL_C_REQUIRED
    return None


def forgets_net_options_when_stand_alone(dialect: Dialect) -> bool:
    """8.4 drops the whole net configuration with the connection, runtime options included; 9 keeps both.

    Capture 30-split-brain-standalone.node1.show: no `net` section, no peer address.
    """
    return dialect is Dialect.EIGHT


class OpenEffect(Enum):
    """What opening a device for writing does."""

    OPENS = "opens"
    PROMOTES = "promotes"
    READ_ONLY = "read-only"


def open_for_writing(dialect: Dialect, *, role: Role, auto_promote: bool, promote_refused: bool) -> OpenEffect:
    """A Secondary opens for writing only where opening promotes it: DRBD 9 with auto-promote.

    commands.nine2.log: "open on secondary, auto-promote no" (EROFS), "peer open while auto-promoted here" (promotion
    refused with -1, then EROFS); commands.nine1.log, "auto-promote" (a write promotes). 8.4: drbd_main.c, drbd_open.
    """
    if role is Role.PRIMARY:
        return OpenEffect.OPENS
    if dialect is Dialect.NINE and auto_promote and not promote_refused:
        return OpenEffect.PROMOTES
    return OpenEffect.READ_ONLY


def rotates_at_link_loss(dialect: Dialect, *, role: Role, disk: DiskState, bitmap_uuid: int, suspended: bool) -> bool:
    """Whether a side starts a new data generation the moment it loses its peer.

    8.4: every Primary that has not already (drbd_state.c after_state_ch), unless its I/O is suspended; capture
    `51-dual-primary-cut`: both current UUIDs new, the old one in both bitmap slots. 9 waits for the first write
    (drbd_req.c), see `rotates_at_write`.
    """
    return (
        dialect is Dialect.EIGHT
        and role is Role.PRIMARY
        and disk is DiskState.UP_TO_DATE
        and bitmap_uuid == 0
        and not suspended
    )


def rotates_at_write(*, connected: bool, bitmap_uuid: int) -> bool:
    """A write the peer does not get starts a new data generation, once (9: drbd_req.c; 8.4 rotated already)."""
    return not connected and bitmap_uuid == 0


def fences(*, fencing: str, role: Role, disk: DiskState, peer_disk: DiskState) -> bool:
    """Whether the fence-peer handler is called when the connection is lost.

    drbd_receiver.c conn_disconnect: for a Primary that does not know its peer outdated; drbd_nl.c
    conn_try_outdate_peer: with a policy other than dont-care, and data worth it here (`57a-fence-handler-running`).
    """
    return fencing != "dont-care" and role is Role.PRIMARY and disk in _WHOLE and peer_disk not in STALE


def freezes(*, fencing: str, role: Role, peer_disk: DiskState) -> bool:
    """Whether I/O is suspended meanwhile (drbd_state.c sanitize_state; `57b-fence-handler-failed-suspended`)."""
    return fencing == "resource-and-stonith" and role is Role.PRIMARY and peer_disk not in STALE


@dataclass(frozen=True, slots=True)
class FenceVerdict:
    """What an exit code of the handler changes: the peer's disk as known here, or this side's own."""

    peer_disk: DiskState | None = None
    own_disk: DiskState | None = None


def fence_verdict(code: int, *, role: Role, disk: DiskState) -> FenceVerdict:
    """drbd_nl.c conn_try_outdate_peer, the same in 8.4 and 9. An unknown code changes nothing: I/O stays frozen.

    6 outdates a Secondary only: a Primary without its peer must be UpToDate (drbd_state.c is_valid_state).
    """
    match code:
        case 3:
            return FenceVerdict(peer_disk=DiskState.INCONSISTENT)
        case 4 | 7:
            return FenceVerdict(peer_disk=DiskState.OUTDATED)
        case 5 if disk is DiskState.UP_TO_DATE:
            return FenceVerdict(peer_disk=DiskState.OUTDATED)
        case 6 if role is Role.SECONDARY and disk in _WHOLE:
            return FenceVerdict(own_disk=DiskState.OUTDATED)
    return FenceVerdict()


def disk_after_boot(disk: DiskState, *, fencing: str, peer_disk: DiskState) -> DiskState:
    """What a disk that was UpToDate calls itself (drbd_nl.c drbd_adm_attach): with fencing, Consistent at first."""
    if disk is DiskState.UP_TO_DATE and fencing != "dont-care" and peer_disk is not DiskState.OUTDATED:
        return DiskState.CONSISTENT
    return disk


class Handshake(Enum):
    """How two sides that meet again go on."""

    NO_SYNC = "no sync"
    FIRST_IS_SOURCE = "first is sync source"
    SECOND_IS_SOURCE = "second is sync source"
    SPLIT_BRAIN = "split brain"
    UNRELATED = "unrelated data"


def compare_generations(first: tuple[int, int], second: tuple[int, int]) -> Handshake:
    """Each side as (current UUID, bitmap UUID); the core of uuid_compare in drbd_receiver.c.

    Captures: `52-dual-primary-split-brain` (both bitmap UUIDs equal: StandAlone on both), `28-netcut-primary` (the
    Secondary's current UUID is the Primary's bitmap UUID: plain resync).
    """
    (current_1, bitmap_1), (current_2, bitmap_2) = first, second
    if current_1 == current_2:
        return Handshake.NO_SYNC
    if bitmap_1 == current_2:
        return Handshake.FIRST_IS_SOURCE
    if bitmap_2 == current_1:
        return Handshake.SECOND_IS_SOURCE
    if bitmap_1 == bitmap_2 != 0:
        return Handshake.SPLIT_BRAIN
    return Handshake.UNRELATED


def after_a_crash(first: tuple[Role, bool], second: tuple[Role, bool]) -> Handshake:
    """Each side as (role, lost power as Primary), of equal generations (drbd_receiver.c uuid_compare, rules 40, 41).

    The side that runs wins over the one that crashed; of two Secondaries the one that crashed as Primary has more.
    """
    (role_1, crashed_1), (role_2, crashed_2) = first, second
    if not (crashed_1 or crashed_2):
        return Handshake.NO_SYNC
    if Role.PRIMARY in (role_1, role_2):
        return Handshake.FIRST_IS_SOURCE if role_1 is Role.PRIMARY else Handshake.SECOND_IS_SOURCE
    return Handshake.FIRST_IS_SOURCE if crashed_1 else Handshake.SECOND_IS_SOURCE


def acknowledged_by(*, connected: bool, suspended: bool, local_disk: bool) -> frozenset[str]:
    """Which disks hold a protocol-C write once it is acknowledged; empty: it is not (drbd_req.c; design, section 3)."""
    if suspended or not (local_disk or connected):
        return frozenset()
    return frozenset({"local"} if local_disk else ()) | frozenset({"peer"} if connected else ())
