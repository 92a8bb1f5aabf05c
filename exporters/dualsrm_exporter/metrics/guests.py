"""Metrics of the guests libvirt on this host knows, whoever manages them."""

from __future__ import annotations

from typing import Final

from dualsrm_exporter.metrics.metric import OTHER, Kind, Metric

STATES: Final = ("nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended", OTHER)
"""In the order of libvirt's numbers."""

INFO: Final = Metric(
    "dualsrm_guest_info",
    Kind.INFO,
    ("guest",),
    "A guest that libvirt on this host knows, whether it runs or not.",
    facts=("uuid",),
)
STATE: Final = Metric(
    "dualsrm_guest_state",
    Kind.STATESET,
    ("guest",),
    "State of the guest on this host, in libvirt's words.",
    states=STATES,
)
AUTOSTART: Final = Metric(
    "dualsrm_guest_autostart",
    Kind.GAUGE,
    ("guest",),
    "Whether libvirt on this host starts the guest at boot.",
)
IO_ERROR: Final = Metric(
    "dualsrm_guest_paused_io_error",
    Kind.GAUGE,
    ("guest",),
    "Whether the guest is paused because its disk gave an I/O error.",
)
_SENT: Final = "present only while this host sends the guest and libvirt answers about it"
MEMORY: Final = Metric(
    "dualsrm_guest_migration_memory_total_bytes",
    Kind.GAUGE,
    ("guest",),
    f"Memory of a guest that is migrated live; {_SENT}.",
    "bytes",
)
PROCESSED: Final = Metric(
    "dualsrm_guest_migration_memory_processed_bytes",
    Kind.GAUGE,
    ("guest",),
    f"Memory sent so far, what had to be sent again included; {_SENT}.",
    "bytes",
)
REMAINING: Final = Metric(
    "dualsrm_guest_migration_memory_remaining_bytes",
    Kind.GAUGE,
    ("guest",),
    f"Memory that is still to be sent; {_SENT}.",
    "bytes",
)
DIRTY_RATE: Final = Metric(
    "dualsrm_guest_migration_dirty_rate_bytes_per_second",
    Kind.GAUGE,
    ("guest",),
    f"How fast the guest writes to its memory; {_SENT}, and once QEMU has measured it.",
    "bytes_per_second",
)
ITERATIONS: Final = Metric(
    "dualsrm_guest_migration_iterations",
    Kind.GAUGE,
    ("guest",),
    f"Rounds over the guest's memory so far; {_SENT}.",
)
