"""Metrics of the operations in the journal of a manager on this host. The journal outlives the exporter."""

from __future__ import annotations

from typing import Final

from dualsrm.history import words
from dualsrm_exporter.metrics.metric import OTHER, Kind, Metric

OUTCOMES: Final = {
    **{verb: (*outcomes, OTHER) for verb, outcomes in words.OUTCOMES.items()},
    OTHER: (OTHER,),
}
"""How an operation can end, by its verb: each is exported at 0 before it happens for the first time."""
SUCCESSES: Final = words.SUCCESSES
METHODS: Final = words.METHODS
"""Of verbs that have more than one; the label is empty for all others."""
PARTS: Final = words.PARTS
"""Parts of an operation that are timed: `promote` and `start` of each guest, the others once for all."""

OPERATIONS: Final = Metric(
    "dualsrm_operations_total",
    Kind.COUNTER,
    ("verb", "outcome"),
    "Operations that ended; of a failover each guest. An interrupted one counts as `recovered` once another has "
    "cleared up after it.",
)
DURATION: Final = Metric(
    "dualsrm_operation_duration_seconds",
    Kind.HISTOGRAM,
    ("verb", "method"),
    "From the begin to the end of an operation; those that did nothing or were recovered are left out.",
    "seconds",
    buckets=(1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200),
)
OUTAGE: Final = Metric(
    "dualsrm_operation_outage_seconds",
    Kind.HISTOGRAM,
    ("verb", "method"),
    "How long a move had its guest stand still. Live: QEMU's own figure for the hand-over, a client sees more. Cold: "
    "from having seen its QEMU gone to having seen it active again, without its boot. Left out where nobody could say.",
    "seconds",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600),
)
WINDOW: Final = Metric(
    "dualsrm_operation_window_seconds",
    Kind.HISTOGRAM,
    ("verb",),
    "How long dual-primary was open, from asking for it to having seen it closed on both hosts; ends that did not see "
    "it closed are left out.",
    "seconds",
    buckets=(0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600),
)
PART: Final = Metric(
    "dualsrm_operation_part_seconds",
    Kind.HISTOGRAM,
    ("verb", "part"),
    "How long the parts of a failover took: to look, to see the lost host off, and of each guest to promote its "
    "resources and to start it. Parts that were not reached or failed are left out.",
    "seconds",
    buckets=(0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300),
)
FENCINGS: Final = Metric(
    "dualsrm_fencing_attempts_total",
    Kind.COUNTER,
    ("pair", "host"),
    "Times a failover had a fence device see the host off; a person's word is none. At 0 for the hosts that the "
    "manager's last look names.",
)
FENCINGS_FAILED: Final = Metric(
    "dualsrm_fencing_failures_total",
    Kind.COUNTER,
    ("pair", "host"),
    "Those of them after which the host was not seen off.",
)
IN_PROGRESS: Final = Metric(
    "dualsrm_operations_in_progress",
    Kind.GAUGE,
    ("verb",),
    "Operations that run now: their file has no end and is locked.",
)
INTERRUPTED: Final = Metric(
    "dualsrm_operations_interrupted",
    Kind.GAUGE,
    ("verb",),
    "Operations whose process died before their end and that nobody has cleared up after: run `dualsrm recover`.",
)
STEP: Final = Metric(
    "dualsrm_operation_step_info",
    Kind.INFO,
    ("operation", "verb", "pair", "guest"),
    "The step an operation that runs has reached; absent for those that do not run.",
    facts=("step",),
)
STARTED: Final = Metric(
    "dualsrm_operation_started_timestamp_seconds",
    Kind.GAUGE,
    ("operation", "verb", "pair", "guest"),
    "When an operation that runs was begun; absent for those that do not run.",
    "seconds",
)
LAST_SUCCESS: Final = Metric(
    "dualsrm_operation_last_success_timestamp_seconds",
    Kind.GAUGE,
    ("verb", "pair", "guest"),
    "When an operation on the guest last did what was wanted; the guest is empty for verbs about a whole pair.",
    "seconds",
)
LAST_FAILURE: Final = Metric(
    "dualsrm_operation_last_failure_timestamp_seconds",
    Kind.GAUGE,
    ("verb", "pair", "guest"),
    "When an operation on the guest last ended in any other way, a refusal included; the guest is empty for verbs "
    "about a whole pair.",
    "seconds",
)
REHEARSED: Final = Metric(
    "dualsrm_rehearsal_last_success_timestamp_seconds",
    Kind.GAUGE,
    ("pair", "group"),
    "When a failover of all guests of the group was last rehearsed and all of them came up; absent for a group that "
    "never was.",
    "seconds",
)
JOURNAL: Final = Metric(
    "dualsrm_journal_present",
    Kind.GAUGE,
    (),
    "Whether there is a journal here; 0: no manager has worked on this host, and what another host's did is not in "
    "these metrics.",
)
UNREADABLE: Final = Metric(
    "dualsrm_journal_lines_unreadable_total",
    Kind.COUNTER,
    (),
    "Lines of the journal that make no sense, such as one cut short by a crash.",
)
