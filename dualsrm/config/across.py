"""Faults between tables: each host in one pair, one name for one host.

These read the raw file, so that they are reported together with the faults of single keys; what has the wrong type
there has been reported already and is passed over here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dualsrm.config.problems import Problem, did_you_mean, short


def across_problems(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything that no table has wrong by itself."""
    yield from _pairing(raw)
    yield from _same_address(raw)


def tables(raw: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """The tables below a name, without what is none."""
    found = raw.get(name)
    return {key: t for key, t in found.items() if isinstance(t, dict)} if isinstance(found, dict) else {}


def _pairing(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Each host in exactly one pair, each pair of two hosts that exist."""
    hosts = tables(raw, "hosts")
    pairs_of: dict[str, list[str]] = {host: [] for host in hosts}
    for pair, section in tables(raw, "pairs").items():
        members = section.get("hosts")
        named = [host for host in members if isinstance(host, str)] if isinstance(members, list) else []
        key = ("pairs", pair, "hosts")
        for host in dict.fromkeys(named):
            if named.count(host) > 1:
                yield Problem(key, f"found {host!r} twice; allowed are two different hosts")
            if host in pairs_of:
                pairs_of[host].append(pair)
            else:
                yield Problem(key, f"found {host!r}, which is no host{did_you_mean(host, hosts)}; allowed are"
                                   f" {', '.join(hosts) or 'the hosts of this file'}")  # fmt: skip
    for host, pairs in pairs_of.items():
        if not pairs:
            yield Problem(("hosts", host), "is in no pair; every host is in exactly one")
        elif len(pairs) > 1:
            yield Problem(("hosts", host), f"is in {len(pairs)} pairs ({', '.join(pairs)}); allowed is one")


def _same_address(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Two names for one host: a move from it to itself would look like one between two."""
    for field in ("address", "migration_address"):
        first: dict[tuple[str, object], str] = {}
        for host, section in tables(raw, "hosts").items():
            value = section.get(field)
            if not isinstance(value, str):
                continue
            place = (value, section.get("port", 22) if field == "address" else None)
            if (other := first.setdefault(place, host)) != host:
                yield Problem(("hosts", host, field), f"found {short(value)}, which {other} has; one host, one name")
