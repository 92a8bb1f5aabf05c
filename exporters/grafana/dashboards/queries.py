"""PromQL that several panels need.

An aggregation over nothing has no value, one over zeros is 0: so a count is the sum of ones and zeros, never the count
of what a filter left over. Then `0` was seen, and what was not seen is `no data`.
"""

from __future__ import annotations

from typing import Final

from grafana.dashboards.theme import STATES

READINESS_S: Final = 600
"""Older than this, what the manager saw is not shown: as in the alert DualsrmReadinessStale."""


def many(metric: str, more: str = "") -> str:
    """A metric of the pairs chosen on the estate."""
    return f'{metric}{{job="$job", pair=~"$pair"{_and(more)}}}'


def one(metric: str, more: str = "") -> str:
    """A metric of the pair, whichever machine tells of it."""
    return f'{metric}{{job="$job", pair="$pair"{_and(more)}}}'


def host(metric: str, more: str = "") -> str:
    """A metric of the pair's hosts that were chosen."""
    return one(metric, f'instance=~"$instance"{_and(more)}')


def fresh(metric: str, readiness: str) -> str:
    """Of the manager's last look, only what is not old."""
    return f"({metric} and on (pair, instance) (time() - {readiness} < {READINESS_S}))"


def fresh_many(metric: str) -> str:
    """The same for the estate."""
    return fresh(many(metric), many("dualsrm_readiness_timestamp_seconds"))


def fresh_one(metric: str) -> str:
    """The same for a pair."""
    return fresh(one(metric), one("dualsrm_readiness_timestamp_seconds"))


def number_without(labels: str, all_of: str, known: str) -> str:
    """How many objects one metric has and another, known one has not."""
    objects = f"group by ({labels}) ({all_of})"
    return f"sum(({objects} unless on ({labels}) {known}) or 0 * {objects})"


def coded(metric: str, by: str) -> str:
    """A stateset of the hosts as one number for each object, so that one line of a timeline shows it."""
    parts = [f"{number} * {host(metric, is_in(metric, state))}" for number, state in enumerate(STATES[metric], 1)]
    return f"sum by ({by}) ({' or '.join(parts)})"


def is_in(metric: str, state: str) -> str:
    """Selects one state of a stateset."""
    return f'{metric}="{state}"'


def in_range(metric: str, by: str) -> str:
    """How far a counter of operations rose in the time shown.

    Those of this pair, and those of a manager outside of any, which counts by verb and not by pair.
    """
    return f"sum by ({by}) (increase({one(metric)}[$__range]) or increase({elsewhere(metric)}[$__range]))"


def elsewhere(metric: str) -> str:
    """What a machine says that is in no pair."""
    return f'{metric}{{job="$job", pair=""}}'


def quantile(q: float, metric: str, by: str) -> str:
    """Of a histogram of operations in the time shown; absent where none ended."""
    return f"histogram_quantile({q}, {in_range(metric + '_bucket', f'le, {by}')}) >= 0"


def _and(more: str) -> str:
    return f", {more}" if more else ""
