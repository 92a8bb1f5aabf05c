"""Metrics of what the manager saw of both hosts when it last looked: `dualsrm status --json --output`."""

from __future__ import annotations

from typing import Final

from dualsrm_exporter.metrics.metric import Kind, Metric

LOOKED: Final = Metric(
    "dualsrm_readiness_timestamp_seconds",
    Kind.GAUGE,
    ("pair",),
    "When the manager of this host last looked at both hosts; absent if it never did. All else here is absent "
    "when that is more than 10 minutes ago.",
    "seconds",
)
HOST_SEEN: Final = Metric(
    "dualsrm_pair_host_seen",
    Kind.GAUGE,
    ("pair", "host"),
    "Whether the manager could see all of the host: DRBD, libvirt, the system.",
)
WANTED: Final = Metric(
    "dualsrm_guest_wanted_running",
    Kind.GAUGE,
    ("pair", "guest"),
    "0 only if the last operation of the manager that had an effect on the guest was `dualsrm stop`.",
)
ACTIVE: Final = Metric(
    "dualsrm_guest_active_hosts",
    Kind.GAUGE,
    ("pair", "guest"),
    "On how many hosts the guest is active; absent while libvirt of one of them gives no answer.",
)
_ABSENT: Final = "absent while it is seen active on neither host"
MIGRATION: Final = Metric(
    "dualsrm_guest_migration_ready",
    Kind.GAUGE,
    ("pair", "guest"),
    f"Whether the guest could move live now; {_ABSENT}.",
)
FAILOVER: Final = Metric(
    "dualsrm_guest_failover_ready",
    Kind.GAUGE,
    ("pair", "guest"),
    f"Whether the guest would come up on the other host if its own were lost now; {_ABSENT}.",
)
BLOCKER: Final = Metric(
    "dualsrm_guest_blocker_info",
    Kind.INFO,
    ("pair", "guest", "ready", "check"),
    "A check that blocks, by what it blocks (`migration`, `failover`): it failed, or nobody knows.",
    facts=("severity",),
)
