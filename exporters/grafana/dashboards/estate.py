"""All pairs: can everything fail over, what would be lost, what needs a person, and what of all this is not known."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.dashboards import theme
from grafana.dashboards.board import any_of, board, job, variable
from grafana.dashboards.panels import Column, Panel, lines, number, rows
from grafana.dashboards.queries import fresh_many, is_in, many, number_without

_FAILOVER: Final = f"min by (pair, guest) ({fresh_many('dualsrm_guest_failover_ready')})"
_MIGRATION: Final = f"min by (pair, guest) ({fresh_many('dualsrm_guest_migration_ready')})"
_ACTIVE: Final = f"max by (pair, guest) ({fresh_many('dualsrm_guest_active_hosts')})"
_WANTED: Final = f"max by (pair, guest) ({fresh_many('dualsrm_guest_wanted_running')})"
_PRIMARY: Final = many("dualsrm_drbd_role", is_in("dualsrm_drbd_role", "Primary"))
_ON_PRIMARY: Final = f"and on (pair, instance, resource) ({_PRIMARY} == 1)"
_VOLUME: Final = "pair, instance, resource, volume, peer"
_SINCE_PEER: Final = f"(time() - {many('dualsrm_drbd_peer_uptodate_timestamp_seconds')}) {_ON_PRIMARY}"
_OUT_OF_SYNC: Final = many("dualsrm_drbd_out_of_sync_bytes")
_FIRING: Final = 'ALERTS{alertstate="firing", alertname=~"(Dualsrm|Drbd|Guest).*", pair=~"$pair"}'


def dashboard() -> Dashboard:
    """The whole of it."""
    return board(
        "dualsrm-estate",
        "dualsrm estate",
        "Whether every guest could fail over, and what would be lost. A number is green only where a value says so;"
        " what was not seen is 'no data'.",
        [job(), any_of(variable("pair", "Pair", 'label_values(dualsrm_drbd_module_loaded{job="$job"}, pair)'), ".*")],
        {
            "Can everything fail over?": _readiness(),
            "What is not known": _unknown(),
            "What would be lost?": _losses(),
            "What needs a person?": [*_attention(), *_tables()],
        },
    )


def _readiness() -> list[Panel]:
    return [
        number(
            "Could not fail over",
            "Guests whose checks for a failover did not pass when the manager last looked, at most 10 minutes ago."
            " Guests it did not look at are counted beside this.",
            f"sum(1 - {_FAILOVER})",
            steps=theme.NONE_IS_GOOD,
        ),
        number(
            "Could fail over",
            "Share of the guests the manager looked at within 10 minutes that could fail over.",
            f"avg({_FAILOVER})",
            steps=theme.ALL_IS_GOOD,
            unit="percentunit",
        ),
        number(
            "Could not migrate",
            "Guests that could not be moved live, by the manager's last look, at most 10 minutes old.",
            f"sum(1 - {_MIGRATION})",
            steps=theme.NONE_IS_BETTER,
        ),
        number(
            "Not looked at",
            "Guests that libvirt has and of which nobody knows whether they could fail over: the manager does not know"
            " them, or has not looked for 10 minutes.",
            number_without("pair, guest", many("dualsrm_guest_info"), _FAILOVER),
            steps=theme.NONE_IS_BETTER,
        ),
        number(
            "Down",
            "Guests that run on no host and were not stopped by `dualsrm stop`. Guests of a pair with a host that is"
            " not seen are not in it.",
            f"sum(({_ACTIVE} == bool 0) * {_WANTED})",
            steps=theme.NONE_IS_GOOD,
        ),
        number(
            "On two hosts",
            "Guests that are active on more than one host. During the hand-over of a live move this is so for a"
            " moment.",
            f"sum({_ACTIVE} > bool 1)",
            steps=theme.NONE_IS_GOOD,
        ),
        rows(
            "Guests",
            "Each guest as the manager saw it at its last look, at most 10 minutes ago.",
            ("pair", "guest"),
            [
                Column("could fail over", _FAILOVER, words=theme.YES_IS_GOOD),
                Column("could migrate", _MIGRATION, words=theme.YES_IS_GOOD),
                Column("active on", _ACTIVE, words=theme.ACTIVE_HOSTS),
                Column("should run", _WANTED, words=theme.EITHER),
            ],
            height=8,
        ),
        rows(
            "What blocks",
            "Guests that are not ready, for what, and the check that blocks: docs/checks.md says what to do about"
            " each.",
            ("pair", "guest", "ready", "check"),
            [Column("", f"max by (pair, guest, ready, check) ({fresh_many('dualsrm_guest_blocker_info')})")],
            height=8,
        ),
    ]


def _unknown() -> list[Panel]:
    everywhere = many("up", 'pair!=""')
    return [
        number(
            "Exporters that are silent",
            "Exporters that did not answer the last scrape. Their hosts are missing from every other number here.",
            f"sum(1 - {many('up')})",
            steps=theme.NONE_IS_GOOD,
        ),
        number(
            "Sources not readable",
            "Things a collector could not read at the last scrape; their metrics are absent. The pair's dashboard names"
            " them.",
            f"sum(1 - {many('dualsrm_scrape_source_success')})",
            steps=theme.NONE_IS_BETTER,
        ),
        number(
            "Hosts not seen",
            "Hosts the manager could not look at when it last looked.",
            f"sum(1 - min by (pair, host) ({many('dualsrm_pair_host_seen')}))",
            steps=theme.NONE_IS_GOOD,
        ),
        number(
            "Pairs without a manager's look",
            "Pairs that are scraped and of which no exporter has a manager's look at all.",
            number_without("pair", everywhere, many("dualsrm_readiness_timestamp_seconds")),
            steps=theme.NONE_IS_BETTER,
        ),
        number(
            "Oldest state of DRBD",
            "Age of the oldest look at DRBD. More than three minutes: a tool hangs or fails there.",
            f"max(time() - {many('dualsrm_drbd_snapshot_timestamp_seconds')})",
            steps=theme.AGE_OF_DATA,
            unit="s",
        ),
        number(
            "Oldest look of a manager",
            "Age of the oldest look of a manager at a pair. After ten minutes nothing above is shown of it.",
            f"max(time() - max by (pair) ({many('dualsrm_readiness_timestamp_seconds')}))",
            steps=theme.AGE_OF_READINESS,
            unit="s",
        ),
    ]


def _losses() -> list[Panel]:
    peers = many("dualsrm_drbd_peer_disk_state")
    return [
        number(
            "Oldest recovery point",
            "How long ago the peer of a Primary was last seen connected and UpToDate, for the volume where that is"
            " longest: what was written since is lost with the host. Volumes whose peer never was are counted aside.",
            f"max({_SINCE_PEER})",
            steps=theme.AGE_OF_PEER,
            unit="s",
        ),
        number(
            "Without a recovery point",
            "Volumes whose peer was never seen UpToDate: there is no other copy that is known to be good.",
            number_without(_VOLUME, peers, many("dualsrm_drbd_peer_uptodate_timestamp_seconds")),
            steps=theme.NONE_IS_GOOD,
        ),
        number(
            "Out of sync",
            "What differs between the hosts, of each volume the larger of both hosts' counts.",
            f"sum(max by (pair, resource, volume) ({_OUT_OF_SYNC}))",
            steps=theme.OUT_OF_SYNC,
            unit="bytes",
        ),
        number(
            "Out of sync by an unknown amount",
            "Volumes of which no host can say how much differs.",
            number_without("pair, resource, volume", peers, _OUT_OF_SYNC),
            steps=theme.NONE_IS_BETTER,
        ),
        number(
            "Resources that are down",
            "Resources in a host's files that are not in its kernel: they replicate nothing.",
            f"sum(1 - {many('dualsrm_drbd_resource_up')})",
            steps=theme.NONE_IS_BETTER,
        ),
        number(
            "Split brains",
            "Resources of which DRBD found two histories; `dualsrm split-brain show` says what each choice loses.",
            f"sum(max by (pair, resource) ({many('dualsrm_drbd_split_brain')}))",
            steps=theme.NONE_IS_GOOD,
        ),
        rows(
            "Recovery points",
            "Each volume that is Primary: how old the copy on its peer is at most, and what is known to differ.",
            ("pair", "instance", "resource", "volume", "peer"),
            [
                Column("peer UpToDate since", f"max by ({_VOLUME}) ({_SINCE_PEER})", "s", steps=theme.AGE_OF_PEER),
                Column(
                    "out of sync",
                    f"max by ({_VOLUME}) ({_OUT_OF_SYNC} {_ON_PRIMARY})",
                    "bytes",
                    steps=theme.OUT_OF_SYNC,
                ),
            ],
            height=8,
        ),
        lines(
            "Out of sync over time",
            "What differs between the hosts, by pair; a gap where no host of the pair can say.",
            {"{{pair}}": f"sum by (pair) (max by (pair, resource, volume) ({_OUT_OF_SYNC}))"},
            unit="bytes",
            height=8,
        ),
    ]


def _attention() -> list[Panel]:
    return [
        number(
            "Alerts that fire",
            "Alerts of exporters/prometheus that fire. None that fires and no rules loaded look the same to Prometheus,"
            " so that is not green.",
            f"count({_FIRING})",
            steps=theme.SOME_IS_NEWS,
            nothing="none, or no rules",
        ),
        number(
            "Alarms",
            "Resources because of which a host asks for a person.",
            f"sum(max by (pair, resource) ({many('dualsrm_alarm_active')}))",
            steps=theme.NONE_IS_GOOD,
        ),
        number(
            "Operations interrupted",
            "Operations whose process died and that nobody has cleared up after: run `dualsrm recover`.",
            f"sum({many('dualsrm_operations_interrupted')})",
            steps=theme.NONE_IS_GOOD,
        ),
        number(
            "Hosts in quarantine",
            "Hosts that were lost in a failover and are not protected again: run `dualsrm reprotect`.",
            f"sum(max by (pair, peer) ({many('dualsrm_peer_quarantined')}))",
            steps=theme.NONE_IS_BETTER,
        ),
        number(
            "Windows open",
            "Resources in an open dual-primary window: a live move runs. The table below has its age.",
            f"sum(max by (pair, resource) ({many('dualsrm_window_open')}))",
            steps=theme.SOME_IS_NEWS,
        ),
        number(
            "Two Primaries allowed at rest",
            "Resources that may become Primary on both hosts although no window is open.",
            f"sum(max by (pair, resource) ({many('dualsrm_drbd_two_primaries_allowed_at_rest')}))",
            steps=theme.NONE_IS_GOOD,
        ),
    ]


def _tables() -> list[Panel]:
    alert = "pair, alertname, severity, instance, guest, resource"
    alarm = "pair, instance, resource, why"
    window = "pair, instance, resource, guest, source, target"
    return [
        rows(
            "Alerts",
            "Every alert of exporters/prometheus that fires; docs/runbooks has a page for each.",
            tuple(alert.split(", ")),
            [Column("", f"max by ({alert}) ({_FIRING})")],
        ),
        rows(
            "Why there is an alarm",
            "What a host asks a person for, and for how long it has.",
            tuple(alarm.split(", ")),
            [
                Column(
                    "for",
                    f"max by ({alarm}) ((time() - {many('dualsrm_alarm_since_timestamp_seconds')})"
                    f" * on (pair, instance, resource) group_left (why) {many('dualsrm_alarm_info')})",
                    "s",
                )
            ],
        ),
        rows(
            "Windows that are open",
            "Which guest moves from where to where, and for how long the window has been open on each host.",
            tuple(window.split(", ")),
            [
                Column(
                    "open for",
                    f"max by ({window}) ((time() - {many('dualsrm_window_opened_timestamp_seconds')}) * on (pair,"
                    f" instance, resource) group_left (guest, source, target) {many('dualsrm_window_info')})",
                    "s",
                    steps=((0, theme.GREY), (900, theme.ORANGE), (3600, theme.RED)),
                )
            ],
        ),
        rows(
            "Last move of each guest",
            "How long ago a move of the guest last did what was wanted, and last ended otherwise. A guest that was"
            " never moved is not in it.",
            ("pair", "guest"),
            [
                Column("moved", _last("dualsrm_operation_last_success_timestamp_seconds"), "s"),
                Column("not moved", _last("dualsrm_operation_last_failure_timestamp_seconds"), "s"),
            ],
        ),
    ]


def _last(metric: str) -> str:
    moves = many(metric, 'verb="migrate"')
    return f"time() - max by (pair, guest) ({moves})"
