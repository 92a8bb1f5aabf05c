"""Metrics of the collector drbd: the same names for DRBD 8.4 and 9."""

from __future__ import annotations

from typing import Final

from dualsrm.model import ConnectionState, DiskState, ReplicationState, Role
from dualsrm_exporter.metrics.metric import OTHER, Kind, Metric

_RESOURCE: Final = ("resource",)
_VOLUME: Final = ("resource", "volume")
_PEER: Final = ("resource", "peer")
_PEER_VOLUME: Final = ("resource", "volume", "peer")


def _words(states: type[Role | DiskState | ConnectionState | ReplicationState]) -> tuple[str, ...]:
    return (*(str(state) for state in states), OTHER)


def _gauge(name: str, labels: tuple[str, ...], text: str, unit: str = "", *, only: str = "") -> Metric:
    return Metric(f"dualsrm_{name}", Kind.GAUGE, labels, text, unit, only_drbd=only)


def _counter(name: str, labels: tuple[str, ...], text: str, unit: str = "") -> Metric:
    return Metric(f"dualsrm_{name}_total", Kind.COUNTER, labels, text, unit)


def _states(name: str, labels: tuple[str, ...], text: str, states: tuple[str, ...]) -> Metric:
    return Metric(f"dualsrm_drbd_{name}", Kind.STATESET, labels, text, states=states)


# --- the host ---------------------------------------------------------------------------------------------------------

MODULE_LOADED: Final = _gauge("drbd_module_loaded", (), "Whether DRBD's kernel module is loaded.")
VERSION: Final = Metric(
    "dualsrm_drbd_version_info", Kind.INFO, (), "DRBD's kernel module.", facts=("module_version", "dialect")
)
SNAPSHOT: Final = _gauge(
    "drbd_snapshot_timestamp_seconds",
    (),
    "When DRBD's state was last read, that its module is not loaded included; 0 if it could not be since the exporter "
    "began.",
    "seconds",
)
STREAM_UP: Final = _gauge(
    "drbd_stream_up", (), "Whether the event stream runs and has told the whole state; helper calls are seen only then."
)
STREAM_RESTARTS: Final = _counter("drbd_stream_restarts", (), "Times the event stream ended and had to be begun anew.")
EVENTS: Final = _counter("drbd_events", ("object",), "Lines of the event stream, by what they are about.")
EVENTS_SKIPPED: Final = _counter("drbd_events_skipped", (), "Events DRBD said it had to leave out.")
PARSE_ERRORS: Final = _counter("drbd_parse_errors", (), "Lines of the event stream that make no sense or were cut off.")

# --- resources --------------------------------------------------------------------------------------------------------

RESOURCE: Final = Metric(
    "dualsrm_drbd_resource_info",
    Kind.INFO,
    _RESOURCE,
    "Options in force in the kernel.",
    facts=("protocol", "fencing", "write_ordering"),
)
RESOURCE_UP: Final = _gauge(
    "drbd_resource_up", _RESOURCE, "Whether the resource is in the kernel; 0: it is in the files of this host only."
)
RESOURCE_CONFIGURED: Final = _gauge(
    "drbd_resource_configured", _RESOURCE, "Whether the resource is in the files of this host."
)
ROLE: Final = _states("role", _RESOURCE, "Role of the resource on this host.", _words(Role))
IO_SUSPENDED: Final = _states(
    "io_suspended",
    _RESOURCE,
    "Why I/O of the resource is suspended; several reasons can be 1, all are 0 while it runs.",
    ("user", "no-data", "fencing", "quorum", OTHER),
)
MAY_PROMOTE: Final = _gauge("drbd_may_promote", _RESOURCE, "Whether DRBD would let it be promoted now.", only="9")
PROMOTION_SCORE: Final = _gauge("drbd_promotion_score", _RESOURCE, "How good a place to promote it this is.", only="9")
FORCE_IO_FAILURES: Final = _gauge(
    "drbd_force_io_failures", _RESOURCE, "Whether all its I/O is made to fail (`secondary --force`).", only="9"
)
DUAL_PRIMARY: Final = _gauge(
    "drbd_dual_primary",
    _RESOURCE,
    "Whether this side and its peer are both Primary; absent while this one is and the peer is not seen.",
)
TWO_PRIMARIES: Final = _gauge("drbd_two_primaries_allowed", _RESOURCE, "Whether the option is on in the kernel.")
TWO_PRIMARIES_AT_REST: Final = _gauge(
    "drbd_two_primaries_allowed_at_rest",
    _RESOURCE,
    "Whether two Primaries are allowed while no window record of this host names the resource; absent while those "
    "cannot be read.",
)
SPLIT_BRAIN: Final = _gauge(
    "drbd_split_brain",
    _RESOURCE,
    "Whether DRBD found a split brain and dropped the link; 1 until both sides replicate again, over restarts too.",
)
SPLIT_BRAINS: Final = _counter("drbd_split_brains", _RESOURCE, "Split brains DRBD could not solve by itself.")
HELPER_CALLS: Final = _counter("drbd_helper_calls", ("resource", "helper"), "Handlers the kernel called.")
HELPER_FAILURES: Final = _counter(
    "drbd_helper_failures",
    ("resource", "helper"),
    "Handlers that could not be run, died, or gave an answer that is none (fence-peer: other than 3 to 7).",
)
FENCE_ANSWERS: Final = _counter(
    "drbd_fence_peer_answers", ("resource", "answer"), "What the fence-peer handler answered the kernel."
)
CONNECTION_LOSSES: Final = _counter(
    "drbd_connection_losses", _PEER, "Times the connection was Connected and left it, however short."
)

