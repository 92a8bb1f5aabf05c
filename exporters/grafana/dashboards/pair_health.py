"""Fencing, and whether what is shown can be believed."""

from __future__ import annotations

from grafana.dashboards import theme
from grafana.dashboards.panels import Column, Panel, lines, number, rows, timeline
from grafana.dashboards.queries import host, one


def fencing() -> list[Panel]:
    """Who was to be switched off, and what the kernel was told."""
    attempts, failures = one("dualsrm_fencing_attempts_total"), one("dualsrm_fencing_failures_total")
    return [
        rows(
            "Fencing",
            "How often a host was to be switched off, and was not seen off, since the manager's journal begins. A host"
            " without power switch has no row.",
            ("host",),
            [
                Column("attempts", f"sum by (host) ({attempts})"),
                Column("failures", f"sum by (host) ({failures})", steps=theme.NONE_IS_GOOD),
                Column(
                    "failures in the time shown",
                    f"sum by (host) (increase({failures}[$__range]))",
                    steps=((0, theme.GREEN), (0.5, theme.RED)),
                ),
            ],
        ),
        timeline(
            "In quarantine",
            "Whether the host's record says that its peer was lost in a failover and is not protected again.",
            "{{peer}}, says {{instance}}",
            f"max by (instance, peer) ({host('dualsrm_peer_quarantined')})",
            words=theme.NO_IS_NORMAL,
        ),
        rows(
            "What the fence-peer handler answered",
            "Since each exporter was started: DRBD asks when it loses its peer.",
            ("instance", "resource", "answer"),
            [
                Column(
                    "times",
                    f"sum by (instance, resource, answer) ({host('dualsrm_drbd_fence_peer_answers_total')}) > 0",
                )
            ],
        ),
        rows(
            "Handlers that failed",
            "Handlers the kernel called and that could not be run, died, or gave no answer, since each exporter was"
            " started.",
            ("instance", "helper"),
            [
                Column("calls", f"sum by (instance, helper) ({host('dualsrm_drbd_helper_calls_total')})"),
                Column(
                    "failures",
                    f"sum by (instance, helper) ({host('dualsrm_drbd_helper_failures_total')})",
                    steps=theme.NONE_IS_GOOD,
                ),
            ],
        ),
    ]


def health() -> list[Panel]:
    """The exporters of the pair, and how old what they say is."""
    return [
        number(
            "State of DRBD",
            "Age of the older of the hosts' looks at DRBD. More than three minutes: a tool hangs or fails there.",
            f"max(time() - {host('dualsrm_drbd_snapshot_timestamp_seconds')})",
            steps=theme.AGE_OF_DATA,
            unit="s",
        ),
        number(
            "Look of the manager",
            "Age of the manager's last look at the pair. After ten minutes nothing of it is shown here.",
            f"time() - max({one('dualsrm_readiness_timestamp_seconds')})",
            steps=theme.AGE_OF_READINESS,
            unit="s",
        ),
        number(
            "Event streams that are down",
            "Hosts whose exporter is not told of split brains and helper calls; states are still right.",
            f"sum(1 - {host('dualsrm_drbd_stream_up')})",
            steps=theme.NONE_IS_BETTER,
        ),
        timeline(
            "Hosts the manager sees",
            "Whether it could look at the host.",
            "{{host}}",
            f"min by (host) ({one('dualsrm_pair_host_seen')})",
            words=theme.YES_IS_GOOD,
            height=4,
        ),
        timeline(
            "Exporters",
            "Whether the exporter answered Prometheus. What it would have said is missing meanwhile.",
            "{{instance}}",
            f"max by (instance) ({host('up')})",
            words=theme.UP,
        ),
        timeline(
            "Collectors",
            "Whether each collector could read all it reads.",
            "{{collector}} · {{instance}}",
            f"min by (instance, collector) ({host('dualsrm_scrape_collector_success')})",
            words=theme.SUCCESS,
        ),
        timeline(
            "Sources",
            "Whether each thing a collector reads could be read: what could not is absent above.",
            "{{collector}} {{source}} · {{instance}}",
            f"min by (instance, collector, source) ({host('dualsrm_scrape_source_success')})",
            words=theme.SUCCESS,
            height=9,
        ),
        lines(
            "Scrapes",
            "How long Prometheus waited for the page, and how long each collector took. At 8 seconds it is cut off.",
            {
                "page · {{instance}}": host("scrape_duration_seconds"),
                "{{collector}} · {{instance}}": host("dualsrm_scrape_collector_duration_seconds"),
            },
            unit="s",
            height=9,
        ),
        lines(
            "Age of the data",
            "How old what each exporter says of DRBD is, and the manager's last look.",
            {
                "DRBD · {{instance}}": f"time() - {host('dualsrm_drbd_snapshot_timestamp_seconds')}",
                "manager · {{instance}}": f"time() - {one('dualsrm_readiness_timestamp_seconds')}",
            },
            unit="s",
        ),
        lines(
            "Trouble with the event stream",
            "In the time of a step: streams begun anew, events DRBD left out, lines that make no sense.",
            {
                "begun anew · {{instance}}": (
                    f"increase({host('dualsrm_drbd_stream_restarts_total')}[$__rate_interval])"
                ),
                "left out · {{instance}}": f"increase({host('dualsrm_drbd_events_skipped_total')}[$__rate_interval])",
                "no sense · {{instance}}": f"increase({host('dualsrm_drbd_parse_errors_total')}[$__rate_interval])",
            },
            unit="short",
        ),
        rows(
            "Versions",
            "Of dualsrm and of DRBD on each host; hosts that differ cannot move guests.",
            ("instance", "version", "python", "module_version", "dialect"),
            [
                Column(
                    "",
                    f"max by (instance, version, python, module_version, dialect) ({host('dualsrm_build_info')} * on"
                    f" (instance) group_left (module_version, dialect) {host('dualsrm_drbd_version_info')}) or max by"
                    f" (instance, version, python) ({host('dualsrm_build_info')} unless on (instance)"
                    f" {host('dualsrm_drbd_version_info')})",
                )
            ],
            width=24,
            height=5,
        ),
    ]
