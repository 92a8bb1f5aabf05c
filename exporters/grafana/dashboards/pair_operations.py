"""What is done to the pair: windows, live migration, operations that run and that ended."""

from __future__ import annotations

from grafana.dashboards import theme
from grafana.dashboards.panels import Column, Panel, lines, rows, timeline
from grafana.dashboards.queries import elsewhere, host, in_range, one, quantile

_GUEST = "{{guest}} · {{instance}}"
_RESOURCE = "{{resource}} · {{instance}}"
_MANAGER = "A manager on a third machine counts all its pairs together."


def windows() -> list[Panel]:
    """Dual-primary, and who watches over it."""
    info = "instance, resource, guest, source, target, owner"
    return [
        timeline(
            "Windows",
            "Whether a window record of the host names the resource: dual-primary may be open.",
            _RESOURCE,
            f"max by (instance, resource) ({host('dualsrm_window_open')})",
            words=theme.WINDOW,
        ),
        timeline(
            "Two Primaries allowed outside of a window",
            "Whether the kernel would take two Primaries although no window is open; nothing where windows cannot be"
            " read.",
            _RESOURCE,
            f"max by (instance, resource) ({host('dualsrm_drbd_two_primaries_allowed_at_rest')})",
            words=theme.NO_IS_GOOD,
        ),
        timeline(
            "Guards",
            "Whether a guard lives on the host while a window is open; without one the manager is gone, and the hosts"
            " settle it.",
            _RESOURCE,
            f"max by (instance, resource) ({host('dualsrm_window_guarded')})",
            words=theme.GUARD,
        ),
        timeline(
            "Alarms",
            "Whether the host asks for a person because of the resource.",
            _RESOURCE,
            f"max by (instance, resource) ({host('dualsrm_alarm_active')})",
            words=theme.NO_IS_GOOD,
        ),
        rows(
            "Windows that are open",
            "The guest that moves, from where to where, the host that was decided to own it, and for how long the"
            " window has been open.",
            tuple(info.split(", ")),
            [
                Column(
                    "open for",
                    f"max by ({info}) ((time() - {host('dualsrm_window_opened_timestamp_seconds')}) * on (instance,"
                    f" resource) group_left (guest, source, target, owner) {host('dualsrm_window_info')})",
                    "s",
                    steps=((0, theme.GREY), (900, theme.ORANGE), (3600, theme.RED)),
                )
            ],
        ),
        rows(
            "Why there is an alarm",
            "What the host asks a person for, and for how long.",
            ("instance", "resource", "why"),
            [
                Column(
                    "for",
                    f"max by (instance, resource, why) ((time() - {host('dualsrm_alarm_since_timestamp_seconds')}) * on"
                    f" (instance, resource) group_left (why) {host('dualsrm_alarm_info')})",
                    "s",
                )
            ],
        ),
    ]


def migration() -> list[Panel]:
    """A live migration as it happens."""
    memory = "dualsrm_guest_migration_memory"
    return [
        lines(
            "Memory to copy",
            "What is left of the guest's memory, and what was sent; drawn only while this host sends it. A rest that"
            " does not shrink: the guest writes faster than the link.",
            {
                f"left: {_GUEST}": host(f"{memory}_remaining_bytes"),
                f"sent: {_GUEST}": host(f"{memory}_processed_bytes"),
                f"all: {_GUEST}": host(f"{memory}_total_bytes"),
            },
            unit="bytes",
        ),
        lines(
            "Memory dirtied",
            "How fast the guest writes to its memory; drawn only during a migration.",
            {_GUEST: host("dualsrm_guest_migration_dirty_rate_bytes_per_second")},
            unit="Bps",
        ),
        lines(
            "Passes over the memory",
            "How often the migration went over what had changed.",
            {_GUEST: host("dualsrm_guest_migration_iterations")},
            unit="short",
        ),
        rows(
            "Operations that run",
            "The step each has reached, and for how long it has run.",
            ("guest", "verb", "step", "operation"),
            [
                Column(
                    "for",
                    f"(time() - max by (operation, verb, guest) ({one('dualsrm_operation_started_timestamp_seconds')}))"
                    " * on (operation, verb, guest) group_right () max by (operation, verb, guest, step)"
                    f" ({one('dualsrm_operation_step_info')})",
                    "s",
                )
            ],
        ),
    ]


def operations() -> list[Panel]:
    """How they ended, how long they took, how long guests stood still."""
    return [
        rows(
            "Operations by outcome",
            f"Operations that ended in the time shown. {_MANAGER}",
            ("verb", "outcome"),
            [Column("operations", f"round({in_range('dualsrm_operations_total', 'verb, outcome')}) > 0")],
        ),
        lines(
            "Operations that run or were interrupted",
            f"An interrupted one waits for `dualsrm recover`. {_MANAGER}",
            {
                "run: {{verb}}": _now("dualsrm_operations_in_progress"),
                "interrupted: {{verb}}": _now("dualsrm_operations_interrupted"),
            },
            unit="short",
        ),
        rows(
            "How long operations took",
            "From begin to end, of those that ended in the time shown: half of them at most, and 95 of 100."
            f" {_MANAGER}",
            ("verb", "method"),
            _quantiles("dualsrm_operation_duration_seconds", "verb, method"),
        ),
        rows(
            "How long guests stood still",
            "In moves that ended in the time shown. Live: QEMU's own figure. Cold: from gone to active again, without"
            f" its boot. {_MANAGER}",
            ("verb", "method"),
            _quantiles("dualsrm_operation_outage_seconds", "verb, method"),
        ),
        rows(
            "How long windows were open",
            f"Of moves that ended in the time shown. {_MANAGER}",
            ("verb",),
            _quantiles("dualsrm_operation_window_seconds", "verb"),
        ),
        rows(
            "What a failover spends its time on",
            f"Looking, fencing, promoting, starting; of failovers that ended in the time shown. {_MANAGER}",
            ("verb", "part"),
            _quantiles("dualsrm_operation_part_seconds", "verb, part"),
        ),
        rows(
            "Last operation on each guest",
            "How long ago one last did what was wanted, and last ended otherwise, refusals included.",
            ("guest", "verb"),
            [
                Column("did what was wanted", _last("dualsrm_operation_last_success_timestamp_seconds"), "s"),
                Column("did not", _last("dualsrm_operation_last_failure_timestamp_seconds"), "s"),
            ],
            width=24,
        ),
    ]


def _now(metric: str) -> str:
    return f"sum by (verb) ({one(metric)} or {elsewhere(metric)})"


def _quantiles(metric: str, by: str) -> list[Column]:
    return [
        Column("half of them", quantile(0.5, metric, by), "s"),
        Column("95 of 100", quantile(0.95, metric, by), "s"),
    ]


def _last(metric: str) -> str:
    return f"time() - max by (guest, verb) ({one(metric)})"
