"""What is so on the two hosts: guests, replication, resync."""

from __future__ import annotations

from grafana.dashboards import theme
from grafana.dashboards.panels import Column, Panel, lines, rows, timeline
from grafana.dashboards.queries import coded, fresh_one, host

_VOLUME = "{{resource}}/{{volume}} · {{instance}}"


def guests() -> list[Panel]:
    """Where they run, and whether they could run elsewhere."""
    return [
        timeline(
            "Guests by host",
            "State of each guest on each host, by libvirt there. A guest that moves is running on one host and paused"
            " on the other for a moment.",
            "{{guest}} · {{instance}}",
            coded("dualsrm_guest_state", "guest, instance"),
            words=theme.state_words("dualsrm_guest_state"),
            width=24,
            height=9,
        ),
        timeline(
            "Hosts on which each guest is active",
            "As the manager saw it; nothing while it does not see a host, or has not looked for 10 minutes.",
            "{{guest}}",
            f"max by (guest) ({fresh_one('dualsrm_guest_active_hosts')})",
            words=theme.ACTIVE_HOSTS,
        ),
        timeline(
            "Could fail over",
            "Whether the checks for a failover of the guest pass; nothing where the manager has not looked for 10"
            " minutes.",
            "{{guest}}",
            f"min by (guest) ({fresh_one('dualsrm_guest_failover_ready')})",
            words=theme.YES_IS_GOOD,
        ),
        rows(
            "What blocks",
            "Guests that are not ready, for what, and the check that blocks: docs/checks.md says what to do about"
            " each.",
            ("guest", "ready", "check"),
            [Column("", f"max by (guest, ready, check) ({fresh_one('dualsrm_guest_blocker_info')})")],
        ),
        rows(
            "Guests on each host",
            "A guest that libvirt starts by itself would start on both hosts after a power cut; one that is paused on"
            " an I/O error stands still.",
            ("guest", "instance"),
            [
                Column(
                    "autostart", f"max by (guest, instance) ({host('dualsrm_guest_autostart')})", words=theme.NO_IS_GOOD
                ),
                Column(
                    "paused on an I/O error",
                    f"max by (guest, instance) ({host('dualsrm_guest_paused_io_error')})",
                    words=theme.NO_IS_GOOD,
                ),
            ],
        ),
    ]


def _states(title: str, text: str, legend: str, metric: str, by: str) -> Panel:
    return timeline(title, text, legend, coded(metric, by), words=theme.state_words(metric))


def replication() -> list[Panel]:
    """DRBD's states, and what the peer lacks."""
    per_volume = "instance, resource, volume"
    return [
        _states(
            "Replication",
            "State of replication of each volume, as each host sees it.",
            _VOLUME,
            "dualsrm_drbd_replication_state",
            per_volume,
        ),
        _states(
            "Disks", "State of each volume's disk on the host it is in.", _VOLUME, "dualsrm_drbd_disk_state", per_volume
        ),
        _states(
            "Connections",
            "State of the connection of each resource; StandAlone does not come back by itself.",
            "{{resource}} · {{instance}}",
            "dualsrm_drbd_connection_state",
            "instance, resource",
        ),
        _states(
            "Disks of the peer",
            "What each host knows of its peer's disks.",
            _VOLUME,
            "dualsrm_drbd_peer_disk_state",
            per_volume,
        ),
        _states(
            "Roles",
            "Primary is where the guest may write.",
            "{{resource}} · {{instance}}",
            "dualsrm_drbd_role",
            "instance, resource",
        ),
        timeline(
            "I/O suspended",
            "Whether I/O of a resource stands still, for any reason: fencing, no data, no quorum, a user.",
            "{{resource}} · {{instance}}",
            f"sum by (instance, resource) ({host('dualsrm_drbd_io_suspended')})",
            words=theme.SUSPENDED,
        ),
        lines(
            "Out of sync",
            "What is known to differ from the peer; a gap where the host cannot know.",
            {_VOLUME: host("dualsrm_drbd_out_of_sync_bytes")},
            unit="bytes",
        ),
        lines(
            "Age of the recovery point",
            "Time since the peer was last seen connected and UpToDate: what was written since is lost with the host.",
            {_VOLUME: f"time() - {host('dualsrm_drbd_peer_uptodate_timestamp_seconds')}"},
            unit="s",
        ),
        lines(
            "Sent to the peer",
            "Replication and resync together.",
            {_VOLUME: f"rate({host('dualsrm_drbd_sent_bytes_total')}[$__rate_interval])"},
            unit="Bps",
        ),
        lines(
            "Requests that wait for the peer",
            "Sent and not answered. Many for long: the link or the peer's disk is slow.",
            {_VOLUME: host("dualsrm_drbd_pending_requests")},
            unit="short",
        ),
        timeline(
            "Split brain",
            "Whether DRBD found two histories of a resource; until both sides replicate again.",
            "{{resource}} · {{instance}}",
            f"max by (instance, resource) ({host('dualsrm_drbd_split_brain')})",
            words=theme.NO_IS_GOOD,
        ),
        lines(
            "Connections lost",
            "How often a connection was lost in the time of a step, however short.",
            {
                "{{resource}} · {{instance}}": (
                    f"increase({host('dualsrm_drbd_connection_losses_total')}[$__rate_interval])"
                )
            },
            unit="short",
        ),
    ]


def resync() -> list[Panel]:
    """How far it is; there is only something to see during one."""
    return [
        lines(
            "Resync done",
            "How far a resync or verify is; drawn only during one.",
            {_VOLUME: host("dualsrm_drbd_resync_done_ratio")},
            unit="percentunit",
            width=8,
        ),
        lines(
            "Resync: time left",
            "What DRBD thinks a resync or verify still takes; drawn only during one. Without a rate there is none.",
            {_VOLUME: host("dualsrm_drbd_resync_eta_seconds")},
            unit="s",
            width=8,
        ),
        lines(
            "Resync: rate",
            "Speed of a resync or verify over DRBD's last mark; drawn only during one.",
            {_VOLUME: host("dualsrm_drbd_resync_rate_bytes_per_second")},
            unit="Bps",
            width=8,
        ),
        timeline(
            "Resync suspended",
            "Whether a resync may run; one that is paused by a user stays so until `drbdadm resume-sync`.",
            _VOLUME,
            f"sum by (instance, resource, volume) ({host('dualsrm_drbd_resync_suspended')})",
            words=theme.SUSPENDED,
            width=24,
            height=5,
        ),
    ]