# --- volumes ----------------------------------------------------------------------------------------------------------

DEVICE: Final = Metric(
    "dualsrm_drbd_device_info",
    Kind.INFO,
    _VOLUME,
    "The volume's device, and the disk below it, which DRBD 8.4 does not say.",
    facts=("minor", "backing_device"),
)
DISK_STATE: Final = _states("disk_state", _VOLUME, "State of the volume's disk on this host.", _words(DiskState))
QUORUM: Final = _gauge("drbd_quorum", _VOLUME, "Whether the volume has quorum.", only="9")
DEVICE_CLIENT: Final = _gauge("drbd_device_client", _VOLUME, "Whether the volume is meant to have no disk.", only="9")
SIZE: Final = _gauge("drbd_device_size_bytes", _VOLUME, "Usable size of the volume.", "bytes")
READ: Final = _counter("drbd_device_read_bytes", _VOLUME, "Read from the disk below; wraps at 2 TiB.", "bytes")
WRITTEN: Final = _counter("drbd_device_written_bytes", _VOLUME, "Written to the disk below; wraps at 2 TiB.", "bytes")
AL_WRITES: Final = _counter("drbd_activity_log_writes", _VOLUME, "Updates of the activity log on disk.")
BM_WRITES: Final = _counter("drbd_bitmap_writes", _VOLUME, "Updates of the bitmap on disk.")
UPPER_PENDING: Final = _gauge("drbd_upper_pending_requests", _VOLUME, "I/O from above that is not done.", "requests")
LOWER_PENDING: Final = _gauge("drbd_lower_pending_requests", _VOLUME, "I/O to the disk that is not done.", "requests")
AL_SUSPENDED: Final = _gauge("drbd_activity_log_suspended", _VOLUME, "Whether the activity log is suspended.")
BLOCKED: Final = _states(
    "device_blocked", _VOLUME, "By which side the volume is blocked; both can be 1.", ("upper", "lower", OTHER)
)

# --- peers ------------------------------------------------------------------------------------------------------------

