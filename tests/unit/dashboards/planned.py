"""Metrics that the dashboards use before the exporter has them. Each goes when it is in the exporter's."""

from __future__ import annotations

from dualsrm_exporter.metrics import ALL, Kind, Metric

_GUEST = ("guest",)
_PAIR_GUEST = ("pair", "guest")


def _gauge(name: str, labels: tuple[str, ...]) -> Metric:
    return Metric(f"dualsrm_{name}", Kind.GAUGE, labels, "Planned.")


PLANNED = (
    Metric("dualsrm_guest_info", Kind.INFO, _GUEST, "Planned.", facts=("uuid",)),
    Metric(
        "dualsrm_guest_state",
        Kind.STATESET,
        _GUEST,
        "Planned.",
        states=(
            "nostate",
            "running",
            "blocked",
            "paused",
            "shutdown",
            "shutoff",
            "crashed",
            "pmsuspended",
            "other",
        ),
    ),
    _gauge("guest_autostart", _GUEST),
    _gauge("guest_paused_io_error", _GUEST),
    _gauge("guest_migration_memory_total_bytes", _GUEST),
    _gauge("guest_migration_memory_processed_bytes", _GUEST),
    _gauge("guest_migration_memory_remaining_bytes", _GUEST),
    _gauge("guest_migration_dirty_rate_bytes_per_second", _GUEST),
    _gauge("guest_migration_iterations", _GUEST),
    _gauge("readiness_timestamp_seconds", ("pair",)),
    _gauge("guest_wanted_running", _PAIR_GUEST),
    _gauge("guest_active_hosts", _PAIR_GUEST),
    _gauge("guest_migration_ready", _PAIR_GUEST),
    _gauge("guest_failover_ready", _PAIR_GUEST),
    Metric("dualsrm_guest_blocker_info", Kind.INFO, _PAIR_GUEST, "Planned.", facts=("ready", "check")),
    _gauge("pair_host_seen", ("pair", "host")),
    Metric("dualsrm_fencing_attempts_total", Kind.COUNTER, ("pair", "host"), "Planned."),
    Metric("dualsrm_fencing_failures_total", Kind.COUNTER, ("pair", "host"), "Planned."),
    Metric("dualsrm_operation_part_seconds", Kind.HISTOGRAM, ("verb", "part"), "Planned.", buckets=(1.0, 10.0, 60.0)),
    _gauge("peer_quarantined", ("peer",)),
)
METRICS = {metric.name: metric for metric in (*PLANNED, *ALL)}
"""By name, with the exporter's own word where it has one."""
