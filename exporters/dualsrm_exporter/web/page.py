"""The landing page: what the host says of itself, for a person. Plain HTML, no script, every word escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from dualsrm import __version__
from dualsrm_exporter.client import to_client
from dualsrm_exporter.collected import Family
from dualsrm_exporter.metrics import Metric, drbd, exporter, guests, operations, readiness

_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b1f24}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}th,td{text-align:left;padding:.25rem .9rem .25rem 0;"
    "border-bottom:1px solid #d0d7de;vertical-align:top}th{font-weight:600}.bad{color:#b3261e;font-weight:600}"
    "@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e8ea}th,td{border-color:#3a4047}"
    ".bad{color:#ff8a80}a{color:#8ab4f8}}"
)
_ROWS_LIMIT: Final = 2000
Sample = tuple[Mapping[str, str], float]


def landing(families: Sequence[Family], host: str) -> str:
    """The page, of one scrape."""
    seen = _Seen(families)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>dualsrm on {escape(host)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>dualsrm on {escape(host)}</h1>"
        f'<p>dualsrm-exporter {escape(__version__)}. Prometheus reads <a href="/metrics">/metrics</a>. '
        "This page is one look at this host, made when it was asked for; "
        "what its peer sees stands on the peer's page.</p>"
        f"<h2>Resources</h2>{_resources(seen)}"
        f"<h2>Guests</h2>{_guests(seen)}"
        f"<h2>Operations</h2>{_operations(seen)}"
        f"<h2>What was read</h2>{_collectors(seen)}</body></html>"
    )


class _Seen:
    """Samples by metric."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = {family.metric: family for family in families}

    def of(self, metric: Metric) -> list[Sample]:
        """All samples of a metric."""
        family = self._families.get(metric)
        return [] if family is None else [(one.labels, one.value) for one in to_client(family).samples]

    def by_resource(self, metric: Metric) -> dict[str, list[Sample]]:
        """The same, by resource."""
        found: dict[str, list[Sample]] = {}
        for labels, value in self.of(metric):
            found.setdefault(labels["resource"], []).append((labels, value))
        return found


def _resources(seen: _Seen) -> str:
    loaded = any(value for _, value in seen.of(drbd.MODULE_LOADED))
    told = "" if loaded else '<p class="bad">DRBD\'s kernel module is not loaded, or nothing could be read.</p>'
    # Not only those DRBD was heard of: an alarm stands here when its tools fail, too.
    up = {name for metric in (drbd.RESOURCE_UP, drbd.WINDOW_OPEN, drbd.ALARM) for name in seen.by_resource(metric)}
    if not up:
        return told or "<p>None is known.</p>"
    states = (drbd.ROLE, drbd.DISK_STATE, drbd.CONNECTION_STATE, drbd.PEER_DISK_STATE, drbd.REPLICATION_STATE)
    columns = [seen.by_resource(metric) for metric in states]
    notes = _notes(seen)
    rows = [
        [
            escape(name),
            *(_states(metric, column.get(name, [])) for metric, column in zip(states, columns, strict=True)),
            _bad(notes.get(name, [])),
        ]
        for name in sorted(up)[:_ROWS_LIMIT]
    ]
    head = ("resource", "role", "disk", "connection", "peer's disk", "replication", "what needs looking at")
    return told + _table(head, rows) + (f"<p>{len(up) - _ROWS_LIMIT} more.</p>" if len(up) > _ROWS_LIMIT else "")


def _states(metric: Metric, samples: Iterable[Sample]) -> str:
    """The states that hold, with volume and peer where there are any."""
    words = []
    for labels, value in samples:
        if value:
            where = "/".join(labels[name] for name in metric.labels if name != "resource")
            words.append(escape(f"{labels[metric.name]} ({where})" if where else labels[metric.name]))
    return "<br>".join(words) or "not known"


def _notes(seen: _Seen) -> dict[str, list[str]]:
    """What is not as it should be, by resource."""
    notes: dict[str, list[str]] = {}
    flags = (
        (drbd.SPLIT_BRAIN, "split brain"),
        (drbd.TWO_PRIMARIES_AT_REST, "two Primaries allowed at rest"),
        (drbd.WINDOW_OPEN, "a window is open"),
        (drbd.DUAL_PRIMARY, "Primary on both sides"),
    )
    for metric, words in flags:
        for labels, value in seen.of(metric):
            if value:
                notes.setdefault(labels["resource"], []).append(words)
    for labels, value in seen.of(drbd.RESOURCE_UP):
        if not value:
            notes.setdefault(labels["resource"], []).append("configured, but down")
    for labels, value in seen.of(drbd.IO_SUSPENDED):
        if value:
            notes.setdefault(labels["resource"], []).append(f"I/O suspended: {labels[drbd.IO_SUSPENDED.name]}")
    for labels, _ in seen.of(drbd.ALARM_WHY):
        notes.setdefault(labels["resource"], []).append(f"alarm: {labels['why']}")
    return notes


def _guests(seen: _Seen) -> str:
    """What libvirt here says of each, and what the manager's last look has against a move or a failover."""
    states = {labels["guest"]: labels[guests.STATE.name] for labels, value in seen.of(guests.STATE) if value}
    notes: dict[str, list[str]] = {}
    for metric, words in (
        (guests.AUTOSTART, "libvirt starts it at boot"),
        (guests.IO_ERROR, "its disk gave an I/O error"),
    ):
        for labels, value in seen.of(metric):
            if value:
                notes.setdefault(labels["guest"], []).append(words)
    for labels, _ in seen.of(readiness.BLOCKER):
        notes.setdefault(labels["guest"], []).append(f"no {labels['ready']}: {labels['check']}")
    rows = [
        [escape(name), escape(states.get(name, "not here")), _bad(notes.get(name, []))]
        for name in sorted({*states, *notes})[:_ROWS_LIMIT]
    ]
    return _table(("guest", "state", "what needs looking at"), rows) if rows else "<p>None is known.</p>"


def _operations(seen: _Seen) -> str:
    if not seen.of(operations.OPERATIONS):
        return '<p class="bad">The journal could not be read.</p>'
    rows = [
        [escape(labels["verb"]), escape(labels["outcome"]), f"{value:g}"]
        for labels, value in seen.of(operations.OPERATIONS)
        if value
    ]
    interrupted = sum(value for _, value in seen.of(operations.INTERRUPTED))
    text = f'<p class="bad">{interrupted:g} interrupted: run dualsrm recover.</p>' if interrupted else ""
    for labels, _ in seen.of(operations.STEP):
        text += f"<p>Running: {escape(labels['verb'])} {escape(labels['guest'])}, {escape(labels['step'])}.</p>"
    return text + (_table(("verb", "outcome", "how often"), rows) if rows else "<p>None in the journal.</p>")


def _collectors(seen: _Seen) -> str:
    seconds = {labels["collector"]: value for labels, value in seen.of(exporter.DURATION)}
    failed: dict[str, list[str]] = {}
    for labels, value in seen.of(exporter.SOURCE_SUCCESS):
        if not value:
            failed.setdefault(labels["collector"], []).append(labels["source"])
    rows = [
        [
            escape(labels["collector"]),
            "all of it" if value else _bad([f"not {', '.join(failed.get(labels['collector'], ['at all']))}"]),
            f"{seconds.get(labels['collector'], 0):.3f} s",
        ]
        for labels, value in seen.of(exporter.SUCCESS)
    ]
    return _table(("collector", "read", "took"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _bad(words: Sequence[str]) -> str:
    return "".join(f'<div class="bad">{escape(word)}</div>' for word in words)