CONNECTION_STATE: Final = _states("connection_state", _PEER, "State of the connection.", _words(ConnectionState))
PEER_ROLE: Final = _states(
    "peer_role", _PEER, "Role of the resource on the peer, as far as this side knows.", _words(Role)
)
CONGESTED: Final = _gauge("drbd_connection_congested", _PEER, "Whether the connection's send buffer is nearly full.")
AP_IN_FLIGHT: Final = _gauge(
    "drbd_application_in_flight_bytes", _PEER, "Application data on its way to the peer.", "bytes", only="9"
)
RS_IN_FLIGHT: Final = _gauge(
    "drbd_resync_in_flight_bytes", _PEER, "Resync data on its way to the peer.", "bytes", only="9"
)
PATH: Final = _gauge(
    "drbd_path_established", ("resource", "peer", "local", "remote"), "Whether the path is in use.", only="9"
)
REPLICATION_STATE: Final = _states(
    "replication_state", _PEER_VOLUME, "State of replication of the volume to the peer.", _words(ReplicationState)
)
PEER_DISK_STATE: Final = _states(
    "peer_disk_state", _PEER_VOLUME, "State of the peer's disk, as far as this side knows.", _words(DiskState)
)
RESYNC_SUSPENDED: Final = _states(
    "resync_suspended",
    _PEER_VOLUME,
    "Why resync is suspended; several reasons can be 1, all are 0 while it may run.",
    ("user", "peer", "dependency", "max-parallel", OTHER),
)
SENT: Final = _counter("drbd_sent_bytes", _PEER_VOLUME, "Sent to the peer; starts anew at each connect.", "bytes")
RECEIVED: Final = _counter(
    "drbd_received_bytes", _PEER_VOLUME, "Received from the peer; starts anew at each connect.", "bytes"
)
OUT_OF_SYNC: Final = _gauge(
    "drbd_out_of_sync_bytes",
    _PEER_VOLUME,
    "What is known to differ from the peer; absent while this side has no disk to count on, and in place of a 0 while "
    "it is no Primary and does not replicate: what the peer writes then is not known here.",
    "bytes",
)
PENDING: Final = _gauge("drbd_pending_requests", _PEER_VOLUME, "Sent to the peer and not answered.", "requests")
UNACKED: Final = _gauge("drbd_unacked_requests", _PEER_VOLUME, "Received and not answered to the peer.", "requests")
RESYNC_DONE: Final = _gauge(
    "drbd_resync_done_ratio",
    _PEER_VOLUME,
    "How far a resync or verify is, 0 to 1; present only during one (8.4: not while it is paused).",
    "ratio",
)
RESYNC_ETA: Final = _gauge(
    "drbd_resync_eta_seconds",
    _PEER_VOLUME,
    "What DRBD thinks a resync or verify still takes; present only during one, and once DRBD says it.",
    "seconds",
)
RESYNC_RATE: Final = _gauge(
    "drbd_resync_rate_bytes_per_second",
    _PEER_VOLUME,
    "Speed of a resync or verify over DRBD's last mark; present only during one, and once DRBD says it.",
    "bytes_per_second",
)
PEER_UPTODATE: Final = _gauge(
    "drbd_peer_uptodate_timestamp_seconds",
    _PEER_VOLUME,
    "When the peer was last seen connected and UpToDate: what is written since would be lost with this host. Kept over "
    "restarts; absent if it was never seen.",
    "seconds",
)

# --- windows and alarms -----------------------------------------------------------------------------------------------

WINDOW_OPEN: Final = _gauge("window_open", _RESOURCE, "Whether a window record of this host names the resource.")
WINDOW_OPENED: Final = _gauge(
    "window_opened_timestamp_seconds",
    _RESOURCE,
    "When the window was begun, by the manager's clock; present only while it is open.",
    "seconds",
)
WINDOW_GUARDED: Final = _gauge(
    "window_guarded",
    _RESOURCE,
    "Whether a guard lives on this host; 0: the manager is gone and the hosts settle the window. Present only while a "
    "window is open.",
)
WINDOW: Final = Metric(
    "dualsrm_window_info",
    Kind.INFO,
    _RESOURCE,
    "The open window: the operation it belongs to, and the host that was decided to own the guest, empty while nothing "
    "had to be decided.",
    facts=("operation", "pair", "guest", "source", "target", "owner"),
)
ALARM: Final = _gauge("alarm_active", _RESOURCE, "Whether this host asks for a person because of the resource.")
ALARM_SINCE: Final = _gauge(
    "alarm_since_timestamp_seconds", _RESOURCE, "Since when; present only while there is an alarm.", "seconds"
)
QUARANTINED: Final = _gauge(
    "peer_quarantined",
    ("peer",),
    "Whether a record of this host says that the peer was lost and has not been reprotected. 0 for peers that DRBD's "
    "files name; in records a peer has the manager's name for it.",
)
ALARM_WHY: Final = Metric(
    "dualsrm_alarm_info", Kind.INFO, _RESOURCE, "What the alarm says; present only while there is one.", facts=("why",)
)
